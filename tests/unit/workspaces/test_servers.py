"""Several servers: a notebook starts where its lease is, files follow, and a silent one says nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from practicum.engine.memory import MemoryEngine
from practicum.gpus import servers
from practicum.gpus.models import Lease, Server, Slot
from practicum.workspaces import services
from practicum.workspaces.models import Home, Restoration, Session, Snapshot
from tests.unit.workspaces.conftest import World, ends

SECOND = timedelta(seconds=1)
LATER = timedelta(seconds=30)


@pytest.fixture
def beta(world: World) -> MemoryEngine:
    """A second server with an engine of its own, and the only slot that is free: the first one's is broken."""
    engine = world.engine.others["beta"] = MemoryEngine()
    first = Slot.objects.get()
    Slot.objects.create(
        server=Server.objects.create(name="beta", seen_at=world.now), pool=first.pool, kind="cpu", index=0,
        uuid="cpu:beta:0", model="CPU",
    )  # fmt: skip
    use(first.server.name, is_usable=False)
    return engine


def use(server: str, *, is_usable: bool) -> None:
    """Give slots of this server, or don't."""
    Slot.objects.filter(server__name=server).update(fault="" if is_usable else "broken")


def messages(session: Session) -> list[str]:
    return list(session.events.values_list("message", flat=True))


def stop(world: World, session: Session) -> None:
    """The person stops it, and it is gone."""
    services.stop_notebook(session.user, now=world.now)
    world.tick(after=SECOND)
    assert ends(session) == ("stopped", "released")


def test_a_notebook_starts_on_the_server_of_its_lease(
    world: World, beta: MemoryEngine, intern: Any, internship: Any, version: Any
) -> None:
    world.run(intern)
    assert (len(beta.list({})), len(world.engine.list({}))) == (1, 0)
    assert world.grants[0]["server"] == "beta"
    assert beta.provided == [version.folder / "project", version.folder / "public"]
    assert world.reconcile(after=LATER) == 0


def test_the_end_of_a_notebook_is_seen_on_its_own_server(
    world: World, beta: MemoryEngine, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    world.hub.on_stop = lambda _: None  # the hub says that it is gone, and its container is left
    stop(world, session)
    assert beta.list({}) == []


def test_files_follow_to_another_server_before_anything_starts(
    world: World, beta: MemoryEngine, intern: Any, internship: Any
) -> None:
    stop(world, world.run(intern))
    volume = world.grants[0]["volume"]
    beta.contents[volume] = b"all of it"
    use("alpha", is_usable=True), use("beta", is_usable=False)
    session = world.run(intern)
    assert world.engine.contents[volume] == b"all of it"
    assert volume not in beta.volumes
    assert Home.objects.get(user=intern).server == "alpha"
    assert "Bringing your files from beta" in messages(session)


def test_a_notebook_waits_for_files_whose_server_is_silent_and_says_so(
    world: World, beta: MemoryEngine, intern: Any, internship: Any
) -> None:
    stop(world, world.run(intern))
    use("alpha", is_usable=True), use("beta", is_usable=False)
    beta.is_away = True
    session = world.open(intern, "ready", "ready")
    world.tick()
    world.tick(after=SECOND)
    assert ends(session) == ("starting", "granted")
    assert "beta, which does not answer" in session.reason
    assert world.engine.volumes == {}
    beta.is_away = False
    world.tick(after=SECOND)
    assert (*ends(session), session.reason) == ("running", "active", "")


def test_files_that_are_gone_from_their_server_are_never_replaced_by_none(
    world: World, beta: MemoryEngine, intern: Any, internship: Any
) -> None:
    stop(world, world.run(intern))
    beta.volumes.clear()
    use("alpha", is_usable=True), use("beta", is_usable=False)
    session = world.open(intern, "ready")
    world.tick()
    assert ends(session) == ("starting", "granted")
    assert "An admin has to look" in session.reason
    world.tick(after=timedelta(minutes=16))
    assert ends(session)[0] == "failed"
    assert "An admin has to look" in session.reason


def test_a_copy_that_breaks_off_leaves_the_files_where_they_were(
    world: World, beta: MemoryEngine, intern: Any, internship: Any
) -> None:
    stop(world, world.run(intern))
    use("alpha", is_usable=True), use("beta", is_usable=False)
    world.engine.is_away = True
    session = world.open(intern, "ready", "ready")
    world.tick()
    assert Home.objects.get(user=intern).server == "beta"
    assert world.grants[0]["volume"] in beta.volumes
    world.engine.is_away = False
    world.tick(after=SECOND)
    assert ends(session) == ("running", "active")


def test_with_a_driver_that_all_share_nothing_is_copied(
    world: World, beta: MemoryEngine, intern: Any, internship: Any, settings: Any
) -> None:
    settings.PRACTICUM_VOLUME_DRIVER, settings.PRACTICUM_VOLUME_OPTIONS = "local", {"type": "nfs"}
    stop(world, world.run(intern))
    use("alpha", is_usable=True), use("beta", is_usable=False)
    beta.is_away = True
    world.run(intern)
    assert world.grants[-1]["volume_options"] == {"type": "nfs"}


def test_what_runs_on_a_silent_server_counts_as_running_and_its_people_are_told(
    world: World, beta: MemoryEngine, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    beta.is_away = True
    assert world.reconcile(after=LATER) == 0
    assert ends(session) == ("running", "active")
    assert "The server beta does not answer. No snapshot of your files was kept." in messages(session)[-1]
    world.reconcile(after=LATER)
    assert sum("does not answer" in message for message in messages(session)) == 1
    beta.is_away = False
    world.reconcile(after=LATER)
    assert ends(session) == ("running", "active")
    assert messages(session)[-1] == "The server beta answers again"


def test_a_silent_server_does_not_keep_the_others_from_being_repaired(
    world: World, beta: MemoryEngine, intern: Any, internship: Any
) -> None:
    beta.is_away = True
    use("alpha", is_usable=True), use("beta", is_usable=False)
    session = world.run(intern)
    world.engine.held.clear()
    world.reconcile(after=LATER)
    assert ends(session)[0] in ("stopping", "stopped")


def test_a_silent_server_is_given_to_nobody_and_a_slot_there_is_put_back(
    world: World, beta: MemoryEngine, intern: Any, internship: Any, peer: Any, peer_internship: Any
) -> None:
    from practicum.gpus import tasks as gpus

    session = world.open(intern, "ready")
    gpus.allocate(world.now)
    beta.is_away = True
    world.reconcile()
    world.tick(after=SECOND)
    lease = Lease.objects.get(pk=session.lease_id)
    assert (lease.state, lease.slot_id, ends(session)[0]) == ("queued", None, "queued")
    use("alpha", is_usable=True)
    world.tick(after=SECOND)
    assert ends(session) == ("running", "active")
    assert world.grants[-1]["server"] == "alpha"


def test_a_server_that_comes_back_serves_only_when_what_may_not_run_there_is_gone(
    world: World, beta: MemoryEngine, admin: Any, intern: Any, internship: Any, peer: Any, peer_internship: Any
) -> None:
    session = world.run(intern)
    beta.is_away = True
    world.reconcile(after=LATER)
    Server.objects.filter(name="beta").update(seen_at=None)
    servers.give_up_server("beta", actor=admin, now=world.now)
    world.hub.on_stop = lambda _: None  # nobody can see the container there
    world.tick(after=SECOND)
    assert ends(session) == ("stopped", "released")
    assert world.hub.servers == {}
    Server.objects.filter(name="beta").update(state="online", seen_at=world.now)
    waiting = world.open(peer, "ready")
    world.tick(after=SECOND)
    assert ends(waiting) == ("queued", "queued")
    assert len(beta.held) == 1
    beta.is_away = False
    world.reconcile(after=LATER)
    assert beta.held == {}
    world.tick(after=SECOND)
    assert ends(waiting) == ("running", "active")


def test_files_that_went_with_a_server_that_was_given_up_are_begun_anew_from_the_last_snapshot(
    world: World, beta: MemoryEngine, admin: Any, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    kept = Snapshot.objects.create(
        internship=internship, session=session, asked_at=world.now, made_at=world.now, deadline=world.now,
        state="kept", reason="Its slot was needed.",
    )  # fmt: skip
    kept.path.parent.mkdir(parents=True)
    kept.path.write_bytes(b"an archive")
    beta.is_away = True
    world.reconcile(after=LATER)
    Server.objects.filter(name="beta").update(seen_at=None)
    servers.give_up_server("beta", actor=admin, now=world.now)
    world.hub.on_stop = lambda _: None
    world.tick(after=SECOND)
    use("alpha", is_usable=True)
    again = world.run(intern)
    assert world.engine.given == [b"an archive"]
    assert Restoration.objects.get().state == "done"
    assert any("given up, and your files with it. The last snapshot" in message for message in messages(again))
    assert Home.objects.get(user=intern).server == "alpha"


def test_a_name_that_leads_here_since_its_server_was_taken_out_is_not_taken_for_the_home(
    world: World, beta: MemoryEngine, admin: Any, intern: Any, internship: Any
) -> None:
    stop(world, world.run(intern))
    Server.objects.filter(name="beta").update(seen_at=None)
    servers.give_up_server("beta", actor=admin, now=world.now)
    del world.engine.others["beta"]
    use("alpha", is_usable=True)
    again = world.run(intern)
    assert any("given up, and your files with it" in message for message in messages(again))
