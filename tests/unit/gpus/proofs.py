"""Invariants that compare two courses of events, or look at a whole course; each raises ``AssertionError``."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from practicum.gpus import policy, replay, shares
from practicum.gpus.policy import Quota, Request, Slot, Snapshot, Terms
from practicum.gpus.replay import Job, Scenario
from tests.unit.gpus.invariants import i08_no_ping_pong, i09_minimal_victims
from tests.unit.gpus.sharing_invariants import ON_SHARED
from tests.unit.gpus.world import NOW, TICK, World, shared_slots

HOUR = timedelta(hours=1)
NONE = timedelta(0)
QUICK = Terms(aged=4 * HOUR, overdue=8 * HOUR)


def i04_clears_a_shared_gpu() -> None:
    """An owner gets a part within grace and youth though those who borrow its GPUs come and go without end."""
    world = World(ON_SHARED)
    world.slots = shared_slots()
    world.set_quota(Quota(1, 1, guaranteed=3))
    mine: UUID | None = None
    patience = (world.terms.grace + world.terms.young) // TICK + 3
    for minute in range(40 + patience):
        for n in range(3):
            world.submit(100 + 3 * minute + n, 2 + n % 2, minutes=90)
        if minute == 40:
            mine = world.submit(1, 1)
        if mine not in world.holdings:
            world.release(minute)
        world.tick()
    assert mine in world.holdings


def i07_bounded_wait() -> None:
    """A job of four slots starts within ``overdue`` and the longest lease, though single ones arrive without end."""
    stream = [
        Job(id=n, user=n, cohort=1 + n % 2, pool=1, submitted_at=NOW + n * HOUR / 5, bursts=((NONE, HOUR),))
        for n in range(200)
    ]
    large = Job(id=999, user=999, cohort=3, pool=1, submitted_at=NOW, bursts=((NONE, HOUR),), size=4)
    report = replay.replay(Scenario([*stream, large], slots_of(4), terms=QUICK))
    assert report.waits_by_cohort[3].longest * timedelta(minutes=1) <= QUICK.overdue + HOUR


def i08_settles(seed: int) -> None:
    """With a demand that stays the same, those who are sent away come back and the reclaiming ends."""
    world = World([i08_no_ping_pong], comes_back=True)
    for cohort, guaranteed in ((1, 3), (2, 2 + seed % 3), (3, 0)):
        world.set_quota(Quota(cohort, 1, guaranteed))
    for user in range(10):
        world.submit(user, 3 - user % (1 + seed % 3), minutes=10_000)
    world.tick(15)
    for user in range(20, 24):
        world.submit(user, 1, minutes=10_000)
        world.submit(user + 10, 2, minutes=10_000)
    world.preempted.clear()
    world.tick(60)
    assert not any(holding.reclaim_at for holding in world.holdings.values())


def i09_takes_the_fewest() -> None:
    """Two slots are needed: the newest borrower has one, the next has two, and only the second is asked."""
    world = World([i09_minimal_victims])
    world.set_quota(Quota(1, 1, guaranteed=2))
    for user, size in enumerate((5, 2, 1)):
        world.submit(user, 2, size=size, minutes=10_000)
        world.tick(12)
    world.submit(9, 1, size=2)
    world.settle()
    assert [len(holding.slots) for holding in world.holdings.values() if holding.reclaim_at] == [2]


def i10_level(wants: list[int], *, slots: int, weights: tuple[float, ...]) -> None:
    """From an empty pool: of two who go on waiting, neither has a lease more than the other for their weight."""
    quotas = tuple(Quota(cohort, 1, weight=weights[cohort - 1]) for cohort in (1, 2, 3))
    served = served_of(wants, slots=slots, quotas=quotas)
    waiting = [cohort for cohort in (1, 2, 3) if served[cohort] < wants[cohort - 1]]
    for one in waiting:
        for other in waiting:
            gap = served[one] / weights[one - 1] - served[other] / weights[other - 1]
            assert abs(gap) <= 1 / min(weights[one - 1], weights[other - 1]) + 1e-9


def i12_monotone(pool: dict[str, Any], *, more: int, gone: int) -> None:
    """More slots, or one cohort fewer, or a larger guarantee, and nobody who is left (or has it) is due less."""
    due = shares.entitlements(**pool)
    larger = shares.entitlements(**pool | {"capacity": pool["capacity"] + more})
    fewer = shares.entitlements(**pool | {"demand": {c: d for c, d in pool["demand"].items() if c != gone}})
    assert all(larger[cohort] >= share - 1e-9 for cohort, share in due.items())
    assert all(fewer[cohort] >= share - 1e-9 for cohort, share in due.items() if cohort != gone)
    spare = pool["capacity"] - sum(quota.guaranteed for quota in pool["quotas"].values())
    if spare >= more and pool["demand"][gone]:
        old = pool["quotas"][gone]
        raised = Quota(gone, 1, old.guaranteed + more, old.weight, old.borrowing_limit)
        assert shares.entitlements(**pool | {"quotas": pool["quotas"] | {gone: raised}})[gone] >= due[gone] - 1e-9


def i13_strategy_proof(wants: list[int], *, lie: int, slots: int) -> None:
    """Who asks for more than they can use, or as more people, can use at most one lease more than before."""
    honest = served_of(wants, slots=slots)
    inflated = served_of([wants[0] + lie, *wants[1:]], slots=slots)
    assert min(wants[0], inflated[1]) <= honest[1] + 1
    split = served_of(wants, slots=slots, people_each=2)
    assert split[1] <= honest[1] + 1


def i14_hoarding_does_not_pay() -> None:
    """Who keeps a lease through long pauses gets no more done by it: the pauses are given to those who wait."""
    others = [
        Job(id=n, user=n, cohort=1, pool=1, submitted_at=NOW + n * HOUR, bursts=((NONE, 2 * HOUR),) * 30)
        for n in range(1, 4)
    ]
    pauses = ((NONE, HOUR), *[(3 * HOUR, HOUR)] * 40)
    hoarder = Job(id=0, user=0, cohort=2, pool=1, submitted_at=NOW, bursts=pauses)
    scenario = Scenario([hoarder, *others], slots_of(2), terms=QUICK, until=NOW + 48 * HOUR)
    kept = replay.replay(replace(scenario, idle_after=None))
    given_back = replay.replay(replace(scenario, idle_after=NONE))
    assert kept.busy_hours_by_user[0] <= given_back.busy_hours_by_user[0] + 1


def slots_of(count: int) -> list[Slot]:
    """A pool on one server."""
    return [Slot(n, 1, "alpha", n, True) for n in range(count)]


def served_of(wants: list[int], *, slots: int, quotas: tuple[Quota, ...] = (), people_each: int = 1) -> dict[int, int]:
    """How many leases each cohort gets of an empty pool that all ask at once."""
    requests = []
    for cohort, count in enumerate(wants, start=1):
        for n in range(count):
            user = 100 * cohort + n % people_each
            id = UUID(int=1000 * cohort + n)
            requests.append(Request(id, user, cohort, 1, "evaluation", NOW))
    decisions = policy.decide(Snapshot(tuple(slots_of(slots)), tuple(requests), (), quotas), NOW)
    cohort_of = {request.id: request.cohort for request in requests}
    granted = [cohort_of[grant.request] for grant in decisions.grants]
    return {cohort: granted.count(cohort) for cohort in (1, 2, 3)}
