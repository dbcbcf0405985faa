"""Real demand played again: :class:`~practicum.gpus.replay.Replay` with what people do beyond working and pausing. Pure.

- A person asks for their next notebook when the one before is over, never for two at once.
- Who once left the line leaves it again after as long (``patience``), if nothing was free for them before.
- A lease ends after its own cohort's idle time. Who had stopped working, and only closed it later, does not come back.

Figures by hour are kept beside those of the report: slots held, at work and waited for, in slot-hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from practicum.gpus.facts import SESSION
from practicum.gpus.metrics import Report
from practicum.gpus.policy import decide
from practicum.gpus.replay import IdleRule, Job, Progress, Replay, Scenario

HOUR = timedelta(hours=1)
NONE = timedelta(0)
LOOK_EVERY = 50

Tick = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Ask(Job):
    """A job of a person who leaves the line after ``patience`` without a slot; None: who waits until there is one."""

    patience: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """Slot-hours in one hour of the clock."""

    held: float = 0.0
    used: float = 0.0
    waiting: float = 0.0


@dataclass(frozen=True)
class Played:
    """What became of it. ``gave_up``: how many left the line without a slot."""

    report: Report
    by_hour: Mapping[datetime, Hours]
    gave_up: int


def play(scenario: Scenario, *, idle: Mapping[int | None, IdleRule], tick: Tick = lambda _: None) -> Played:
    """Play it through; ``tick`` is told now and then which part of the time is done, and may raise to stop it.

    ``idle``: by cohort; who is not named keeps an idle lease until its end.
    """
    course = DemandReplay(scenario, idle=idle, tick=tick)
    report = course.run()
    by_hour = {hour: Hours(*sums) for hour, sums in sorted(course.hours.items())}
    return Played(report=report, by_hour=by_hour, gave_up=course.gave_up)


class DemandReplay(Replay):
    """One run. ``open``: each person's notebook that waits or runs; ``later``: what they ask for when it is over."""

    def __init__(self, scenario: Scenario, *, idle: Mapping[int | None, IdleRule], tick: Tick) -> None:
        super().__init__(scenario, policy=decide)
        self.idle = idle
        self.tick = tick
        self.open: dict[int, Progress] = {}
        self.later: dict[int, list[Progress]] = {}
        self.hours: dict[datetime, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        self.gave_up = 0
        self.looks = 0

    def _decide(self, now: datetime) -> None:
        self.looks += 1
        if self.looks % LOOK_EVERY == 0:
            self.tick(min(1.0, (now - self.begins) / max(self.until - self.begins, HOUR)))
        super()._decide(now)

    def _pass_time(self, begin: datetime, end: datetime) -> None:
        super()._pass_time(begin, end)
        held = sum(len(holding.slots) for holding in self.holdings.values())
        used = sum(len(holding.slots) for holding in self.holdings.values() if holding.idle_since is None)
        waiting = sum(request.size for request in self.requests.values())
        end = min(end, self.until)
        while begin < end:
            hour = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            length = (min(end, hour + HOUR) - begin) / HOUR
            sums = self.hours[hour]
            for place, count in enumerate((held, used, waiting)):
                sums[place] += length * count
            begin = hour + HOUR

    def _ask(self, progress: Progress, now: datetime) -> None:
        job = progress.job
        if job.purpose == SESSION and self.open.setdefault(job.user, progress) is not progress:
            self.later.setdefault(job.user, []).append(progress)
            return
        super()._ask(progress, now)
        if isinstance(job, Ask) and job.patience is not None and progress.request is not None:
            request = progress.request.id
            self._at(now + job.patience, lambda now: self._lose_patience(progress, request, now))

    def _lose_patience(self, progress: Progress, request: UUID, now: datetime) -> None:
        if request not in self.requests:
            return
        assert progress.lined_up_at is not None  # it is in line
        job = progress.job
        del self.requests[request]
        del self.owner[request]
        progress.request = None
        self.ledger.waited_for((job.id, progress.burst), job.cohort, now - progress.lined_up_at)
        self.gave_up += 1
        self._is_over(progress, now)

    def _plan_burst(self, progress: Progress, *, at: datetime) -> None:
        super()._plan_burst(progress, at=at)
        if progress.burst >= len(progress.job.bursts):
            self._is_over(progress, at)

    def _is_over(self, progress: Progress, now: datetime) -> None:
        """Its person asks for what they wanted next, if they did meanwhile."""
        user = progress.job.user
        if self.open.get(user) is progress:
            del self.open[user]
            following = self.later.get(user)
            if following:
                self._ask(following.pop(0), now)

    def _begin(self, progress: Progress, now: datetime) -> None:
        if progress.holding is None and progress.left == NONE:
            progress.burst += 1
            self._plan_burst(progress, at=now)
        else:
            super()._begin(progress, now)
