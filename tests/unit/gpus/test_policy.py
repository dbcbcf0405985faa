"""The policy, rule by rule: who is served, who is asked back and told to stay, and what those in line read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from practicum.gpus.placing import Shelf
from practicum.gpus.policy import Holding, Quota, Request, Reservation, Slot, Snapshot, Terms, decide, open_books
from tests.unit.gpus.world import NOW

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
TERMS = Terms()


def slots(count: int, *, pool: int = 1) -> tuple[Slot, ...]:
    return tuple(Slot(100 * pool + n, pool, f"server{n // 4}", n % 4, True) for n in range(count))


def ask(
    number: int, cohort: int | None, *, ago: timedelta = MINUTE, purpose: str = "session", size: int = 1
) -> Request:
    return Request(UUID(int=number), number, cohort, 1, purpose, NOW - ago, size=size)


def held(number: int, cohort: int | None, *, slot: int, age: timedelta = HOUR, purpose: str = "session") -> Holding:
    return Holding(UUID(int=number), number, cohort, 1, purpose, (slot,), NOW - age, NOW + 5 * HOUR)


def full(*cohorts: int | None, age: timedelta = HOUR) -> tuple[Holding, ...]:
    """One holding after the other, of these cohorts, each a minute older than the next."""
    return tuple(held(50 + n, cohort, slot=100 + n, age=age - n * MINUTE) for n, cohort in enumerate(cohorts))


def served(snapshot: Snapshot) -> list[int]:
    return [grant.request.int for grant in decide(snapshot, NOW).grants]


def asked(snapshot: Snapshot) -> list[int]:
    return [reclaim.holding.int for reclaim in decide(snapshot, NOW).reclaims]


TWO = (Quota(1, 1, guaranteed=2), Quota(2, 1, guaranteed=2))


@pytest.mark.parametrize(
    ("requests", "order"),
    [
        # Within the guarantees: by age.
        ([ask(1, 1, ago=MINUTE), ask(2, 2, ago=2 * MINUTE)], [2, 1]),
        # Evaluations before sessions of the same standing.
        ([ask(1, 1, ago=9 * MINUTE), ask(2, 1, purpose="evaluation")], [2, 1]),
        # Who waited four hours is before evaluations.
        ([ask(1, 1, ago=5 * HOUR), ask(2, 1, purpose="evaluation")], [1, 2]),
        # A guarantee is before an older borrower.
        ([ask(1, None, ago=HOUR), ask(2, 1), ask(3, 1), ask(4, 2), ask(5, 2)], [2, 3, 4, 5]),
        # Borrowing: who borrowed least is next, so that cohorts take turns.
        ([ask(1, 3, ago=9 * MINUTE), ask(2, 3, ago=8 * MINUTE), ask(3, 4, ago=MINUTE)], [1, 3, 2]),
        # Four hours count for those who have nothing, the longest first; who has one now is not before who asked since.
        (
            [
                *(ask(n, 1, ago=9 * HOUR, purpose="evaluation") for n in (1,)),
                replace(ask(2, 1, ago=8 * HOUR, purpose="evaluation"), user=1),
                *(ask(n, 1, ago=(8 - n) * HOUR, purpose="evaluation") for n in (3, 4)),
                ask(5, 1, ago=3 * HOUR, purpose="evaluation"),
            ],
            [1, 3, 4, 5],
        ),
        # A second evaluation of one person has no precedence over others' notebooks.
        (
            [
                ask(1, 1, ago=3 * MINUTE, purpose="evaluation"),
                replace(ask(2, 1, ago=2 * MINUTE, purpose="evaluation"), user=1),
                ask(3, 1),
            ],
            [1, 3, 2],
        ),
        # Who waited patience (3 h) counts as one slot less borrowed, twice as long as four, half as long as a quarter.
        ([ask(1, 3, ago=9 * HOUR / 4), ask(2, 3, ago=2 * HOUR), ask(3, 4, ago=MINUTE)], [1, 3, 2]),
        ([ask(1, 3, ago=5 * HOUR), ask(2, 3, ago=4 * HOUR), ask(3, 4, ago=MINUTE)], [1, 2, 3]),
        ([*(ask(n, 3, ago=7 * HOUR - n * MINUTE) for n in (1, 2, 3)), ask(4, 4, ago=3 * HOUR)], [1, 2, 3, 4]),
        ([*(ask(n, 3, ago=4 * HOUR - n * MINUTE) for n in (1, 2, 3)), ask(4, 4, ago=3 * HOUR)], [1, 4, 2, 3]),
        # A user has one session, however often they ask.
        ([ask(1, 1), replace(ask(2, 1), user=1)], [1]),
    ],
)
def test_the_order_of_service(requests: list[Request], order: list[int]) -> None:
    assert served(Snapshot(slots(4), tuple(requests), (), TWO)) == order


def test_of_people_who_wait_who_used_least_lately_is_lent_a_slot_first() -> None:
    requests = (ask(1, 3, ago=9 * MINUTE), ask(2, 3))
    assert served(Snapshot(slots(1), requests, (), usage={(3, 1): 40.0, (3, 2): 2.0})) == [2]


def test_a_guarantee_is_met_by_asking_the_newest_borrower_that_is_not_young() -> None:
    young = (*full(1, 2, 2, 2, age=HOUR)[:3], held(60, 2, slot=103, age=3 * MINUTE))
    snapshot = Snapshot(slots(4), (ask(1, 1),), young, (Quota(1, 1, guaranteed=2), Quota(2, 1, guaranteed=1)))
    (reclaim,) = decide(snapshot, NOW).reclaims
    assert (reclaim.holding.int, reclaim.by, reclaim.request) == (52, NOW + TERMS.grace, UUID(int=1))
    assert "guaranteed" in reclaim.reason


def test_who_is_idle_is_asked_before_who_is_newer() -> None:
    holdings = list(full(2, 2, 2, 2))
    holdings[0] = replace(holdings[0], idle_since=NOW - 20 * MINUTE)
    assert asked(Snapshot(slots(4), (ask(1, 1),), tuple(holdings), (Quota(1, 1, guaranteed=1),))) == [50]


@pytest.mark.parametrize(
    ("idle_for", "victim"),
    [
        # Nobody pauses: the newest.
        ({}, 53),
        # Who pauses goes before who computes, who pauses longest first, however new.
        ({50: 3, 51: 5}, 51),
        ({50: 5, 51: 3}, 50),
        # A moment without work is no pause.
        ({50: 1}, 53),
        # An idle one goes before one that pauses.
        ({51: 19, 50: 20}, 50),
    ],
)
def test_a_guarantee_stops_a_pause_before_it_stops_work(idle_for: dict[int, int], victim: int) -> None:
    holdings = tuple(
        replace(h, idle_since=NOW - idle_for[h.id.int] * MINUTE) if h.id.int in idle_for else h
        for h in full(2, 2, 2, 2)
    )
    assert asked(Snapshot(slots(4), (ask(1, 1),), holdings, (Quota(1, 1, guaranteed=1),))) == [victim]


def test_a_pause_is_stopped_for_a_guarantee_only() -> None:
    holdings = tuple(replace(h, idle_since=NOW - 5 * MINUTE) for h in full(2, 2))
    assert asked(Snapshot(slots(2), (ask(1, 1),), holdings, (Quota(2, 1, guaranteed=0),))) == []


@pytest.mark.parametrize(
    ("changes", "also"),
    [
        ({"reclaim_at": NOW + MINUTE}, []),
        ({"is_draining": True}, []),
        ({"until": NOW + MINUTE}, []),
        ({"purpose": "evaluation"}, [52]),
        ({}, [53]),
    ],
)
def test_who_comes_free_anyway_is_counted_and_nobody_else_is_asked(changes: dict[str, object], also: list[int]) -> None:
    holdings = list(full(2, 2, 2, 2))
    holdings[3] = replace(holdings[3], **changes)  # type: ignore[arg-type]
    assert asked(Snapshot(slots(4), (ask(1, 1),), tuple(holdings), (Quota(1, 1, guaranteed=1),))) == also


def test_who_was_asked_and_is_needed_no_more_is_told_to_stay_unless_idle() -> None:
    back = {"reclaim_at": NOW + MINUTE}
    holdings = (replace(held(50, 2, slot=100), **back), replace(held(51, 2, slot=101), **back, idle_since=NOW - HOUR))  # type: ignore[arg-type]
    assert [stay.holding.int for stay in decide(Snapshot(slots(2), (), holdings), NOW).withdrawals] == [50]


def test_an_idle_borrower_makes_room_for_anybody_an_idle_owner_does_not() -> None:
    holdings = tuple(replace(h, idle_since=NOW - 26 * MINUTE) for h in full(1, 2))
    snapshot = Snapshot(slots(2), (ask(1, 3),), holdings, (Quota(1, 1, guaranteed=1),))
    assert asked(snapshot) == [51]
    assert asked(replace(snapshot, requests=())) == []


CLASS = Reservation(7, 3, 1, 2, NOW + 20 * MINUTE, NOW + 80 * MINUTE)


def starting(minutes: int) -> Reservation:
    return replace(CLASS, starts_at=NOW + minutes * MINUTE, ends_at=NOW + (minutes + 60) * MINUTE)


@pytest.mark.parametrize(
    ("minutes", "lent"),
    [(20, [1, 2]), (14, []), (4, []), (0, []), (-9, []), (-11, [1, 2])],
)
def test_slots_of_a_reservation_are_lent_until_shortly_before_and_again_if_nobody_claims_them(
    minutes: int, lent: list[int]
) -> None:
    requests = (ask(1, 1, ago=2 * MINUTE), ask(2, 1))
    snapshot = Snapshot(slots(2), requests, (), reservations=(starting(minutes),))
    decisions = decide(snapshot, NOW)
    assert [grant.request.int for grant in decisions.grants] == lent
    assert [mark.reservation for mark in decisions.earmarks] == ([] if lent else [7, 7])


@pytest.mark.parametrize(("minutes", "victims"), [(6, []), (5, [50, 51]), (1, [50, 51])])
def test_borrowers_are_asked_back_in_time_for_a_reservation_however_young(minutes: int, victims: list[int]) -> None:
    snapshot = Snapshot(slots(2), (), full(1, 2, age=3 * MINUTE), reservations=(starting(minutes),))
    assert sorted(asked(snapshot)) == victims


def test_a_reservations_requests_are_served_from_it_and_may_ask_back_what_was_lent() -> None:
    quotas = (Quota(3, 1, guaranteed=1),)
    free = Snapshot(slots(4), tuple(ask(n, 3) for n in (1, 2, 3, 4)), (), quotas, (starting(-1),))
    grants = decide(free, NOW).grants
    assert [(grant.reservation, grant.is_borrowed) for grant in grants] == [
        (7, False), (7, False), (None, False), (None, True),
    ]  # fmt: skip
    late = Snapshot(slots(2), (ask(1, 3),), full(1, 2), (), (starting(-30),))
    assert len(asked(late)) == 1


def test_a_lease_held_under_a_reservation_that_ended_is_an_ordinary_one() -> None:
    holding = replace(held(50, 3, slot=100), reservation=7)
    snapshot = Snapshot(slots(1), (ask(1, 1),), (holding,), (Quota(1, 1, guaranteed=1),), (starting(-61),))
    assert asked(snapshot) == [50]
    assert asked(replace(snapshot, reservations=(starting(-30),))) == []


def test_an_evaluation_that_would_run_into_a_reservation_waits_for_it() -> None:
    long = replace(ask(1, 1, purpose="evaluation"), duration=2 * HOUR)
    snapshot = Snapshot(slots(2), (long,), (), reservations=(starting(60),))
    assert served(snapshot) == []
    assert decide(snapshot, NOW).line[0].why == "It would run into a reservation; it begins after that."
    assert served(replace(snapshot, requests=(replace(long, duration=HOUR),))) == [1]


@pytest.mark.parametrize(
    ("free", "size", "given"),
    [
        ({"a": 3, "b": 2}, 2, "b"),
        ({"a": 1, "b": 4}, 1, "a"),
        ({"a": 2, "b": 2}, 1, "a"),
        ({"a": 1, "b": 3}, 4, "ab"),
    ],
)
def test_a_lease_is_placed_on_one_server_and_there_where_it_fits_tightest(
    free: dict[str, int], size: int, given: str
) -> None:
    names = {}
    rows = []
    for server, count in free.items():
        for index in range(count):
            names[len(names)] = server
            rows.append(Slot(len(rows), 1, server, index, True))
    assert {names[id] for id in Shelf(rows).take(size)} == set(given)


@pytest.mark.parametrize(
    ("free", "size", "near", "given"),
    [
        ({"a": 1, "b": 4}, 1, {"b"}, "b"),
        ({"a": 1, "b": 4}, 1, {"c"}, "a"),
        ({"a": 1, "b": 4, "c": 2}, 1, {"b", "c"}, "c"),
        ({"a": 1, "b": 4}, 2, {"a"}, "b"),
    ],
)
def test_a_lease_is_placed_near_to_its_files_where_it_fits_there(
    free: dict[str, int], size: int, near: set[str], given: str
) -> None:
    rows = [
        Slot(10 * n + index, 1, server, index, True)
        for n, (server, count) in enumerate(free.items())
        for index in range(count)
    ]
    shelf = Shelf(rows)
    servers = {slot.id: slot.server for slot in rows}
    assert {servers[id] for id in shelf.take(size, near=near)} == set(given)
    left = [servers[id] for id in shelf.take(sum(free.values()) - size)]
    assert sorted(left) == sorted("".join(server * count for server, count in free.items()).replace(given, "", size))


@pytest.mark.parametrize(
    ("snapshot", "why"),
    [
        (Snapshot((), (ask(1, 1),), ()), "No slot of this kind is online now."),
        (Snapshot(slots(1), (ask(1, 1),), full(1)), "The only slot is held; you are the next of your cohort."),
        (
            Snapshot(slots(2), (ask(9, 1, ago=HOUR), ask(8, 1, ago=HOUR), ask(1, 1)), full(1, 1)),
            "All 2 slots are held; 2 people of your cohort are before you.",
        ),
        (
            Snapshot(slots(1), (ask(1, 1),), full(2), (Quota(1, 1, guaranteed=1),)),
            "A slot is being asked back for you; it is yours within about 2 minutes.",
        ),
        (
            Snapshot(slots(2), (ask(1, 1),), full(1), (Quota(1, 1, guaranteed=1, borrowing_limit=0),)),
            "Your cohort may have 1 slot here, and holds or waits for as many.",
        ),
        (
            Snapshot(slots(2), (replace(ask(1, 1), user=50),), full(1)),
            "You have a notebook already; this one can begin when that one has ended.",
        ),
        (
            Snapshot(slots(1), (ask(1, 1),), (), reservations=(starting(3),)),
            "1 of 1 slot is free, but kept for others or too few for you; you are the next of your cohort.",
        ),
    ],
)
def test_who_waits_reads_why(snapshot: Snapshot, why: str) -> None:
    assert decide(snapshot, NOW).line[-1].why == why


def test_who_waits_is_told_for_how_long_they_have() -> None:
    assert decide(Snapshot((), (ask(1, None, ago=3 * MINUTE),), ()), NOW).line[0].waited == 3 * MINUTE


def test_pools_do_not_mix() -> None:
    elsewhere = replace(ask(1, 1), pool=2)
    decisions = decide(Snapshot(slots(1) + slots(1, pool=2), (elsewhere, ask(2, 1)), full(1)), NOW)
    assert [(grant.request.int, grant.slots) for grant in decisions.grants] == [(1, (200,))]
    assert [place.place for place in decisions.line] == [1]


@pytest.mark.parametrize(
    ("late", "bars"),
    [
        # The oldest alone, however large, and two more in four slots: as it stands.
        ([1], 1.0),
        ([4], 1.0),
        ([4, 1, 1], 1.0),
        # More than half the pool besides the oldest: as many times as high.
        ([1, 1, 1, 1], 1.5),
        ([1, 2, 2, 4], 4.0),
    ],
)
def test_the_bar_of_the_overdue_rises_with_how_many_are_late(late: list[int], bars: float) -> None:
    requests = [ask(n, 1, ago=TERMS.overdue + (20 - n) * HOUR, size=size) for n, size in enumerate(late)]
    in_time = [ask(90, 1, ago=TERMS.overdue - MINUTE, size=4)]

    (book,) = open_books(Snapshot(slots=slots(4), requests=(*requests, *in_time), holdings=()), NOW)

    assert NOW - book.overdue_since() == bars * TERMS.overdue
