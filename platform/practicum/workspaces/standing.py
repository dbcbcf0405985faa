"""Where somebody stands in line for a slot, in the words that the launch page, JupyterLab and the terminal all show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.humanize.templatetags.humanize import ordinal
from django.utils.timezone import localtime

from practicum.gpus.estimate_selectors import estimate_sentence
from practicum.gpus.models import Lease
from practicum.gpus.selectors import gpu_pool_of, standing_in_line
from practicum.workspaces import selectors
from practicum.workspaces.models import Session
from practicum.workspaces.rules import Turn

WAITING, TURN, MOVING = "waiting", "turn", "moving"


@dataclass(frozen=True)
class Standing:
    """A place in line and what came of it. ``state``: ``waiting``; ``turn``: a slot is kept for them; ``moving``.

    ``why`` and ``estimate`` are sentences, empty once the turn has come; ``turn`` is set from then on.
    """

    state: str
    headline: str
    lease: Lease
    place: int | None = None
    why: str = ""
    estimate: str = ""
    turn: Turn | None = None

    def as_json(self) -> dict[str, Any]:
        """As a notebook is told of it."""
        return {
            "state": self.state,
            "headline": self.headline,
            "place": self.place,
            "why": self.why,
            "estimate": self.estimate,
            "take_by": self.turn.take_by.isoformat() if self.turn else None,
        }


def standing_of(session: Session, *, now: datetime) -> Standing | None:
    """The place that a session in line has, or that one on a CPU slot keeps; None where there is nothing to wait for."""
    if session.next_lease is not None:
        return _kept(session, session.next_lease, now=now)
    turn = selectors.turn_of(session)
    if turn is not None and not turn.is_taken:
        return Standing(TURN, "It is your turn", session.lease, turn=turn)
    return _in_line(session.lease, now=now)


def _kept(session: Session, lease: Lease, *, now: datetime) -> Standing | None:
    turn = selectors.next_turn_of(session)
    if turn is not None and turn.taken_at is not None:
        return Standing(MOVING, f"You are moving to {lease.slot}", lease, turn=turn)
    if turn is not None:
        until = f"{localtime(turn.take_by):%H:%M}"
        return Standing(TURN, f"It is your turn: {lease.slot} is kept for you until {until}", lease, turn=turn)
    return _in_line(lease, now=now)


def _in_line(lease: Lease, *, now: datetime) -> Standing | None:
    place = standing_in_line(lease, now=now)
    if place is None:
        return None
    what = " for a GPU" if gpu_pool_of(lease) is not None else ""
    return Standing(
        state=WAITING,
        headline=f"You are {ordinal(place.place)} in line{what}",
        lease=lease,
        place=place.place,
        why=place.why,
        estimate=estimate_sentence(lease, now=now),
    )
