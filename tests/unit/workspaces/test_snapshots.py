"""Snapshots: when one is made, what waits for it and for how long, what is said when there is none; and restoring one."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from practicum.accounts.models import Notice
from practicum.audit.models import Record
from practicum.engine.base import Exit
from practicum.engine.local import LocalEngine
from practicum.engine.memory import Script
from practicum.errors import Conflict, EngineUnavailable, NotFound
from practicum.gpus.models import Lease
from practicum.workspaces import archives, restorations, services, snapshots
from practicum.workspaces.models import Restoration, Session, Snapshot
from practicum.workspaces.rules import NOTHING_RUNS, Watch, reason_to_snapshot
from practicum.workspaces.tasks import claim_and_restore, claim_and_snapshot, settle_archives
from tests.unit.workspaces.conftest import World

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
NEEDED = "Its owners need it."


def ask_back(world: World, session: Session, *, within: timedelta) -> None:
    """Its slot is needed by others, from then on; it is idle, so that it is not told to stay."""
    facts = {"reclaim_at": world.now + within, "reason": NEEDED, "idle_since": world.now, "heartbeat": world.now}
    Lease.objects.filter(pk=session.lease_id).update(**facts)


def states() -> list[str]:
    return list(Snapshot.objects.order_by("pk").values_list("state", flat=True))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"reclaim_at": 2 * MINUTE}, None),
        ({"reclaim_at": MINUTE}, NEEDED),
        ({"reclaim_at": -MINUTE}, NEEDED),
        ({"stop_at": 4 * MINUTE}, None),
        ({"stop_at": MINUTE}, NOTHING_RUNS),
        # What is announced is the end of its time, which its person knew of: nobody takes anything from them.
        ({"stop_at": MINUTE, "lease_until": MINUTE}, None),
    ],
)
def test_files_are_kept_just_before_others_or_idleness_end_a_notebook(
    changes: dict[str, timedelta], reason: str | None, now: datetime
) -> None:
    facts: dict[str, Any] = {"lease_until": now + 9 * MINUTE, "stop_at": None, "reclaim_reason": NEEDED}
    facts |= {name: now + ahead for name, ahead in changes.items()}
    watch = Watch(active_at=now, reported_at=now, idle_after=40 * MINUTE, **facts)
    assert reason_to_snapshot(watch, ahead=MINUTE, now=now) == reason


def test_a_snapshot_is_made_while_the_notebook_still_runs(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    ask_back(world, session, within=2 * MINUTE)
    world.tick(after=50 * SECOND)
    assert states() == []
    world.tick(after=20 * SECOND)

    snapshot = Snapshot.objects.get()
    assert (snapshot.state, snapshot.reason, snapshot.made_at) == ("kept", NEEDED, world.now)
    assert (snapshot.files, snapshot.left_out, snapshot.bytes) == (3, 1, len(b"an archive"))
    assert snapshot.path.read_bytes() == b"an archive"
    assert snapshot.digest == hashlib.sha256(b"an archive").hexdigest()
    session.refresh_from_db()
    assert session.state == "running"
    assert session.events.filter(message="A snapshot of your files was kept (1 MB)").exists()
    assert Record.objects.get(verb="snapshot.kept").facts["digest"] == snapshot.digest


def test_it_is_packed_without_network_or_right_to_write_in_a_container_of_its_own(
    world: World, intern: Any, internship: Any
) -> None:
    ask_back(world, world.run(intern), within=MINUTE)
    world.tick()
    (spec,) = world.engine.started
    assert spec.network is None
    assert [(v.name, v.read_only) for v in spec.volumes] == [("practicum-practicum-home-ines", True)]
    assert (list(spec.mounts), spec.gpu_uuid, spec.stdin) == ([], None, None)
    assert world.containers == 1


def test_an_idle_notebook_is_kept_before_it_is_stopped(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    for _ in range(34):
        world.now += MINUTE
        world.hear(session)
    world.idle_for(session, 9)
    assert states() == []
    world.idle_for(session, 2)
    world.tick(after=SECOND)
    world.tick(after=SECOND)
    session.refresh_from_db()
    assert (session.state, states()) == ("stopped", ["kept"])
    assert Snapshot.objects.get().reason == NOTHING_RUNS


def test_who_stops_a_notebook_or_whose_time_is_up_gets_no_snapshot(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any
) -> None:
    world.run(intern)
    services.stop_notebook(intern, now=world.now)
    world.tick()
    session = world.run(peer)
    Lease.objects.filter(pk=session.lease_id).update(lease_until=world.now + MINUTE)
    world.tick(after=2 * MINUTE)
    world.tick()
    assert (Session.objects.filter(state="stopped").count(), states()) == (2, [])


def test_the_stop_waits_for_a_snapshot_until_its_deadline_and_no_longer(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    world.makes_archives = False
    ask_back(world, session, within=timedelta(0))
    world.tick()
    world.tick(after=59 * SECOND)
    session.refresh_from_db()
    assert (session.state, session.lease.state, states()) == ("stopping", "draining", ["waiting"])
    world.tick(after=SECOND)
    session = Session.objects.get(pk=session.pk)
    assert (session.state, session.lease.state) == ("stopped", "released")
    settle_archives(world.now + 10 * SECOND, engine=world.engine)
    assert states() == ["failed"]
    assert "no time" in Snapshot.objects.get().message


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (Script(output=b"x" * 2_000_000), "too large"),
        (Script(exit=Exit(3, oom_killed=False, timed_out=False, seconds=1, peak_memory_bytes=None)), "too large"),
        (Script(runs_forever=True), "no time"),
        (Script(exit=Exit(1, oom_killed=False, timed_out=False, seconds=1, peak_memory_bytes=None)), "fault of ours"),
        (None, "fault of ours"),
    ],
)
def test_where_none_can_be_made_the_notebook_is_stopped_all_the_same_and_that_is_said(
    world: World, intern: Any, internship: Any, settings: Any, script: Script | None, said: str
) -> None:
    settings.PRACTICUM_SNAPSHOT_MAX_BYTES = 1_000_000
    session = world.run(intern)
    if script is None:
        world.engine.volumes.clear()
    else:
        world.engine.will("snapshot", script)
    ask_back(world, session, within=timedelta(0))
    world.tick()
    world.tick()

    session.refresh_from_db()
    snapshot = Snapshot.objects.get()
    assert (session.state, snapshot.state) == ("stopped", "failed")
    assert said in snapshot.message
    assert said in Notice.objects.get(kind="snapshot.failed").body
    assert said in Record.objects.get(verb="snapshot.failed").facts["reason"]
    assert list(snapshot.path.parent.iterdir()) == []
    assert world.containers == 0


def test_none_is_made_where_they_are_switched_off(world: World, intern: Any, internship: Any, settings: Any) -> None:
    settings.PRACTICUM_SNAPSHOT_KEEP = 0
    session = world.run(intern)
    ask_back(world, session, within=timedelta(0))
    world.tick()
    world.tick()
    session.refresh_from_db()
    assert (session.state, states()) == ("stopped", [])


def test_a_notebook_that_is_kept_and_asked_back_again_is_archived_again_only_after_a_while(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    for minutes, made in ((1, 1), (8, 1), (2, 1), (0, 2)):
        ask_back(world, session, within=MINUTE)
        world.tick()
        assert states() == ["kept"] * made
        Lease.objects.filter(pk=session.lease_id).update(reclaim_at=None, reason="")
        world.now += minutes * MINUTE


def make_snapshot(world: World, internship: Any, **changes: Any) -> Snapshot:
    """A snapshot of the internship's latest session, with an archive."""
    session = Session.objects.filter(internship=internship).latest("requested_at")
    facts = {"asked_at": world.now, "made_at": world.now, "reason": NEEDED, "deadline": world.now, "state": "kept"}
    row = Snapshot.objects.create(internship=internship, session=session, bytes=10, **facts | changes)
    row.path.parent.mkdir(parents=True, exist_ok=True)
    row.path.write_bytes(b"an archive")
    return row


def test_only_the_newest_few_are_kept_and_none_that_is_being_restored(
    world: World, intern: Any, internship: Any, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.PRACTICUM_SNAPSHOT_KEEP = 2
    world.run(intern)
    rows = [make_snapshot(world, internship, made_at=world.now + n * MINUTE) for n in range(4)]
    restorations.ask_to_restore(intern, snapshot_id=rows[0].pk, now=world.now)
    old = make_snapshot(world, internship, state="failed", asked_at=world.now - timedelta(days=31))
    with django_capture_on_commit_callbacks(execute=True):
        assert snapshots.prune(internship, now=world.now) == 1
    assert set(Snapshot.objects.all()) == {rows[0], rows[2], rows[3]}
    assert [row.path.exists() for row in rows] == [True, False, True, True]
    assert not Snapshot.objects.filter(pk=old.pk).exists()
    assert Record.objects.filter(verb="snapshot.removed", object_id=str(rows[1].pk)).exists()


def test_of_two_workers_one_makes_it_and_who_is_late_writes_nothing(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    world.makes_archives = False
    ask_back(world, session, within=MINUTE)
    world.tick()
    mine = snapshots.claim_snapshot(now=world.now)
    assert mine is not None
    assert snapshots.claim_snapshot(now=world.now) is None
    snapshots.expire_snapshots(now=world.now + 2 * MINUTE)
    snapshots.take(mine, engine=world.engine, clock=lambda: world.now)
    assert states() == ["failed"]
    assert not mine.path.exists()


def test_what_a_killed_worker_left_is_cleared_away(world: World, intern: Any, internship: Any) -> None:
    world.run(intern)
    running = make_snapshot(world, internship, state="taking", token=2, deadline=world.now + MINUTE)
    kept = make_snapshot(world, internship)
    world.engine.hold(archives.labels_of("snapshot", running))
    running.token = 1
    world.engine.hold(archives.labels_of("snapshot", running))
    world.engine.hold(archives.labels_of("restoration", running))
    settle_archives(world.now, engine=world.engine)
    assert world.containers == 2
    stray = kept.path.with_name("9-1.part")
    stray.write_bytes(b"")
    archives.sweep(now=datetime.fromtimestamp(stray.stat().st_mtime).astimezone() + timedelta(hours=2))
    assert sorted(file.name for file in kept.path.parent.iterdir()) == [f"{kept.pk}.tar.gz"]


# --- Restoring -------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_unpacked_into_a_new_folder_once_no_notebook_is_open_and_the_next_waits_for_it(
    world: World, intern: Any, internship: Any
) -> None:
    world.run(intern)
    snapshot = make_snapshot(world, internship)
    restoration = restorations.ask_to_restore(intern, snapshot_id=snapshot.pk, now=world.now)
    world.tick()
    assert restoration.folder == "restored-2026-03-18"
    assert Restoration.objects.get().state == "waiting"

    services.stop_notebook(intern, now=world.now)
    world.makes_archives = False
    world.tick()
    again = world.open(intern, "ready")
    world.tick()
    again.refresh_from_db()
    assert again.state == "queued"

    world.archive()
    world.tick()
    again.refresh_from_db()
    restoration.refresh_from_db()
    assert (restoration.state, restoration.folder, again.state) == ("done", "restored-2026-03-18-2", "running")
    (spec,) = world.engine.started
    assert world.engine.given == [b"an archive"]
    assert (spec.network, [volume.read_only for volume in spec.volumes]) == (None, [False])
    assert "restored-2026-03-18" in spec.command
    assert Notice.objects.get(kind="snapshot.restored").subject.endswith("restored-2026-03-18-2")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (Script(exit=Exit(3, oom_killed=False, timed_out=False, seconds=1, peak_memory_bytes=None)), "no room"),
        (Script(runs_forever=True), "too long"),
        (Script(exit=Exit(1, oom_killed=False, timed_out=False, seconds=1, peak_memory_bytes=None)), "fault of ours"),
        (Script(stderr='{"folder": "../../etc"}'), ""),
    ],
)
def test_what_could_not_be_unpacked_is_said(
    world: World, intern: Any, internship: Any, script: Script, said: str
) -> None:
    world.run(intern)
    services.stop_notebook(intern, now=world.now)
    world.tick()
    world.engine.will("restoration", script)
    restorations.ask_to_restore(intern, snapshot_id=make_snapshot(world, internship).pk, now=world.now)
    world.archive()
    restoration = Restoration.objects.get()
    assert restoration.state == ("failed" if said else "done")
    assert restoration.folder == "restored-2026-03-18"
    assert said in restoration.message
    assert said in Notice.objects.get(kind="snapshot.restored").body


def test_an_engine_that_is_away_fails_what_was_begun_and_no_state_is_without_an_end(
    world: World, intern: Any, internship: Any
) -> None:
    world.run(intern)
    services.stop_notebook(intern, now=world.now)
    world.tick()
    snapshot = make_snapshot(world, internship)
    restorations.ask_to_restore(intern, snapshot_id=snapshot.pk, now=world.now)
    world.engine.is_away = True
    world.archive()
    assert Restoration.objects.get().state == "failed"
    restorations.ask_to_restore(intern, snapshot_id=snapshot.pk, now=world.now)
    with pytest.raises(EngineUnavailable):
        settle_archives(world.now + timedelta(hours=25), engine=world.engine)
    assert "open for a day" in Restoration.objects.first().message  # type: ignore[union-attr]
    assert not restorations.hold_up(intern, now=world.now + timedelta(hours=25))


def test_one_at_a_time_of_what_is_there_and_ones_own(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any, mentor: Any
) -> None:
    world.run(intern)
    snapshot = make_snapshot(world, internship)
    for stranger in (peer, mentor):
        with pytest.raises(NotFound):
            restorations.ask_to_restore(stranger, snapshot_id=snapshot.pk, now=world.now)
    failed = make_snapshot(world, internship, state="failed")
    with pytest.raises(Conflict, match="holds no files"):
        restorations.ask_to_restore(intern, snapshot_id=failed.pk, now=world.now)
    restorations.ask_to_restore(intern, snapshot_id=snapshot.pk, now=world.now)
    with pytest.raises(Conflict, match="already"):
        restorations.ask_to_restore(intern, snapshot_id=snapshot.pk, now=world.now)


def test_without_an_engine_the_home_is_the_hubs_own_folder(
    world: World, intern: Any, internship: Any, settings: Any, tmp_path: Path
) -> None:
    settings.PRACTICUM_ENGINE = "local"
    home = settings.PRACTICUM_DATA_DIR / "hub" / "workspaces" / "ines"
    home.mkdir(parents=True)
    (home / "mine").write_text("kept")
    session = world.run(intern)
    world.makes_archives = False
    ask_back(world, session, within=timedelta(0))
    world.tick()
    engine = LocalEngine(python=sys.executable, state_dir=tmp_path / "engine")
    assert claim_and_snapshot(world.now, engine=engine, clock=lambda: world.now)
    snapshot = Snapshot.objects.get()
    assert (snapshot.state, snapshot.message, snapshot.files) == ("kept", "", 1)
    world.tick()
    restorations.ask_to_restore(intern, snapshot_id=snapshot.pk, now=world.now)
    assert claim_and_restore(world.now, engine=engine, clock=lambda: world.now)
    assert (home / Restoration.objects.get().folder / "mine").read_text() == "kept"


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_the_page_lists_snapshots_with_what_can_be_done(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any, client_of: Any
) -> None:
    world.run(intern)
    snapshot = make_snapshot(world, internship)
    failed = make_snapshot(world, internship, state="failed", message="There was no time.")
    client = client_of(intern)
    assert reverse("workspaces:snapshots") in client.get(reverse("workspaces:notebook")).content.decode()
    page = client.get(reverse("workspaces:snapshots")).content.decode()
    assert NEEDED in page
    assert "There was no time." in page
    assert reverse("workspaces:snapshot_archive", args=[snapshot.pk]) in page
    assert reverse("workspaces:restore", args=[failed.pk]) not in page
    assert "No snapshot yet" in client_of(peer).get(reverse("workspaces:snapshots")).content.decode()

    answer = client.post(reverse("workspaces:restore", args=[snapshot.pk]), follow=True).content.decode()
    assert "as soon as your notebook is stopped" in answer
    assert reverse("workspaces:restore", args=[snapshot.pk]) not in answer


def test_an_archive_is_a_download_and_nothing_else_and_only_its_owners(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any, mentor: Any, client_of: Any
) -> None:
    world.run(intern)
    snapshot = make_snapshot(world, internship)
    address = reverse("workspaces:snapshot_archive", args=[snapshot.pk])
    answer = client_of(intern).get(address)
    assert b"".join(answer.streaming_content) == b"an archive"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{snapshot.name}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert {client_of(other).get(address).status_code for other in (peer, mentor)} == {404}
    snapshot.path.unlink()
    assert client_of(intern).get(address).status_code == 404


def test_the_audit_says_who_asked_and_what_became_of_it(world: World, intern: Any, internship: Any) -> None:
    world.run(intern)
    services.stop_notebook(intern, now=world.now)
    world.tick()
    restorations.ask_to_restore(intern, snapshot_id=make_snapshot(world, internship).pk, now=world.now)
    world.archive()
    rows = Record.objects.filter(verb__startswith="restoration").order_by("pk")
    assert [(row.verb, row.actor) for row in rows] == [("restoration.asked", intern), ("restoration.done", None)]
    assert json.loads(json.dumps(rows[1].facts))["folder"] == "restored-2026-03-18-2"
