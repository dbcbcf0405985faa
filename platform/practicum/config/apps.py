"""Django's handle on this room: it registers the system checks."""

from django.apps import AppConfig
from django.core.checks import register


class ConfigConfig(AppConfig):
    """Settings, URLs and checks."""

    name = "practicum.config"
    label = "practicum_config"

    def ready(self) -> None:
        """Register the checks."""
        from practicum.config.checks import check_mail

        register(check_mail)
