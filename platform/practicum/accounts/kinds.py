"""The kinds of notices, as a person chooses among them. Pure.

What is told names itself in two words, such as ``run.scored``; a kind holds all that begin alike.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL = ("intern", "mentor", "admin")
INTERN, MENTOR, STAFF = ("intern",), ("mentor",), ("mentor", "admin")
BOTH = ("intern", "mentor")


@dataclass(frozen=True)
class Kind:
    """``slug`` names it for good; ``starts``: how the notices in it begin; ``roles``: who is ever told."""

    slug: str
    label: str
    starts: tuple[str, ...]
    roles: tuple[str, ...]


KINDS = (
    Kind("turn", "Your turn in line for a slot", ("session.turn",), INTERN),
    Kind("notebook", "Your notebook is ready, was stopped, lost its place", ("session.",), INTERN),
    Kind("slot", "A slot is asked back, or stays yours", ("lease.",), INTERN),
    Kind("home", "Your files take nearly all the room you have, or more", ("home.",), INTERN),
    Kind("snapshot", "Snapshots of your files", ("snapshot.",), INTERN),
    Kind("run", "A run has ended, or was made again", ("run.",), INTERN),
    Kind("review", "A review is decided", ("review.",), INTERN),
    Kind("leaderboard", "Final scores are released", ("leaderboard.",), INTERN),
    Kind("certificate", "Certificates", ("certificate.", "internship.completed"), BOTH),
    Kind("application", "Applications and places", ("application.",), INTERN),
    Kind("matching", "Who is with whom in a cohort", ("matching.",), BOTH),
    Kind("change", "Requests for time, a pause, another mentor, an end", ("change.", "internship.resumed"), BOTH),
    Kind("check-in", "Check-ins", ("check_in.",), BOTH),
    Kind("message", "Messages of the other side of an internship", ("internship.message",), BOTH),
    Kind("help", "An intern asks for help in a running notebook", ("help.",), MENTOR),
    Kind("reservation", "Reservations", ("reservation.",), STAFF),
    Kind("maintenance", "Maintenance, where you have a notebook open or work in line", ("maintenance.",), INTERN),
    Kind("retention", "Files of a cohort that is over are removed soon", ("retention.",), ALL),
    Kind("account", "Your account and your data", ("account.",), ALL),
)
BY_SLUG = {kind.slug: kind for kind in KINDS}


def kind_of(told: str) -> Kind | None:
    """The kind of a notice that names itself ``told``; None for a test, which always comes."""
    return next((kind for kind in KINDS if told.startswith(kind.starts)), None)


def kinds_for(role: str) -> list[Kind]:
    """What a person of this role is ever told."""
    return [kind for kind in KINDS if role in kind.roles]
