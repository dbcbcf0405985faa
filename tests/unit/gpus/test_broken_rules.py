"""Each check has been seen to fail: one rule is broken on purpose, and the invariant that rests on it is found violated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from practicum.gpus import policy, reclaiming, shares
from practicum.gpus.book import Book, Party
from practicum.gpus.facts import Holding, Slot
from practicum.gpus.placing import SharedShelf, Shelf
from practicum.gpus.policy import Quota
from practicum.gpus.reclaiming import Reclaimer, Stock
from practicum.gpus.sharing import SharedReclaimer
from tests.unit.gpus import invariants, proofs, sharing_invariants
from tests.unit.gpus.world import Check, shared_slots, wander

SEEDS = 120
Patch = pytest.MonkeyPatch


def forget_what_is_held(patch: Patch) -> None:
    """Count every usable slot as free."""
    real = Book.open
    patch.setattr(Book, "open", lambda self, held: real(self, set()))


def keep_slots_twice(patch: Patch) -> None:
    """Keep the first slots of the pool, held or not."""
    real = Shelf.rest
    patch.setattr(Shelf, "rest", lambda self: [1, 1, *real(self)])


def lift_the_limits(patch: Patch) -> None:
    """Let everybody borrow without end."""
    patch.setattr(Party, "limit", property(lambda self: None))


def ask_nobody_back(patch: Patch) -> None:
    """Let guarantees wait until somebody is done."""
    patch.setattr(Reclaimer, "cover_request", lambda self, request, *, missing: False)


def reach_into_guarantees(patch: Patch) -> None:
    """Count all that a party holds as borrowed."""
    real = Stock.__init__

    def broken(self: Stock, party: Party) -> None:
        real(self, party)
        self.spare = party.held

    patch.setattr(Stock, "__init__", broken)


def lend_nothing(patch: Patch) -> None:
    """Leave empty what is beyond the guarantees."""
    patch.setattr(policy, "lend", lambda book: None)


def pass_over_the_overdue(patch: Patch) -> None:
    """Keep nothing for large requests."""
    patch.setattr(policy, "serve_overdue", lambda book: None)


def ask_more_than_needed(patch: Patch) -> None:
    """Keep every victim that was picked on the way."""
    patch.setattr(reclaiming, "can_stay", lambda got, value, *, needed: False)


def lend_to_the_first(patch: Patch) -> None:
    """Lend by age alone, whoever has borrowed what."""
    patch.setattr(policy, "owed", lambda party, *, waited: 0.0)


def serve_no_guarantees(patch: Patch) -> None:
    """Only lend."""
    patch.setattr(policy, "serve_guarantees", lambda book, reclaimer: None)


def lend_to_the_loudest(patch: Patch) -> None:
    """Lend to who asks for most."""
    patch.setattr(policy, "owed", lambda party, *, waited: -len(party.requests))


def serve_the_largest_whole(patch: Patch) -> None:
    """Give all that is wanted to the largest that fits whole, then to the next."""

    def broken(amount: float, *, wanted: Mapping[int | None, float], weights: Mapping[int | None, float]) -> Any:
        given = {}
        for party in sorted(wanted, key=lambda party: -wanted[party]):
            given[party] = wanted[party] if wanted[party] <= amount else 0.0
            amount -= given[party]
        return given

    patch.setattr(shares, "water_fill", broken)


def take_all_for_idle(patch: Patch) -> None:
    """Do not look at what runs."""

    def broken(self: Reclaimer, holding: Holding, stock: Stock) -> None:
        stock.idle.append(holding)

    patch.setattr(Reclaimer, "_shelve", broken)


def let_idle_leases_be(patch: Patch) -> None:
    """Never ask an idle lease back, whoever waits."""
    patch.setattr(Reclaimer, "_ask_idle", lambda self: None)


def order_by_chance(patch: Patch) -> None:
    """Let the order of the rows decide."""
    counter = iter(range(10**9))
    patch.setattr(Book, "key", lambda self, request, party: (0, 0, 0.0, self.now, next(counter), request))


def pass_over_near_slots(patch: Patch) -> None:
    """Place leases as if nobody had files anywhere."""
    real = Shelf.take
    patch.setattr(Shelf, "take", lambda self, size, *, cohort, near: real(self, size, cohort=cohort))


def let_near_decide(patch: Patch) -> None:
    """Serve whose files are near to a server before the others."""
    real = Book.rank
    patch.setattr(Book, "rank", lambda self, request, party: real(self, request, party) + (not request.near))


def mix_cohorts(patch: Patch) -> None:
    """Give parts of a GPU whoever holds the others."""
    patch.setattr(Book, "_shelf_of", lambda self, free: SharedShelf(free, holders={}))


def count_every_part(patch: Patch) -> None:
    """Ask for parts back one by one, as if each were of use alone."""
    patch.setattr(policy, "reclaimer_of", Reclaimer)


def clear_no_gpu(patch: Patch) -> None:
    """Let guarantees wait until a GPU is empty by itself."""
    patch.setattr(SharedReclaimer, "cover_request", lambda self, request, *, missing: False)


def leave_own_gpus_half_empty(patch: Patch) -> None:
    """Let a cohort have no more of a GPU on which it holds something."""
    patch.setattr(SharedShelf, "room", lambda self, cohort, *, kept: sum(len(self._free[gpu]) for gpu in self._open()))


def lend_what_is_being_cleared(patch: Patch) -> None:
    """Lend the free parts of a GPU while it is being cleared for an owner."""
    patch.setattr(Book, "hold_back", lambda self, gpu, mark: None)


ON_SHARED: list[tuple[Check, Callable[[Patch], None]]] = [
    (sharing_invariants.i19_one_cohort_a_shared_gpu, mix_cohorts),
    (sharing_invariants.i09_asks_nobody_in_vain, count_every_part),
    (sharing_invariants.i06_work_conserving_on_shared, leave_own_gpus_half_empty),
]


@pytest.mark.parametrize(("check", "break_it"), ON_SHARED, ids=lambda value: value.__name__)
def test_the_check_on_shared_gpus_fails_when_its_rule_is_broken(
    check: Check, break_it: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    break_it(monkeypatch)
    assert finds_a_fault(check, slots=shared_slots())


STEP_BY_STEP: list[tuple[Check, Callable[[Patch], None]]] = [
    (invariants.i01_no_double_allocation, forget_what_is_held),
    (invariants.i02_conservation, keep_slots_twice),
    (invariants.i03_limits, lift_the_limits),
    (invariants.i04_guarantee_within_grace, ask_nobody_back),
    (invariants.i05_never_inside_a_guarantee, reach_into_guarantees),
    (invariants.i06_work_conserving, lend_nothing),
    (invariants.i08_no_ping_pong, reach_into_guarantees),
    (invariants.i10_envy_free_up_to_one_lease, lend_to_the_first),
    (invariants.i11_sharing_incentive, serve_no_guarantees),
    (invariants.i15_idle_safety, take_all_for_idle),
    (invariants.i17_deterministic, order_by_chance),
    (invariants.i21_near_slots_are_taken, pass_over_near_slots),
    (invariants.i20_near_is_a_choice_among_equals, let_near_decide),
]


@pytest.mark.slow
@pytest.mark.parametrize(("check", "break_it"), STEP_BY_STEP, ids=lambda value: value.__name__)
def test_the_check_fails_when_its_rule_is_broken(
    check: Check, break_it: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    break_it(monkeypatch)
    assert finds_a_fault(check)


def finds_a_fault(check: Check, *, slots: Mapping[int, Slot] | None = None) -> bool:
    """One of many random walks shows it."""
    for seed in range(SEEDS):
        try:
            wander(seed, checks=[check], slots=slots)
        except AssertionError:
            return True
    return False


POOL = {
    "capacity": 6,
    "demand": {1: 12, 2: 2, 3: 1},
    "quotas": {cohort: Quota(cohort, 1) for cohort in (1, 2, 3)},
}
WHOLE_COURSES: list[tuple[Callable[[], None], Callable[[Patch], None]]] = [
    (proofs.i04_clears_a_shared_gpu, clear_no_gpu),
    (proofs.i04_clears_a_shared_gpu, lend_what_is_being_cleared),
    (proofs.i07_bounded_wait, pass_over_the_overdue),
    (lambda: proofs.i08_settles(2), reach_into_guarantees),
    (proofs.i09_takes_the_fewest, ask_more_than_needed),
    (lambda: proofs.i10_level([9, 9, 9], slots=8, weights=(1.0, 1.0, 2.0)), lend_to_the_first),
    (lambda: proofs.i12_monotone(POOL, more=6, gone=3), serve_the_largest_whole),
    (lambda: proofs.i13_strategy_proof([4, 5, 6], lie=9, slots=8), lend_to_the_loudest),
    (proofs.i14_hoarding_does_not_pay, let_idle_leases_be),
]


@pytest.mark.slow
@pytest.mark.parametrize(("proof", "break_it"), WHOLE_COURSES, ids=lambda value: value.__name__.strip("<>"))
def test_the_proof_fails_when_its_rule_is_broken(
    proof: Callable[[], None], break_it: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    proof()
    break_it(monkeypatch)
    with pytest.raises(AssertionError):
        proof()


def test_an_unbroken_policy_passes_every_check_that_was_broken() -> None:
    checks = [check for check, _ in STEP_BY_STEP]
    for seed in range(1000, 1010):
        wander(seed, checks=checks)


def test_the_terms_are_those_of_the_definition() -> None:
    terms = policy.Terms()
    assert (terms.grace, terms.young, terms.aged) == (
        timedelta(seconds=120), timedelta(minutes=10), timedelta(hours=4),
    )  # fmt: skip
    assert terms.lead >= terms.grace
