"""What becomes of a slot whose turn has come, and of a notebook whose slot was lent and is needed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from practicum.accounts.models import Notice
from practicum.errors import Conflict
from practicum.gpus import services as leases
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, LeaseState, PoolKind, Quota, Slot
from practicum.gpus.seen import usage
from practicum.workspaces import services
from practicum.workspaces.models import Session
from tests.unit.workspaces.conftest import World

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def wait_and_get(world: World, first: Any, second: Any, *, minutes: float) -> Session:
    """``second`` waits behind ``first`` for so long, then the slot is theirs."""
    running = world.run(first)
    session = world.open(second, "ready")
    world.now += timedelta(minutes=minutes)
    services.stop_notebook(running.user, now=world.now)
    for _ in range(4):
        world.tick(after=SECOND)
    session.refresh_from_db()
    return session


def test_who_waited_moments_is_still_there(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any
) -> None:
    session = wait_and_get(world, peer, intern, minutes=1)
    assert session.state == "running"


def test_who_waited_long_is_kept_the_slot_until_they_come(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any, client_of: Any
) -> None:
    session = wait_and_get(world, peer, intern, minutes=30)
    assert (session.state, session.lease.state) == ("queued", LeaseState.GRANTED)
    told = Notice.objects.get(user=intern)
    assert told.subject.startswith("It is your turn: a slot is kept for you until ")
    services.take_turn(intern, now=world.now)
    services.take_turn(intern, now=world.now)
    world.tick(after=SECOND)
    world.tick(after=SECOND)
    session.refresh_from_db()
    assert session.state == "running"


def test_a_slot_nobody_takes_in_ten_minutes_goes_to_the_next(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any
) -> None:
    session = wait_and_get(world, peer, intern, minutes=30)
    world.tick(after=9 * MINUTE)
    session.refresh_from_db()
    assert session.state == "queued"
    world.tick(after=MINUTE)
    with pytest.raises(Conflict, match="No slot is kept"):
        services.take_turn(intern, now=world.now)
    world.tick(after=SECOND)
    session.refresh_from_db()
    assert session.state == "stopped"
    assert "within ten minutes" in session.reason
    assert Lease.objects.get(pk=session.lease_id).state == LeaseState.RELEASED


def test_nobody_takes_a_turn_that_has_not_come(world: World, intern: Any, internship: Any) -> None:
    with pytest.raises(Conflict):
        services.take_turn(intern, now=world.now)


def test_the_page_says_until_when_the_slot_is_kept(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any, client_of: Any
) -> None:
    wait_and_get(world, peer, intern, minutes=30)
    page = client_of(intern).get(reverse("workspaces:notebook")).content.decode()
    assert "It is your turn" in page
    assert "is kept for you until" in page
    assert reverse("workspaces:take") in page


@pytest.fixture
def one_gpu(world: World) -> Slot:
    """Beside the world's CPU slot a whole GPU, which the other cohort has guaranteed."""
    slot = Slot.objects.get()
    pool = pool_of(name="H100", kind=PoolKind.GPU)
    return Slot.objects.create(server=slot.server, pool=pool, kind="gpu", index=0, uuid="GPU-00000001", model="H100")


def test_a_lent_gpu_is_asked_back_with_notice_and_the_work_goes_on_on_a_cpu(
    world: World, one_gpu: Slot, intern: Any, internship: Any, stranger: Any, stranger_internship: Any
) -> None:
    Quota.objects.create(cohort=stranger_internship.cohort, pool=one_gpu.pool, guaranteed=1)
    lent = world.run(intern)
    assert lent.lease.slot == one_gpu
    assert lent.lease.is_borrowed
    world.now += 11 * MINUTE
    waiting = world.open(stranger, "ready")
    world.tick()
    lent.refresh_from_db()
    asked_back_at = world.now
    assert lent.state == "running"
    assert lent.stop_at == asked_back_at + 2 * MINUTE
    assert "a cohort that has it guaranteed needs it now" in world.hear(lent, cpu_seconds=30.0)["warning"]
    world.hub.answers[intern.username] = ["ready"]
    world.tick(after=2 * MINUTE)
    for _ in range(5):
        world.tick(after=SECOND)
    lent.refresh_from_db()
    assert lent.state == "stopped"
    assert "needs it now" in lent.reason
    waiting.refresh_from_db()
    assert waiting.lease.slot == one_gpu
    follower = Session.objects.exclude(pk=lent.pk).get(user=intern)
    assert follower.state == "running"
    assert follower.lease.slot is not None
    assert follower.lease.slot.kind == "cpu"
    assert "goes on on a CPU slot" in follower.events.first().message


def test_a_lent_gpu_that_is_needed_no_more_stays(
    world: World, one_gpu: Slot, intern: Any, internship: Any, stranger: Any, stranger_internship: Any
) -> None:
    Quota.objects.create(cohort=stranger_internship.cohort, pool=one_gpu.pool, guaranteed=1)
    lent = world.run(intern)
    world.now += 11 * MINUTE
    world.open(stranger, "ready")
    world.tick()
    services.stop_notebook(stranger, now=world.now)
    world.tick(after=SECOND)
    world.tick(after=SECOND)
    lent.refresh_from_db()
    assert (lent.state, lent.stop_at, lent.lease.reclaim_at) == ("running", None, None)


def test_the_hours_of_a_lease_that_was_taken_back_are_refunded(
    world: World, one_gpu: Slot, intern: Any, internship: Any
) -> None:
    lent = world.run(intern)
    facts = {"state": LeaseState.RELEASED, "closed_at": world.now + 60 * MINUTE, "is_borrowed": True}
    Lease.objects.filter(pk=lent.lease_id).update(**facts)
    usage.forget()
    key = (internship.cohort_id, intern.pk)
    assert usage.at(world.now + 60 * MINUTE)[key] > 0.9
    Lease.objects.filter(pk=lent.lease_id).update(reclaim_at=world.now + 58 * MINUTE)
    usage.forget()
    assert key not in usage.at(world.now + 60 * MINUTE)
    usage.forget()


def test_an_intern_who_stops_a_lent_notebook_gets_no_other(
    world: World, one_gpu: Slot, intern: Any, internship: Any
) -> None:
    lent = world.run(intern)
    Lease.objects.filter(pk=lent.lease_id).update(reclaim_at=world.now + 5 * MINUTE, reason="Its owners need it.")
    services.stop_notebook(intern, now=world.now)
    for _ in range(4):
        world.tick(after=SECOND)
    assert Session.objects.filter(user=intern).count() == 1
    assert not leases.allocate(now=world.now)
