"""Django's handle on this room."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Projects and their published versions."""

    name = "practicum.catalog"
    label = "catalog"
    default_auto_field = "django.db.models.BigAutoField"
