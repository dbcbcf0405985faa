"""``practicum network check``: from a container on the notebooks' network, try what a notebook can reach.

Two containers are started as notebooks are, and removed again; it takes some seconds. Ends with 1 where something is
reached that must not be, or something is not that must. The rules themselves are the server's: ``deploy/firewall.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from practicum.config.doctor import notebooks
from practicum.config.doctor.findings import Finding, State, as_json, as_lines
from practicum.engine.probe import Place, Reached, try_network


class Command(BaseCommand):
    """Try, and say of each what became of it."""

    help = (__doc__ or "").splitlines()[0]
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """What to try besides, and for whom."""
        parser.add_argument("verb", choices=["check"])
        parser.add_argument("--json", action="store_true", help="For programs: one object, {well, findings}.")
        parser.add_argument(
            "--also", type=place, action="append", default=[], metavar="ADDRESS:PORT",
            help="More that must not be reached: a file server of your network, its router.",
        )  # fmt: skip

    def handle(self, *_: Any, **options: Any) -> None:
        """Print a line for each finding, or all as JSON."""
        found = findings(extra=options["also"])
        if options["json"]:
            self.stdout.write(json.dumps(as_json(found), indent=2))
        else:
            self.stdout.write("\n".join(as_lines(found)))
        if any(each.state == State.MEND for each in found):
            sys.exit(1)


def place(text: str) -> Place:
    """``10.0.0.7:2049`` or ``[fd00::7]:2049``."""
    address, _, port = text.rpartition(":")
    if not address or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not ADDRESS:PORT")
    return ("tcp", address.strip("[]"), int(port))


def findings(*, extra: list[Place] | None = None) -> list[Finding]:
    """What notebooks of this site reach."""
    if settings.PRACTICUM_ENGINE != "docker":
        return [Finding(notebooks.NAME, State.LOOK, "none: without an engine, notebooks are processes of this machine")]

    def ask() -> Reached:
        return try_network(
            settings.PRACTICUM_NETWORK,
            image=settings.PRACTICUM_WORKSPACE_IMAGE,
            instance=settings.PRACTICUM_INSTANCE,
            doors=doors(),
            extra=extra or [],
        )

    return notebooks.network(ask, is_production=settings.PRACTICUM_ENV == "production")


def doors() -> list[str]:
    """What notebooks need: the hub's API, the site's, and the egress proxy where there is one."""
    wanted = (settings.PRACTICUM_HUB_API_URL, settings.PRACTICUM_SITE_INTERNAL_URL, settings.PRACTICUM_EGRESS_PROXY)
    return [url for url in wanted if url]
