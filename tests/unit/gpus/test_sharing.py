"""Shared GPUs, case by case: which part a cohort gets, what is asked back for it, and what is kept meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from practicum.gpus import selectors, services
from practicum.gpus.models import Lease, Purpose, Slot
from practicum.gpus.policy import Holding, Quota, Reservation, Snapshot, decide
from practicum.gpus.policy import Slot as Part
from tests.unit.gpus.conftest import gpu, report
from tests.unit.gpus.test_policy import HOUR, MINUTE, ask, asked, full, held, served
from tests.unit.gpus.world import NOW


def parts(*counts: int) -> tuple[Part, ...]:
    """GPUs with so many parts each; the parts are numbered from 100."""
    gpus = [n for n, count in enumerate(counts) for _ in range(count)]
    return tuple(Part(100 + number, 1, "alpha", n, True, f"GPU-{n}") for number, n in enumerate(gpus))


def given(snapshot: Snapshot) -> dict[int, tuple[int, ...]]:
    return {grant.request.int: grant.slots for grant in decide(snapshot, NOW).grants}


def test_a_cohort_fills_its_own_gpu_and_another_opens_the_next() -> None:
    requests = (ask(1, 1, ago=3 * MINUTE), ask(2, 2, ago=2 * MINUTE), ask(3, 1))
    assert given(Snapshot(parts(2, 2), requests, ())) == {1: (100,), 2: (102,), 3: (101,)}


@pytest.mark.parametrize(
    ("counts", "holdings", "slots"),
    [
        ((2, 2), [], (102,)),
        ((1, 2), [], (100,)),  # the larger stays open for whoever needs more of one GPU
        ((2, 2), [100, 102], (103,)),
        ((2, 3), [100, 102], (103,)),  # its cohort's own are of use to nobody else
        ((2, 2), [100], (101,)),
    ],
)
def test_near_is_chosen_among_a_cohorts_own_gpus_and_among_open_ones_of_one_size(
    counts: tuple[int, ...], holdings: list[int], slots: tuple[int, ...]
) -> None:
    rows = tuple(replace(part, server="beta") if part.gpu == "GPU-1" else part for part in parts(*counts))
    held_ = tuple(held(50 + n, 1, slot=slot) for n, slot in enumerate(holdings))
    request = replace(ask(9, 1), near=frozenset(["beta"]))
    assert given(Snapshot(rows, (request,), held_)) == {9: slots}


@pytest.mark.parametrize(
    ("holders", "cohort", "slots"),
    [
        ([1], 1, (101,)),
        ([1], 2, None),
        ([1], None, None),
        ([None], None, (101,)),
        ([None], 1, None),
        ([], 2, (100,)),
    ],
)
def test_a_free_part_is_for_the_cohort_that_holds_the_other(
    holders: list[int | None], cohort: int | None, slots: tuple[int, ...] | None
) -> None:
    assert given(Snapshot(parts(2), (ask(9, cohort),), full(*holders))).get(9) == slots


def test_a_gpu_on_which_two_cohorts_are_already_gets_nobody_new() -> None:
    snapshot = Snapshot(parts(3), (ask(8, 1), ask(9, 2)), full(1, 2))
    assert served(snapshot) == []
    assert "another cohort uses" in decide(snapshot, NOW).line[0].why


def test_a_borrower_opens_no_gpu_that_another_cohort_never_lends() -> None:
    never = (Quota(1, 1, guaranteed=1, lending_limit=0),)
    assert served(Snapshot(parts(2), (ask(9, 2),), (), never)) == []
    assert served(Snapshot(parts(2, 2), (ask(9, 2),), (), never)) == [9]
    # Its own GPU has room for what it never lends: the other is free for all.
    assert served(Snapshot(parts(2, 2), (ask(9, 2),), full(1), (Quota(1, 1, 2, lending_limit=0),))) == [9]


def test_all_that_others_hold_of_a_gpu_is_asked_back_or_nothing() -> None:
    owner = (Quota(1, 1, guaranteed=1),)
    assert sorted(asked(Snapshot(parts(2, 2), (ask(9, 1),), full(2, 2, 3, 3), owner))) in ([50, 51], [52, 53])
    # One of the two on the second GPU is an evaluation, which is let finish: the first is cleared, though older.
    holdings = list(full(2, 2, 3, 3))
    holdings[3] = replace(holdings[3], purpose="evaluation")
    assert sorted(asked(Snapshot(parts(2, 2), (ask(9, 1),), tuple(holdings), owner))) == [50, 51]
    # To clear the only GPU would reach into what is cohort 2's own: nobody is asked in vain.
    both = (*owner, Quota(2, 1, guaranteed=1))
    assert asked(Snapshot(parts(2), (ask(9, 1),), full(2, 2), both)) == []


def test_who_stops_anyway_makes_room_only_if_nobody_else_stays_on_the_gpu() -> None:
    owner = (Quota(1, 1, guaranteed=1),)
    going = tuple(replace(holding, is_draining=holding.id.int == 50) for holding in full(2, 2))
    assert asked(Snapshot(parts(2), (ask(9, 1),), going, owner)) == [51]
    gone = tuple(replace(holding, is_draining=True) for holding in going)
    assert asked(Snapshot(parts(2), (ask(9, 1),), gone, owner)) == []


@pytest.mark.parametrize("age", [HOUR, 5 * MINUTE])
def test_while_a_gpu_is_cleared_for_an_owner_nothing_of_it_is_lent_to_who_leaves_it(age: timedelta) -> None:
    """Else the last of them would always be too young to be asked."""
    snapshot = Snapshot(
        parts(3), (ask(8, 2, ago=2 * HOUR), ask(9, 1)), full(2, 2, age=age), (Quota(1, 1, guaranteed=1),)
    )
    decisions = decide(snapshot, NOW)
    assert decisions.grants == ()
    assert [(mark.slot, mark.request) for mark in decisions.earmarks] == [(102, UUID(int=9))]
    assert len(decisions.reclaims) == (2 if age == HOUR else 0)


def test_who_was_asked_back_stays_once_nobody_counts_on_the_gpu() -> None:
    back = tuple(replace(holding, reclaim_at=NOW + MINUTE) for holding in full(2, 2))
    owner = (Quota(1, 1, guaranteed=1),)
    assert [stay.holding.int for stay in decide(Snapshot(parts(2), (), back, owner), NOW).withdrawals] == [50, 51]
    assert decide(Snapshot(parts(2), (ask(9, 1),), back, owner), NOW).withdrawals == ()


def test_a_reservation_has_whole_gpus_cleared_and_of_owners_only_if_it_must() -> None:
    booked = Reservation(7, 3, 1, 2, NOW + 4 * MINUTE, NOW + HOUR)
    quotas = (Quota(2, 1, guaranteed=2),)
    snapshot = Snapshot(parts(2, 2), (), full(2, 2, 1, 1), quotas, (booked,))
    assert sorted(asked(snapshot)) == [52, 53]
    assert sorted(asked(replace(snapshot, reservations=(replace(booked, slots=4),)))) == [50, 51, 52, 53]


def test_idle_borrowers_make_room_one_by_one_for_their_own_and_a_gpu_at_a_time_for_others() -> None:
    def idle(*which: int) -> tuple[Holding, ...]:
        return tuple(replace(h, idle_since=NOW - HOUR) if h.id.int in which else h for h in full(1, 1))

    assert asked(Snapshot(parts(2), (ask(9, 1),), idle(50))) == [50]
    assert asked(Snapshot(parts(2), (ask(9, 2),), idle(50))) == []
    assert sorted(asked(Snapshot(parts(2), (ask(9, 2),), idle(50, 51)))) == [50, 51]


def test_the_rows_say_which_slots_are_parts_of_one_gpu(
    intern: Any, stranger: Any, cohort: Any, other_cohort: Any, now: datetime
) -> None:
    report(gpu(0), gpu(1), now=now)
    Slot.objects.filter(uuid=gpu(0).uuid).update(parts=2)
    report(gpu(0), gpu(1), now=now)
    assert sorted(part.gpu for part in selectors.snapshot(now=now).slots) == ["", gpu(0).uuid, gpu(0).uuid]

    pool = Slot.objects.filter(parts=2)[0].pool
    for person, group in ((intern, cohort), (stranger, other_cohort)):
        services.request_lease(person, cohort=group, purpose=Purpose.SESSION, duration=HOUR, now=now, pool=pool)
        services.allocate(now=now)
    assert list(Lease.objects.order_by("pk").filter(state="granted").values_list("user", flat=True)) == [intern.pk]
