"""What the policy is shown of the rows, and what a grant writes back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from practicum.gpus import selectors, services
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, PoolKind, Purpose, Quota, Reservation, Server, Slot
from practicum.gpus.seen import faded_hours, usage
from practicum.workspaces.models import Home
from tests.unit.gpus.conftest import make_slots

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def ask(user: Any, *, now: datetime, cohort: Any = None) -> Lease:
    return services.request_lease(user, cohort=cohort, purpose=Purpose.SESSION, duration=HOUR, now=now)


def cpu_slot() -> Slot:
    server, _ = Server.objects.get_or_create(name="alpha")
    pool = pool_of(name="CPU slots", kind=PoolKind.CPU)
    return Slot.objects.create(server=server, pool=pool, kind="cpu", index=0, uuid="cpu:alpha:0", model="CPU")


def test_a_lease_without_a_pool_stands_in_line_for_whole_gpus_and_else_for_what_there_is(
    intern: Any, now: datetime
) -> None:
    cpu = cpu_slot()
    ask(intern, now=now)
    assert selectors.snapshot(now=now).requests[0].pool == cpu.pool_id
    (gpu,) = make_slots(1)
    assert selectors.snapshot(now=now).requests[0].pool == gpu.pool_id
    Slot.objects.filter(pk=gpu.pk).update(fault="XID 79")
    assert selectors.snapshot(now=now).requests[0].pool == cpu.pool_id


@pytest.mark.parametrize(
    ("begins", "ends", "counts"), [(None, None, True), (0, 0, True), (1, None, False), (None, -1, False), (-5, 5, True)]
)
def test_a_quota_counts_on_its_days(
    slot: Slot, cohort: Any, now: datetime, begins: int | None, ends: int | None, counts: bool
) -> None:
    days = {
        name: None if offset is None else now.date() + offset * DAY
        for name, offset in (("from_on", begins), ("to_on", ends))
    }
    Quota.objects.create(cohort=cohort, pool=slot.pool, guaranteed=1, **days)
    assert bool(selectors.snapshot(now=now).quotas) is counts


def test_only_granted_reservations_that_are_not_over_count(slot: Slot, cohort: Any, mentor: Any, now: datetime) -> None:
    facts = {"cohort": cohort, "pool": slot.pool, "slots": 1, "requested_by": mentor, "requested_at": now}
    real = Reservation.objects.create(state="granted", starts_at=now, ends_at=now + HOUR, **facts)
    Reservation.objects.create(state="requested", starts_at=now, ends_at=now + HOUR, **facts)
    Reservation.objects.create(state="granted", starts_at=now - HOUR, ends_at=now, **facts)
    assert [booked.id for booked in selectors.snapshot(now=now).reservations] == [real.pk]


def test_a_grant_writes_its_pool_and_on_what_ground_it_was_made(
    intern: Any, peer: Any, stranger: Any, cohort: Any, mentor: Any, now: datetime
) -> None:
    pool = make_slots(3)[0].pool
    Quota.objects.create(cohort=cohort, pool=pool, guaranteed=1)
    booked = Reservation.objects.create(
        cohort=cohort, pool=pool, slots=1, state="granted", requested_by=mentor, requested_at=now,
        starts_at=now, ends_at=now + HOUR,
    )  # fmt: skip
    leases = [ask(user, now=now + n * DAY / 10_000, cohort=cohort) for n, user in enumerate((intern, peer, stranger))]
    assert len(services.allocate(now=now + HOUR / 60)) == 3
    rows = [Lease.objects.get(pk=lease.pk) for lease in leases]
    assert {row.pool for row in rows} == {pool}
    assert [(row.reservation, row.is_borrowed) for row in rows] == [(booked, False), (None, False), (None, True)]


def test_usage_fades_by_half_in_a_week(now: datetime) -> None:
    lately = faded_hours([(1, 7, now - HOUR, now)], now=now)[1, 7]
    week_ago = faded_hours([(1, 7, now - 7 * DAY - HOUR, now - 7 * DAY)], now=now)[1, 7]
    assert lately == pytest.approx(1, abs=0.01)
    assert week_ago == pytest.approx(lately / 2)


def test_usage_is_read_in_one_query_once_a_minute(
    slot: Slot, intern: Any, now: datetime, django_assert_num_queries: Any
) -> None:
    lease = ask(intern, now=now - 3 * HOUR)
    services.allocate(now=now - 3 * HOUR)
    services.release_lease(lease.pk, token=1, observed_gone=True, now=now - HOUR)
    with django_assert_num_queries(1):
        first = usage.at(now)
    assert first[None, intern.pk] == pytest.approx(2, abs=0.05)
    with django_assert_num_queries(0):
        usage.at(now + timedelta(seconds=59))
    with django_assert_num_queries(1):
        usage.at(now + timedelta(seconds=61))


@pytest.mark.parametrize("fraction", [0, 1, 123_456, 999_999])
def test_times_are_read_to_the_microsecond(slot: Slot, intern: Any, now: datetime, fraction: int) -> None:
    at = now + timedelta(microseconds=fraction)
    waiting = ask(intern, now=at)
    assert [request.requested_at for request in selectors.snapshot(now=at).requests] == [at]
    services.allocate(now=at)
    Lease.objects.filter(pk=waiting.pk).update(idle_since=at, reclaim_at=at + HOUR)
    (holding,) = selectors.snapshot(now=at).holdings
    assert (holding.granted_at, holding.until, holding.idle_since, holding.reclaim_at) == (at, at + HOUR, at, at + HOUR)
    Lease.objects.filter(pk=waiting.pk).update(idle_since=None, reclaim_at=None)
    (holding,) = selectors.snapshot(now=at).holdings
    assert (holding.idle_since, holding.reclaim_at) == (None, None)


@pytest.mark.parametrize(
    ("home", "near"),
    [
        (None, {"alpha", "gamma"}),
        ("", {"alpha", "gamma"}),
        ("alpha", {"alpha", "gamma"}),
        ("beta", {"beta"}),
        ("gone", {"alpha", "gamma"}),
    ],
)
def test_a_notebook_is_near_to_the_servers_whose_engine_has_its_persons_files(
    intern: Any, now: datetime, data_dir: Path, home: str | None, near: set[str]
) -> None:
    (data_dir / "servers" / "beta").mkdir(parents=True)
    for server in ("alpha", "beta", "gamma"):
        make_slots(1, server=server)
    if home is not None:
        Home.objects.create(user=intern, server=home, moved_at=now)
    ask(intern, now=now)
    services.request_lease(intern, cohort=None, purpose=Purpose.EVALUATION, duration=HOUR, now=now)
    requests = selectors.snapshot(now=now).requests
    assert {request.purpose: request.near for request in requests} == {"session": near, "evaluation": frozenset()}


@pytest.mark.parametrize("driver", ["", "local"])
def test_where_all_servers_share_the_files_or_there_is_one_engine_none_is_nearer(
    intern: Any, now: datetime, data_dir: Path, settings: Any, driver: str
) -> None:
    settings.PRACTICUM_VOLUME_DRIVER = driver
    if driver:
        (data_dir / "servers" / "beta").mkdir(parents=True)
    make_slots(1, server="alpha")
    make_slots(1, server="beta")
    Home.objects.create(user=intern, server="beta", moved_at=now)
    ask(intern, now=now)
    assert selectors.snapshot(now=now).requests[0].near == frozenset()


def test_who_comes_back_gets_a_slot_where_their_files_are(
    intern: Any, peer: Any, stranger: Any, now: datetime, data_dir: Path
) -> None:
    (data_dir / "servers" / "beta").mkdir(parents=True)
    make_slots(1, server="alpha")
    make_slots(3, server="beta")
    Home.objects.create(user=intern, server="beta", moved_at=now)
    leases = [ask(user, now=now + n * HOUR / 60) for n, user in enumerate((intern, peer, stranger))]
    services.allocate(now=now + HOUR)
    rows = [Lease.objects.get(pk=lease.pk) for lease in leases]
    assert [row.server_name for row in rows] == ["beta", "alpha", "beta"]


def test_a_snapshot_asks_as_many_questions_for_many_as_for_few(
    slot: Slot, intern: Any, peer: Any, now: datetime, django_assert_num_queries: Any
) -> None:
    usage.at(now)
    with django_assert_num_queries(5):
        selectors.snapshot(now=now)
    make_slots(9, server="beta")
    ask(intern, now=now)
    ask(peer, now=now)
    with django_assert_num_queries(5):
        selectors.snapshot(now=now)


def test_where_one_grant_meets_a_taken_slot_the_others_are_still_made(
    intern: Any, peer: Any, stranger: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = make_slots(2)
    first, second = ask(intern, now=now), ask(peer, now=now + HOUR)
    rows = selectors.snapshot(now=now + HOUR)
    other = ask(stranger, now=now)
    Lease.objects.filter(pk=other.pk).update(state="granted", slot=slots[0], lease_until=now + HOUR)
    monkeypatch.setattr(selectors, "snapshot", lambda now: rows)
    assert services.allocate(now=now + HOUR) == [second]
    assert Lease.objects.get(pk=first.pk).state == "queued"
