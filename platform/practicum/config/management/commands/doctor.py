"""``practicum doctor``: everything a site needs, a line each: ok, or what is wrong and what mends it.

Nothing is changed and nothing is sent; to see what notebooks reach, two containers are started and removed again. Ends with 1
where something is to be mended.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError

from practicum.config.doctor import containers, machine, network, servers, sign_in, site
from practicum.config.doctor.findings import Finding, State, as_json, as_lines, to_mend
from practicum.config.engine import site_engine
from practicum.config.management.commands import network as network_command
from practicum.config.settings import ENVIRONMENT
from practicum.credentials.keys import key_file as issuer_key_file
from practicum.engine.facts import engine_facts
from practicum.gpus.selectors import has_gpus
from practicum.lib.clock import utc_now


class Command(BaseCommand):
    """Look at each part; a look that fails is a finding too."""

    help = (__doc__ or "").splitlines()[0]
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Which parts, and for whom."""
        parser.add_argument("--json", action="store_true", help="For programs: one object, {well, findings}.")
        parser.add_argument(
            "--only",
            nargs="+",
            action="extend",
            choices=sorted(looks()),
            metavar="PART",
            help=", ".join(sorted(looks())),
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Print a line for each finding as it comes, or all as JSON."""
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # what a look meets is said in its finding
        try:
            found = self._look(only=options["only"], is_told=not options["json"])
        finally:
            logging.disable(before)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(found), indent=2))
        ill = sum(each.state == State.MEND for each in found)
        if not options["json"]:
            self.stdout.write(f"\n{ill} to mend" if ill else "\nAll is well")
        if ill:
            sys.exit(1)

    def _look(self, *, only: list[str] | None, is_told: bool) -> list[Finding]:
        """What was found, each part told as soon as it was looked at."""
        found: list[Finding] = []
        for part, look in looks().items():
            if only and part not in only:
                continue
            findings = _looked(part, look)
            found += findings
            if is_told:
                self.stdout.write("\n".join([part, *as_lines(findings)]))
        return found


def looks() -> dict[str, Callable[[], list[Finding]]]:
    """What is looked at, by the name that ``--only`` takes, in the order in which things stand on one another."""
    public = {"site": settings.PRACTICUM_SITE_URL, "hub": settings.PRACTICUM_HUB_URL}
    answering = {"site": f"{public['site']}/health/", "hub": f"{public['hub']}/hub/health"}
    images = (settings.PRACTICUM_WORKSPACE_IMAGE, settings.PRACTICUM_SCORER_IMAGE)
    return {
        "settings": site.configuration,
        "programs": machine.programs,
        "machine": lambda: [*machine.clock(), *machine.disks([("the site's files", settings.PRACTICUM_DATA_DIR)])],
        "keys": lambda: site.key_files(_key_files()),
        "database": lambda: site.database(now=utc_now()),
        "engine": lambda: _engine(images),
        "servers": lambda: servers.engines(site_engine(), settings.PRACTICUM_DATA_DIR / "servers", now=utc_now()),
        "network": network_command.findings,
        "nvidia": lambda: [*machine.toolkit(), *machine.specifications(has_gpus=_lists_gpus())],
        "names": lambda: network.names(public),
        "certificates": lambda: network.certificates(public, now=utc_now()),
        "pages": lambda: network.pages(answering),
        "mail": site.mail,
        "backups": lambda: site.last_backup(now=utc_now()),
        "sign-in": lambda: sign_in.ways_in(settings.PRACTICUM_WAYS_IN, site_url=settings.PRACTICUM_SITE_URL),
        "life": lambda: site.signs_of_life(now=utc_now()),
    }


def _engine(images: tuple[str, str]) -> list[Finding]:
    if settings.PRACTICUM_ENGINE != "docker":
        said = "none: notebooks and evaluations run without isolation, for trying out alone"
        return [Finding("container engine", State.LOOK, said, "Install Docker and set PRACTICUM_ENGINE=docker.")]
    return [*containers.engine(lambda: engine_facts(images), has_gpus=_lists_gpus()), *network.open_engine()]


def _key_files() -> dict[str, Path]:
    return {"key of the sign-in": ENVIRONMENT.oidc_key_file, "key of the certificates": issuer_key_file()}


def _lists_gpus() -> bool:
    """A server lists GPUs; where the database does not answer, none is known of."""
    try:
        return has_gpus()
    except DatabaseError:
        return False


def _looked(part: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """What the look found. One that breaks must not keep the others from being heard."""
    try:
        return look()
    except Exception as fault:
        said = f"the look itself failed: {type(fault).__name__}: {fault}"
        return [to_mend(part, said, "Mend what is wrong above first, then run practicum doctor again.")]
