"""Django's handle on this room."""

from django.apps import AppConfig


class GpusConfig(AppConfig):
    """Servers, GPUs, slots, leases and the queue. ``policy`` is pure."""

    name = "practicum.gpus"
    label = "gpus"
    default_auto_field = "django.db.models.BigAutoField"
