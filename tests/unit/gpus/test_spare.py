"""Which idle leases are wanted: those, and no more, without which more would be given."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from practicum.gpus.policy import Decisions, Holding, Quota, Request, Reservation, Slot, Snapshot, decide
from practicum.gpus.spare import AT_MOST, wanted_of
from tests.unit.gpus.world import NOW, World, shared_slots, wander

HOUR = timedelta(hours=1)
OWN = (Quota(1, 1, guaranteed=2), Quota(2, 1, guaranteed=2))


def slots_of(count: int) -> list[Slot]:
    return [Slot(number, 1, "alpha", number, True) for number in range(1, count + 1)]


def holding(number: int, *, cohort: int = 1, idle: int = 60, **more: Any) -> Holding:
    since = NOW - timedelta(minutes=idle)
    facts = {"granted_at": NOW - 5 * HOUR, "until": NOW + 5 * HOUR, "idle_since": since, **more}
    return Holding(UUID(int=number), number, cohort, 1, "session", (number,), **facts)


def request(number: int, *, cohort: int = 1, size: int = 1) -> Request:
    return Request(UUID(int=100 + number), 100 + number, cohort, 1, "session", NOW, size=size)


def seen(holdings: list[Holding], requests: list[Request], **more: Any) -> Snapshot:
    facts: dict[str, Any] = {"slots": tuple(slots_of(len(holdings))), "quotas": OWN} | more
    return Snapshot(requests=tuple(requests), holdings=tuple(holdings), **facts)


def wanted(snapshot: Snapshot, *numbers: int) -> list[int]:
    return sorted(lease.int for lease in wanted_of(snapshot, NOW, idle=[UUID(int=number) for number in numbers]))


def test_nobody_is_in_the_way_where_nobody_waits() -> None:
    assert wanted(seen([holding(1), holding(2)], []), 1, 2) == []


def test_as_many_as_wait_are_wanted_the_first_first() -> None:
    holdings = [holding(n) for n in range(1, 5)]
    assert wanted(seen(holdings, [request(1)]), 3, 1, 4, 2) == [3]
    assert wanted(seen(holdings, [request(1), request(2), request(3)]), 3, 1, 4, 2) == [1, 3, 4]


def test_a_slot_that_is_free_or_comes_free_is_enough() -> None:
    free = seen([holding(1)], [request(1)], slots=tuple(slots_of(2)))
    going = seen([holding(1), holding(2, is_draining=True)], [request(1)])
    asked = seen([holding(1), holding(2, reclaim_at=NOW + HOUR)], [request(1)])
    assert [wanted(one, 1) for one in (free, going, asked)] == [[], [], []]
    assert wanted(seen([holding(1), holding(2, is_draining=True)], [request(1), request(2)]), 1) == [1]


def test_who_may_not_have_the_slot_does_not_count() -> None:
    nothing_lent = (Quota(1, 1, guaranteed=2, lending_limit=0), Quota(2, 1, guaranteed=0))
    holdings = [holding(1), holding(2)]
    assert wanted(seen(holdings, [request(1, cohort=2)], quotas=nothing_lent), 1, 2) == []
    assert wanted(seen(holdings, [request(1)], quotas=nothing_lent), 1, 2) == [1]
    none_borrowed = (Quota(1, 1, guaranteed=2), Quota(2, 1, guaranteed=0, borrowing_limit=0))
    assert wanted(seen(holdings, [request(1, cohort=2)], quotas=none_borrowed), 1, 2) == []


def test_who_wants_several_has_them_all_or_none() -> None:
    holdings = [holding(n) for n in range(1, 5)]
    assert wanted(seen(holdings, [request(1, size=3)]), 1, 2) == []
    assert wanted(seen(holdings, [request(1, size=3)]), 4, 1, 2, 3) == [1, 2, 4]


def test_slots_that_a_reservation_would_keep_are_not_wanted_for_others() -> None:
    soon = (Reservation(1, 2, 1, 2, NOW - timedelta(minutes=1), NOW + HOUR),)
    holdings = [holding(1), holding(2)]
    assert wanted(seen(holdings, [request(1)], reservations=soon), 1, 2) == []
    assert wanted(seen(holdings, [request(1, cohort=2)], reservations=soon), 1, 2) == [1]


def test_of_very_many_the_first_are_looked_at() -> None:
    holdings = [holding(n) for n in range(1, 101)]
    waiting = [request(n) for n in range(90)]
    found = wanted(seen(holdings, waiting, quotas=(Quota(1, 1, guaranteed=100),)), *range(1, 101))
    assert found == list(range(1, AT_MOST + 1))


def given(snapshot: Snapshot, now: datetime, without: Collection[UUID]) -> int:
    """How much is given without these and without what goes anyway."""
    left = [h for h in snapshot.holdings if h.id not in without and not h.is_draining and h.reclaim_at is None]
    return sum(len(grant.slots) for grant in decide(replace(snapshot, holdings=tuple(left)), now).grants)


def check_wanted(world: World, snapshot: Snapshot, _: Decisions) -> None:
    """Without the wanted ones no less is given than without all idle ones, and each of them counts."""
    idle = sorted((h for h in snapshot.holdings if h.idle_since), key=lambda h: (h.idle_since, h.id.int))
    found = wanted_of(snapshot, world.now, idle=[h.id for h in idle])
    ending = [h.id for h in idle if not h.is_draining and h.reclaim_at is None]
    assert found <= set(ending)
    most = given(snapshot, world.now, ending)
    assert given(snapshot, world.now, found) >= most
    assert bool(found) == (most > given(snapshot, world.now, ()))
    for lease in found:
        assert given(snapshot, world.now, found - {lease}) < most


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_the_fewest_are_wanted_that_let_most_be_given(seed: int) -> None:
    wander(seed, checks=[check_wanted])
    wander(seed, checks=[check_wanted], slots=shared_slots(), size=1, steps=40)
