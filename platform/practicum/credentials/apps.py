"""Django's handle on this room."""

from django.apps import AppConfig


class CredentialsConfig(AppConfig):
    """Certificates: what an internship came to, signed, checked by anybody, shown as its intern decides."""

    name = "practicum.credentials"
    label = "credentials"
    default_auto_field = "django.db.models.BigAutoField"
