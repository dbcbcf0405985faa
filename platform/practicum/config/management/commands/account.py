"""``practicum account reset-2fa|off|on|role USERNAME``: what an operator does with an account where no admin can."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from practicum.accounts import factors, services
from practicum.accounts.models import Role, User
from practicum.errors import PracticumError
from practicum.lib.clock import utc_now


class Command(BaseCommand):
    """Look after one account; each is on record as done by the platform."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Four subcommands, each of one account."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        told = {
            "reset-2fa": "Take a lost second factor away; every session of the person ends.",
            "off": "Switch the account off: its sessions end, and its notebook and tokens within a minute.",
            "on": "Switch the account on again.",
            "role": "Give the account another role; every session of the person ends.",
        }
        for verb, help_text in told.items():
            sub = verbs.add_parser(verb, help=help_text)
            sub.add_argument("username")
            if verb == "role":
                sub.add_argument("role", choices=Role.values)

    def handle(self, *_: Any, verb: str, username: str, role: str = "", **__: Any) -> None:
        """Do it; refusals are told in their own words."""
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account called {username}.")
        try:
            self.stdout.write(self._done(verb, user, role=role))
        except PracticumError as error:
            raise CommandError(str(error)) from error

    def _done(self, verb: str, user: User, *, role: str) -> str:
        now = utc_now()
        if verb == "reset-2fa":
            factors.reset_factor(None, user=user, now=now)
            return f"{user.username} signs in without a second factor now, and was told so."
        if verb == "role":
            moved = services.change_role(None, user=user, role=role, why="the operator's command", now=now)
            return f"{user.username} is {role} {'from now on' if moved else 'already'}."
        moved = services.set_active(None, user=user, active=verb == "on", now=now)
        return f"The account of {user.username} is switched {verb}{'' if moved else ' already'}."
