"""Django's handle on this room."""

from django.apps import AppConfig


class PersonsConfig(AppConfig):
    """One person's data: the export and the deletion."""

    name = "practicum.persons"
    label = "persons"
    default_auto_field = "django.db.models.BigAutoField"
