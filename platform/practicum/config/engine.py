"""The engine this site is set to use. Only worker and commands call this; the web process never does."""

from __future__ import annotations

from django.conf import settings

from practicum.engine import Engine, get_engine


def site_engine() -> Engine:
    """The adapter named by ``PRACTICUM_ENGINE``."""
    return get_engine(
        settings.PRACTICUM_ENGINE,
        python=settings.PRACTICUM_WORKSPACE_PYTHON,
        state_dir=settings.PRACTICUM_DATA_DIR / "local-engine",
        servers=settings.PRACTICUM_DATA_DIR / "servers",
    )
