"""Leases, reports of agents, and what an admin does with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from practicum.audit.models import Record
from practicum.errors import Conflict, NotFound, Stale
from practicum.gpus import inventory, selectors, services
from practicum.gpus.inventory import Gpu
from practicum.gpus.models import Lease, LeaseState, Purpose, Server, ServerState, Slot
from practicum.gpus.tasks import allocate
from tests.unit.gpus.conftest import make_slots

HOUR = timedelta(hours=1)


def ask(user: Any, *, now: datetime, purpose: Purpose = Purpose.SESSION, duration: timedelta = HOUR) -> Lease:
    return services.request_lease(user, cohort=None, purpose=purpose, duration=duration, now=now)


@pytest.fixture
def granted(slot: Slot, intern: Any, now: datetime) -> Lease:
    """The intern's lease on the one slot, with token 1."""
    lease = ask(intern, now=now)
    services.allocate(now=now)
    lease.refresh_from_db()
    assert lease.state == LeaseState.GRANTED
    return lease


def in_state(lease: Lease, state: str) -> Lease:
    Lease.objects.filter(pk=lease.pk).update(state=state)
    lease.refresh_from_db()
    return lease


def test_a_grant_names_the_slot_an_end_and_a_new_token(granted: Lease, slot: Slot, now: datetime) -> None:
    assert (granted.slot, granted.token, granted.lease_until) == (slot, 1, now + HOUR)


def test_a_person_has_one_session_lease_but_any_number_of_evaluations(intern: Any, now: datetime) -> None:
    ask(intern, now=now)
    with pytest.raises(Conflict, match="already"):
        ask(intern, now=now)
    ask(intern, now=now, purpose=Purpose.EVALUATION)
    ask(intern, now=now, purpose=Purpose.EVALUATION)


def test_who_asked_first_is_served_first(slot: Slot, intern: Any, peer: Any, now: datetime) -> None:
    later, first = ask(intern, now=now + HOUR), ask(peer, now=now)
    assert (selectors.place_in_line(first, now=now), selectors.place_in_line(later, now=now)) == (1, 2)
    assert services.allocate(now=now + HOUR) == [first]
    assert selectors.place_in_line(Lease.objects.get(pk=first.pk), now=now) is None
    assert selectors.place_in_line(later, now=now) == 1


def test_the_place_in_line_is_the_policys(intern: Any, peer: Any, stranger: Any, now: datetime) -> None:
    from practicum.gpus.policy import decide

    leases = {lease.pk: lease for lease in (ask(user, now=now) for user in (intern, peer, stranger))}
    line = decide(selectors.snapshot(now=now), now).line
    assert [selectors.place_in_line(leases[place.request], now=now) for place in line] == [1, 2, 3]


@pytest.mark.parametrize("state", [ServerState.DRAINING, ServerState.OFFLINE])
def test_a_server_that_is_not_online_gets_no_new_lease(
    slot: Slot, intern: Any, admin: Any, now: datetime, state: Any
) -> None:
    inventory.set_server_state("alpha", state=state, actor=admin, now=now)
    ask(intern, now=now)
    assert services.allocate(now=now) == []
    inventory.set_server_state("alpha", state=ServerState.ONLINE, actor=admin, now=now)
    assert len(services.allocate(now=now)) == 1


def test_a_server_drained_between_decision_and_grant_gets_no_lease(
    slot: Slot, intern: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(intern, now=now)
    seen = selectors.snapshot(now=now)
    Server.objects.update(state=ServerState.DRAINING)
    monkeypatch.setattr(selectors, "snapshot", lambda now: seen)
    assert services.allocate(now=now) == []


def test_a_slot_somebody_else_was_given_meanwhile_is_left_to_them(
    slot: Slot, intern: Any, peer: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = ask(intern, now=now), ask(peer, now=now + HOUR)
    seen = selectors.snapshot(now=now)
    Lease.objects.filter(pk=theirs.pk).update(state="granted", slot=slot, lease_until=now + HOUR)
    monkeypatch.setattr(selectors, "snapshot", lambda now: seen)
    assert services.allocate(now=now) == []
    mine.refresh_from_db()
    assert (mine.state, mine.token) == (LeaseState.QUEUED, 0)


MOVES: dict[str, Callable[[Lease, datetime], None]] = {
    "renew": lambda lease, now: void(services.renew_token(lease.pk, token=lease.token, now=now)),
    "activate": lambda lease, now: services.activate_lease(lease.pk, token=lease.token, now=now),
    "touch": lambda lease, now: services.touch_lease(lease.pk, token=lease.token, now=now),
    "drain": lambda lease, now: services.drain_lease(lease.pk, token=lease.token, reason="x", actor=None, now=now),
    "release": lambda lease, now: services.release_lease(lease.pk, token=lease.token, observed_gone=True, now=now),
    "cancel": lambda lease, now: services.cancel_lease(lease.pk, token=lease.token, reason="x", actor=None, now=now),
}
ALLOWED = {
    "renew": {"granted"},
    "activate": {"granted"},
    "touch": {"granted", "active", "draining"},
    "drain": {"granted", "active"},
    "release": {"granted", "active", "draining"},
    "cancel": {"queued"},
}


def void(_: object) -> None:
    """A move's result is not looked at."""


@pytest.mark.parametrize("state", LeaseState.values)
@pytest.mark.parametrize("name", MOVES)
def test_a_lease_moves_only_from_the_states_a_move_is_for(granted: Lease, now: datetime, name: str, state: str) -> None:
    lease = in_state(granted, state)
    if state in ALLOWED[name]:
        MOVES[name](lease, now)
    else:
        with pytest.raises(Stale):
            MOVES[name](lease, now)
        assert Lease.objects.get(pk=lease.pk).state == state


@pytest.mark.parametrize("name", MOVES)
def test_a_late_writer_with_an_old_token_writes_nothing(granted: Lease, now: datetime, name: str) -> None:
    lease = in_state(granted, sorted(ALLOWED[name])[0])
    lease.token -= 1
    with pytest.raises(Stale):
        MOVES[name](lease, now)
    assert Lease.objects.get(pk=lease.pk).state == sorted(ALLOWED[name])[0]


def test_a_slot_is_not_given_back_before_its_container_was_seen_gone(granted: Lease, now: datetime) -> None:
    with pytest.raises(Conflict, match="seen gone"):
        services.release_lease(granted.pk, token=1, observed_gone=False, now=now)
    assert Lease.objects.get(pk=granted.pk).is_live


def test_a_released_slot_goes_to_the_next_in_line(granted: Lease, peer: Any, now: datetime) -> None:
    waiting = ask(peer, now=now)
    services.drain_lease(granted.pk, token=1, reason="x", actor=None, now=now)
    assert services.allocate(now=now) == []
    services.release_lease(granted.pk, token=1, observed_gone=True, now=now)
    assert services.allocate(now=now) == [waiting]


def test_a_lease_whose_time_is_up_is_drained_by_the_worker(granted: Lease, now: datetime) -> None:
    allocate(now + HOUR - timedelta(seconds=1))
    assert Lease.objects.get(pk=granted.pk).state == LeaseState.GRANTED
    allocate(now + HOUR)
    granted.refresh_from_db()
    assert (granted.state, granted.reason) == (LeaseState.DRAINING, "Its time was up.")


@pytest.mark.parametrize(
    ("before", "after"),
    [("queued", "cancelled"), ("granted", "draining"), ("active", "draining"), ("draining", "draining")],
)
def test_an_admin_ends_a_lease_in_whichever_state_it_is(
    granted: Lease, admin: Any, now: datetime, before: str, after: str
) -> None:
    lease = in_state(granted, before)
    assert services.end_lease(lease.pk, reason="x", actor=admin, now=now) == (before != "draining")
    assert Lease.objects.get(pk=lease.pk).state == after


def test_a_lease_that_has_ended_cannot_be_ended(granted: Lease, admin: Any, now: datetime) -> None:
    for lease_id in (in_state(granted, "released").pk, uuid4()):
        with pytest.raises(Conflict, match="ended"):
            services.end_lease(lease_id, reason="x", actor=admin, now=now)


def test_every_move_is_on_record(granted: Lease, admin: Any, now: datetime) -> None:
    services.activate_lease(granted.pk, token=1, now=now)
    services.end_lease(granted.pk, reason="x", actor=admin, now=now)
    services.release_lease(granted.pk, token=1, observed_gone=True, now=now)
    verbs = Record.objects.filter(object_id=str(granted.pk)).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == [
        "lease.requested", "lease.granted", "lease.activated", "lease.draining", "lease.released",
    ]  # fmt: skip


# --- Reports ---------------------------------------------------------------------------------------------------------


def gpu(number: int, **changes: Any) -> Gpu:
    facts: dict[str, Any] = {"uuid": f"GPU-{number:08d}", "index": number, "model": "H100", "memory_bytes": 80 << 30}
    return Gpu(**facts | {"memory_used_bytes": 0, "utilization_percent": 0.0} | changes)


def report(*gpus: Gpu, now: datetime, server: str = "alpha", cpu_slots: int = 0) -> Server:
    row, _ = Server.objects.get_or_create(name=server)
    seen = inventory.Report(gpus=gpus, cpu_slots=cpu_slots, versions={"driver": "580"})
    return inventory.register_report(row, report=seen, now=now)


def test_a_first_report_makes_the_server_and_its_slots(db: None, now: datetime) -> None:
    server = report(gpu(0), gpu(1), now=now)
    assert (server.seen_at, server.state, server.versions) == (now, ServerState.ONLINE, {"driver": "580"})
    assert [slot.label for slot in server.slots.all()] == ["GPU 0 · H100", "GPU 1 · H100"]


def test_a_server_without_gpus_has_plainly_labelled_cpu_slots(db: None, now: datetime) -> None:
    assert [slot.label for slot in report(now=now, cpu_slots=2).slots.all()] == ["CPU slot 0", "CPU slot 1"]
    assert not selectors.has_gpus()


def test_the_same_report_again_changes_nothing_but_the_moment(db: None, now: datetime) -> None:
    report(gpu(0), now=now)
    report(gpu(0, utilization_percent=37.0), now=now + HOUR)
    assert (Slot.objects.count(), Record.objects.count()) == (1, 1)
    assert Slot.objects.get().utilization_percent == 37.0
    assert Server.objects.get().seen_at == now + HOUR


def test_a_gpu_that_is_not_listed_any_more_keeps_its_lease_and_is_given_to_nobody_new(
    db: None, intern: Any, peer: Any, now: datetime
) -> None:
    report(gpu(0), now=now)
    lease = ask(intern, now=now)
    services.allocate(now=now)
    report(now=now)
    lease.refresh_from_db()
    assert lease.is_live
    services.drain_lease(lease.pk, token=1, reason="x", actor=None, now=now)
    services.release_lease(lease.pk, token=1, observed_gone=True, now=now)
    ask(peer, now=now)
    assert services.allocate(now=now) == []
    report(gpu(0), now=now)
    assert len(services.allocate(now=now)) == 1


def test_a_leased_gpu_is_not_moved_to_another_server_that_claims_to_have_it(
    db: None, intern: Any, now: datetime
) -> None:
    report(gpu(0), now=now)
    ask(intern, now=now)
    services.allocate(now=now)
    with pytest.raises(Conflict, match="in use"):
        report(gpu(0), gpu(1), server="beta", now=now)
    assert Slot.objects.get().server.name == "alpha"
    assert Server.objects.get(name="beta").seen_at is None


def test_a_free_gpu_may_move_to_another_server(db: None, now: datetime) -> None:
    report(gpu(0), now=now)
    report(gpu(0), server="beta", now=now)
    assert Slot.objects.get().server.name == "beta"


def test_a_server_is_silent_30_seconds_after_its_last_report(db: None, now: datetime) -> None:
    server = report(gpu(0), now=now)
    assert not selectors.is_silent(server, now=now + timedelta(seconds=30))
    assert selectors.is_silent(server, now=now + timedelta(seconds=31))
    assert list(selectors.silent_servers(now=now + timedelta(seconds=31))) == [server]
    assert list(selectors.silent_servers(now=now + timedelta(seconds=30))) == []


def test_there_is_no_state_to_set_on_an_unknown_server(admin: Any, now: datetime) -> None:
    with pytest.raises(NotFound):
        inventory.set_server_state("nowhere", state=ServerState.DRAINING, actor=admin, now=now)


# --- Use -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], [0, 0, 0, 0]),
        ([(0.0, 1.0)], [1, 0, 0, 0]),
        ([(0.5, 2.25)], [0.5, 1, 0.25, 0]),
        ([(1.25, 1.75)], [0, 0.5, 0, 0]),
        ([(-5.0, 9.0), (3.0, 9.0)], [1, 1, 1, 2]),
        ([(-3.0, -1.0), (4.0, 5.0)], [0, 0, 0, 0]),
    ],
)
def test_slot_hours_are_split_over_the_hours_they_lie_in(
    now: datetime, spans: list[tuple[float, float]], expected: list[float]
) -> None:
    moments = [(now + HOUR * begin, now + HOUR * end) for begin, end in spans]
    assert selectors.held_by_hour(moments, first=now, hours=4) == pytest.approx(expected)


def test_use_is_read_from_the_leases_rows(granted: Lease, now: datetime) -> None:
    later = now + timedelta(hours=2, minutes=30)
    usage = selectors.usage_series(now=later)
    assert len(usage.hours) == 7 * 24
    assert usage.hours[-1] == now + 2 * HOUR
    assert usage.held[-4:] == [0, 1, 1, 1]
    assert usage.capacity == 1


def test_the_admins_page_asks_the_same_number_of_questions_whatever_it_shows(
    db: None, now: datetime, django_assert_num_queries: Any
) -> None:
    make_slots(2)
    with django_assert_num_queries(3):
        [vars(slot)["live"] for server in selectors.servers_with_slots() for slot in server.slots.all()]
    make_slots(6, server="beta")
    with django_assert_num_queries(3):
        [vars(slot)["live"] for server in selectors.servers_with_slots() for slot in server.slots.all()]


def test_who_was_asked_to_leave_a_draining_server_is_not_told_to_stay(granted: Lease, now: datetime) -> None:
    lease = granted
    Lease.objects.filter(pk=lease.pk).update(reclaim_at=now + timedelta(minutes=30), reason="The server is emptied.")
    Server.objects.update(state=ServerState.DRAINING)
    services.allocate(now=now + timedelta(minutes=1))
    lease.refresh_from_db()
    assert (lease.reclaim_at, lease.reason) == (now + timedelta(minutes=30), "The server is emptied.")
