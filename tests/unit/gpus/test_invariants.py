"""The invariants hold whatever happens: people come and go, servers fall, quotas change, the worker dies, time jumps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from practicum.gpus.policy import Quota
from practicum.gpus.shares import entitlements
from tests.unit.gpus import proofs
from tests.unit.gpus.invariants import EACH_STEP
from tests.unit.gpus.sharing_invariants import ON_SHARED
from tests.unit.gpus.world import World, shared_slots, wander

WHICH = st.integers(0, 50)
COHORT = st.sampled_from([1, 2, 3])


class Allocation(RuleBasedStateMachine):
    """Anything may happen in any order; every decision is checked against every invariant."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(EACH_STEP)

    @rule(
        user=st.integers(1, 12),
        cohort=st.one_of(st.none(), COHORT),
        pool=st.sampled_from([1, 1, 2]),
        size=st.integers(1, 3),
        purpose=st.sampled_from(["session", "evaluation"]),
        minutes=st.sampled_from([20, 90, 300]),
    )
    def submit(self, user: int, cohort: int | None, pool: int, size: int, purpose: str, minutes: int) -> None:
        self.world.submit(user, cohort, pool=pool, size=size, purpose=purpose, minutes=minutes)
        self.world.settle()

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        self.world.cancel(which)
        self.world.settle()

    @rule(which=WHICH, minutes=st.sampled_from([0, 14, 16, 60]))
    def idle(self, which: int, minutes: int) -> None:
        self.world.go_idle(which, minutes=minutes)
        self.world.settle()

    @rule(which=WHICH)
    def busy(self, which: int) -> None:
        self.world.go_busy(which)
        self.world.settle()

    @rule(which=WHICH)
    def expire(self, which: int) -> None:
        self.world.release(which)
        self.world.settle()

    @rule(name=st.sampled_from(["alpha", "beta", "gamma"]), is_usable=st.booleans())
    def node(self, name: str, is_usable: bool) -> None:
        self.world.set_server(name, is_usable=is_usable)
        self.world.settle()

    @rule(
        cohort=COHORT,
        pool=st.sampled_from([1, 1, 2]),
        guaranteed=st.integers(0, 4),
        weight=st.sampled_from([0.5, 1.0, 2.0]),
        borrowing=st.sampled_from([None, 0, 2]),
        lends=st.sampled_from([None, 0.0, 0.5]),
        per_intern=st.sampled_from([None, 1, 2]),
    )
    def quota_edit(
        self,
        cohort: int,
        pool: int,
        guaranteed: int,
        weight: float,
        borrowing: int | None,
        lends: float | None,
        per_intern: int | None,
    ) -> None:
        lending = None if lends is None else int(guaranteed * lends)
        self.world.set_quota(Quota(cohort, pool, guaranteed, weight, borrowing, lending, per_intern))
        self.world.settle()

    @precondition(lambda self: len(self.world.reservations) < 3)
    @rule(cohort=COHORT, slots=st.integers(1, 4), starts_in=st.integers(0, 30), minutes=st.sampled_from([10, 60]))
    def reserve(self, cohort: int, slots: int, starts_in: int, minutes: int) -> None:
        self.world.reserve(cohort, slots=slots, starts_in=starts_in, minutes=minutes)
        self.world.settle()

    @rule(done=st.integers(0, 3))
    def crash_and_restart(self, done: int) -> None:
        self.world.settle(dies_after=done)
        self.world.settle()

    @rule(ticks=st.sampled_from([1, 1, 2, 5, 15, 40]))
    def clock_jumps(self, ticks: int) -> None:
        self.world.tick(ticks)


class SharedAllocation(Allocation):
    """The same on shared GPUs: three of them, in three parts each."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(ON_SHARED)
        self.world.slots = shared_slots()


Allocation.TestCase.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAllocation = Allocation.TestCase
SharedAllocation.TestCase.settings = settings(Allocation.TestCase.settings, max_examples=15)
TestSharedAllocation = SharedAllocation.TestCase


@pytest.mark.parametrize("seed", range(25))
def test_a_random_walk_keeps_every_invariant(seed: int) -> None:
    wander(seed, checks=EACH_STEP)


@pytest.mark.parametrize("seed", range(20))
def test_a_random_walk_on_shared_gpus_keeps_every_invariant(seed: int) -> None:
    wander(seed, checks=ON_SHARED, slots=shared_slots(), size=1 + seed % 2 * 2, steps=40)


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Any]:
    """A pool with three cohorts whose guarantees fit into it."""
    guarantees = [draw(st.integers(0, 4)) for _ in range(3)]
    quotas = {
        cohort: Quota(
            cohort,
            1,
            guaranteed,
            weight=draw(st.sampled_from([0.5, 1.0, 3.0])),
            borrowing_limit=draw(st.sampled_from([None, 0, 2])),
        )
        for cohort, guaranteed in enumerate(guarantees, start=1)
    }
    demand = {cohort: draw(st.integers(0, 12)) for cohort in quotas}
    return {"capacity": sum(guarantees) + draw(st.integers(0, 8)), "demand": demand, "quotas": quotas}


@given(pools())
def test_entitlements_fill_the_pool_and_keep_guarantees_demands_and_limits(pool: dict[str, Any]) -> None:
    due = entitlements(**pool)
    wanted = 0.0
    for cohort, share in due.items():
        quota, demand = pool["quotas"][cohort], pool["demand"][cohort]
        limit = demand if quota.borrowing_limit is None else min(demand, quota.guaranteed + quota.borrowing_limit)
        assert min(quota.guaranteed, demand) - 1e-9 <= share <= limit + 1e-9
        wanted += limit
    assert sum(due.values()) == pytest.approx(min(pool["capacity"], wanted))


@given(pools(), st.integers(0, 5), COHORT)
def test_i12_more_slots_or_fewer_cohorts_take_nothing_from_anybody(pool: dict[str, Any], more: int, gone: int) -> None:
    proofs.i12_monotone(pool, more=more, gone=gone)


def test_what_is_never_lent_and_what_is_reserved_is_nobody_elses() -> None:
    quotas = {1: Quota(1, 1, guaranteed=4, lending_limit=1), 2: Quota(2, 1)}
    assert entitlements(capacity=8, demand={2: 9}, quotas=quotas) == {2: 5.0}
    assert entitlements(capacity=8, demand={1: 9, 2: 9}, quotas={}, reserved={1: 4}) == {1: 6.0, 2: 2.0}


def test_when_servers_are_down_what_is_left_is_shared_by_guarantee() -> None:
    quotas = {1: Quota(1, 1, guaranteed=6), 2: Quota(2, 1, guaranteed=2)}
    assert entitlements(capacity=4, demand={1: 6, 2: 6}, quotas=quotas) == {1: 3.0, 2: 1.0}


def test_i04_a_guarantee_on_shared_gpus_is_met_though_borrowers_keep_coming() -> None:
    proofs.i04_clears_a_shared_gpu()


def test_i07_nobody_starves_though_others_keep_coming() -> None:
    proofs.i07_bounded_wait()


@pytest.mark.parametrize("seed", range(10))
def test_i08_without_new_requests_nobody_is_sent_back_and_forth(seed: int) -> None:
    proofs.i08_settles(seed)


def test_i09_whoever_is_not_needed_after_all_stays() -> None:
    proofs.i09_takes_the_fewest()


@given(wants=st.lists(st.integers(0, 12), min_size=3, max_size=3), slots=st.integers(1, 10))
def test_i10_from_an_empty_pool_nobody_gets_more_than_one_lease_ahead(wants: list[int], slots: int) -> None:
    proofs.i10_level(wants, slots=slots, weights=(1.0, 1.0, 2.0))


@given(wants=st.lists(st.integers(0, 12), min_size=3, max_size=3), lie=st.integers(1, 10), slots=st.integers(1, 10))
def test_i13_asking_for_more_or_as_two_people_wins_at_most_one_lease(wants: list[int], lie: int, slots: int) -> None:
    proofs.i13_strategy_proof(wants, lie=lie, slots=slots)


def test_i14_who_hoards_computes_no_more_than_who_does_not() -> None:
    proofs.i14_hoarding_does_not_pay()
