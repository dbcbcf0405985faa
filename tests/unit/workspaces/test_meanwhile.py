"""A CPU slot meanwhile: who waits in line for a GPU works on, keeps their place, and moves when their turn comes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from practicum.accounts.models import Notice
from practicum.errors import Conflict, EngineUnavailable
from practicum.gpus import services as leases
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import LIVE_STATES, OPEN_STATES, Lease, LeaseState, PoolKind, Purpose, Quota, Slot
from practicum.gpus.seen import usage
from practicum.gpus.selectors import place_in_line, queue
from practicum.lib.clock import utc_now
from practicum.workspaces import places, services, turns
from practicum.workspaces.lifecycle import PLACE_KEPT
from practicum.workspaces.models import Session
from practicum.workspaces.selectors import open_session_of
from practicum.workspaces.standing import standing_of
from tests.unit.workspaces.conftest import World, ends

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def gpu(world: World) -> Slot:
    """A whole GPU beside the world's one CPU slot."""
    cpu = Slot.objects.get()
    pool = pool_of(name="H100", kind=PoolKind.GPU)
    return Slot.objects.create(server=cpu.server, pool=pool, kind="gpu", index=0, uuid="GPU-00000001", model="H100")


@pytest.fixture
def holder(world: World, gpu: Slot, peer: Any, peer_internship: Any) -> Session:
    """The peer's notebook, on the only GPU."""
    return world.run(peer)


@pytest.fixture
def working(world: World, holder: Session, intern: Any, internship: Any) -> Session:
    """The intern's notebook on the CPU slot, with a place in line for the GPU."""
    world.open(intern, "ready", "ready", "ready")
    return work(world, intern)


def work(world: World, user: Any) -> Session:
    session = turns.work_meanwhile(user, now=world.now)
    world.tick()
    assert ends(session) == ("running", "active")
    return session


def free_the_gpu(world: World, holder: Session) -> None:
    """Its holder stops; the worker gives it to the next."""
    services.stop_notebook(holder.user, now=world.now)
    settle(world)


def settle(world: World, *, rounds: int = 5) -> None:
    for _ in range(rounds):
        world.tick(after=SECOND)


def slots_of(user: Any) -> list[str]:
    """The kinds of the slots a person holds."""
    return sorted(
        Lease.objects.filter(user=user, state__in=LIVE_STATES, slot__isnull=False).values_list("slot__kind", flat=True)
    )


def current(user: Any) -> Session:
    session = open_session_of(user)
    assert session is not None
    return session


def kept_place(session: Session) -> Lease:
    session.refresh_from_db()
    assert session.next_lease is not None
    return session.next_lease


# --- While waiting ---------------------------------------------------------------------------------------------------


def test_who_works_on_a_cpu_keeps_the_place_and_the_lease_they_had(
    world: World, holder: Session, intern: Any, internship: Any, gpu: Slot
) -> None:
    waiting = world.open(intern, "ready").lease
    world.now += 20 * MINUTE
    session = work(world, intern)
    assert kept_place(session) == waiting
    assert (session.lease.slot.kind if session.lease.slot else None, session.lease.purpose) == ("cpu", "meanwhile")
    assert (kept_place(session).requested_at, kept_place(session).pool) == (waiting.requested_at, gpu.pool)
    assert place_in_line(kept_place(session), now=world.now) == 1
    assert turns.work_meanwhile(intern, now=world.now) == session


def test_working_on_a_cpu_costs_no_place_against_who_only_waits(
    world: World, working: Session, holder: Session, stranger: Any, internship: Any, version: Any, mentor: Any,
    admin: Any,
) -> None:  # fmt: skip
    """Both have used nothing; hours on a CPU slot would put the intern behind somebody who came later."""
    from practicum.internships.services import start_internship

    start_internship(stranger, mentor=mentor, cohort=internship.cohort, version=version, actor=admin, now=world.now)
    world.now += MINUTE
    later = world.open(stranger)
    world.tick(after=3 * 60 * MINUTE)
    usage.forget()
    assert (internship.cohort_id, working.user_id) not in usage.at(world.now)
    assert place_in_line(kept_place(working), now=world.now) == 1
    assert place_in_line(later.lease, now=world.now) == 2


def test_a_cpu_slot_does_not_bar_its_person_from_the_gpu_nor_count_there(
    world: World, working: Session, holder: Session, internship: Any, gpu: Slot
) -> None:
    Quota.objects.create(cohort=internship.cohort, pool=gpu.pool, per_intern=1)
    free_the_gpu(world, holder)
    assert kept_place(working).state == LeaseState.GRANTED
    assert slots_of(working.user) == ["cpu", "gpu"]


def test_the_most_of_one_intern_is_counted_with_the_place_that_is_kept(
    world: World, working: Session, holder: Session, internship: Any, gpu: Slot
) -> None:
    """One GPU is the most: with it kept for them, an evaluation of theirs has to wait."""
    Quota.objects.create(cohort=internship.cohort, pool=gpu.pool, per_intern=1)
    Slot.objects.create(server=gpu.server, pool=gpu.pool, kind="gpu", index=1, uuid="GPU-00000002", model="H100")
    world.tick()
    assert kept_place(working).state == LeaseState.GRANTED
    run = leases.request_lease(
        working.user, cohort=internship.cohort, purpose=Purpose.EVALUATION, duration=MINUTE, now=world.now
    )
    free_the_gpu(world, holder)
    run.refresh_from_db()
    assert run.state == LeaseState.QUEUED
    assert slots_of(working.user) == ["cpu", "gpu"]


def test_a_second_place_or_a_second_cpu_slot_is_not_to_be_had(world: World, working: Session, internship: Any) -> None:
    assert turns.join_line(working.user, now=world.now) == working
    for purpose in (Purpose.SESSION, Purpose.MEANWHILE):
        with pytest.raises(Conflict):
            leases.request_lease(
                working.user, cohort=internship.cohort, purpose=purpose, duration=MINUTE, now=world.now
            )
    assert services.open_notebook(working.user, now=world.now) == working


@pytest.mark.parametrize("case", ["no session", "no free cpu slot", "on the gpu", "only cpu slots"])
def test_a_cpu_slot_meanwhile_is_for_who_waits_for_a_gpu_while_one_is_free(
    case: str, world: World, holder: Session, intern: Any, internship: Any, gpu: Slot
) -> None:
    user = intern
    if case != "no session":
        world.open(intern)
    if case == "no free cpu slot":
        Slot.objects.filter(kind="cpu").update(fault="broken")
    if case == "on the gpu":
        user = holder.user
    if case == "only cpu slots":
        Slot.objects.filter(kind="gpu").update(fault="broken")
    with pytest.raises(Conflict):
        turns.work_meanwhile(user, now=world.now)
    assert not Lease.objects.filter(purpose=Purpose.MEANWHILE).exists()


def test_the_admins_line_says_who_works_meanwhile(world: World, working: Session, holder: Session) -> None:
    (place,) = queue()
    assert (place.user, place.is_on_cpu) == (working.user, True)  # type: ignore[attr-defined]


# --- The turn --------------------------------------------------------------------------------------------------------


def test_when_the_turn_comes_they_are_told_and_the_gpu_is_kept(
    world: World, working: Session, holder: Session, gpu: Slot
) -> None:
    free_the_gpu(world, holder)
    assert ends(working) == ("running", "active")
    assert (kept_place(working).state, kept_place(working).slot) == (LeaseState.GRANTED, gpu)
    told = Notice.objects.get(user=working.user, kind="session.turn")
    assert told.subject.startswith("It is your turn: a GPU is kept for you until ")
    granted_at = kept_place(working).granted_at
    assert granted_at is not None
    assert working.take_by == granted_at + 10 * MINUTE
    settle(world)
    assert Notice.objects.filter(user=working.user, kind="session.turn").count() == 1
    assert working.events.filter(state="turn").count() == 1


def test_who_takes_it_moves_with_the_same_volume_and_never_runs_in_two_places(
    world: World, working: Session, holder: Session, gpu: Slot
) -> None:
    world.now += 5 * MINUTE
    free_the_gpu(world, holder)
    place = kept_place(working)
    services.take_turn(working.user, now=world.now, is_saved=True)
    services.take_turn(working.user, now=world.now, is_saved=True)
    for _ in range(5):
        world.tick(after=SECOND)
        assert world.containers <= 1
    moved = current(working.user)
    assert ends(working) == ("stopped", "released")
    assert (moved.state, moved.lease_id, moved.lease.slot) == ("running", place.pk, gpu)
    assert world.grants[-1]["volume"] == world.grants[-2]["volume"]
    assert world.grants[-1]["slot"]["uuid"] == gpu.uuid
    assert slots_of(working.user) == ["gpu"]
    assert moved.next_lease is None
    assert not Notice.objects.filter(user=working.user).exclude(kind="session.turn").exists()


def test_a_turn_taken_on_the_page_leaves_jupyterlab_ten_seconds_to_save(
    world: World, working: Session, holder: Session
) -> None:
    free_the_gpu(world, holder)
    services.take_turn(working.user, now=world.now)
    world.tick(after=9 * SECOND)
    assert ends(working) == ("running", "active")
    world.tick(after=SECOND)
    assert ends(working)[0] in ("stopping", "stopped")


def test_a_turn_that_is_not_taken_goes_to_the_next_and_they_stay_on_the_cpu(
    world: World, working: Session, holder: Session, gpu: Slot
) -> None:
    free_the_gpu(world, holder)
    place = kept_place(working)
    next_in_line = world.open(holder.user, "ready")
    world.now += 9 * MINUTE
    world.hear(working, busy_kernels=1)
    world.tick()
    assert kept_place(working) == place
    world.now += MINUTE
    with pytest.raises(Conflict, match="No GPU is kept"):
        services.take_turn(working.user, now=world.now)
    settle(world)
    assert ends(working) == ("running", "active")
    assert working.next_lease_id is None
    assert Lease.objects.get(pk=place.pk).state == LeaseState.RELEASED
    next_in_line.refresh_from_db()
    assert next_in_line.lease.slot == gpu
    assert ("stop", working.user.username) not in world.hub.calls
    assert Notice.objects.filter(user=working.user, kind="session.place_lost").count() == 1
    assert turns.join_line(working.user, now=world.now).next_lease is not None


def test_a_turn_may_be_taken_while_the_cpu_slot_is_still_starting(
    world: World, holder: Session, intern: Any, internship: Any, gpu: Slot
) -> None:
    world.open(intern, "pending", "ready")
    turns.work_meanwhile(intern, now=world.now)
    world.tick()
    free_the_gpu(world, holder)
    services.take_turn(intern, now=world.now)
    settle(world)
    assert (current(intern).state, current(intern).lease.slot, slots_of(intern)) == ("running", gpu, ["gpu"])


def test_a_turn_may_be_taken_while_the_cpu_slot_has_not_come(
    world: World, holder: Session, intern: Any, internship: Any, gpu: Slot
) -> None:
    world.open(intern, "ready")
    turns.work_meanwhile(intern, now=world.now)
    Slot.objects.filter(kind="cpu").update(fault="broken")
    free_the_gpu(world, holder)
    assert current(intern).state == "queued"
    services.take_turn(intern, now=world.now)
    settle(world)
    assert (current(intern).state, current(intern).lease.slot) == ("running", gpu)
    assert not Lease.objects.filter(user=intern, purpose=Purpose.MEANWHILE, state__in=OPEN_STATES).exists()
    assert not Notice.objects.filter(user=intern, kind="session.stopped").exists()


def test_without_a_turn_nothing_is_taken(world: World, working: Session) -> None:
    with pytest.raises(Conflict, match="No GPU is kept"):
        services.take_turn(working.user, now=world.now)


# --- One of the two ends ---------------------------------------------------------------------------------------------


def test_leaving_the_line_leaves_the_notebook_alone(world: World, working: Session, holder: Session) -> None:
    place = kept_place(working)
    turns.leave_line(working.user, now=world.now)
    settle(world)
    assert ends(working) == ("running", "active")
    assert Lease.objects.get(pk=place.pk).state == LeaseState.CANCELLED
    with pytest.raises(Conflict, match="no place in line"):
        turns.leave_line(working.user, now=world.now)
    assert not Notice.objects.filter(user=working.user).exists()


def test_who_gives_up_the_kept_gpu_gives_it_to_the_next(
    world: World, working: Session, holder: Session, gpu: Slot
) -> None:
    free_the_gpu(world, holder)
    turns.leave_line(working.user, now=world.now)
    after = world.open(holder.user, "ready")
    settle(world)
    after.refresh_from_db()
    assert (after.state, after.lease.slot) == ("running", gpu)
    assert ends(working) == ("running", "active")


def test_who_moves_already_cannot_leave_the_line(world: World, working: Session, holder: Session) -> None:
    free_the_gpu(world, holder)
    services.take_turn(working.user, now=world.now)
    with pytest.raises(Conflict, match="moving"):
        turns.leave_line(working.user, now=world.now)


def end_by_intern(world: World, session: Session) -> None:
    services.stop_notebook(session.user, now=world.now)


def end_by_admin(world: World, session: Session) -> None:
    leases.end_lease(session.lease_id, reason="An admin ended it.", actor=None, now=world.now)


def end_by_time(world: World, session: Session) -> None:
    Lease.objects.filter(pk=session.lease_id).update(lease_until=world.now)


def end_by_itself(world: World, session: Session) -> None:
    world.hub.stop(session.user.username)
    services.record_event(session.pk, token=2, state="stopped", message="Too much memory.", now=world.now)


def end_by_engine(world: World, session: Session) -> None:
    world.now += SECOND
    (mine,) = [c for c in world.engine.list({}) if c.labels["org.practicum.lease"] == str(session.lease_id)]
    world.engine.remove(mine.id)
    world.reconcile()


@pytest.mark.parametrize("end", [end_by_intern, end_by_admin, end_by_time, end_by_itself, end_by_engine])
def test_however_the_cpu_session_ends_the_place_is_kept(
    end: Callable[[World, Session], None], world: World, working: Session, holder: Session
) -> None:
    place = kept_place(working)
    end(world, working)
    settle(world)
    assert ends(working) == ("stopped", "released")
    waiting = current(working.user)
    assert (waiting.state, waiting.lease_id, waiting.lease.state) == ("queued", place.pk, LeaseState.QUEUED)
    assert waiting.deadline == place.requested_at + timedelta(hours=12)
    assert PLACE_KEPT in waiting.events.get().message
    assert place_in_line(waiting.lease, now=world.now) == 1
    free_the_gpu(world, holder)
    world.tick()
    assert slots_of(working.user) == ["gpu"]


def test_a_cpu_session_that_cannot_start_keeps_the_place(
    world: World, holder: Session, intern: Any, internship: Any
) -> None:
    place = world.open(intern, *["No such image."] * 3).lease
    session = turns.work_meanwhile(intern, now=world.now)
    for _ in range(5):
        world.tick(after=2 * SECOND)
    assert ends(session) == ("failed", "released")
    assert (current(intern).state, current(intern).lease_id) == ("queued", place.pk)


def test_a_cpu_slot_that_does_not_come_leaves_the_place_as_it_was(
    world: World, holder: Session, intern: Any, internship: Any
) -> None:
    place = world.open(intern).lease
    session = turns.work_meanwhile(intern, now=world.now)
    leases.end_lease(session.lease_id, reason="An admin ended it.", actor=None, now=world.now)
    world.tick()
    assert ends(session) == ("stopped", "cancelled")
    assert (current(intern).lease_id, current(intern).lease.state) == (place.pk, LeaseState.QUEUED)
    told = Notice.objects.get(user=intern)
    assert told.subject == "Your notebook was stopped"
    assert "You keep your place in line" in told.body


def test_while_a_failed_cpu_session_is_cleared_away_nobody_takes_its_place(
    world: World, holder: Session, intern: Any, internship: Any
) -> None:
    place = world.open(intern, *["No such image."] * 3).lease
    session = turns.work_meanwhile(intern, now=world.now)
    for _ in range(3):
        world.engine.is_away = True
        world.tick(after=2 * SECOND)
    assert ends(session) == ("failed", "draining")
    with pytest.raises(EngineUnavailable):
        world.reconcile()
    world.engine.is_away = False
    world.reconcile()
    assert ends(session) == ("failed", "released")
    assert (current(intern).lease_id, current(intern).lease.state) == (place.pk, LeaseState.QUEUED)


def test_an_idle_cpu_session_is_stopped_and_the_place_is_kept(world: World, working: Session, holder: Session) -> None:
    place = kept_place(working)
    world.idle_for(working, 45)
    settle(world)
    assert (ends(working)[0], current(working.user).lease_id) == ("stopped", place.pk)
    assert "You keep your place in line" in Notice.objects.get(user=working.user, kind="session.stopped").body


@pytest.mark.parametrize("case", ["deactivated", "ended", "too long", "admin"])
def test_a_place_is_lost_with_a_reason(
    case: str, world: World, working: Session, holder: Session, internship: Any
) -> None:
    place = kept_place(working)
    if case == "deactivated":
        type(working.user).objects.filter(pk=working.user_id).update(is_active=False)
    elif case == "ended":
        type(internship).objects.filter(pk=internship.pk).update(state="ended")
    elif case == "too long":
        Lease.objects.filter(user=holder.user).update(lease_until=world.now + timedelta(days=3))
        Lease.objects.filter(pk=working.lease_id).update(lease_until=world.now + timedelta(days=3))
        world.now += timedelta(hours=12)
        world.hear(working, busy_kernels=1)
    else:
        leases.end_lease(place.pk, reason="An admin ended it.", actor=None, now=world.now)
    settle(world)
    goes_on = case in ("too long", "admin")
    assert ends(working) == (("running", "active") if goes_on else ("stopped", "released"))
    assert Lease.objects.get(pk=place.pk).state == LeaseState.CANCELLED
    assert working.next_lease_id is None
    assert (open_session_of(working.user) is not None) is goes_on
    assert not Lease.objects.filter(user=working.user, state=LeaseState.QUEUED).exists()
    assert Session.objects.get(user=working.user) == working


# --- Programs that die, and late writers -----------------------------------------------------------------------------


def test_the_kept_place_is_left_alone_by_the_repair_round(world: World, working: Session, holder: Session) -> None:
    assert world.reconcile(after=30 * SECOND) == 0
    free_the_gpu(world, holder)
    world.reconcile(after=30 * SECOND)
    assert kept_place(working).state == LeaseState.GRANTED
    assert ends(working) == ("running", "active")


def test_killed_between_the_stop_and_the_move_the_repair_round_goes_on(
    world: World, working: Session, holder: Session, gpu: Slot
) -> None:
    free_the_gpu(world, holder)
    services.take_turn(working.user, now=world.now, is_saved=True)
    world.engine.is_away = True
    world.tick(after=SECOND)
    assert ends(working) == ("stopping", "draining")
    assert slots_of(working.user) == ["cpu", "gpu"]
    world.engine.is_away = False
    world.reconcile(after=SECOND)
    assert ends(working) == ("stopped", "released")
    assert (current(working.user).state, current(working.user).lease.slot) == ("queued", gpu)
    settle(world)
    assert current(working.user).state == "running"


def test_a_slot_given_back_by_an_admin_lets_the_place_be_handed_on(
    world: World, working: Session, holder: Session
) -> None:
    """A server was given up: its leases are released though nobody could look. The session has failed already."""
    place = kept_place(working)
    Lease.objects.filter(pk=working.lease_id).update(state=LeaseState.RELEASED, closed_at=world.now)
    Session.objects.filter(pk=working.pk).update(state="failed", stopped_at=world.now)
    world.reconcile(after=SECOND)
    assert (current(working.user).lease_id, current(working.user).lease.state) == (place.pk, LeaseState.QUEUED)


def test_a_gpu_that_is_lost_on_the_way_puts_the_notebook_back_on_a_cpu(
    world: World, working: Session, holder: Session, gpu: Slot
) -> None:
    free_the_gpu(world, holder)
    place = kept_place(working)
    services.take_turn(working.user, now=world.now, is_saved=True)
    world.engine.is_away = True
    world.tick(after=SECOND)
    leases.end_lease(place.pk, reason="An admin ended it.", actor=None, now=world.now)
    world.tick(after=SECOND)
    world.engine.is_away = False
    settle(world)
    back = current(working.user)
    assert (back.state, back.lease.slot.kind if back.lease.slot else None) == ("running", "cpu")
    assert "goes on on a CPU slot" in back.events.first().message
    assert Lease.objects.get(pk=place.pk).state == LeaseState.RELEASED
    assert slots_of(working.user) == ["cpu"]


def test_a_gpu_that_is_lost_before_the_stop_leaves_the_notebook_where_it_is(
    world: World, working: Session, holder: Session
) -> None:
    free_the_gpu(world, holder)
    services.take_turn(working.user, now=world.now)
    leases.end_lease(kept_place(working).pk, reason="An admin ended it.", actor=None, now=world.now)
    world.tick(after=20 * SECOND)
    settle(world)
    assert ends(working) == ("running", "active")
    assert (working.next_lease_id, working.moves_at) == (None, None)


def test_late_writers_of_a_place_write_nothing(world: World, working: Session, holder: Session) -> None:
    free_the_gpu(world, holder)
    late = current(working.user)
    services.take_turn(working.user, now=world.now)
    with pytest.raises(Exception, match="moved this session on"):
        places.give_up(late, reason="late", actor=None, now=world.now, moves_at=None)
    with pytest.raises(Exception, match="moved this session on"):
        places.take(late, moves_at=world.now, now=world.now)
    assert kept_place(working).state == LeaseState.GRANTED


# --- From a CPU slot into the line -----------------------------------------------------------------------------------


def test_who_is_on_a_cpu_slot_may_get_in_line(
    world: World, holder: Session, intern: Any, internship: Any, gpu: Slot
) -> None:
    Slot.objects.filter(pk=gpu.pk).update(fault="broken")
    session = world.run(intern)
    assert session.lease.purpose == Purpose.SESSION
    with pytest.raises(Conflict, match="a GPU is online"):
        turns.join_line(intern, now=world.now)
    Slot.objects.filter(pk=gpu.pk).update(fault="")
    turns.join_line(intern, now=world.now)
    assert kept_place(session).pool == gpu.pool
    assert Lease.objects.get(pk=session.lease_id).purpose == Purpose.MEANWHILE
    free_the_gpu(world, holder)
    assert kept_place(session).state == LeaseState.GRANTED


def test_who_is_on_a_gpu_has_no_line_to_join(world: World, holder: Session) -> None:
    with pytest.raises(Conflict):
        turns.join_line(holder.user, now=world.now)


# --- What they read --------------------------------------------------------------------------------------------------


@pytest.fixture
def real_time(world: World) -> World:
    """Views ask the real clock."""
    world.now = utc_now()
    return world


def test_the_page_offers_a_cpu_slot_and_then_shows_both(
    real_time: World, holder: Session, intern: Any, internship: Any, client_of: Any
) -> None:
    client = client_of(intern)
    real_time.open(intern, "ready")
    page = client.get("/notebook/").content.decode()
    assert "You are 1st in line for a GPU" in page
    assert "Work on a CPU meanwhile" in page
    assert client.post("/notebook/meanwhile/").status_code == 302
    assert ends(current(intern))[1] == "granted"
    real_time.tick()
    page = client.get("/notebook/").content.decode()
    assert "Your notebook is ready" in page
    assert "You are 1st in line for a GPU" in page
    assert "you are the next of your cohort" in page
    assert "Leave the line for a GPU" in page
    assert "You keep your place in line for a GPU." in page
    assert "You are 1st in line for a GPU" in client.get("/").content.decode()


def test_the_page_takes_who_moves_to_jupyterlab_only_once_they_are_on_the_gpu(
    real_time: World, holder: Session, intern: Any, internship: Any, gpu: Slot, client_of: Any
) -> None:
    client, htmx = client_of(intern), {"HX-Request": "true"}
    real_time.open(intern, "ready", "ready")
    work(real_time, intern)
    free_the_gpu(real_time, holder)
    page = client.get("/notebook/").content.decode()
    assert "It is your turn: GPU 0 · H100 is kept for you until" in page
    assert "Move to the GPU" in page
    moving = client.post("/notebook/take/", headers=htmx)
    assert "HX-Redirect" not in moving.headers
    assert "You are moving to GPU 0" in moving.content.decode()
    real_time.tick(after=15 * SECOND)
    settle(real_time)
    assert "HX-Redirect" in client.get("/notebook/live/?follow=1", headers=htmx).headers
    assert "for a GPU" not in client.get("/notebook/").content.decode()


def test_the_line_is_joined_and_left_from_the_page(
    real_time: World, holder: Session, intern: Any, internship: Any, gpu: Slot, client_of: Any
) -> None:
    client = client_of(intern)
    Slot.objects.filter(pk=gpu.pk).update(fault="broken")
    real_time.run(intern)
    assert "Get in line for a GPU" not in client.get("/notebook/").content.decode()
    Slot.objects.filter(pk=gpu.pk).update(fault="")
    assert "Get in line for a GPU" in client.get("/notebook/").content.decode()
    assert client.post("/notebook/join/").status_code == 302
    assert current(intern).next_lease is not None
    assert client.post("/notebook/leave/").status_code == 302
    assert current(intern).next_lease is None
    assert client.post("/notebook/leave/").status_code == 409


def test_the_admins_page_says_who_works_meanwhile(
    working: Session, holder: Session, admin: Any, client_of: Any
) -> None:
    page = client_of(admin).get("/gpus/").content.decode()
    assert "works on a CPU meanwhile" in page
    assert "CPU meanwhile" in page


def test_the_notebook_moves_itself_at_once(real_time: World, working: Session, holder: Session, settings: Any) -> None:
    token = real_time.grants[-1]["environment"]["PRACTICUM_TOKEN"]

    def move() -> Any:
        return Client().post("/api/workspace/move", headers={"Authorization": f"Bearer {token}"})

    assert (move().status_code, move().json()["error"]["code"]) == (409, "conflict")
    free_the_gpu(real_time, holder)
    assert move().json() == {"url": f"{settings.PRACTICUM_SITE_URL}/notebook/?follow=1"}
    settle(real_time)
    assert slots_of(working.user) == ["gpu"]
    assert move().status_code == 401


def test_what_is_told_of_a_place_in_each_state(world: World, working: Session, holder: Session) -> None:
    def told() -> tuple[str, int | None, bool]:
        standing = standing_of(current(working.user), now=world.now)
        assert standing is not None
        facts = standing.as_json()
        return facts["state"], facts["place"], facts["take_by"] is not None

    assert told() == ("waiting", 1, False)
    free_the_gpu(world, holder)
    assert told() == ("turn", None, True)
    services.take_turn(working.user, now=world.now)
    assert told() == ("moving", None, True)
