"""Who is switched off, or gets another role, loses notebook, slot and the hub's sign-in; a hub that is down is asked again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from practicum.accounts.services import change_role, set_active
from practicum.audit.models import Record
from practicum.workspaces.hub import HubUnavailable
from practicum.workspaces.leaving import see_off
from practicum.workspaces.models import Snapshot
from tests.unit.workspaces.conftest import World

SECOND = timedelta(seconds=1)


def left_hub(world: World, user: Any) -> bool:
    """The hub was asked to forget the person, and the row says that it has."""
    user.refresh_from_db()
    return ("forget", user.username) in world.hub.calls and not user.must_leave_hub


def test_an_account_switched_off_is_forgotten_once_its_notebook_is_gone(
    world: World, intern: Any, admin: Any, internship: Any
) -> None:
    session = world.run(intern)
    set_active(admin, user=intern, active=False, now=world.now)
    assert see_off(world.now, hub=world.hub) == 0, "its session comes first"
    world.tick()
    world.tick(after=SECOND)
    session.refresh_from_db()
    assert (session.state, session.lease.state, world.containers) == ("stopped", "released", 0)
    assert see_off(world.now, hub=world.hub) == 1
    assert left_hub(world, intern)
    assert Record.objects.filter(verb="account.left_hub").count() == 1
    assert see_off(world.now, hub=world.hub) == 0


def test_while_the_hub_is_down_its_container_ends_all_the_same_and_the_hub_is_asked_again(
    world: World, intern: Any, admin: Any, internship: Any
) -> None:
    session = world.run(intern)
    set_active(admin, user=intern, active=False, now=world.now)
    world.hub.is_away = True
    for _ in range(3):
        world.tick(after=SECOND)
    assert world.containers == 0
    session.refresh_from_db()
    assert session.lease.state == "draining", "the slot is kept until the hub has nothing either"

    world.hub.is_away = False
    world.tick(after=SECOND)
    world.tick(after=SECOND)
    session.refresh_from_db()
    assert session.lease.state == "released"
    see_off(world.now, hub=world.hub)
    assert left_hub(world, intern)


def test_a_hub_that_is_down_when_it_is_told_is_told_again(world: World, mentor: Any, admin: Any) -> None:
    set_active(admin, user=mentor, active=False, now=world.now)
    world.hub.is_away = True
    with pytest.raises(HubUnavailable):
        see_off(world.now, hub=world.hub)
    mentor.refresh_from_db()
    assert mentor.must_leave_hub
    world.hub.is_away = False
    assert see_off(world.now, hub=world.hub) == 1
    assert left_hub(world, mentor)


@pytest.mark.parametrize("role", ["mentor", "admin"])
def test_who_is_no_intern_any_more_has_no_notebook(role: str, world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    change_role(None, user=intern, role=role, why="a test", now=world.now)
    world.tick()
    world.tick(after=SECOND)
    session.refresh_from_db()
    assert (session.state, session.reason) == ("stopped", "The account has another role now. The files are kept.")
    see_off(world.now, hub=world.hub)
    assert left_hub(world, intern)


def test_no_snapshot_holds_up_the_notebook_of_who_is_switched_off(
    world: World, intern: Any, admin: Any, internship: Any
) -> None:
    session = world.run(intern)
    deadline = world.now + timedelta(seconds=100)
    Snapshot.objects.create(
        session=session, internship=internship, asked_at=world.now, deadline=deadline, state="taking", token=1
    )
    world.makes_archives = False
    set_active(admin, user=intern, active=False, now=world.now)
    world.tick()
    world.tick(after=SECOND)
    session.refresh_from_db()
    assert (world.containers, session.lease.state) == (0, "released")


def test_who_is_let_in_again_meanwhile_keeps_the_notebook(
    world: World, intern: Any, admin: Any, internship: Any
) -> None:
    for active in (False, True):
        set_active(admin, user=intern, active=active, now=world.now)
    world.run(intern)
    world.tick(after=SECOND)
    assert see_off(world.now, hub=world.hub) == 0
    assert world.containers == 1


def test_a_server_that_no_session_pays_for_is_stopped_first(world: World, intern: Any, admin: Any) -> None:
    world.hub.answers["ines"] = ["ready"]
    world.hub.on_start = lambda _: None
    world.hub.start("ines")
    world.hub.stops_slowly = True
    set_active(admin, user=intern, active=False, now=world.now)
    assert see_off(world.now, hub=world.hub) == 0
    world.hub.stops_slowly = False
    assert see_off(world.now, hub=world.hub) == 1
    assert world.hub.servers == {}
