"""The arithmetic of what is seen over time: windows, waits, peaks, guarantees that were not kept. Pure.

Times are aware; a *span* is ``(begin, end)``, its end not included. A *window* is whole hours; its last hour may not be
over. Percentiles are by nearest rank: the smallest value that at least that share of the values does not exceed
(https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method), so each is a wait that somebody really had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from math import ceil
from operator import itemgetter

HOUR = timedelta(hours=1)
# How long somebody may wait below their cohort's guarantee before it counts as not kept: the time a borrower is given.
GRACE = timedelta(seconds=120)
# Hours in the window, and in one bar of its plots.
LENGTHS = {"day": (24, 1), "week": (7 * 24, 2), "four-weeks": (28 * 24, 6)}
PALETTE = 6

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Window:
    """``hours`` whole hours from ``first``; ``end`` is their end or, while they last, now."""

    name: str
    first: datetime
    end: datetime
    hours: int
    step: int

    def place(self, moment: datetime) -> float:
        """Where a moment lies, from 0 (``first``) to 1 (all hours over), and never outside."""
        return min(max((moment - self.first) / HOUR / self.hours, 0.0), 1.0)

    def clip(self, span: Span) -> Span | None:
        """The part of a span inside; None where there is none."""
        begin, end = max(span[0], self.first), min(span[1], self.end)
        return (begin, end) if begin < end else None

    def moments(self, hours: int) -> list[datetime]:
        """The beginnings of its parts of so many hours."""
        return [self.first + HOUR * hour for hour in range(0, self.hours, hours)]


def window_of(name: str, *, back: int, now: datetime) -> Window:
    """The day, week or four weeks that end with the present hour, or lie ``back`` such lengths before it."""
    hours, step = LENGTHS[name]
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last + HOUR - HOUR * hours * (back + 1)
    return Window(name=name, first=first, end=min(now, first + HOUR * hours), hours=hours, step=step)


def tones(cohorts: Iterable[int]) -> dict[int, int]:
    """A colour from 1 to 6 for each cohort: its own number's, so that it stays the same, or the next that is free."""
    chosen: dict[int, int] = {}
    for cohort in sorted(cohorts):
        wanted = [(cohort - 1 + shift) % PALETTE + 1 for shift in range(PALETTE)]
        chosen[cohort] = next((tone for tone in wanted if tone not in chosen.values()), wanted[0])
    return chosen


def percentile(values: Sequence[timedelta], share: float) -> timedelta | None:
    """The value by nearest rank; None of nothing."""
    return sorted(values)[max(ceil(share * len(values)), 1) - 1] if values else None


def means(by_hour: Sequence[float], *, window: Window) -> list[float]:
    """What was the case on average in each step of the window, from what was the case in each of its hours."""
    elapsed = (window.end - window.first) / HOUR
    steps = range(0, window.hours, window.step)
    return [
        sum(by_hour[begin : begin + window.step]) / max(min(window.step, elapsed - begin), 1 / 3600) for begin in steps
    ]


def peaks(spans: Iterable[Span], *, window: Window) -> list[int]:
    """The most spans at once in each step of the window. One sweep; where one ends as another begins, that is one."""
    events = sorted(
        (moment, change)
        for clipped in map(window.clip, spans)
        if clipped is not None
        for moment, change in zip(clipped, (1, -1), strict=True)
    )
    highest = [0] * (window.hours // window.step + 1)
    count, seen = 0, 0
    for moment, changes in groupby(events, key=itemgetter(0)):
        step, rest = divmod(moment - window.first, HOUR * window.step)
        # What went on until now did so in the steps between, and in this one if it had begun.
        for passed in range(seen + 1, step + bool(rest)):
            highest[passed] = max(highest[passed], count)
        count += sum(change for _, change in changes)
        highest[step] = max(highest[step], count)
        seen = step
    return highest[:-1]


@dataclass(frozen=True)
class Moment:
    """A time in which a guarantee was not kept: ``most`` slots were missing at worst, ``slot_hours`` in all."""

    begins_at: datetime
    ends_at: datetime
    most: int
    slot_hours: float


def shortfalls(waiting: Iterable[Span], *, held: Iterable[Span], guaranteed: int, bounds: Span) -> list[Moment]:
    """When somebody of a cohort had waited longer than the grace while it held fewer slots than it is guaranteed.

    Missing at a moment are as many slots as there are people who waited that long, and no more than are missing to the
    guarantee: who would be above it has none.
    """
    late = [(begin + GRACE, end) for begin, end in waiting]
    pieces: list[tuple[datetime, datetime, int]] = []
    waits, holds, since = 0, 0, bounds[0]
    for moment, changes in groupby(sorted(_changes(late, held=held, bounds=bounds)), key=itemgetter(0)):
        missing = min(waits, max(guaranteed - holds, 0))
        if missing and moment > since:
            pieces.append((since, moment, missing))
        since = moment
        for _, of_wait, of_hold in changes:
            waits, holds = waits + of_wait, holds + of_hold
    return list(_joined(pieces))


def _changes(late: Iterable[Span], *, held: Iterable[Span], bounds: Span) -> Iterable[tuple[datetime, int, int]]:
    for spans, (of_wait, of_hold) in ((late, (1, 0)), (held, (0, 1))):
        for begin, end in spans:
            start, stop = max(begin, bounds[0]), min(end, bounds[1])
            if start < stop:
                yield start, of_wait, of_hold
                yield stop, -of_wait, -of_hold


def _joined(pieces: list[tuple[datetime, datetime, int]]) -> Iterable[Moment]:
    run: list[tuple[datetime, datetime, int]] = []
    for piece in pieces:
        if run and run[-1][1] != piece[0]:
            yield _moment(run)
            run = []
        run.append(piece)
    if run:
        yield _moment(run)


def _moment(run: list[tuple[datetime, datetime, int]]) -> Moment:
    hours = sum((end - begin) / HOUR * missing for begin, end, missing in run)
    return Moment(run[0][0], run[-1][1], most=max(missing for *_, missing in run), slot_hours=hours)
