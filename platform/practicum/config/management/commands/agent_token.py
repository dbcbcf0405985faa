"""``practicum agent_token SERVER --file FILE``: the token of an agent on this very machine, made at its set-up.

Safe to run again: a token in the file that still opens something is kept. One that an admin revoked is kept too, so that
a restart undoes no revocation: delete the file to have a new one made.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug
from django.db import transaction

from practicum.gpus.models import Server
from practicum.gpus.tokens import make_token, token_row
from practicum.lib.clock import utc_now


class Command(BaseCommand):
    """Make the server and its agent's token where they are missing."""

    help = (__doc__ or "").splitlines()[0]

    def add_arguments(self, parser: CommandParser) -> None:
        """Which server, and where the agent reads its token."""
        parser.add_argument("server", help="The server's name: letters, digits and hyphens.")
        parser.add_argument("--file", type=Path, required=True, help="Where the agent reads the token.")

    def handle(self, *_: Any, server: str, file: Path, **__: Any) -> None:
        """Make what is missing; the token itself is printed nowhere."""
        try:
            validate_slug(server)
        except ValidationError as refusal:
            raise CommandError(f"{server!r} is no name for a server: use letters, digits and hyphens.") from refusal
        kept = token_row(file.read_text().strip()) if file.is_file() else None
        if kept is not None and kept.server.name == server:
            told = f"was revoked; delete {file.name} to have a new one made" if kept.revoked_at else "is kept"
            self.stdout.write(f"  The agent's token of {server} {told}")
            return
        with transaction.atomic():
            row, _is_new = Server.objects.get_or_create(name=server)
            write_secret(file, make_token(row, actor=None, now=utc_now()))
        self.stdout.write(f"  The agent's token of {server} is made")


def write_secret(file: Path, secret: str) -> None:
    """Write ``secret`` to ``file``, readable by its owner only; what was there is replaced as a whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secret)
    fresh.replace(file)
