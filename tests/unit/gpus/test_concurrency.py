"""Many ask at once: real threads, real transactions, one slot."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import close_old_connections, connection

from practicum.accounts.models import User
from practicum.errors import Stale
from practicum.gpus import services
from practicum.gpus.facts import Decisions, Grant
from practicum.gpus.models import LIVE_STATES, Lease, LeaseSample, LeaseState, LeaseUse, Purpose, Slot
from practicum.gpus.selectors import place_in_line
from practicum.gpus.telemetry import GpuUse, Sample
from tests.unit.gpus.conftest import gpu, lease_on, make_slots, meet_before, report

PEOPLE = 50


def at_once(jobs: list[Callable[[], Any]]) -> list[Any]:
    """Run each job in a thread of its own, all let loose together; results in order, exceptions as results."""
    gate = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def run(number: int) -> None:
        gate.wait(timeout=20)
        try:
            results[number] = jobs[number]()
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    close_old_connections()
    return results


def make_people(count: int) -> list[User]:
    """Interns, without the cost of hashing a password for each."""
    rows = [User(username=f"intern-{n}", email=f"i{n}@example.org", name=f"Intern {n}") for n in range(count)]
    return User.objects.bulk_create(rows)


def ask(user: User, *, now: datetime) -> Lease:
    return services.request_lease(user, cohort=None, purpose=Purpose.SESSION, duration=timedelta(hours=1), now=now)


def test_fifty_who_ask_at_once_for_one_slot_get_one_lease_and_places_1_to_49(
    shared_database: None, now: datetime
) -> None:
    make_slots(1)

    def job(user: User) -> Callable[[], None]:
        def ask_and_allocate() -> None:
            ask(user, now=now)
            services.allocate(now=now)

        return ask_and_allocate

    results = at_once([job(user) for user in make_people(PEOPLE)])

    assert [result for result in results if result is not None] == []
    assert Counter(Lease.objects.values_list("state", flat=True)) == {"granted": 1, "queued": PEOPLE - 1}
    waiting = Lease.objects.filter(state=LeaseState.QUEUED)
    assert sorted(place_in_line(lease, now=now) or 0 for lease in waiting) == list(range(1, PEOPLE))


def test_allocators_that_race_never_give_a_slot_twice_and_leave_none_free(shared_database: None, now: datetime) -> None:
    make_slots(8)
    for user in make_people(20):
        ask(user, now=now)

    results = at_once([lambda: services.allocate(now=now)] * 6)

    assert sum(len(granted) for granted in results) == 8
    held = list(Lease.objects.filter(state__in=LIVE_STATES).values_list("slot_id", flat=True))
    assert len(held) == len(set(held)) == 8


def test_of_two_cohorts_that_are_given_parts_of_one_gpu_at_once_one_gets_its_part(
    shared_database: None, now: datetime, cohort: Any, other_cohort: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(gpu(0), now=now)
    Slot.objects.update(parts=2)
    report(gpu(0), now=now)
    monkeypatch.setattr(services, "_take_turns", lambda _: True)  # the lock on the parts alone must hold
    meet_before(monkeypatch, module=services, name="_may_give")
    grants = []
    for person, group, part in zip(make_people(2), (cohort, other_cohort), Slot.objects.order_by("part"), strict=True):
        lease = services.request_lease(
            person, cohort=group, purpose=Purpose.SESSION, duration=timedelta(hours=1), now=now
        )
        grants.append(Grant(lease.pk, (part.pk,), is_borrowed=False, reservation=None))

    results = at_once(
        [partial(services.carry_out, Decisions((grant,), (), (), ()), turns={}, now=now) for grant in grants]
    )

    assert sorted(map(len, results)) == [0, 1]
    assert Lease.objects.filter(state__in=LIVE_STATES).count() == 1


def test_allocators_that_race_leave_each_shared_gpu_to_one_cohort(
    shared_database: None, now: datetime, cohort: Any, other_cohort: Any
) -> None:
    report(gpu(0), gpu(1), gpu(2), now=now)
    Slot.objects.update(parts=3)
    report(gpu(0), gpu(1), gpu(2), now=now)
    people = make_people(16)

    def job(number: int) -> Callable[[], None]:
        def ask_and_allocate() -> None:
            group = (cohort, other_cohort)[number % 2]
            services.request_lease(
                people[number], cohort=group, purpose=Purpose.SESSION, duration=timedelta(hours=1), now=now
            )
            services.allocate(now=now)

        return ask_and_allocate

    assert at_once([job(number) for number in range(16)]) == [None] * 16
    services.allocate(now=now)
    held = Lease.objects.filter(state__in=LIVE_STATES).order_by().values_list("slot__gpu", "cohort").distinct()
    assert len(held) == len({gpu for gpu, _ in held}) == 3
    assert Lease.objects.filter(state__in=LIVE_STATES).count() == 9


def test_one_person_in_many_tabs_gets_one_place_in_line(shared_database: None, now: datetime) -> None:
    (person,) = make_people(1)
    results = at_once([lambda: ask(person, now=now)] * 8)
    assert sum(isinstance(result, Lease) for result in results) == 1
    assert Lease.objects.count() == 1


@pytest.mark.parametrize("racers", [2, 8])
def test_of_those_who_move_the_same_lease_one_wins_and_the_others_are_told(
    shared_database: None, now: datetime, racers: int
) -> None:
    make_slots(1)
    lease = ask(make_people(1)[0], now=now)
    services.allocate(now=now)
    results = at_once(
        [lambda: services.drain_lease(lease.pk, token=1, reason="x", actor=None, now=now) for _ in range(racers)]
    )
    assert Counter(type(result) for result in results) == {type(None): 1, Stale: racers - 1}


def test_a_report_that_comes_many_times_at_once_is_counted_once(shared_database: None, now: datetime) -> None:
    report(gpu(0), now=now)
    lease_on(Slot.objects.get(), make_people(1)[0], now=now)
    moments = [now + timedelta(seconds=10 * number) for number in range(1, 21)]
    samples = [Sample(n, at, 10.0, {"GPU-00000000": GpuUse(0, 50.0)}, ()) for n, at in enumerate(moments, start=1)]

    def send() -> None:
        report(gpu(0), now=moments[-1], boot="aaaaaaaa", samples=samples)

    assert at_once([send] * 8) == [None] * 8
    assert (LeaseUse.objects.get().busy_seconds, LeaseSample.objects.count()) == (200, 20)
