"""A small world that lives by the policy: people, servers, a worker that does what ``decide`` says, and a clock.

The worker is as slow as the real one may be: a lease that must stop drains for one tick before its slots are seen free.
``wander`` walks through it at random from a seed; the state machine of hypothesis walks through it too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from practicum.gpus import policy
from practicum.gpus.policy import Decisions, Holding, Quota, Request, Reservation, Slot, Snapshot, Terms

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
TICK = timedelta(seconds=60)
MINUTE = timedelta(minutes=1)
COHORTS = (None, 1, 2, 3)
POOLS = (1, 2)
# Where people's files are, by their number.
NEAR = (frozenset(["alpha"]), frozenset(["beta"]), frozenset[str]())
TERMS = Terms(aged=timedelta(hours=1), overdue=timedelta(hours=2))

Check = Callable[["World", Snapshot, Decisions], None]


def standard_slots() -> dict[int, Slot]:
    """Pool 1: eight slots on two servers; pool 2: two slots on a third."""
    where = (
        [(1, "alpha", i) for i in range(4)] + [(1, "beta", i) for i in range(4)] + [(2, "gamma", i) for i in range(2)]
    )
    return {n: Slot(n, pool, server, index, True) for n, (pool, server, index) in enumerate(where, start=1)}


def shared_slots(*, gpus: int = 3, parts: int = 3) -> dict[int, Slot]:
    """Pool 1: shared GPUs on two servers, each in so many parts; pool 2 as it is."""
    shared = [
        Slot(number, 1, "beta" if gpu == gpus - 1 else "alpha", gpu, True, f"GPU-{gpu}")
        for number, gpu in enumerate((gpu for gpu in range(gpus) for _ in range(parts)), start=11)
    ]
    return {slot.id: slot for slot in (*shared, *(slot for slot in standard_slots().values() if slot.pool == 2))}


class World:
    """What there is, and what happens to it. ``checks`` look at every decision before it is carried out."""

    def __init__(self, checks: Sequence[Check] = (), *, terms: Terms = TERMS, comes_back: bool = False) -> None:
        self.now = NOW
        self.terms = terms
        self.checks = checks
        self.comes_back = comes_back
        self.slots = standard_slots()
        self.quotas: dict[tuple[int, int], Quota] = {}
        self.reservations: list[Reservation] = []
        self.requests: dict[UUID, Request] = {}
        self.holdings: dict[UUID, Holding] = {}
        self.usage: dict[tuple[int | None, int], float] = {}
        self.number = 0
        self.owed_since: dict[UUID, datetime] = {}
        self.short_since: dict[tuple[int, int], datetime] = {}
        self.preempted: set[tuple[int | None, int | None]] = set()

    def snapshot(self) -> Snapshot:
        """What the worker sees."""
        return Snapshot(
            slots=tuple(self.slots.values()),
            requests=tuple(self.requests.values()),
            holdings=tuple(self.holdings.values()),
            quotas=tuple(self.quotas.values()),
            reservations=tuple(self.reservations),
            usage=dict(self.usage),
            terms=self.terms,
        )

    # --- What happens ---

    def submit(
        self,
        user: int,
        cohort: int | None,
        *,
        pool: int = 1,
        size: int = 1,
        purpose: str = "session",
        minutes: int = 90,
    ) -> UUID:
        """A person gets in line; who has or wants a notebook already wants an evaluation, as the site sees to it."""
        self.number += 1
        if any(
            row.user == user for row in (*self.requests.values(), *self.holdings.values()) if row.purpose == "session"
        ):
            purpose = "evaluation"
        id = UUID(int=self.number)
        length = timedelta(minutes=minutes)
        near = NEAR[user % len(NEAR)]
        self.requests[id] = Request(id, user, cohort, pool, purpose, self.now, size=size, duration=length, near=near)
        self.preempted.clear()
        return id

    def cancel(self, which: int) -> None:
        """Somebody leaves the line."""
        if self.requests:
            del self.requests[nth(self.requests, which)]

    def release(self, which: int) -> None:
        """Somebody is done."""
        if self.holdings:
            id = nth(self.holdings, which)
            self.holdings[id] = replace(self.holdings[id], is_draining=True)

    def go_idle(self, which: int, *, minutes: int = 0) -> None:
        """Nothing runs there, since so many minutes."""
        if self.holdings:
            id = nth(self.holdings, which)
            since = max(self.holdings[id].granted_at, self.now - timedelta(minutes=minutes))
            self.holdings[id] = replace(self.holdings[id], idle_since=since)

    def go_busy(self, which: int) -> None:
        """Something runs there again, or nobody can tell."""
        if self.holdings:
            id = nth(self.holdings, which)
            self.holdings[id] = replace(self.holdings[id], idle_since=None)

    def set_server(self, name: str, *, is_usable: bool) -> None:
        """A server goes down or comes up."""
        for id, slot in self.slots.items():
            if slot.server == name:
                self.slots[id] = replace(slot, is_usable=is_usable)

    def set_quota(self, quota: Quota) -> None:
        """An admin edits a quota; sums that exceed the pool are refused, as the page does."""
        others = sum(q.guaranteed for key, q in self.quotas.items() if q.pool == quota.pool and key[0] != quota.cohort)
        if others + quota.guaranteed <= sum(slot.pool == quota.pool for slot in self.slots.values()):
            self.quotas[quota.cohort, quota.pool] = quota
            self.preempted.clear()

    def reserve(self, cohort: int, *, slots: int, starts_in: int, minutes: int, pool: int = 1) -> None:
        """An admin grants a reservation."""
        begins = self.now + timedelta(minutes=starts_in)
        ends = begins + timedelta(minutes=minutes)
        self.reservations = [
            *self.reservations,
            Reservation(len(self.reservations) + 1, cohort, pool, slots, begins, ends),
        ]
        self.preempted.clear()

    # --- What the worker does ---

    def tick(self, ticks: int = 1) -> None:
        """Time passes, the worker works."""
        for _ in range(ticks):
            self.now += TICK
            self.settle()

    def settle(self, *, dies_after: int | None = None) -> Decisions:
        """Stop what must stop, decide, check, do it; a worker that dies does only the first ``dies_after`` grants."""
        self._clear_away()
        before = self.snapshot()
        decisions = policy.decide(before, self.now)
        for check in self.checks:
            check(self, before, decisions)
        for grant in decisions.grants[:dies_after]:
            request = self.requests.pop(grant.request)
            self.holdings[request.id] = Holding(
                id=request.id, user=request.user, cohort=request.cohort, pool=request.pool, purpose=request.purpose,
                slots=grant.slots, granted_at=self.now, until=self.now + request.duration, reservation=grant.reservation,
            )  # fmt: skip
        if dies_after is None:
            for reclaim in decisions.reclaims:
                self.holdings[reclaim.holding] = replace(self.holdings[reclaim.holding], reclaim_at=reclaim.by)
            for stay in decisions.withdrawals:
                self.holdings[stay.holding] = replace(self.holdings[stay.holding], reclaim_at=None)
        return decisions

    def _clear_away(self) -> None:
        for id, holding in list(self.holdings.items()):
            if holding.is_draining:
                del self.holdings[id]
                key = holding.cohort, holding.user
                self.usage[key] = self.usage.get(key, 0.0) + (self.now - holding.granted_at) / timedelta(hours=1)
            elif holding.until <= self.now or (holding.reclaim_at is not None and holding.reclaim_at <= self.now):
                self.holdings[id] = replace(holding, is_draining=True)
                if self.comes_back:
                    edges = set(self.preempted)
                    self.submit(holding.user + 1000, holding.cohort, pool=holding.pool, size=len(holding.slots))
                    self.preempted = edges


def nth(things: Mapping[UUID, object], which: int) -> UUID:
    """One of them, by any number."""
    return list(things)[which % len(things)]


def wander(
    seed: int,
    *,
    steps: int = 60,
    checks: Sequence[Check] = (),
    size: int = 3,
    slots: Mapping[int, Slot] | None = None,
) -> World:
    """Let random things happen; every decision is checked. ``slots``: others than the standard ones."""
    chance = random.Random(seed)
    world = World(checks)
    world.slots = dict(slots) if slots is not None else world.slots
    events: list[Callable[[], object]] = [
        *[lambda: submit_any(world, chance, size=size)] * 8,
        lambda: world.cancel(chance.randrange(99)),
        *[lambda: world.release(chance.randrange(99))] * 2,
        lambda: world.go_idle(chance.randrange(99), minutes=chance.choice([0, 20])),
        lambda: world.go_busy(chance.randrange(99)),
        lambda: world.set_server(chance.choice(["alpha", "beta"]), is_usable=chance.random() < 0.7),
        lambda: world.set_quota(any_quota(chance)),
        lambda: world.set_quota(any_quota(chance)),
        lambda: (
            world.reserve(
                chance.choice([1, 2, 3]),
                slots=chance.randint(1, 4),
                starts_in=chance.randint(0, 40),
                minutes=chance.randint(10, 60),
            )
            if len(world.reservations) < 3
            else None
        ),
        lambda: world.settle(dies_after=chance.randint(0, 2)),
        lambda: world.tick(chance.choice([1, 1, 2, 5, 15])),
        lambda: world.tick(1),
        lambda: world.tick(2),
    ]
    for _ in range(steps):
        chance.choice(events)()
        world.settle()
    return world


def submit_any(world: World, chance: random.Random, *, size: int) -> None:
    """Anybody asks for anything."""
    world.submit(
        chance.randint(1, 12),
        chance.choice(COHORTS),
        pool=chance.choice([1, 1, 1, 2]),
        size=chance.choice([1, 1, 1, chance.randint(1, size)]),
        purpose=chance.choice(["session", "session", "evaluation"]),
        minutes=chance.choice([20, 90, 300]),
    )


def any_quota(chance: random.Random) -> Quota:
    """A quota as an admin might set it."""
    guaranteed = chance.randint(0, 4)
    return Quota(
        cohort=chance.choice([1, 2, 3]),
        pool=chance.choice([1, 1, 2]),
        guaranteed=guaranteed,
        weight=chance.choice([0.5, 1.0, 2.0]),
        borrowing_limit=chance.choice([None, None, 0, 2]),
        lending_limit=chance.choice([None, None, chance.randint(0, guaranteed)]),
        per_intern=chance.choice([None, None, 1, 2]),
    )
