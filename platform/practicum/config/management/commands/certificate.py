"""``practicum certificate verify|issuer|renew-key``: check a certificate; print the issuer's profile; change its key."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from practicum.accounts.models import User
from practicum.credentials import keys, signing
from practicum.credentials.offline import verifier
from practicum.errors import PracticumError
from practicum.lib.clock import utc_now


class Command(BaseCommand):
    """Check a certificate, or look after the key that signs them."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Three subcommands."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        checking = verbs.add_parser("verify", help="Say whether a certificate is what its issuer signed.")
        checking.add_argument("arguments", nargs=argparse.REMAINDER, help="The file, and options (try --help there).")
        verbs.add_parser("issuer", help="Print the profile of this site's issuer: what a verifier needs.")
        renewing = verbs.add_parser("renew-key", help="Sign with a new key from now on.")
        renewing.add_argument("--by", required=True, metavar="USERNAME", help="The admin who asks for it.")
        renewing.add_argument(
            "--revoke-old",
            action="store_true",
            help="Somebody else may have the old key: nothing it signed counts any more, and the site signs anew.",
        )

    def handle(self, *_: Any, verb: str, **options: Any) -> None:
        """Do it; refusals are told in their own words."""
        if verb == "verify":
            raise SystemExit(verifier.main(options["arguments"]))
        try:
            if verb == "issuer":
                self.stdout.write(json.dumps(signing.profile(), indent=2))
            else:
                self.renew(by=options["by"], revoke=options["revoke_old"])
        except PracticumError as error:
            raise CommandError(str(error)) from error

    def renew(self, *, by: str, revoke: bool) -> None:
        """Put a new key in the place of the one in use."""
        actor = User.objects.filter(username=by, is_active=True, role="admin").first()
        if actor is None:
            raise CommandError(f"There is no active admin called {by}.")
        row = keys.renew(actor=actor, now=utc_now(), revoke=revoke)
        self.stdout.write(f"Certificates are signed with {row} from now on.")
