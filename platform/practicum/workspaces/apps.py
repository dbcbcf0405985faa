"""Django's handle on this room."""

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    """An intern's notebook server: its session, its activity, and the client of the hub."""

    name = "practicum.workspaces"
    label = "workspaces"
    default_auto_field = "django.db.models.BigAutoField"
