"""Allocators at once: what one decided before another's decision was carried out is not done, so no limit is passed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.gpus import selectors, services
from practicum.gpus.models import Lease, LeaseState, Purpose, Quota, Slot
from practicum.gpus.policy import Decisions, Grant, decide
from practicum.gpus.quota_rules import Terms
from practicum.gpus.quotas import Change, set_quotas
from practicum.internships.models import Cohort
from tests.unit.gpus.conftest import make_slots

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def slots(db: None) -> list[Slot]:
    """Two GPUs."""
    return make_slots(2)


@pytest.fixture
def cohort(slots: list[Slot], now: datetime) -> Cohort:
    """A cohort that may hold one of them."""
    made = Cohort.objects.create(slug="north", name="North", starts_on=now.date(), ends_on=now.date() + 60 * DAY)
    Quota.objects.create(cohort=made, pool=slots[0].pool, guaranteed=1, borrowing_limit=0)
    return made


def ask(user: Any, *, cohort: Cohort | None = None, now: datetime) -> Lease:
    return services.request_lease(user, cohort=cohort, purpose=Purpose.SESSION, duration=HOUR, now=now)


def grant_of(lease: Lease, slot: Slot) -> Decisions:
    """What an allocator decides that saw this lease alone in line."""
    return Decisions((Grant(lease.pk, slots=(slot.pk,), is_borrowed=False, reservation=None),), (), (), ())


def states() -> list[str]:
    return sorted(Lease.objects.values_list("state", flat=True))


def test_two_that_each_decided_within_a_limit_do_not_pass_it_together(
    slots: list[Slot], cohort: Cohort, intern: Any, peer: Any, now: datetime
) -> None:
    first, second = ask(intern, cohort=cohort, now=now), ask(peer, cohort=cohort, now=now)
    turns = selectors.turns()
    assert services.carry_out(grant_of(first, slots[0]), turns=turns, now=now) == [first.pk]
    assert services.carry_out(grant_of(second, slots[1]), turns=turns, now=now) == []
    assert services.allocate(now=now) == []
    assert states() == [LeaseState.GRANTED, LeaseState.QUEUED]


def test_what_was_decided_before_a_quota_changed_is_decided_anew(
    slots: list[Slot], cohort: Cohort, intern: Any, admin: Any, now: datetime
) -> None:
    lease, turns = ask(intern, cohort=cohort, now=now), selectors.turns()
    none = Change(cohort.pk, slots[0].pool_id, Terms(1, borrowing_limit=0), Terms(0, borrowing_limit=0))
    set_quotas([none], actor=admin, now=now)
    assert services.carry_out(grant_of(lease, slots[0]), turns=turns, now=now) == []
    assert services.allocate(now=now) == []


def test_nobody_is_asked_back_for_what_was_decided_on_older_rows(
    slots: list[Slot], cohort: Cohort, intern: Any, peer: Any, stranger: Any, now: datetime
) -> None:
    ask(intern, now=now)
    ask(peer, now=now)
    assert len(services.allocate(now=now)) == 2
    later = now + HOUR / 2
    owner = ask(stranger, cohort=cohort, now=later)
    turns = selectors.turns()
    decisions = decide(selectors.snapshot(now=later), later)
    assert len(decisions.reclaims) == 1
    services.carry_out(decisions, turns=turns, now=later)
    asked = list(Lease.objects.filter(reclaim_at__isnull=False))
    Lease.objects.update(reclaim_at=None)
    services.carry_out(decisions, turns=turns, now=later)
    assert len(asked) == 1
    assert not Lease.objects.filter(reclaim_at__isnull=False).exists()
    owner.refresh_from_db()
    assert owner.state == LeaseState.QUEUED


def test_nothing_to_do_takes_no_turn(slots: list[Slot], now: datetime) -> None:
    before = selectors.turns()
    assert services.carry_out(Decisions((), (), (), ()), turns=before, now=now) == []
    assert selectors.turns() == before


def test_where_the_index_stops_a_grant_the_others_of_the_same_decision_are_made(
    slots: list[Slot], intern: Any, peer: Any, stranger: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the slot had been given while the leases were being written."""
    leases = [ask(person, now=now) for person in (intern, peer, stranger)]
    monkeypatch.setattr(services, "_may_give", lambda *_: True)
    twice = [grant_of(lease, slot).grants[0] for lease, slot in zip(leases, [*slots, slots[0]], strict=True)]
    granted = services.carry_out(Decisions(tuple(twice), (), (), ()), turns=selectors.turns(), now=now)
    assert granted == [leases[0].pk, leases[1].pk]
    assert states() == [LeaseState.GRANTED, LeaseState.GRANTED, LeaseState.QUEUED]
