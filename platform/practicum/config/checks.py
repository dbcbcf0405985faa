"""System checks of Practicum's own."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning

NO_MAIL = Warning(
    "This site has no mail server: people are told on the site and by webhook only.",
    hint="Set PRACTICUM_EMAIL_HOST and PRACTICUM_EMAIL_FROM.",
    id="practicum.W001",
)


def check_mail(**_: Any) -> list[CheckMessage]:
    """A production site can send mail."""
    return [NO_MAIL] if settings.PRACTICUM_ENV == "production" and not settings.EMAIL_HOST else []
