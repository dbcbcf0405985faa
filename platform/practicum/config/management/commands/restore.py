"""``practicum restore``: this site, made from a backup; or the drill that shows that it could be.

    practicum restore --dry-run                what would be done, and what is in the way
    practicum restore --verify                 bring all of it to scratch, compare every checksum, and forget it again
    practicum restore                          restore the latest backup on an empty host
    practicum restore 20261129T0300 --replace  restore an older one over what is here, which is put aside
    practicum restore --environment FILE       only write down the settings, with their secrets, of the backup's site

Stop the site before, but for --dry-run and --verify, which may be run while it works. Ends with 0 where all is well, 1 where
it was refused or failed, 4 where a backup is under way, 5 where the backup is damaged.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from practicum.config.engine import site_engine
from practicum.config.keeping import making, places, restoring, shelf
from practicum.config.keeping.command import KeepingCommand
from practicum.config.keeping.restoring import Restoration
from practicum.lib.clock import utc_now

NEXT = """Next:
  1. Start the site: deploy/practicum start
  2. Agents need new tokens. On this machine the start makes one; other servers: GPUs, the server's page, New token.
  3. Look at everything: practicum doctor
  4. Make a backup of the restored site: practicum backup
Everybody signs in anew. Persons whose data were deleted after the backup are there again: delete them again."""


class Command(KeepingCommand):
    """Restore, or say what would come of it."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Which backup, and how far to go."""
        parser.add_argument("backup", nargs="?", default=shelf.LATEST, help="The id of one, or its beginning (latest).")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")
        parser.add_argument("--verify", action="store_true", help="The drill: compare everything, change nothing.")
        parser.add_argument("--replace", action="store_true", help="This site is not empty: put what is here aside.")
        parser.add_argument("--environment", type=Path, metavar="FILE", help="Only write the old settings to FILE.")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")
        parser.add_argument("--json", action="store_true", help="For programs: one object.")

    def handle(self, *_: Any, backup: str, **options: Any) -> None:
        """Do it; a refusal is one message and an exit code."""
        with self.refusing(is_json=bool(options["json"])), places.alone() as stage:
            self.work(backup, stage=stage, options=options)

    def work(self, backup: str, *, stage: Path, options: dict[str, Any]) -> None:
        """One of the four."""
        restic, began = places.restic(), time.monotonic()
        manifest = shelf.manifest_of(backup, restic=restic)
        restoration = Restoration(manifest, restic, site_engine(), self.say, utc_now(), replaces=options["replace"])
        self.say(
            f"Backup {manifest.id} of {manifest.site_url}: {manifest.rows:,} rows, {len(manifest.files):,} files, "
            f"{len(manifest.volumes)} homes, {making.size(manifest.bytes)}, by Practicum {manifest.version}"
        )
        for warning in manifest.warnings:
            self.say(f"  missing in it: {warning}")
        if options["environment"]:
            restoring.write_environment(restoration, file=options["environment"])
            self.say(f"The settings of that site, with its secrets, are in {options['environment'].name}.")
        elif options["dry_run"]:
            self.foresee(restoration)
        elif options["verify"]:
            restoring.verify(restoration, stage=stage)
            self.done({"verified": manifest.id}, f"All of it is as it was kept ({time.monotonic() - began:.1f} s).")
        else:
            self.confirm(restoration, options)
            settled = restoring.restore(restoration, stage=stage)
            self.say(
                f"Restored in {time.monotonic() - began:.1f} s. {settled.signed_out} sign-ins and {settled.tokens} tokens are "
                f"void, {settled.sessions} notebooks ended, {settled.runs} evaluations wait to be run."
            )
            self.done({"restored": manifest.id, **vars(settled)}, NEXT)

    def done(self, facts: dict[str, Any], line: str) -> None:
        """The last word, for people or for programs."""
        self.tell(facts)
        self.say(line)

    def foresee(self, restoration: Restoration) -> None:
        """What is in the way; 1 where something is."""
        found = restoring.obstacles(restoration)
        self.done(
            {"backup": restoration.manifest.id, "obstacles": found},
            "\n".join(f"  in the way: {line}" for line in found) or "Nothing is in the way. Nothing was changed.",
        )
        if found:
            sys.exit(1)

    def confirm(self, restoration: Restoration, options: dict[str, Any]) -> None:
        """Where something is replaced, the operator types the name of the site.

        Raises:
            CommandError: they do not, or nobody can be asked.
        """
        if not options["replace"] or options["yes"] or not restoring.occupied(restoration):
            return
        name = settings.PRACTICUM_INSTANCE
        if not sys.stdin.isatty():
            raise CommandError("What is here would be replaced. Say so with --yes.")
        self.stdout.write("What is here is put aside, and homes are overwritten.")
        if input(f"Type {name} to go on: ").strip() != name:
            raise CommandError("Nothing was changed.")
