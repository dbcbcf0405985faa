"""What a replay measures, and how.

Held and busy use: slot-time of the slots there are. *Violation*: slot-hours that requests waited beyond the grace while
they fitted, oldest first, into what their party had free of its guarantee. *Share*: the time-mean of min(1, held /
entitlement) over the time a party wants anything; *Jain*'s index over those shares (Jain, Chiu and Hawe, 1984).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from practicum.gpus.facts import Holding, Quota, Request, Slot, Terms
from practicum.gpus.shares import entitlements

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Waits:
    """Minutes in line of each burst of work; those still in line at the end count with what they had waited."""

    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, minutes: Iterable[float]) -> Waits:
        """Nearest-rank percentiles."""
        ordered = sorted(minutes)
        if not ordered:
            return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        p50, p95, p99 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99))
        return cls(len(ordered), sum(ordered) / len(ordered), p50, p95, p99, ordered[-1])


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one replay. Shares are from 0 to 1, times as named."""

    held_utilization: float
    busy_utilization: float
    waits: Waits
    waits_by_cohort: Mapping[int | None, Waits]
    held_hours_by_cohort: Mapping[int | None, float]
    busy_hours_by_user: Mapping[int, float]
    violation_hours: float
    shares: Mapping[int | None, float]
    worst_share: float
    jain: float
    preemptions: int
    idle_hours: float
    idle_returned: float
    interruptions_a_session_month: float
    decisions: int


@dataclass(slots=True)
class Ledger:
    """Collects while time passes; only time between ``begins`` and ``until`` counts for use, shares and violations."""

    slots: Sequence[Slot]
    quotas: Sequence[Quota]
    terms: Terms
    begins: datetime
    until: datetime
    held: dict[int | None, float] = field(default_factory=dict)
    busy: dict[int, float] = field(default_factory=dict)
    waited: dict[tuple[int, int], tuple[int | None, timedelta]] = field(default_factory=dict)
    violation: float = 0.0
    owed_since: dict[UUID, datetime] = field(default_factory=dict)
    share_time: dict[tuple[int, int | None], float] = field(default_factory=dict)
    wanted_time: dict[tuple[int, int | None], float] = field(default_factory=dict)
    due: dict[tuple[int, tuple[tuple[int | None, int], ...]], Mapping[int | None, float]] = field(default_factory=dict)
    sessions: set[int] = field(default_factory=set)
    preemptions: int = 0
    interruptions: int = 0
    paused_hours: float = 0.0
    returned_hours: float = 0.0
    decisions: int = 0

    def pass_time(
        self, begin: datetime, end: datetime, requests: Iterable[Request], holdings: Iterable[Holding]
    ) -> None:
        """From ``begin`` to ``end`` these waited and those held."""
        end = min(end, self.until)
        if end <= begin:
            return
        hours = (end - begin) / HOUR
        for holding in holdings:
            used = hours * len(holding.slots)
            self.held[holding.cohort] = self.held.get(holding.cohort, 0.0) + used
            if holding.idle_since is None:
                self.busy[holding.user] = self.busy.get(holding.user, 0.0) + used
        held, wanted = _counts(requests, holdings)
        self._share(hours, held, wanted)
        self._violate(begin, end, requests, held)

    def _share(
        self, hours: float, held: Mapping[tuple[int, int | None], int], wanted: Mapping[tuple[int, int | None], int]
    ) -> None:
        for pool in {pool for pool, _ in wanted}:
            demand = tuple(
                (cohort, count) for (where, cohort), count in sorted(wanted.items(), key=str) if where == pool
            )
            if (pool, demand) not in self.due:
                self.due[pool, demand] = entitlements(
                    capacity=sum(slot.is_usable for slot in self.slots if slot.pool == pool),
                    demand=dict(demand),
                    quotas={quota.cohort: quota for quota in self.quotas if quota.pool == pool},
                )
            for cohort, due in self.due[pool, demand].items():
                key = pool, cohort
                self.wanted_time[key] = self.wanted_time.get(key, 0.0) + hours
                share = min(1.0, held.get(key, 0) / due) if due else 1.0
                self.share_time[key] = self.share_time.get(key, 0.0) + hours * share

    def _violate(
        self, begin: datetime, end: datetime, requests: Iterable[Request], held: Mapping[tuple[int, int | None], int]
    ) -> None:
        owed = {request.id: request.size for request in self._owed(requests, held)}
        self.owed_since = {id: self.owed_since.get(id, begin) for id in owed}
        for id, since in self.owed_since.items():
            beyond = end - max(begin, since + self.terms.grace)
            self.violation += owed[id] * max(0.0, beyond / HOUR)

    def _owed(self, requests: Iterable[Request], held: Mapping[tuple[int, int | None], int]) -> Iterable[Request]:
        """Requests that fit into what their party has free of its guarantee, the oldest first."""
        room: dict[tuple[int, int | None], int]
        room = {(q.pool, q.cohort): q.guaranteed - held.get((q.pool, q.cohort), 0) for q in self.quotas}
        short = {key for key, free in room.items() if free > 0}
        if not short:
            return
        waiting = [request for request in requests if (request.pool, request.cohort) in short]
        for request in sorted(waiting, key=lambda request: (request.requested_at, request.id.int)):
            key = request.pool, request.cohort
            if request.size <= room[key]:
                room[key] -= request.size
                yield request

    def is_owed(self, requests: Iterable[Request], holdings: Iterable[Holding]) -> bool:
        """Somebody within their guarantee waits now."""
        return any(True for _ in self._owed(requests, _counts(requests, holdings)[0]))

    def decided(self) -> None:
        """One more decision."""
        self.decisions += 1

    def asked(self, job: int) -> None:
        """A job got in line."""
        self.sessions.add(job)

    def waited_for(self, burst: tuple[int, int], cohort: int | None, wait: timedelta) -> None:
        """A burst of a job was in line for so long, once more."""
        before = self.waited.get(burst, (cohort, timedelta(0)))[1]
        self.waited[burst] = cohort, before + wait

    def paused(self, pause: timedelta, *, size: int) -> None:
        """A job that holds its slots pauses for so long."""
        self.paused_hours += size * (pause / HOUR)

    def returned(self, rest: timedelta, *, size: int) -> None:
        """So much of a pause was given back; its person finds another machine when they go on."""
        self.returned_hours += size * (rest / HOUR)
        self.interruptions += 1

    def preempted(self) -> None:
        """A lease was taken back while something ran on it; what was idle counts as returned instead."""
        self.preemptions += 1
        self.interruptions += 1

    def report(self) -> Report:
        """The figures."""
        waits = list(self.waited.values())
        by_cohort: dict[int | None, list[float]] = {}
        for cohort, wait in waits:
            by_cohort.setdefault(cohort, []).append(wait / MINUTE)
        shares = {key[1]: self.share_time[key] / hours for key, hours in self.wanted_time.items() if hours}
        capacity = max(1e-9, len(self.slots) * ((self.until - self.begins) / HOUR))
        months = max(1e-9, len(self.sessions) * ((self.until - self.begins) / MONTH))
        return Report(
            held_utilization=sum(self.held.values()) / capacity,
            busy_utilization=sum(self.busy.values()) / capacity,
            waits=Waits.of(wait / MINUTE for _, wait in waits),
            waits_by_cohort={cohort: Waits.of(minutes) for cohort, minutes in by_cohort.items()},
            held_hours_by_cohort=dict(self.held),
            busy_hours_by_user=dict(self.busy),
            violation_hours=self.violation,
            shares=shares,
            worst_share=min(shares.values(), default=1.0),
            jain=jain(list(shares.values())),
            preemptions=self.preemptions,
            idle_hours=self.paused_hours,
            idle_returned=self.returned_hours / self.paused_hours if self.paused_hours else 0.0,
            interruptions_a_session_month=self.interruptions / months,
            decisions=self.decisions,
        )


def jain(shares: Sequence[float]) -> float:
    """1 when all are equal, 1/n when one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def _counts(
    requests: Iterable[Request], holdings: Iterable[Holding]
) -> tuple[dict[tuple[int, int | None], int], dict[tuple[int, int | None], int]]:
    """Slots held, and slots held and asked for, by pool and cohort."""
    held: dict[tuple[int, int | None], int] = {}
    for holding in holdings:
        key = holding.pool, holding.cohort
        held[key] = held.get(key, 0) + len(holding.slots)
    wanted = dict(held)
    for request in requests:
        key = request.pool, request.cohort
        wanted[key] = wanted.get(key, 0) + request.size
    return held, wanted
