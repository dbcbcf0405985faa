"""Interns at work, day by day, drawn from a seed: what they do, what goes wrong in healthy weeks, and one injected stall.

Pure: a story is a list of events, which ``ledger`` turns into rows. Healthy interns work on two to five days a week, some on
Saturdays; they are ill, have exams, forget a check-in, meet errors, wait in line, and now and then reach a milestone late.

A stall *begins* at the last moment at which a healthy intern of the same rhythm would have done what does not come any more,
or at which a healthy mentor would have answered: ``Story.begins_at``. ``missed_at`` is when the first such thing was missed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from practicum.internships.rhythm import after

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
ERRORS, SATURDAY = 8, 5
IN_LINE_HOURS = (1.7, 3.0)
USES_GIT, COMMITS, COMMITS_WITHOUT_A_RUN = 0.6, 0.7, 0.3
ANSWERED_WITHIN = 2 * DAY  # of working time, by a healthy mentor
HANDED_IN_WITHIN = 4 * DAY  # of working time, by whoever hands in often
PLATEAU, PLATEAU_LASTS = 5, 5 * DAY  # scores, and working time, without a new best


class Stall(StrEnum):
    """What goes wrong."""

    ABSENT = "absent"
    NEVER_BEGUN = "never begun"
    NO_RUN = "opens, runs nothing"
    GPU_UNUSED = "GPU held, not used"
    NO_HAND_IN = "hands in nothing"
    SAME_ERROR = "same error"
    PLATEAU = "plateau"
    OVERDUE = "milestone overdue"
    NO_CHECK_IN = "no check-in"
    IN_LINE = "lost in line"
    SILENT_MENTOR = "silent mentor"


# The kinds of signal that name the right reason.
SHOWN_AS: dict[Stall, frozenset[str]] = {
    Stall.ABSENT: frozenset({"not-seen"}),
    Stall.NEVER_BEGUN: frozenset({"not-seen"}),
    Stall.NO_RUN: frozenset({"no-run"}),
    Stall.GPU_UNUSED: frozenset({"gpu-unused"}),
    Stall.NO_HAND_IN: frozenset({"no-submission"}),
    Stall.SAME_ERROR: frozenset({"same-error"}),
    Stall.PLATEAU: frozenset({"plateau"}),
    Stall.OVERDUE: frozenset({"overdue"}),
    Stall.NO_CHECK_IN: frozenset({"no-check-in"}),
    Stall.IN_LINE: frozenset({"in-line"}),
    Stall.SILENT_MENTOR: frozenset({"review-waits", "silent-mentor"}),
}
# Of who is away everything else is missing as well, and truly.
AWAY = (Stall.ABSENT, Stall.NEVER_BEGUN)


@dataclass(frozen=True)
class Rhythm:
    """On which weekdays from which hour for how long; every how many of these days something is handed in."""

    weekdays: tuple[int, ...]
    hour: int
    hours: float
    every: int
    improves: float
    is_on_saturdays: bool


@dataclass(frozen=True)
class Event:
    """Something that happened, all of it by ``at``."""

    at: datetime


@dataclass(frozen=True)
class Visit(Event):
    """A notebook, stopped ``at``. ``committed_at``: the last commit made in it."""

    asked_at: datetime
    granted_at: datetime
    has_run: bool
    uses_gpu: bool
    committed_at: datetime | None


@dataclass(frozen=True)
class HandIn(Event):
    """Work handed in. ``rung``: how many steps it is above the first score; None with ``error``, which it ended with."""

    number: int
    rung: float | None
    error: int | None


@dataclass(frozen=True)
class Reviewed(Event):
    """The mentor decided on the submission of this number."""

    number: int


@dataclass(frozen=True)
class CheckedIn(Event):
    """One side wrote the check-in of a week of the cohort."""

    week: int
    is_mentors: bool


@dataclass(frozen=True)
class Reached(Event):
    """A milestone, by its position from 1."""

    position: int


@dataclass(frozen=True)
class Paused(Event):
    """Exams: the internship rests until a day."""

    until: date


@dataclass(frozen=True)
class Resumed(Event):
    """It goes on."""


@dataclass
class Story:
    """One internship's events in order, and the truth about its stall; no ``begins_at``: it never came to one."""

    rhythm: Rhythm
    stall: Stall | None
    events: list[Event] = field(default_factory=list)
    missed_at: datetime | None = None
    begins_at: datetime | None = None


def rhythm_of(rng: random.Random) -> Rhythm:
    """Somebody's rhythm."""
    patterns: tuple[tuple[int, ...], ...] = (
        (0, 1, 2, 3, 4), (0, 1, 2, 3), (0, 1, 3, 4), (1, 2, 3, 4), (0, 2, 4), (1, 2, 3), (0, 1, 3), (1, 3), (0, 2),
    )  # fmt: skip
    weekdays = rng.choices(patterns, weights=(35, 8, 8, 9, 12, 9, 9, 5, 5))[0]
    most = {5: (2, 3, 4), 4: (2, 3), 3: (1, 2, 3), 2: (1, 2)}[len(weekdays)]
    return Rhythm(
        weekdays=weekdays,
        hour=rng.randint(8, 13),
        hours=rng.uniform(3.0, 6.0),
        every=rng.choice(most),
        improves=rng.uniform(0.55, 0.75),
        is_on_saturdays=rng.random() < 0.15,
    )


def story(
    seed: str,
    *,
    starts_on: date,
    days: int,
    milestones: Sequence[int],
    stall: Stall | None = None,
    from_day: int = 0,
) -> Story:
    """What an intern does in ``days`` from the cohort's first day on; ``milestones`` are the weeks they are due in.

    With a ``stall`` it goes wrong from that day on and until the end.
    """
    return _Life(seed, starts_on=starts_on, milestones=milestones, stall=stall, from_day=from_day).lived(days)


class _Life:
    """One internship as it goes on."""

    def __init__(
        self, seed: str, *, starts_on: date, milestones: Sequence[int], stall: Stall | None, from_day: int
    ) -> None:
        self.rng, self.git = random.Random(seed), random.Random(f"commits {seed}")
        self.uses_git = self.git.random() < USES_GIT
        self.starts_on, self.stall = starts_on, stall
        self.from_day = 0 if stall == Stall.NEVER_BEGUN else from_day
        self.story = Story(rhythm_of(self.rng), stall)
        self.number, self.left, self.rung, self.best_at = 0, self.rng.randint(2, 3), 0.0, self._at(0, 0)
        self.handed_in_at, self.error, self.ill = self._at(0, 0), 0, 0
        self.forgot = False
        self.idle, self.unused, self.waits, self.no_better, self.same = 0, 0, 0, 0, 0
        self.due = [starts_on + timedelta(days=7 * week - 1) for week in milestones]
        self.reached_after = [self._reached_after() for _ in milestones]
        self.reached: set[int] = set()
        exams, is_away = self.rng.randint(2, 5), self.rng.random()
        self.pause_week = exams if stall is None and is_away < 0.10 else None
        self.exam_week = exams if stall is None and 0.10 <= is_away < 0.25 else None

    def lived(self, days: int) -> Story:
        """The story of so many days."""
        for day in range(days):
            self._day(day)
        self._answers()
        self.story.events.sort(key=lambda event: event.at)
        if self.story.begins_at is not None and self.story.begins_at > self._at(days, 0):
            self.story.begins_at = None
        return self.story

    def _at(self, day: int, hour: float) -> datetime:
        midnight = datetime.combine(self.starts_on + timedelta(days=day), time.min, tzinfo=UTC)
        return midnight + timedelta(hours=hour)

    def _has(self, stall: Stall, day: int) -> bool:
        return self.stall == stall and day >= self.from_day

    def _missed(self, at: datetime, *, begins_at: datetime | None = None) -> None:
        """The first thing missed, and once: when the stall begins."""
        self.story.missed_at = self.story.missed_at or at
        self.story.begins_at = self.story.begins_at or begins_at

    def _reached_after(self) -> timedelta:
        """How long after the end of its last day a milestone is reached; mostly before."""
        is_late = self.rng.random() < 0.04
        return self.rng.uniform(0.6, 1.8) * DAY if is_late else self.rng.uniform(-3.5, -0.3) * DAY

    def _day(self, day: int) -> None:
        if self.pause_week is not None and self._paused(day):
            return
        at = self._at(day, self.story.rhythm.hour + self.rng.uniform(-0.4, 0.4))
        is_due, is_away = self._is_due(day), False
        if is_due:
            is_away = any(self._has(stall, day) for stall in AWAY)
            if is_away and not self._is_saturday(day):  # Saturdays are nobody's rhythm
                self._missed(at, begins_at=at)
            elif not (is_away or self._is_ill()):
                self._work(day, at)
        if self.story.missed_at is None or self.stall not in AWAY:
            self._milestones(day)
            self._check_in(day)

    def _paused(self, day: int) -> bool:
        """Whether the internship rests today."""
        week, weekday = divmod(day, 7)
        if week == self.pause_week and weekday == 0:
            self.story.events.append(Paused(self._at(day, 6), self.starts_on + timedelta(days=day + 7)))
        if week - 1 == self.pause_week and weekday == 0:
            self.story.events.append(Resumed(self._at(day, 5)))
            self.due = [on if place in self.reached else on + WEEK for place, on in enumerate(self.due)]
        return week == self.pause_week

    def _is_due(self, day: int) -> bool:
        weekday = (self.starts_on + timedelta(days=day)).weekday()
        if self._is_saturday(day):
            return self.story.rhythm.is_on_saturdays and self.rng.random() < 0.3
        is_due = weekday in self.story.rhythm.weekdays
        if day // 7 == self.exam_week:
            return is_due and self.story.rhythm.weekdays.index(weekday) % 2 == 0
        return is_due

    def _is_saturday(self, day: int) -> bool:
        return (self.starts_on + timedelta(days=day)).weekday() == SATURDAY

    def _is_ill(self) -> bool:
        if self.ill == 0 and self.rng.random() < 0.012:
            self.ill = self.rng.choice((1, 1, 1, 2, 3))
        is_ill = self.ill > 0
        self.ill = max(0, self.ill - 1)
        return is_ill

    def _work(self, day: int, at: datetime) -> None:
        """A notebook, and at its end perhaps a hand-in."""
        granted_at = at + self._in_line(day, at)
        until = granted_at + self.story.rhythm.hours * self.rng.uniform(0.85, 1.1) * HOUR
        has_run = not self._has(Stall.NO_RUN, day) and self.rng.random() >= 0.03
        uses_gpu = has_run and not self._has(Stall.GPU_UNUSED, day) and self.rng.random() >= 0.05
        committed_at = self._committed(day, granted_at, until=until, has_run=has_run)
        self.idle = 0 if has_run or committed_at else self.idle + 1
        self.unused = 0 if uses_gpu else self.unused + 1
        if self._has(Stall.NO_RUN, day):
            self._missed(at, begins_at=at if self.idle == 2 else None)
        if self._has(Stall.GPU_UNUSED, day):
            self._missed(at, begins_at=at if self.unused == 2 else None)
        self.story.events.append(Visit(until, at, granted_at, has_run, uses_gpu, committed_at))
        if self.forgot:  # what is written on the next day at work is that week's
            self.story.events.append(CheckedIn(granted_at, day // 7 + 1, False))
            self.forgot = False
        self.left -= 1
        if self.left <= 0 and has_run:
            self._hand_in(day, until - timedelta(minutes=20))

    def _committed(self, day: int, since: datetime, *, until: datetime, has_run: bool) -> datetime | None:
        """The last commit of a visit; who runs nothing may have written something."""
        chance, at = self.git.random(), since + self.git.uniform(0.3, 1.0) * (until - since)
        commits = COMMITS if has_run else COMMITS_WITHOUT_A_RUN
        return at if self.uses_git and chance < commits and not self._has(Stall.NO_RUN, day) else None

    def _in_line(self, day: int, at: datetime) -> timedelta:
        if self._has(Stall.IN_LINE, day):
            self.waits += 1
            self._missed(at, begins_at=at if self.waits == 2 else None)
            return self.rng.uniform(*IN_LINE_HOURS) * HOUR
        is_busy = self.rng.random() < 0.02
        return (self.rng.uniform(0.7, 1.5) if is_busy else min(0.7, self.rng.expovariate(14.0))) * HOUR

    def _hand_in(self, day: int, at: datetime) -> None:
        rhythm = self.story.rhythm
        if self._has(Stall.NO_HAND_IN, day):
            self._missed(at, begins_at=max(at, self._latest_hand_in()))
            return
        self.number, self.handed_in_at = self.number + 1, at
        self.left = rhythm.every + self.rng.choice((0, 0, 1))
        if self._fails(day, at):
            self.story.events.append(HandIn(at, self.number, None, self.error))
            self.left = 1
            return
        is_first = self.rung == 0.0  # the first score there is sets a best, whatever it is
        is_better = is_first or self.rng.random() < rhythm.improves
        if self._has(Stall.PLATEAU, day) and not is_first:
            is_better = False
            self._missed(at)
        self.no_better = 0 if is_better else self.no_better + 1
        if is_better:
            self.rung, self.best_at = self.rung + 1, at
        elif self._has(Stall.PLATEAU, day) and self.no_better >= PLATEAU:
            self._missed(at, begins_at=max(at, after(self.best_at, working=PLATEAU_LASTS)))
        lost = 0.0 if is_better else self.rng.uniform(0.1, 1.5)
        self.story.events.append(HandIn(at, self.number, self.rung - lost, None))

    def _fails(self, day: int, at: datetime) -> bool:
        """Whether what is handed in ends with an error, which stays the same in a stall."""
        if self._has(Stall.SAME_ERROR, day):
            self.error = self.error or self.rng.randint(1, ERRORS)
            self.same += 1
            self._missed(at, begins_at=at if self.same == 3 else None)
            return True
        is_same = self.error > 0 and self.rng.random() < 0.25
        if not is_same:
            self.error = self.rng.randint(1, ERRORS) if self.rng.random() < 0.10 else 0
        return self.error > 0

    def _latest_hand_in(self) -> datetime:
        """When a healthy intern of this rhythm would have handed in next at the latest.

        Before a second hand-in there is no rhythm yet, and a week of their days counts, and one day.
        """
        day, own, rhythm = self.handed_in_at, 0, self.story.rhythm
        while own <= (rhythm.every if self.number > 1 else len(rhythm.weekdays)):
            day += DAY
            own += day.weekday() in rhythm.weekdays
        return max(day, after(self.handed_in_at, working=HANDED_IN_WITHIN))

    def _milestones(self, day: int) -> None:
        for place, due in enumerate(self.due):
            ends = datetime.combine(due + DAY, time.min, tzinfo=UTC)
            at = ends + self.reached_after[place]
            is_missed = self.stall == Stall.OVERDUE and ends > self._at(self.from_day, 0)
            if is_missed:
                self._missed(ends, begins_at=ends)
            elif place not in self.reached and at < self._at(day + 1, 0):
                self.reached.add(place)
                self.story.events.append(Reached(max(at, self._at(day, 12)), place + 1))

    def _check_in(self, day: int) -> None:
        """On the last of the intern's days in a week, now and then forgotten."""
        week, last = day // 7 + 1, max(self.story.rhythm.weekdays)
        has_written = any(isinstance(one, CheckedIn) and one.week == week for one in self.story.events)
        if has_written or (self.starts_on + timedelta(days=day)).weekday() != last:
            return
        if self._has(Stall.NO_CHECK_IN, day):
            ends = self._at(7 * week, 0)
            self._missed(ends, begins_at=ends)
        elif self.rng.random() >= 0.03:
            self.story.events.append(CheckedIn(self._at(day, self.rng.uniform(14, 18)), week, False))
        else:
            self.forgot = self.rng.random() < 0.5

    def _answers(self) -> None:
        """What the mentor reviews and writes, until they fall silent."""
        silent_from = self._at(self.from_day, 0) if self.stall == Stall.SILENT_MENTOR else None
        done, weeks = 0, set[int]()
        for event in list(self.story.events):
            if not isinstance(event, HandIn | CheckedIn):
                continue
            if (isinstance(event, HandIn) and event.number <= done) or (
                isinstance(event, CheckedIn) and event.week in weeks
            ):
                continue
            at = after(event.at, working=self.rng.uniform(0.1, 0.9) * ANSWERED_WITHIN)
            if silent_from is not None and at >= silent_from:
                missed = event.at if self.story.missed_at is None else min(event.at, self.story.missed_at)
                self.story.missed_at, self.story.begins_at = missed, after(missed, working=ANSWERED_WITHIN)
            elif isinstance(event, HandIn):
                done = max(one.number for one in self.story.events if isinstance(one, HandIn) and one.at <= at)
                self.story.events.append(Reviewed(at, done))
            else:
                week = (at.date() - self.starts_on).days // 7 + 1
                if week not in weeks:
                    self.story.events.append(CheckedIn(at, week, True))
                weeks |= {event.week, week}
