"""Whatever was killed and whenever: rows, hub and engine agree again, nothing is lost, doubled or stuck."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from practicum.audit.models import Record
from practicum.errors import EngineUnavailable
from practicum.gpus import services as leases
from practicum.gpus import tasks as gpus
from practicum.gpus.models import Lease
from practicum.workspaces import lifecycle, services
from practicum.workspaces.hub import HubServer, HubUnavailable
from practicum.workspaces.models import Session
from practicum.workspaces.selectors import open_session_of
from tests.unit.workspaces.conftest import World, ends

SECOND = timedelta(seconds=1)
LATER = timedelta(seconds=30)


def test_what_agrees_is_left_alone(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    assert world.reconcile(after=LATER) == 0
    assert (*ends(session), world.containers) == ("running", "active", 1)


def test_a_container_without_a_live_lease_is_ended(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    labels = world.grants[0]["labels"]
    services.stop_notebook(intern, now=world.now)
    world.tick()
    world.engine.hold(labels)
    assert world.reconcile() == 1
    assert (*ends(session), world.containers) == ("stopped", "released", 0)
    assert Record.objects.filter(verb="container.removed").exists()


def test_a_container_of_an_unknown_lease_is_ended_and_others_containers_are_not(world: World) -> None:
    mine = {"org.practicum.instance": "practicum", "org.practicum.kind": "session"}
    world.engine.hold(
        mine | {"org.practicum.lease": "d9b9b1f4-0000-4000-8000-000000000000", "org.practicum.token": "1"}
    )
    world.engine.hold(mine | {"org.practicum.lease": "no uuid"})
    other_instance = world.engine.hold(mine | {"org.practicum.instance": "elsewhere"})
    evaluation = world.engine.hold(mine | {"org.practicum.kind": "predict"})
    assert world.reconcile() == 2
    assert {container.id for container in world.engine.list({})} == {other_instance, evaluation}


def test_the_container_of_an_earlier_claim_is_ended_and_the_newer_is_kept(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.open(intern, "pending")
    world.tick()
    old = world.grants[0]["labels"]
    new = services.claim("ines", now=world.now)["labels"]
    kept = world.engine.hold(new)
    services.record_event(session.pk, token=int(new["org.practicum.token"]), state="ready", message="", now=world.now)
    assert world.reconcile() == 1
    assert [container.id for container in world.engine.list({})] == [kept]
    assert not world.engine.list(old)
    assert ends(session) == ("running", "active")


def test_a_session_whose_container_vanished_is_closed_with_a_reason(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    world.engine.held.clear()
    world.reconcile(after=LATER)
    assert ends(session) == ("stopped", "released")
    assert "container is gone" in session.reason


def test_a_session_the_hub_has_forgotten_is_closed_and_its_container_ended(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    world.hub.servers.clear()
    world.reconcile(after=LATER)
    assert (*ends(session), world.containers) == ("stopped", "released", 0)
    assert "hub lost" in session.reason


def test_the_hub_is_asked_once_for_all_and_alone_only_about_whom_it_did_not_name(
    world: World, intern: Any, internship: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = world.run(intern)
    world.hub.calls.clear()
    world.reconcile(after=LATER)
    assert world.hub.calls == [("people_with_servers", "")]
    monkeypatch.setattr(world.hub, "people_with_servers", set)
    world.reconcile(after=LATER)
    assert world.hub.calls[1:] == [("server", "ines")]
    assert ends(session) == ("running", "active"), "it came while the list was made"


def test_a_session_that_became_ready_after_the_look_is_not_taken_for_vanished(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    world.engine.held.clear()
    world.reconcile(after=-SECOND)
    assert ends(session) == ("running", "active")


def test_a_drained_lease_whose_hub_is_stuck_has_its_container_ended_but_keeps_its_slot(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    services.stop_notebook(intern, now=world.now)
    world.hub.is_away = True
    with pytest.raises(HubUnavailable):
        world.reconcile(after=timedelta(minutes=1))
    assert world.containers == 1
    with pytest.raises(HubUnavailable):
        world.reconcile(after=timedelta(minutes=1))
    assert (*ends(session), world.containers) == ("stopping", "draining", 0)
    world.hub.is_away = False
    world.reconcile()
    assert ends(session) == ("stopped", "released")


def test_an_engine_that_is_away_frees_no_slot(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    world.engine.is_away = True
    with pytest.raises(EngineUnavailable):
        world.reconcile(after=LATER)
    assert ends(session) == ("running", "active")


def test_a_lease_that_no_session_needs_is_given_back(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    world.hub.stop("ines")
    Session.objects.filter(pk=session.pk).update(state="stopped")
    world.reconcile()
    assert ends(session) == ("stopped", "released")


def test_an_evaluations_lease_is_not_ours_to_end(world: World, intern: Any) -> None:
    from practicum.gpus.models import Purpose

    lease = leases.request_lease(
        intern, cohort=None, purpose=Purpose.EVALUATION, duration=timedelta(hours=1), now=world.now
    )
    gpus.allocate(world.now)
    world.reconcile()
    assert Lease.objects.get(pk=lease.pk).state == "granted"


def test_a_stopping_session_whose_lease_is_closed_is_closed_too(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    world.hub.stop("ines")
    services.stop_notebook(intern, now=world.now)
    leases.release_lease(session.lease_id, token=2, observed_gone=True, now=world.now)
    world.tick()
    assert ends(session) == ("stopped", "released")


# --- Killed in the middle --------------------------------------------------------------------------------------------


def _before_anything(world: World, user: Any) -> None:
    world.open(user, "ready")


def _after_the_grant(world: World, user: Any) -> None:
    world.open(user, "ready")
    gpus.allocate(world.now)


def _after_the_attempt_was_written(world: World, user: Any) -> None:
    _after_the_grant(world, user)
    session = open_session_of(user)
    assert session is not None
    lifecycle.begin_attempt(session, now=world.now)


def _after_the_hub_took_the_request(world: World, user: Any) -> None:
    _after_the_attempt_was_written(world, user)
    world.hub.servers[user.username] = HubServer(ready=False, pending="spawn")


def _after_the_claim(world: World, user: Any) -> None:
    _after_the_hub_took_the_request(world, user)
    world.grants.append(services.claim(user.username, now=world.now))


def _after_the_container_was_made(world: World, user: Any) -> None:
    _after_the_claim(world, user)
    world.engine.hold(world.grants[-1]["labels"])


def _after_it_came_up_unheard(world: World, user: Any) -> None:
    _after_the_container_was_made(world, user)
    world.hub.come_up(user.username)


def _while_it_ran(world: World, user: Any) -> None:
    world.run(user)


def _after_the_stop_was_written(world: World, user: Any) -> None:
    world.run(user)
    services.stop_notebook(user, now=world.now)


def _after_the_hub_was_told_to_stop(world: World, user: Any) -> None:
    _after_the_stop_was_written(world, user)
    world.hub.servers[user.username] = HubServer(ready=False, pending="stop")


def _after_the_container_was_removed(world: World, user: Any) -> None:
    _after_the_stop_was_written(world, user)
    world.hub.stop(user.username)


MOMENTS = [
    _before_anything,
    _after_the_grant,
    _after_the_attempt_was_written,
    _after_the_hub_took_the_request,
    _after_the_claim,
    _after_the_container_was_made,
    _after_it_came_up_unheard,
    _while_it_ran,
    _after_the_stop_was_written,
    _after_the_hub_was_told_to_stop,
    _after_the_container_was_removed,
]


def worker_died(world: World, user: Any) -> None:
    """Nothing else changed; what the hub was doing, it finishes."""
    server = world.hub.servers.get(user.username)
    if server is not None and server.pending == "stop":
        del world.hub.servers[user.username]
        world.despawn(user.username)
    if server is not None and server.pending == "spawn":
        if not world.grants:
            world.spawn(user.username)
        if not world.containers:
            world.engine.hold(world.grants[-1]["labels"])
        world.hub.come_up(user.username)


def hub_died(world: World, user: Any) -> None:
    """Starts and stops under way are forgotten; what was ready is found again."""
    for name, server in list(world.hub.servers.items()):
        if not server.ready:
            del world.hub.servers[name]


def engine_died(world: World, user: Any) -> None:
    """All containers are gone; the hub sees it."""
    world.engine.held.clear()
    world.hub.servers.clear()


@pytest.mark.slow
@pytest.mark.parametrize("death", [worker_died, hub_died, engine_died])
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__.strip("_"))
def test_after_a_kill_at_any_moment_nothing_is_lost_doubled_or_stuck(
    world: World,
    intern: Any,
    internship: Any,
    peer: Any,
    peer_internship: Any,
    moment: Callable[[World, Any], None],
    death: Callable[[World, Any], None],
) -> None:
    moment(world, intern)
    death(world, intern)
    world.hub.answers["ines"] = ["ready"] * 2

    for _ in range(5):
        world.tick(after=SECOND)
        world.reconcile(after=LATER)
        live = Lease.objects.filter(state__in=["granted", "active", "draining"])
        assert live.count() <= 1
        assert world.containers <= 1

    session = Session.objects.get(user=intern)
    state, lease = ends(session)
    assert (state, lease) in {("running", "active"), ("stopped", "released")}
    if session.ready_at is None:
        pytest.fail(f"a notebook that nobody stopped never ran: {session.reason}")
    if state == "running":
        services.stop_notebook(intern, now=world.now)
        world.tick(after=SECOND)
    assert world.containers == 0
    world.run(peer)
