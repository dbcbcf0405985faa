"""``practicum setup``: make the database, the issuer's key, and what the hub needs to trust this site. Safe to run again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from oauth2_provider.models import Application

from practicum.config.settings import ENVIRONMENT
from practicum.credentials import keys
from practicum.lib.clock import utc_now


class Command(BaseCommand):
    """Migrate, make the OpenID provider's key and the issuer's, register the hub as a client."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """What else a server needs at its start, in the same one."""
        parser.add_argument(
            "--agent", nargs=2, metavar=("SERVER", "FILE"), help="Also make its agent's token, as agent_token does."
        )
        parser.add_argument("--static", action="store_true", help="Also collect the files that pages load.")

    def handle(self, *_: Any, agent: list[str] | None, static: bool, **__: Any) -> None:
        """Do all of it."""
        meeting = [settings.PRACTICUM_DATA_DIR / "egress"] if settings.PRACTICUM_EGRESS_PROXY else []
        for folder in (
            settings.PRACTICUM_DATA_DIR,
            settings.STATIC_ROOT,
            settings.PRACTICUM_DATA_DIR / "hub",
            *meeting,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        made = make_key(ENVIRONMENT.oidc_key_file)
        try:
            made_issuer = keys.ensure(now=utc_now())
        except keys.KeyUnusable as fault:
            raise CommandError(f"{fault} (practicum certificate renew-key makes a new one.)") from fault
        register_hub()
        said = ("; signing key made" if made else "") + ("; issuer key made" if made_issuer else "")
        self.stdout.write(f"  Database ready{said}; hub registered")
        if agent:
            server, file = agent
            call_command("agent_token", server, "--file", file, stdout=self.stdout)
        if static:
            call_command("collectstatic", interactive=False, stdout=self.stdout)


def make_key(file: Path) -> bool:
    """Write a new RSA key to ``file``, readable by its owner only; False if there is one already."""
    if file.exists():
        return False
    pem = rsa.generate_private_key(public_exponent=65537, key_size=3072).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(pem)
    return True


def register_hub() -> None:
    """The hub is the provider's one client: confidential, authorization code only, one exact redirect address."""
    Application.objects.update_or_create(
        client_id=settings.PRACTICUM_OIDC_CLIENT_ID,
        defaults={
            "name": "Practicum hub",
            "client_secret": settings.PRACTICUM_OIDC_CLIENT_SECRET,
            "client_type": Application.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            "redirect_uris": f"{settings.PRACTICUM_HUB_URL}/hub/oauth_callback",
            "post_logout_redirect_uris": f"{settings.PRACTICUM_SITE_URL}/",
            "algorithm": Application.RS256_ALGORITHM,
            "skip_authorization": True,
        },
    )
