"""``practicum scenario STAGE``: an invented cohort at one of seven stages, for looking at pages and boards.

    practicum scenario week-3
    practicum scenario final-week --interns 24 --seed 7 --day 2026-11-26

The same stage, seed, number and day make the same rows. It refuses a database in which there is anybody else.
"""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import localdate

from practicum.accounts.models import User
from practicum.config.demo.cast import PASSWORD
from practicum.config.demo.people import known
from practicum.config.demo.scenario import FEWEST, MOST, Plan, Stage, build, left_open
from practicum.internships.models import Cohort


class Command(BaseCommand):
    """Build it, in one transaction."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """The stage, and what is drawn."""
        parser.add_argument("stage", choices=[str(stage) for stage in Stage])
        parser.add_argument("--seed", type=int, default=1, help="What is drawn depends on it (1).")
        parser.add_argument("--interns", type=_count, default=12, help=f"How many, {FEWEST} to {MOST} (12).")
        parser.add_argument("--day", type=_day, help="The day on which the cohort is at that stage (today).")

    def handle(self, *_: Any, stage: str, seed: int, interns: int, day: date | None, **__: Any) -> None:
        """Refuse, or build it and say what there is."""
        _check_place()
        began = time.monotonic()
        plan = Plan(stage=Stage(stage), seed=seed, interns=interns, day=day or localdate())
        cohort = build(plan)
        self.stdout.write(
            f"{cohort.name}, {stage}: {cohort.starts_on} to {cohort.ends_on}, as of {plan.day} "
            f"({time.monotonic() - began:.1f} s)"
        )
        for what, count in left_open(cohort).items():
            self.stdout.write(f"  {count:3} {what}")
        self.stdout.write(f"Sign in as ada, mira, otto or an intern, with the password {PASSWORD}.")


def _check_place() -> None:
    """Let through a demo's database in which nothing would be mixed up.

    Raises:
        CommandError: it is no demo; or somebody else, or a cohort, is there already.
    """
    if settings.PRACTICUM_ENV != "demo":
        raise CommandError("Invented people belong in a demo only; PRACTICUM_ENV is not demo.")
    strangers = User.objects.exclude(username__in=known()).count()
    if strangers:
        raise CommandError(f"{strangers} accounts here are none of the demo's. A scenario needs a database of its own.")
    if Cohort.objects.exists():
        raise CommandError("There is a cohort in this database. A scenario needs one without.")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not FEWEST <= int(text) <= MOST:
        raise ArgumentTypeError(f"a number from {FEWEST} to {MOST}")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError("a day such as 2026-11-26") from error
