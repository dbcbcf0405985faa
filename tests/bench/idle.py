"""How much idle GPU time comes back, and how often somebody finds their notebook gone for it.

Two figures, on the notebooks of the public trace (workload A): the share of idle GPU time that is *returned*, and
*interruptions* a session-month: notebooks ended, for idleness or for an owner, by people and months. A pause is idle time from
its first minute. What is left of it after the notebook was ended is returned; its person finds another machine.

- The first table has no queue: each pause is held from its beginning. *fixed* ends a notebook after the same time for all.
  *adaptive* learns, as time passes, from each person's own past pauses and, where there are few, from everybody's at that
  time of the day: it ends a notebook once waiting longer is not worth it, an interruption being worth ``price`` idle hours.
  *foreseen* knows how long each pause will last, which nobody can: no rule does better.
- The second table is the replay, with a queue. *kept* is what cohorts have unless an admin chooses otherwise: a notebook
  that was idle for so long ends only while somebody waits who could have its slot, after five minutes' notice, which may
  begin five minutes before the time; otherwise it stays. *all* is the share of all idle time, as above; *wanted* leaves
  out what nobody waited for: of the idle time that was given back or held while somebody waited, the share given back.

Nothing is chosen here: the curves are compared at the same share, in the same run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import pairwise

from practicum.gpus.metrics import Report
from practicum.gpus.policy import decide
from practicum.gpus.replay import Replay, Scenario
from tests.bench.replay import MINUTE, a_notebooks
from tests.bench.report import heading
from tests.bench.traces import NOTEBOOK_DAYS, ORIGIN, notebooks

# Hours into a pause at which something may be decided: every five minutes for two hours, then every quarter.
EDGES = [n / 12 for n in range(24)] + [2 + n / 4 for n in range(33)]
# Three hours of the day are told apart. The pause that counts least is ten minutes, a notice included.
HOURS, SHORTEST = 3, 1 / 6
# What is known of all counts as so many pauses of one person; of all at all hours, as so many at this one.
OF_ALL, OF_THE_DAY = 5.0, 200.0
MONTHS = NOTEBOOK_DAYS / 30


@dataclass(frozen=True, slots=True, order=True)
class Pause:
    """When it began, in hours, how long it was, and whose."""

    begins: float
    hours: float
    user: int


def pauses() -> list[Pause]:
    """Every pause of the trace, in the order of their beginnings."""
    found = []
    for job in notebooks():
        at = (job.submitted_at - ORIGIN) / timedelta(hours=1)
        for number, (pause, work) in enumerate(job.bursts):
            if number and pause:
                found.append(Pause(at, pause / timedelta(hours=1), job.user))
            at += (pause + work) / timedelta(hours=1)
    return sorted(found)


@dataclass(slots=True)
class Counts:
    """By time into a pause: how many lasted until then, and how many of those ended before the next look."""

    lasted: list[float] = field(default_factory=lambda: [0.0] * len(EDGES))
    ended: list[float] = field(default_factory=lambda: [0.0] * len(EDGES))

    def chance(self, step: int, *, before: float, weight: float) -> float:
        """That a pause that lasted until now ends before the next look; ``before``: what is thought without any."""
        return (self.ended[step] + weight * before) / (self.lasted[step] + weight)


class Learner:
    """What is known of people's pauses so far: of each, of all, and of all by the hour of the day."""

    def __init__(self) -> None:
        self.of_all = Counts()
        self.of_the_hour = [Counts() for _ in range(24 // HOURS)]
        self.of: dict[int, Counts] = {}

    def note(self, pause: Pause) -> None:
        """It is over."""
        last = bisect_right(EDGES, pause.hours) - 1
        mine = self.of.setdefault(pause.user, Counts())
        for step in range(last + 1):
            for counts in (mine, self.of_all, self._at(pause.begins + EDGES[step])):
                counts.lasted[step] += 1
                counts.ended[step] += step == last < len(EDGES) - 1

    def _at(self, hour: float) -> Counts:
        return self.of_the_hour[int(hour % 24) // HOURS]

    def chance(self, step: int, *, begins: float, user: int) -> float:
        """That a pause of this person ends between this look and the next."""
        at_all = self.of_all.chance(step, before=0.5, weight=2.0)
        at_this_hour = self._at(begins + EDGES[step]).chance(step, before=at_all, weight=OF_THE_DAY)
        return self.of.get(user, Counts()).chance(step, before=at_this_hour, weight=OF_ALL)

    def ends_after(self, *, begins: float, user: int, price: float) -> float:
        """So many hours into a pause the notebook is ended: the first look at which waiting on is worth nothing.

        From the last look back: to wait until the next gains ``price`` if the pause ends before, and costs the time.
        """
        worth, ends = 0.0, EDGES[-1]
        for step in reversed(range(len(EDGES) - 1)):
            if EDGES[step] < SHORTEST:
                break
            chance, width = self.chance(step, begins=begins, user=user), EDGES[step + 1] - EDGES[step]
            worth = max(0.0, price * chance - width * (1 - chance / 2) + (1 - chance) * worth)
            ends = EDGES[step] if not worth else ends
        return ends


def adaptive(found: Sequence[Pause], *, price: float) -> Iterator[float]:
    """When each notebook is ended, in hours into its pause; only pauses that were over by then have been learned from."""
    learner, open_pauses = Learner(), list[tuple[float, Pause]]()
    for pause in found:
        while open_pauses and open_pauses[0][0] <= pause.begins:
            learner.note(heappop(open_pauses)[1])
        heappush(open_pauses, (pause.begins + pause.hours, pause))
        is_short = pause.hours <= SHORTEST
        yield SHORTEST if is_short else learner.ends_after(begins=pause.begins, user=pause.user, price=price)


def figures(found: Sequence[Pause], ends: Sequence[float], *, people: int) -> tuple[float, float]:
    """The share returned, and interruptions a session-month."""
    idle = sum(pause.hours for pause in found)
    returned = sum(max(0.0, pause.hours - end) for pause, end in zip(found, ends, strict=True))
    ended = sum(pause.hours > end for pause, end in zip(found, ends, strict=True))
    return returned / idle, ended / (people * MONTHS)


def foreseen(found: Sequence[Pause], *, share: float, people: int) -> float:
    """The fewest interruptions with which this share can be returned: the longest pauses, from their beginning."""
    left, ended = share * sum(pause.hours for pause in found), 0
    for hours in sorted((pause.hours for pause in found), reverse=True):
        if left <= 0:
            break
        left -= hours
        ended += 1
    return ended / (people * MONTHS)


def at_share(curve: Sequence[tuple[float, float]], share: float) -> float:
    """Interruptions of a curve of (share, interruptions) at a share between two of its points; NaN outside."""
    for (low, few), (high, many) in pairwise(sorted(curve)):
        if low <= share <= high:
            return few + (many - few) * (share - low) / (high - low)
    return float("nan")


def without_a_queue() -> bool:
    """The first table; whether any rule reaches the target."""
    found = pauses()
    people = len(notebooks())
    print(
        f"\nWithout a queue: {len(found):,} pauses, {sum(pause.hours for pause in found):,.0f} idle hours, {people} people"
    )
    print("| rule | returned | interr./month | fixed at that share | ratio |\n|---|---|---|---|---|")
    minutes = (10, 15, 20, 30, 40, 45, 60, 75, 90, 120)
    fixed = [figures(found, [m / 60] * len(found), people=people) for m in minutes]
    for m, (share, count) in zip(minutes, fixed, strict=True):
        print(f"| fixed {m} min | {share:.3f} | {count:.2f} | | |")
    curve = []
    for price in (0.75, 1.0, 1.25, 1.5, 2.0, 3.0):
        share, count = figures(found, list(adaptive(found, price=price)), people=people)
        curve.append((share, count))
        same = at_share(fixed, share)
        print(
            f"| adaptive, price {price} h | {share:.3f} | {count:.2f} | {same:.2f} | {count / same:.2f} |", flush=True
        )
    print(f"| foreseen | 0.900 | {foreseen(found, share=0.9, people=people):.2f} | {at_share(fixed, 0.9):.2f} | |")
    return any(share >= 0.9 and count <= 5 for share, count in fixed + curve)


class Watched(Replay):
    """A replay that also counts idle time held while somebody waits."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario, policy=decide)
        self.held_from_others = 0.0

    def _pass_time(self, begin: datetime, end: datetime) -> None:
        super()._pass_time(begin, end)
        idle = sum(len(holding.slots) for holding in self.holdings.values() if holding.idle_since is not None)
        wanted = sum(request.size for request in self.requests.values())
        self.held_from_others += min(idle, wanted) * ((min(end, self.until) - begin) / timedelta(hours=1))


def with_a_queue(gpus: int) -> None:
    """The second table."""
    print(f"\nThe replay, 456 people on {gpus} GPUs")
    print(
        "| rule | returned, all | returned, wanted | interr./month | mean wait min | p95 |\n|---|---|---|---|---|---|"
    )
    for is_kept, minutes in ((False, 30), (False, 60), (True, 15), (True, 25), (True, 45)):
        run = Watched(replace(a_notebooks(gpus, idle_after=minutes * MINUTE), is_idle_kept=is_kept))
        report: Report = run.run()
        returned = report.idle_returned * report.idle_hours
        name = "kept" if is_kept else "fixed"
        print(
            f"| {name} {minutes} min | {report.idle_returned:.3f} | {returned / (returned + run.held_from_others):.3f} "
            f"| {report.interruptions_a_session_month:.2f} | {report.waits.mean:.1f} | {report.waits.p95:.0f} |",
            flush=True,
        )


def main() -> bool:
    """Both tables. No limit is set: the target, 90 % at 5, is only told."""
    heading("Idle: what comes back, and at what price")
    is_reached = without_a_queue()
    print(
        f"90 % returned at 5 interruptions a session-month without a queue: {'reached' if is_reached else 'NOT REACHED'}"
    )
    for gpus in (64, 80):
        with_a_queue(gpus)
    return True
