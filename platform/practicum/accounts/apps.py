"""Django's handle on this room."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, roles, sign-in, and the OpenID provider the hub trusts."""

    name = "practicum.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
