"""What in an internship asks for somebody's attention, each with the words why and what to do. Pure.

No score is made of it and nothing follows from it by itself: a signal is a sentence, and the intern reads the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

NOT_SEEN = timedelta(days=4)
NOTHING_HANDED_IN = timedelta(days=10)
NO_CHECK_IN = timedelta(days=10)
REVIEW_WAITS = timedelta(days=3)
CHECK_IN_WAITS = timedelta(days=4)
PLATEAU = 3
LOST_IN_LINE = timedelta(hours=3)


@dataclass(frozen=True)
class Facts:
    """What is known of an internship's work. ``began``: when it could begin; ``no_better``: scores since the last best
    one; ``in_line``: time spent in line in the last seven days; ``review_waits_since``: the last work, if nobody has
    reviewed it; ``check_in_waits_since``: the intern's last check-in, if the mentor wrote none for that week.
    """

    began: datetime
    seen_at: datetime | None = None
    handed_in_at: datetime | None = None
    interns_check_in: datetime | None = None
    check_in_waits_since: datetime | None = None
    review_waits_since: datetime | None = None
    overdue: str = ""
    overdue_since: date | None = None
    no_better: int = 0
    in_line: timedelta = timedelta(0)


@dataclass(frozen=True)
class Signal:
    """``kind`` names it, ``words`` say why, ``action`` is what helps: message, extend, review, check-in or hours."""

    kind: str
    words: str
    action: str


def signals_of(facts: Facts, *, now: datetime) -> list[Signal]:
    """Every signal, those about the intern's work first, then those about what the intern waits for."""
    return [*_of_work(facts, now=now), *_of_waiting(facts, now=now)]


def _of_work(facts: Facts, *, now: datetime) -> Iterator[Signal]:
    quiet = now - (facts.seen_at or facts.began)
    if quiet >= NOT_SEEN:
        words = f"Not seen at work for {_days(quiet)}." if facts.seen_at else f"Has not begun, {_days(quiet)} in."
        yield Signal("not-seen", words, "message")
    elif now - (facts.handed_in_at or facts.began) >= NOTHING_HANDED_IN:
        yield Signal(
            "no-submission", f"Nothing handed in for {_days(now - (facts.handed_in_at or facts.began))}.", "message"
        )
    if facts.overdue and facts.overdue_since:
        days = timedelta(days=(now.date() - facts.overdue_since).days)
        yield Signal("overdue", f"“{facts.overdue}” was due {_days(days)} ago.", "extend")
    if facts.no_better >= PLATEAU:
        yield Signal("plateau", f"The last {facts.no_better} scores were no better than the best before.", "message")
    if now - (facts.interns_check_in or facts.began) >= NO_CHECK_IN:
        yield Signal(
            "no-check-in", f"No check-in for {_days(now - (facts.interns_check_in or facts.began))}.", "message"
        )


def _of_waiting(facts: Facts, *, now: datetime) -> Iterator[Signal]:
    if facts.in_line >= LOST_IN_LINE:
        yield Signal("in-line", f"{round(facts.in_line / timedelta(hours=1))} hours in line in a week.", "hours")
    if facts.review_waits_since and now - facts.review_waits_since >= REVIEW_WAITS:
        waited = _days(now - facts.review_waits_since)
        yield Signal("review-waits", f"The mentor has not reviewed what was handed in {waited} ago.", "review")
    if facts.check_in_waits_since and now - facts.check_in_waits_since >= CHECK_IN_WAITS:
        waited = _days(now - facts.check_in_waits_since)
        yield Signal("silent-mentor", f"The mentor has not written the check-in for {waited}.", "check-in")


def _days(length: timedelta) -> str:
    return f"{length.days} day{'' if length.days == 1 else 's'}"
