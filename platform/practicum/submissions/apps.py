"""Django's handle on this room."""

from django.apps import AppConfig


class SubmissionsConfig(AppConfig):
    """What an intern hands in: immutable, named by its digest."""

    name = "practicum.submissions"
    label = "submissions"
    default_auto_field = "django.db.models.BigAutoField"
