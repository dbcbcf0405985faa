"""When the files of a cohort that is over go. Pure.

They are told of two weeks ahead; what was not told of is not removed, however late it is.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

AHEAD = timedelta(days=14)
# What the page proposes. Nothing is removed before an admin has said so.
PROPOSED = {"homes": 90, "snapshots": 30, "submissions": 730, "logs": 365}
FEWEST_DAYS, MOST_DAYS = 14, 3650


class Step(StrEnum):
    """What is to be done about one part now."""

    NOTHING = "nothing"
    TELL = "tell"
    REMOVE = "remove"


def due_on(*, ended_on: date, days: int | None) -> date | None:
    """The day on which it goes; None: it is kept for good."""
    return None if days is None else ended_on + timedelta(days=days)


def step(*, due: date | None, told_at: datetime | None, is_done: bool, now: datetime) -> Step:
    """The next step for a part that is ``due``. ``now`` and ``due`` are by the site's clock."""
    if due is None or is_done:
        return Step.NOTHING
    if told_at is None:
        return Step.TELL if now.date() >= due - AHEAD else Step.NOTHING
    return Step.REMOVE if now.date() >= due and now >= told_at + AHEAD else Step.NOTHING
