"""Estimates against what happened: over a replay of workload A (notebooks), what was called 90 % holds in 85-95 %.

456 people in eight cohorts on 64 GPUs, 30 days; a lease ends after 30 idle minutes. Every request that is not
granted at once is given its first estimate at that moment, from what was seen until then and no more: lengths of the
last leases that ended, who came in the last six hours, and the correction learned from the promises before it. Printed:
coverage of p50 and p90 with n and Wilson's interval, of the plain forecasts and of the corrected promises, what
an estimate of a whole line costs, and how late the worker's tick is while one is worked out.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from practicum.gpus.calibration import REMEMBERED, SHARES, Case, corrected, coverage, factors
from practicum.gpus.estimates import HORIZON, Arrivals, Past, estimate, samples_for
from practicum.gpus.plan_replay import play
from practicum.gpus.policy import SESSION, Holding, Quota, Request, Slot, Snapshot, decide
from practicum.gpus.replay import Replay, Scenario
from tests.bench.replay import a_notebooks
from tests.bench.report import heading
from tests.bench.ticks import print_ticks
from tests.bench.traces import POOL

HOUR = timedelta(hours=1)
LOOKED_BACK = 6 * HOUR
LENGTHS = 300
SAMPLES = 50
LIMITS = (0.85, 0.95)


@dataclass
class Watched:
    """A request that was given an estimate: when, what, and when it was granted."""

    made_at: datetime
    forecast: tuple[timedelta, timedelta]
    promised: tuple[timedelta, timedelta]
    started_at: datetime | None = None

    def case(self, now: datetime) -> Case | None:
        """What can be said of it now, as the site does."""
        waited = (self.started_at or now) - self.made_at
        if self.started_at is None and waited <= self.promised[1]:
            return None
        return Case(self.forecast, self.promised, waited, has_started=self.started_at is not None)


@dataclass
class Seen:
    """What the site's own rows would say of the past."""

    lengths: dict[tuple[str, int | None], deque[timedelta]] = field(default_factory=dict)
    asked: deque[tuple[datetime, int | None, int]] = field(default_factory=deque)

    def past(self, now: datetime, *, began: datetime) -> Past:
        """As of now."""
        while self.asked and self.asked[0][0] < now - LOOKED_BACK:
            self.asked.popleft()
        window = max(min(LOOKED_BACK, now - began), HOUR) / HOUR
        users: dict[int | None, list[int]] = {}
        for _, cohort, user in self.asked:
            users.setdefault(cohort, []).append(user)
        arrivals = [
            Arrivals(cohort, POOL, SESSION, len(some) / window, tuple(sorted(set(some))), duration=365 * 24 * HOUR)
            for cohort, some in sorted(users.items(), key=lambda row: row[0] or 0)
        ]
        return Past({key: tuple(some) for key, some in self.lengths.items()}, arrivals)


class Promising(Replay):
    """A replay that gives some of those in line an estimate, and sees what becomes of it."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario, policy=decide)
        self.seen = Seen()
        self.known: set[UUID] = set()
        self.held: dict[UUID, Holding] = {}
        self.watched: dict[UUID, Watched] = {}
        self.given: list[Watched] = []
        self.beyond = 0

    def _decide(self, now: datetime) -> None:
        for name in self.held.keys() - self.holdings.keys():
            gone = self.held[name]
            group = self.seen.lengths.setdefault((gone.purpose, gone.cohort), deque(maxlen=LENGTHS))
            group.append(now - gone.granted_at)
        new = [request for name, request in self.requests.items() if name not in self.known]
        for request in new:
            self.known.add(request.id)
            self.seen.asked.append((now, request.cohort, request.user))
        super()._decide(now)
        for name in self.holdings.keys() & self.watched.keys():
            self.watched.pop(name).started_at = now
        self.held = dict(self.holdings)
        for request in new:
            if request.id in self.requests:
                self._promise(request, now)

    def _promise(self, request: Request, now: datetime) -> None:
        past = self.seen.past(now, began=self.begins)
        found = estimate(
            self._snapshot(), past=past, now=now, seed=request.id.int, wanted=[request.id], samples=SAMPLES
        )
        forecast = found.get(request.id)
        if forecast is None or forecast.p50 is None or forecast.p90 is None:
            self.beyond += 1
            return
        cases = [case for one in self.given[-2 * REMEMBERED :] if (case := one.case(now)) is not None]
        plain = forecast.p50, forecast.p90
        half, most = corrected(plain, by=factors(cases), is_booked=False)
        assert half is not None
        assert most is not None
        one = Watched(now, plain, (half, most))
        self.watched[request.id] = one
        self.given.append(one)


def main() -> bool:
    """Replay, count, and time a line of the sizes that matter."""
    heading("Estimates of waiting: workload A on 64 GPUs, 30 days, a lease ends after 30 idle minutes")
    began = time.perf_counter()
    replay = Promising(a_notebooks(64))
    replay.run()
    cases = [case for one in replay.given if (case := one.case(replay.until)) is not None]
    plain = [replace(case, promised=case.forecast) for case in cases]
    print(f"  {len(replay.given)} requests that waited were given an estimate, {time.perf_counter() - began:.0f} s")
    print(f"  {replay.beyond} more said nothing: too little seen, or beyond {HORIZON / HOUR:.0f} hours")
    for name, some in (("plain forecasts", plain), ("corrected promises", cases)):
        for share in SHARES:
            print(f"  {name:18} p{share * 100:.0f}: {written(some, share=share)}")
    print_by_time(replay.given, until=replay.until)
    print_costs()
    is_punctual = ticks()
    found = coverage(cases, share=0.9).share or 0.0
    holds = LIMITS[0] <= found <= LIMITS[1]
    print(f"estimates, p90 kept {found:.3f}, limits 0.85 to 0.95: {'holds' if holds else 'DOES NOT HOLD'}")
    return holds and is_punctual


def ticks() -> bool:
    """How late the worker's tick is meanwhile; whether it is late by no more than the limit."""
    snapshot, past, now = crowd(100, 200)
    scenario = a_notebooks(64)
    return print_ticks(
        estimating=lambda _: estimate(snapshot, past=past, now=now, seed=1),
        replaying=lambda look: play(scenario, idle={}, tick=look),
    )


def written(cases: Sequence[Case], *, share: float) -> str:
    """Coverage with its interval, and how long is promised on the middle."""
    found = coverage(cases, share=share)
    which = SHARES.index(share)
    promised = sorted(case.promised[which] for case in cases)
    middle = promised[len(promised) // 2] / timedelta(minutes=1) if promised else 0.0
    return (
        f"kept {found.share or 0:.3f} ({found.low:.3f} to {found.high:.3f}, n = {found.count}), median {middle:.0f} min"
    )


def print_by_time(given: Sequence[Watched], *, until: datetime) -> None:
    """The same by tenths of the month, so that a drift shows."""
    size = max(1, len(given) // 10)
    parts = (given[n : n + size] for n in range(0, len(given), size))
    kept = ([c for one in part if (c := one.case(until)) is not None] for part in parts)
    print("  p90 kept by tenths:", *(f"{coverage(part, share=0.9).share or 0:.2f}" for part in kept if part))


def print_costs() -> None:
    """What one estimate of everybody in line takes, at two sizes."""
    for slots, line in ((8, 50), (100, 200)):
        snapshot, past, now = crowd(slots, line)
        began = time.perf_counter()
        estimate(snapshot, past=past, now=now, seed=1)
        spent = (time.perf_counter() - began) * 1000
        print(f"  {slots} slots, {line} in line: {spent:.0f} ms for {samples_for(snapshot)} futures")


def crowd(slots: int, line: int) -> tuple[Snapshot, Past, datetime]:
    """A full pool of three cohorts, each with its line and with more to come."""
    chance, now = random.Random(1), datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
    common: dict[str, Any] = {"pool": POOL, "purpose": SESSION}
    holdings = tuple(
        Holding(
            UUID(int=n + 1), user=n, cohort=n % 3, slots=(n,), granted_at=now - HOUR * chance.uniform(0, 4),
            until=now + HOUR * chance.uniform(4, 8), **common,
        )
        for n in range(slots)
    )  # fmt: skip
    requests = tuple(
        Request(
            UUID(int=10_000 + n), user=10_000 + n, cohort=n % 3, requested_at=now - HOUR * chance.random(), **common
        )
        for n in range(line)
    )
    quotas = tuple(Quota(cohort, POOL, guaranteed=slots // 4) for cohort in range(3))
    lengths = {(SESSION, cohort): [2 * HOUR * chance.expovariate(1) for _ in range(LENGTHS)] for cohort in range(3)}
    comers = [
        Arrivals(cohort, POOL, SESSION, slots / 8, tuple(range(cohort * 100 + 20_000, cohort * 100 + 20_100)))
        for cohort in range(3)
    ]
    usable = tuple(Slot(n, POOL, f"server{n // 8}", n % 8, True) for n in range(slots))
    return Snapshot(usable, requests, holdings, quotas), Past(lengths, comers), now
