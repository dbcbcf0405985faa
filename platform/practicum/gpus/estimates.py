"""When those in line will start: the policy itself run forward on many possible futures, and what they have in common.

A future draws how long each holding goes on and each new one lasts, from lengths that were seen; who else comes, at
the rate of the last hours; and lets ``decide`` say who is served. Its quantiles over the futures are the estimate. The same
snapshot, past and seed give the same answer.

Invariants: p50 is never after p90; a reservation that is known is in every future, and its cohort comes for it; a lease
ends at its end, or when it was asked back for, at the latest.

Words: a *length* is from granted to closed; what is left of a holding is drawn from the lengths above its age (the
empirical distribution, given the age). Times in a future are seconds from now; they fall on a grid that grows coarser with
distance (``moment_after``), rounded up, so that the number of decisions in a future is bounded.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from uuid import UUID

from practicum.gpus.facts import EVALUATION, Grant, Holding, Reclaim, Request, Reservation, Slot, Snapshot
from practicum.gpus.policy import decide

HORIZON = timedelta(hours=24)
# Fewer lengths than this say nothing; a cohort's own are used from the second number on.
FEWEST_LENGTHS = 5
OWN_LENGTHS = 20
MOST_SAMPLES, FEWEST_SAMPLES = 200, 20
# Slots and requests looked at in all futures together, which is what they cost.
EFFORT = 12_000
GRID_SECONDS, GRID_FROM, GRID_GROWTH = 30.0, 600.0, 1.05
STOPPING_SECONDS = 30.0
# Names of requests that nobody has made yet; no random UUID has so many zeros.
INVENTED = 1 << 127


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests of one kind that came lately: so many an hour, made by these people."""

    cohort: int | None
    pool: int
    purpose: str
    per_hour: float
    users: tuple[int, ...]
    duration: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Past:
    """What was seen: lengths of leases that ended, by purpose and cohort, and who came lately."""

    lengths: Mapping[tuple[str, int | None], Sequence[timedelta]] = field(default_factory=dict)
    arrivals: Sequence[Arrivals] = ()

    @property
    def says_enough(self) -> bool:
        """So many leases ended that something can be said."""
        return sum(map(len, self.lengths.values())) >= FEWEST_LENGTHS


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long a request waits from now: at most ``p50`` in half of the futures, ``p90`` in nine of ten.

    None: longer than the horizon.
    """

    request: UUID
    p50: timedelta | None
    p90: timedelta | None


class Lengths:
    """Draws how long leases last, from those that were seen."""

    def __init__(self, past: Past) -> None:
        self.own = {key: sorted(length.total_seconds() for length in some) for key, some in past.lengths.items()}
        self.pooled: dict[str, list[float]] = {}
        for (purpose, _), some in self.own.items():
            self.pooled.setdefault(purpose, []).extend(some)
        for some in self.pooled.values():
            some.sort()

    def left(self, purpose: str, cohort: int | None, *, age: float, chance: random.Random) -> float | None:
        """Seconds a lease of this age goes on; None where too few that got so old were seen to end."""
        for some, enough in (
            (self.own.get((purpose, cohort), []), OWN_LENGTHS),
            (self.pooled.get(purpose, []), FEWEST_LENGTHS),
        ):
            shorter = bisect_right(some, age)
            if len(some) - shorter >= enough:
                return some[chance.randrange(shorter, len(some))] - age
        return None


def samples_for(snapshot: Snapshot) -> int:
    """How many futures: fewer where each costs more, so that an estimate never takes longer than seconds."""
    size = len(snapshot.slots) + len(snapshot.requests) + 1
    return max(FEWEST_SAMPLES, min(MOST_SAMPLES, EFFORT // size))


def estimate(
    snapshot: Snapshot,
    *,
    past: Past,
    now: datetime,
    seed: int,
    wanted: Collection[UUID] | None = None,
    samples: int | None = None,
) -> dict[UUID, Forecast]:
    """The forecast of each request in ``wanted``, by default of all; nothing while the past says too little.

    ``samples``: futures to look at; by default as many as :func:`samples_for` says.
    """
    if not past.says_enough or not snapshot.requests:
        return {}
    seen = _of_pools(snapshot, {request.pool for request in snapshot.requests})
    names = [request.id for request in seen.requests if wanted is None or request.id in wanted]
    lengths = Lengths(past)
    waits: dict[UUID, list[float]] = {name: [] for name in names}
    number = samples or samples_for(seen)
    for n in range(number):
        chance = random.Random(f"{seed}:{n}")
        started = Future(seen, past=past, lengths=lengths, now=now, chance=chance).run(names)
        for name in names:
            waits[name].append(started.get(name, math.inf))
    return {name: Forecast(name, quantile(some, 0.5), quantile(some, 0.9)) for name, some in waits.items()}


def quantile(waits: Iterable[float], share: float) -> timedelta | None:
    """The wait that ``share`` of them don't exceed (nearest rank); None where that is no number."""
    ordered = sorted(waits)
    found = ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
    return timedelta(seconds=found) if math.isfinite(found) else None


def moment_after(seconds: float) -> float:
    """The next moment of the grid: each half minute at first, then each twentieth of the time from now."""
    if seconds <= GRID_FROM:
        return math.ceil(seconds / GRID_SECONDS) * GRID_SECONDS
    steps = math.ceil(round(math.log(seconds / GRID_FROM, GRID_GROWTH), 9))
    return float(GRID_FROM * GRID_GROWTH**steps)


def _of_pools(snapshot: Snapshot, pools: Collection[int]) -> Snapshot:
    """Only the pools in which somebody waits."""
    return replace(
        snapshot,
        slots=tuple(slot for slot in snapshot.slots if slot.pool in pools),
        holdings=tuple(holding for holding in snapshot.holdings if holding.pool in pools),
        quotas=tuple(quota for quota in snapshot.quotas if quota.pool in pools),
        reservations=tuple(booked for booked in snapshot.reservations if booked.pool in pools),
    )


class Future:
    """One possible future of a snapshot: a heap of what happens, and who holds and waits."""

    def __init__(
        self, snapshot: Snapshot, *, past: Past, lengths: Lengths, now: datetime, chance: random.Random
    ) -> None:
        self.snapshot = snapshot
        self.past = past
        self.lengths = lengths
        self.now = now
        self.chance = chance
        self.requests = {request.id: request for request in snapshot.requests}
        self.holdings = {holding.id: holding for holding in snapshot.holdings}
        self.slots: tuple[Slot, ...] = snapshot.slots
        self.names = count(INVENTED)
        self.order = count()
        self.events: list[tuple[float, int, Callable[[float], None]]] = []

    def run(self, wanted: Collection[UUID]) -> dict[UUID, float]:
        """When each of ``wanted`` starts, in seconds from now; those beyond the horizon are left out."""
        self._plan()
        started: dict[UUID, float] = {}
        left = set(wanted)
        latest = HORIZON.total_seconds()
        at = 0.0
        while left and at <= latest:
            for name in self._decide(at):
                if name in left:
                    left.discard(name)
                    started[name] = at
            if not self.events:
                break
            at = self.events[0][0]
            while self.events and self.events[0][0] == at:
                heappop(self.events)[2](at)
        return started

    # --- What is known to come, and what is drawn ---

    def _plan(self) -> None:
        for holding in self.snapshot.holdings:
            self._plan_end(holding, at=0.0)
        for booked in self.snapshot.reservations:
            self._plan_reservation(booked)
        for arrivals in self.past.arrivals:
            if arrivals.per_hour > 0 and arrivals.users:
                self._plan_arrival(arrivals, at=0.0)

    def _plan_end(self, holding: Holding, *, at: float) -> None:
        """It ends when its drawn length, its lease, or what it was asked back for says, whichever is first."""
        until = self._seconds(holding.until)
        age = at - self._seconds(holding.granted_at)
        left = self.lengths.left(holding.purpose, holding.cohort, age=max(age, 0.0), chance=self.chance)
        end = until if left is None else min(until, at + left)
        if holding.reclaim_at is not None:
            end = min(end, self._seconds(holding.reclaim_at) + STOPPING_SECONDS)
        if holding.is_draining:
            end = at + STOPPING_SECONDS
        self._at(moment_after(max(end, at)), lambda _: self._end(holding.id))
        terms = self.snapshot.terms
        ripens = self._seconds(holding.granted_at + terms.young)
        idle = self._seconds(holding.idle_since + terms.idle_grace) if holding.idle_since is not None else 0.0
        for moment in (ripens, idle):
            if moment > at:
                self._at(moment_after(moment), _look)

    def _plan_reservation(self, booked: Reservation) -> None:
        """Its own moments are kept to the second; when it begins, its cohort comes for it."""
        terms = self.snapshot.terms
        early = booked.starts_at - terms.lead
        for moment in (early - terms.young, early, booked.starts_at + terms.claim_within, booked.ends_at):
            if moment > self.now:
                self._at(self._seconds(moment), _look)
        # One that runs already has had its ten minutes, or those who come for it are in the line.
        starts = self._seconds(booked.starts_at)
        if starts + terms.claim_within.total_seconds() > 0:
            self._at(max(starts, 0.0), lambda at: self._come_for(booked, at))

    def _come_for(self, booked: Reservation, at: float) -> None:
        guaranteed = sum(quota.guaranteed for quota in self.snapshot.quotas if quota.cohort == booked.cohort)
        held = sum(len(h.slots) for h in self.holdings.values() if h.cohort == booked.cohort)
        waiting = sum(request.size for request in self.requests.values() if request.cohort == booked.cohort)
        missing = min(booked.slots, guaranteed + booked.slots - held - waiting)
        lasts = booked.ends_at - self._moment(at)
        for _ in range(missing):
            number = next(self.names)
            # A user of their own: whoever it will be, they have no notebook yet.
            self._ask(number, user=-number, cohort=booked.cohort, pool=booked.pool, duration=lasts, at=at)

    def _plan_arrival(self, arrivals: Arrivals, *, at: float) -> None:
        gap = self.chance.expovariate(arrivals.per_hour / 3600)
        self._at(moment_after(at + gap), lambda moment: self._arrive(arrivals, moment))

    def _arrive(self, arrivals: Arrivals, at: float) -> None:
        self._plan_arrival(arrivals, at=at)
        users = arrivals.users
        if arrivals.purpose != EVALUATION:
            here = {one.user for some in (self.requests, self.holdings) for one in some.values()}
            users = tuple(user for user in users if user not in here)
        if users:
            user = self.chance.choice(users)
            number = next(self.names)
            self._ask(
                number,
                user=user,
                cohort=arrivals.cohort,
                pool=arrivals.pool,
                duration=arrivals.duration,
                at=at,
                purpose=arrivals.purpose,
            )

    def _ask(
        self,
        number: int,
        *,
        user: int,
        cohort: int | None,
        pool: int,
        duration: timedelta,
        at: float,
        purpose: str = "booked",
    ) -> None:
        request = Request(UUID(int=number), user, cohort, pool, purpose, self._moment(at), 1, duration)
        self.requests[request.id] = request

    # --- What the policy says ---

    def _decide(self, at: float) -> list[UUID]:
        """Carry out what is decided; who was granted."""
        snapshot = replace(
            self.snapshot,
            slots=self.slots,
            requests=tuple(self.requests.values()),
            holdings=tuple(self.holdings.values()),
        )
        decisions = decide(snapshot, self._moment(at))
        for grant in decisions.grants:
            self._grant(grant, at)
        for reclaim in decisions.reclaims:
            self._ask_back(reclaim)
        for withdrawal in decisions.withdrawals:
            holding = self.holdings[withdrawal.holding]
            self.holdings[holding.id] = replace(holding, reclaim_at=None)
        return [grant.request for grant in decisions.grants]

    def _grant(self, grant: Grant, at: float) -> None:
        request = self.requests.pop(grant.request)
        begins = self._moment(at)
        holding = Holding(
            id=request.id, user=request.user, cohort=request.cohort, pool=request.pool, purpose=request.purpose,
            slots=grant.slots, granted_at=begins, until=begins + request.duration, reservation=grant.reservation,
        )  # fmt: skip
        self.holdings[holding.id] = holding
        self._plan_end(holding, at=at)

    def _ask_back(self, reclaim: Reclaim) -> None:
        holding = replace(self.holdings[reclaim.holding], reclaim_at=reclaim.by)
        self.holdings[holding.id] = holding
        moment = moment_after(self._seconds(reclaim.by) + STOPPING_SECONDS)
        self._at(moment, lambda _: self._take_back(reclaim.holding, reclaim.by))

    def _take_back(self, lease: UUID, by: datetime) -> None:
        holding = self.holdings.get(lease)
        if holding is not None and holding.reclaim_at == by:
            self._end(lease)

    def _end(self, lease: UUID) -> None:
        self.holdings.pop(lease, None)

    # --- The clock ---

    def _at(self, seconds: float, event: Callable[[float], None]) -> None:
        heappush(self.events, (seconds, next(self.order), event))

    def _seconds(self, moment: datetime) -> float:
        return (moment - self.now).total_seconds()

    def _moment(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)


def _look(_: float) -> None:
    """Nothing happens but that the policy looks again."""
