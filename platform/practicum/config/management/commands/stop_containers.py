"""``practicum stop_containers``: end every container (or process) of this instance. Volumes and rows stay."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from practicum.config.engine import site_engine


class Command(BaseCommand):
    """What the demo does at its end; the next worker sees that they are gone and closes their rows."""

    help = __doc__ or ""

    def handle(self, *_: Any, **__: Any) -> None:
        """Stop and remove them."""
        engine = site_engine()
        found = engine.list({"org.practicum.instance": settings.PRACTICUM_INSTANCE})
        for container in found:
            engine.stop(container.id)
            engine.remove(container.id)
        self.stdout.write(f"  {len(found)} containers stopped")
