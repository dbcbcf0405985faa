"""Django's handle on this room."""

from django.apps import AppConfig


class DigestsConfig(AppConfig):
    """The daily mail, and the webhook of a cohort."""

    name = "practicum.digests"
    label = "digests"
    default_auto_field = "django.db.models.BigAutoField"
