"""Django's handle on this room."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Pages that look across rooms: the home of intern, mentor and admin. No models."""

    name = "practicum.portal"
    label = "portal"
    default_auto_field = "django.db.models.BigAutoField"
