"""When help in a running notebook ends, and what may be let in. Pure.

A help request stands on its session, its internship and its mentor as they are now: whatever takes one of them away ends
it, whether or not anybody pressed anything. Nothing is open that only a program's next look would close.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTES = (15, 30, 60)
TOPIC_LENGTH = 200
# A notebook asks every two seconds who may come in; one that was silent for so long can't show anybody out.
HEARD_WITHIN = timedelta(seconds=15)
MOST_NOTEBOOKS = 4
PATH_LENGTH = 300
TIME_IS_UP = "Its time was up."


@dataclass(frozen=True)
class Ground:
    """What a help request stands on. ``until``: its end, None before the mentor opened it."""

    until: datetime | None
    is_running: bool
    is_active: bool
    is_their_mentor: bool
    are_accounts_on: bool


def reason_to_end(ground: Ground, *, now: datetime) -> str | None:
    """Why it is over, in a sentence for both; None while it goes on."""
    if not ground.is_running:
        return "The notebook stopped."
    if not ground.is_active:
        return "The internship does not go on."
    if not ground.are_accounts_on:
        return "An account was switched off."
    if not ground.is_their_mentor:
        return "The internship has another mentor now."
    if ground.until is not None and now >= ground.until:
        return TIME_IS_UP
    return None


def until(*, minutes: int, lease_until: datetime | None, now: datetime) -> datetime:
    """When help that is opened now ends: after its minutes, or with the session."""
    ends = now + timedelta(minutes=minutes)
    return min(ends, lease_until) if lease_until is not None else ends


def is_heard(heard_at: datetime | None, *, now: datetime) -> bool:
    """The notebook asks who may come in, so it shows out whoever may not."""
    return heard_at is not None and now - heard_at <= HEARD_WITHIN


def unfit_topic(topic: str) -> str | None:
    """What is wrong with a topic; None where it can be used."""
    if not topic:
        return "Say in one line what it is about."
    if len(topic) > TOPIC_LENGTH:
        return f"At most {TOPIC_LENGTH} characters."
    return None


def is_notebook_path(path: str) -> bool:
    """It names a notebook below the server's folder, and nothing else."""
    parts = path.split("/")
    return (
        len(path) <= PATH_LENGTH and path.endswith(".ipynb") and path.isprintable() and not {"", ".", ".."} & set(parts)
    )
