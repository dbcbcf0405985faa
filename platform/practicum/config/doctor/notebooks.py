"""What notebooks can reach, measured from a container on their network."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from django.conf import settings

from practicum.config.doctor.findings import PRACTICUM, Finding, State, ok, to_mend
from practicum.engine.probe import Reached, Tried
from practicum.engine.reach import OPEN, UNKNOWN
from practicum.errors import EngineError

MEND = "sudo deploy/firewall.py install\nsudo deploy/firewall.py check"
PORTS_TOLD = 6
NAME = "notebooks' network"


def network(ask: Callable[[], Reached], *, is_production: bool) -> list[Finding]:
    """Whether notebooks reach what they need and nothing else. In a demo, what they reach besides is for looking at."""
    try:
        found = ask()
    except EngineError as fault:
        said = f"not tried: {fault}"
        mend = f"{PRACTICUM} start"
        return [to_mend(NAME, said, mend)] if is_production else [Finding(NAME, State.UNSEEN, said)]
    return [*_doors(found), *_others(found, is_production=is_production), *_routes(found, is_production=is_production)]


def _doors(found: Reached) -> list[Finding]:
    return [
        ok("notebooks reach", tried.what)
        if tried.is_reached
        else to_mend("notebooks reach", f"not {tried.what} ({_why(tried)})", f"{MEND}\n{PRACTICUM} status")
        for tried in found.doors
    ]


def _why(tried: Tried) -> str:
    return "the name is not known there" if tried.word == UNKNOWN else tried.said


def _others(found: Reached, *, is_production: bool) -> list[Finding]:
    """A line for each thing that was reached, with its ports; one line where none was."""
    reached = [tried for tried in found.others if tried.is_reached]
    if not reached:
        places = len({tried.place[1] for tried in found.others})
        return [
            ok("notebooks are kept from", f"{places} other addresses, at {len(found.others)} places that were tried")
        ]
    state = State.MEND if is_production else State.LOOK
    lines = []
    for (what, address), group in groupby(reached, key=lambda tried: (tried.what, tried.place[1])):
        # Where somebody listens comes before where nobody does.
        ports = [f"{each.place[2]}/{each.place[0]}" for each in sorted(group, key=lambda each: each.word != OPEN)]
        more = f" and {len(ports) - PORTS_TOLD} more" if len(ports) > PORTS_TOLD else ""
        said = f"{what} at {address}: {', '.join(ports[:PORTS_TOLD])}{more}"
        lines.append(Finding("notebooks must not reach", state, said, MEND))
    return lines


def _routes(found: Reached, *, is_production: bool) -> list[Finding]:
    if found.is_internal:
        return [ok("notebooks' way out", "none but the egress proxy")]
    said = "their network has a way out of its own beside the egress proxy"
    mend = (
        "When no notebook runs, for all stop:\n"
        f"{PRACTICUM} down\ndocker network rm {settings.PRACTICUM_NETWORK}\n{PRACTICUM} start"
    )
    return [Finding("notebooks' way out", State.MEND if is_production else State.LOOK, said, mend)]
