"""``practicum create_admin USERNAME EMAIL NAME``: the first admin's account; its one-time password is printed this once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from practicum.accounts.models import Role, User
from practicum.accounts.services import create_account
from practicum.errors import PracticumError
from practicum.lib.clock import utc_now


class Command(BaseCommand):
    """Open an admin's account; every other account is opened on the site's People page."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Who it is."""
        parser.add_argument("username")
        parser.add_argument("email")
        parser.add_argument("name", help='As the person writes it, in quotes: "Ada Lovelace".')
        parser.add_argument(
            "--unless-there-is-one", action="store_true", help="do nothing if there is an admin already"
        )

    def handle(
        self, *_: Any, username: str, email: str, name: str, unless_there_is_one: bool = False, **__: Any
    ) -> None:
        """Open it; refusals are told in their own words."""
        if unless_there_is_one and User.objects.filter(role=Role.ADMIN, is_active=True).exists():
            self.stdout.write("There is an admin already.")
            return
        try:
            user, password = create_account(
                None, username=username, email=email, name=name, role=Role.ADMIN, now=utc_now()
            )
        except PracticumError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The admin {user.username} signs in with this one-time password, and chooses their own:")
        self.stdout.write(password)
