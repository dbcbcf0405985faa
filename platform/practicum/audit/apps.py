"""Django's handle on this room."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """An append-only record of every verb."""

    name = "practicum.audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"
