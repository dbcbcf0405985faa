"""``practicum project new|check|golden|publish|rescore``: what a mentor does with a project's folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from practicum.accounts.models import User
from practicum.catalog import check, golden, skeleton
from practicum.catalog.models import Mode
from practicum.catalog.selectors import latest_version
from practicum.catalog.services import check_in_containers, publish, published_as
from practicum.config.engine import site_engine
from practicum.errors import PracticumError
from practicum.evaluation.baselines import evaluate_baseline
from practicum.evaluation.services import rescore_project
from practicum.lib.clock import utc_now


class Command(BaseCommand):
    """Begin a project, check its folder, renew its golden cases, or publish it with its baseline."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Four subcommands."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        for name, told in (
            ("new", "Make a small project that passes its check, to change into yours."),
            ("check", "Say what must be mended before this project can be published."),
            ("golden", "Write golden/ anew from what evaluate.py says today."),
        ):
            verb = verbs.add_parser(name, help=told)
            verb.add_argument(
                "arguments", nargs=argparse.REMAINDER, help="The folder or slug, and options (try --help there)."
            )
        publishing = verbs.add_parser(
            "publish", help="Check it, prepare the data, evaluate the baseline, make it the next version."
        )
        publishing.add_argument("directory", type=Path)
        publishing.add_argument("--mode", choices=Mode.values, default=Mode.FULL)
        publishing.add_argument("--by", required=True, metavar="USERNAME", help="The mentor or admin who publishes it.")

        again = verbs.add_parser(
            "rescore",
            help="Score what was handed in again by the evaluate.py of the latest version; older results stay.",
        )
        again.add_argument("slug")
        again.add_argument("--by", required=True, metavar="USERNAME", help="The mentor or admin who asks for it.")

    def handle(self, *_: Any, verb: str, **options: Any) -> None:
        """Do it; refusals are told in their own words."""
        programs = {"new": skeleton.main, "check": check.main, "golden": golden.main}
        if verb in programs:
            raise SystemExit(programs[verb](options["arguments"]))
        try:
            if verb == "rescore":
                self.rescore(slug=options["slug"], by=options["by"])
            else:
                self.publish(**{name: options[name] for name in ("directory", "mode", "by")})
        except PracticumError as error:
            raise CommandError(str(error)) from error

    def staff(self, username: str) -> User:
        """The active mentor or admin of this name."""
        person = User.objects.filter(username=username, is_active=True).exclude(role="intern").first()
        if person is None:
            raise CommandError(f"There is no active mentor or admin called {username}.")
        return person

    def rescore(self, *, slug: str, by: str) -> None:
        """Put every submission that the latest version scores in another way in line."""
        actor, version = self.staff(by), latest_version(slug)
        runs = rescore_project(version.project, actor=actor, now=utc_now())
        self.stdout.write(f"{len(runs)} submissions are in line to be scored by {version}.")

    def publish(self, *, directory: Path, mode: str, by: str) -> None:
        """Check, publish, and put the baseline in line."""
        actor = self.staff(by)
        engine = site_engine()
        version = published_as(directory, mode=Mode(mode))
        if version is None:
            report = check_in_containers(directory, engine=engine, say=self.say)
            self.say(report.summary())
            version = publish(directory, mode=Mode(mode), report=report, actor=actor, engine=engine, now=utc_now())
        self.say(f"{version} is published; its baseline is being trained.")
        evaluate_baseline(version, engine=engine, actor=actor, now=utc_now())
        self.say("The baseline is in line for its evaluation.")

    def say(self, line: str) -> None:
        """A line now, not when all is done."""
        self.stdout.write(line)
        self.stdout.flush()
