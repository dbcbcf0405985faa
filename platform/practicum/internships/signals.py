"""What in an internship asks for somebody's attention, each with the words why and what helps. Pure.

No score is made of it and nothing follows from it by itself: a signal is a sentence, and the intern reads the same ones.
Silence is measured in working time (``rhythm``), so that no weekend raises one, and against the intern's own rhythm, so that
who works on two days a week is not taken for absent. What each limit costs in false alarms is in ``docs/attention.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from practicum.internships.rhythm import nth_due, working_time

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)

# In working time.
NOT_BEGUN = 2 * DAY
NOT_SEEN_AT_FIRST = 60 * HOUR
DAY_MISSED = 2 * DAY
NOT_SEEN = 5 * DAY
NOTHING_HANDED_IN = 5 * DAY
HAND_IN_LATE, HAND_IN_LATE_AT_FIRST = DAY, 12 * HOUR
OVERDUE = 36 * HOUR
PLATEAU_LASTS = 5 * DAY
REVIEW_WAITS = 3 * DAY
CHECK_IN_WAITS = 3 * DAY
REQUEST_WAITS = 3 * DAY

CHECK_IN_LATE = 36 * HOUR
PLATEAU = 5
SAME_ERROR = 3
WITHOUT_A_RUN = 2
WITHOUT_THE_GPU = 2
GPU_UNUSED = 4 * HOUR
LOST_IN_LINE = 3 * HOUR


@dataclass(frozen=True)
class Facts:
    """What is known of an internship's work; of most things when they last were, None for never.

    ``began``: since when work could be done, after a pause again. ``usual_weekdays``: on which the intern is mostly at work;
    ``usual_hand_in``: of these, how many at most lie between two hand-ins, the later one's counted; None while not known.
    ``idle_visits``: notebooks that were opened since code ran in one. ``gpu_days``, ``gpu_unused``: days with a GPU held, and
    how long, since a GPU last worked. ``same_error``: runs in a row that ended with ``error``. ``no_better``: scores since
    the best one, which came at ``best_at``. ``checked_in_through``: the end of the last week with a check-in. ``in_line``:
    time in line in the last seven days. ``…_waits_since``: the first thing that nobody has answered.
    """

    began: datetime
    seen_at: datetime | None = None
    usual_weekdays: frozenset[int] | None = None
    idle_visits: int = 0
    gpu_days: int = 0
    gpu_unused: timedelta = timedelta(0)
    handed_in_at: datetime | None = None
    usual_hand_in: int | None = None
    same_error: int = 0
    error: str = ""
    overdue: str = ""
    overdue_since: date | None = None
    no_better: int = 0
    best_at: datetime | None = None
    interns_check_in: datetime | None = None
    checked_in_through: datetime | None = None
    in_line: timedelta = timedelta(0)
    review_waits_since: datetime | None = None
    check_in_waits_since: datetime | None = None
    request_waits_since: datetime | None = None


@dataclass(frozen=True)
class Signal:
    """``kind`` names it, ``words`` say why, ``action`` is what helps first: message, pair, reading, extend, review,
    check-in or hours.
    """

    kind: str
    words: str
    action: str


def signals_of(facts: Facts, *, now: datetime) -> list[Signal]:
    """Every signal, those about the intern's work first, then those about what the intern waits for.

    Days are those of the calendar of ``now``'s zone.
    """
    return [*_of_presence(facts, now=now), *_of_work(facts, now=now), *_of_waiting(facts, now=now)]


def _of_presence(facts: Facts, *, now: datetime) -> Iterator[Signal]:
    """Whether the intern is there, runs something, uses what they hold and hands in; of these the first that is amiss."""
    handed_in_at = _since(facts, facts.handed_in_at)
    if facts.seen_at is None and working_time(facts.began, now) >= NOT_BEGUN:
        yield Signal("not-seen", f"Has not begun, {_days(now - facts.began)} in.", "message")
    elif facts.seen_at and _is_away(facts, now=now):
        yield Signal("not-seen", f"Not seen at work for {_days(now - facts.seen_at)}.", "message")
    elif facts.idle_visits >= WITHOUT_A_RUN:
        words = f"Opened the notebook {facts.idle_visits} times in a row, and ran nothing in it."
        yield Signal("no-run", words, "pair")
    elif facts.gpu_days >= WITHOUT_THE_GPU and facts.gpu_unused >= GPU_UNUSED:
        words = f"Held a GPU for {_hours(facts.gpu_unused)} on {facts.gpu_days} days, and nothing ran on it."
        yield Signal("gpu-unused", words, "pair")
    elif working_time(handed_in_at, now) >= max(NOTHING_HANDED_IN, _usually_without_hand_in(facts, now=now)):
        yield Signal("no-submission", f"Nothing handed in for {_days(now - handed_in_at)}.", "pair")


def _is_away(facts: Facts, *, now: datetime) -> bool:
    """Two working days have passed since the first day on which the intern is mostly there, and was not."""
    seen_at = _since(facts, facts.seen_at)
    if facts.usual_weekdays is None:
        return working_time(seen_at, now) >= NOT_SEEN_AT_FIRST
    last = seen_at.astimezone(now.tzinfo).date()
    was_there = facts.seen_at is not None and facts.seen_at >= facts.began
    due_on = nth_due(last if was_there else last - DAY, weekdays=facts.usual_weekdays, count=1)
    is_missed = due_on is not None and working_time(_midnight(due_on, now=now), now) >= DAY_MISSED
    return is_missed or working_time(seen_at, now) >= NOT_SEEN


def _usually_without_hand_in(facts: Facts, *, now: datetime) -> timedelta:
    """The working time in which this intern has handed in so far, and a day; while little is known, a week of theirs."""
    weekdays = facts.usual_weekdays or frozenset(range(5))
    days, late = facts.usual_hand_in, HAND_IN_LATE
    if not days:
        days, late = len(weekdays) + 1, HAND_IN_LATE_AT_FIRST
    since = _since(facts, facts.handed_in_at)
    due_on = nth_due(since.astimezone(now.tzinfo).date(), weekdays=weekdays, count=days)
    return timedelta(0) if due_on is None else working_time(since, _midnight(due_on + DAY, now=now)) + late


def _midnight(day: date, *, now: datetime) -> datetime:
    return datetime.combine(day, time.min, tzinfo=now.tzinfo)


def _of_work(facts: Facts, *, now: datetime) -> Iterator[Signal]:
    if facts.same_error >= SAME_ERROR:
        words = f"The last {facts.same_error} submissions ended the same way: {facts.error}."
        yield Signal("same-error", words, "pair")
    if facts.overdue_since and working_time(_midnight(facts.overdue_since + DAY, now=now), now) >= OVERDUE:
        days = timedelta(days=(now.date() - facts.overdue_since).days)
        yield Signal("overdue", f"“{facts.overdue}” was due {_days(days)} ago.", "extend")
    if facts.no_better >= PLATEAU and working_time(_since(facts, facts.best_at), now) >= PLATEAU_LASTS:
        words = f"The last {facts.no_better} scores were no better than the best before."
        yield Signal("plateau", words, "reading")
    if now - _since(facts, facts.checked_in_through) >= WEEK + CHECK_IN_LATE:
        written_at = _since(facts, facts.interns_check_in)
        yield Signal("no-check-in", f"No check-in for {_days(now - written_at)}.", "message")


def _of_waiting(facts: Facts, *, now: datetime) -> Iterator[Signal]:
    if facts.in_line >= LOST_IN_LINE:
        yield Signal("in-line", f"{_hours(facts.in_line)} in line in a week.", "hours")
    if facts.review_waits_since and working_time(facts.review_waits_since, now) >= REVIEW_WAITS:
        waited = _days(now - facts.review_waits_since)
        yield Signal("review-waits", f"The mentor has not reviewed what was handed in {waited} ago.", "review")
    if facts.check_in_waits_since and working_time(facts.check_in_waits_since, now) >= CHECK_IN_WAITS:
        waited = _days(now - facts.check_in_waits_since)
        yield Signal("silent-mentor", f"The mentor has not written the check-in for {waited}.", "check-in")
    if facts.request_waits_since and working_time(facts.request_waits_since, now) >= REQUEST_WAITS:
        waited = _days(now - facts.request_waits_since)
        yield Signal("request-waits", f"What the intern asked for {waited} ago is not answered.", "check-in")


def _since(facts: Facts, moment: datetime | None) -> datetime:
    """The moment, or when work could begin (again), whichever is later."""
    return facts.began if moment is None else max(facts.began, moment)


def _days(length: timedelta) -> str:
    return f"{length.days} day{'' if length.days == 1 else 's'}"


def _hours(length: timedelta) -> str:
    hours = round(length / HOUR)
    return f"{hours} hour{'' if hours == 1 else 's'}"
