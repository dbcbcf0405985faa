"""``practicum backup``: a copy of the whole site, encrypted, to a folder, SSH or S3.

    practicum backup init          make the repository, once
    practicum backup               make a backup
    practicum backup list          those there are
    practicum backup check         look whether the repository is whole; --read-data reads every byte of it
    practicum backup forget        let go of old ones, by PRACTICUM_BACKUP_KEEP; --dry-run only says which
    practicum backup unlock        remove locks that a program left which does not run any more

Ends with 0 where all is well, 1 where it failed, 3 where a backup was made but something is missing in it (it says what),
4 where another one is under way, 5 where the repository is damaged.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from practicum.config.engine import site_engine
from practicum.config.keeping import making, places, shelf
from practicum.config.keeping.command import KeepingCommand
from practicum.config.keeping.refusals import INCOMPLETE
from practicum.lib.clock import utc_now

VERBS = ("run", "init", "list", "check", "forget", "unlock")


class Command(KeepingCommand):
    """One verb at a time."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and how it is told."""
        parser.add_argument("verb", nargs="?", choices=VERBS, default="run", help="What to do (run).")
        parser.add_argument("--json", action="store_true", help="For programs: one object.")
        parser.add_argument("--read-data", action="store_true", help="check: read every byte of the repository.")
        parser.add_argument("--dry-run", action="store_true", help="forget: only say what would go.")
        parser.add_argument("--yes", action="store_true", help="forget, unlock: do not ask.")

    def handle(self, *_: Any, verb: str, **options: Any) -> None:
        """Do it; a refusal is one message and an exit code."""
        verbs: dict[str, Callable[[dict[str, Any]], None]] = {
            "run": self.do_run, "init": self.do_init, "list": self.do_list, "check": self.do_check,
            "forget": self.do_forget, "unlock": self.do_unlock,
        }  # fmt: skip
        with self.refusing(is_json=bool(options["json"])):
            verbs[verb](options)

    def do_run(self, _: dict[str, Any]) -> None:
        """A backup; 3 where something is missing in it."""
        began = time.monotonic()
        with places.alone() as stage:
            means = making.Means(places.restic(), site_engine(), self.say, utc_now())
            made = making.make(means, stage=stage)
        facts = {"id": made.id, "bytes": made.bytes, "files": len(made.files), "homes": len(made.volumes)}
        self.tell({**facts, "rows": made.rows, "warnings": list(made.warnings)})
        self.say(f"Backup {made.id} is made: {making.size(made.bytes)} in {time.monotonic() - began:.1f} s")
        for warning in made.warnings:
            self.stderr.write(f"missing: {warning}")
        if made.warnings:
            sys.exit(INCOMPLETE)

    def do_init(self, _: dict[str, Any]) -> None:
        """An empty repository at the place of the settings."""
        restic = places.restic()
        restic.init()
        self.tell({"repository": restic.place.told})
        self.say(f"A repository is made at {restic.place.told}.")
        self.say("Keep a copy of the password file somewhere else: without it nothing in there can be read again.")

    def do_list(self, _: dict[str, Any]) -> None:
        """A line each."""
        there = shelf.kept(places.restic())
        rows = [
            {"id": each.id, "at": each.at.isoformat(), "bytes": each.bytes, "files": each.files, "homes": each.homes,
             "version": each.version}
            for each in there
        ]  # fmt: skip
        self.tell({"backups": rows})
        for each in there:
            size = f"{making.size(each.bytes):>10}  {each.files:>7,} files  {each.homes:>4} homes"
            self.say(f"{each.id}  {each.at:%Y-%m-%d %H:%M} UTC  {size}  Practicum {each.version}")
        self.say(f"{len(there)} backups" if there else "No backup yet: practicum backup")

    def do_check(self, options: dict[str, Any]) -> None:
        """The repository is whole, and the latest backup's manifest can be read."""
        with places.alone():
            restic = places.restic()
            restic.unlock()
            restic.check(reads_all=options["read_data"])
            there = shelf.kept(restic)
            if there:
                shelf.manifest_of(there[-1].id, restic=restic)
        self.tell({"well": True, "backups": len(there), "read_data": options["read_data"]})
        how = "every byte of it was read" if options["read_data"] else "--read-data reads every byte of it"
        self.say(f"The repository is whole ({how}); {len(there)} backups.")

    def do_forget(self, options: dict[str, Any]) -> None:
        """Old ones go, by the rules."""
        with places.alone():
            restic, keep = places.restic(), settings.PRACTICUM_BACKUPS.keep
            going = shelf.going(restic, keep=keep, now=utc_now())
            for name in going.backups:
                self.say(f"  {name}")
            for name in going.unfinished:
                self.say(f"  {name} (never finished)")
            rules = ", ".join(f"{count} {unit}" for unit, count in zip(shelf.UNITS, keep, strict=True))
            count = len(going.backups) + len(going.unfinished)
            is_done = bool(count) and not options["dry_run"] and self.confirmed(f"Let go of these {count}?", options)
            if is_done:
                shelf.let_go(restic, going=going)
        self.tell({"backups": going.backups, "unfinished": going.unfinished, "gone": is_done})
        self.say(f"{count} {'are gone' if is_done else 'would go'}; {rules} backups stay.")

    def do_unlock(self, options: dict[str, Any]) -> None:
        """Every lock of the repository goes."""
        with places.alone():
            if self.confirmed("Does really no other program work on this repository?", options):
                places.restic().unlock(all_of_them=True)
                self.say("The repository is unlocked.")
            self.tell({"unlocked": True})

    def confirmed(self, question: str, options: dict[str, Any]) -> bool:
        """The operator says yes, on the line or beforehand.

        Raises:
            CommandError: nobody can be asked.
        """
        if options["yes"]:
            return True
        if not sys.stdin.isatty():
            raise CommandError(f"{question} Say so with --yes.")
        return input(f"{question} [y/N] ").strip().lower() == "y"
