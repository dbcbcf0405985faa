"""A notebook from the request to the container observed gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from practicum.errors import Conflict, Forbidden, NotFound, Stale
from practicum.gpus import seen
from practicum.gpus import services as leases
from practicum.gpus.models import Lease, LeaseSample, Quota, Slot
from practicum.internships.models import Cohort
from practicum.workspaces import lifecycle, services
from practicum.workspaces.models import Session, WorkspaceToken
from tests.unit.workspaces.conftest import World, ends

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def messages(session: Session) -> list[str]:
    return list(session.events.values_list("message", flat=True))


def test_a_notebook_is_for_interns_in_an_active_internship(world: World, intern: Any, mentor: Any) -> None:
    for user in (intern, mentor):
        with pytest.raises(Conflict, match="no active internship"):
            services.open_notebook(user, now=world.now)


def test_asking_twice_gives_the_same_session(world: World, intern: Any, internship: Any) -> None:
    assert world.open(intern) == world.open(intern)


def test_from_the_request_to_a_running_notebook(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, "ready")
    assert ends(session) == ("queued", "queued")
    world.tick()
    assert ends(session) == ("running", "active")
    assert (session.attempts, session.ready_at, session.deadline) == (1, world.now, world.now + timedelta(hours=12))
    assert messages(session) == ["In line for a slot", "Starting on CPU slot 0", "JupyterLab is ready"]


def test_a_slow_start_is_followed_until_it_is_ready(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, "pending")
    world.tick()
    world.tick(after=SECOND)
    assert ends(session) == ("starting", "granted")
    world.hub.come_up(intern.username)
    world.tick(after=SECOND)
    assert ends(session) == ("running", "active")
    assert [verb for verb, _ in world.hub.calls].count("start") == 1


def test_a_claim_is_exactly_what_the_contract_says(
    world: World, intern: Any, internship: Any, version: Any, settings: Any
) -> None:
    session = world.open(intern, "pending")
    world.tick()
    grant, lease = world.grants[0], Lease.objects.get(pk=session.lease_id)
    token = grant["environment"].pop("PRACTICUM_TOKEN")
    assert len(token) > 40
    copies = [mount.pop("volume") for mount in grant["mounts"]]
    assert all(copy.startswith("practicum-practicum-files-") for copy in copies)
    assert len(set(copies)) == 2
    assert grant == {
        "session": str(session.id),
        "lease": {"id": str(lease.id), "token": 2, "until": (world.now + timedelta(hours=12)).isoformat()},
        "server": "alpha",
        "slot": {"kind": "cpu", "uuid": None, "label": "CPU slot 0"},
        "image": "practicum/workspace:test",
        "volume": f"practicum-{settings.PRACTICUM_INSTANCE}-home-ines",
        "volume_driver": "",
        "volume_options": {},
        "mounts": [
            {"source": str(version.folder / "project"), "target": "/opt/project", "read_only": True},
            {"source": str(version.folder / "public"), "target": "/data", "read_only": True},
        ],
        "environment": {
            "PRACTICUM_SITE_URL": settings.PRACTICUM_SITE_URL,
            "PRACTICUM_API_URL": settings.PRACTICUM_SITE_INTERNAL_URL,
            "PRACTICUM_PROJECT": "digits",
            "PRACTICUM_PROJECT_DIR": "/home/jovyan/digits",
            "PRACTICUM_DATA": "/data",
        },
        "limits": {"cpus": 2.0, "memory_bytes": 4 << 30, "pids": 1024, "shm_bytes": 1 << 30},
        "labels": {
            "org.practicum.managed": "1",
            "org.practicum.instance": "practicum",
            "org.practicum.kind": "session",
            "org.practicum.lease": str(lease.id),
            "org.practicum.token": "2",
        },
        "project_dir": str(version.folder / "project"),
    }


def test_no_mount_holds_a_projects_hidden_data(world: World, intern: Any, internship: Any, version: Any) -> None:
    world.open(intern, "pending")
    world.tick()
    hidden = version.folder / "private"
    sources = [Path(mount["source"]) for mount in world.grants[0]["mounts"]]
    assert sources
    assert not any(hidden.is_relative_to(source) or source.is_relative_to(hidden) for source in sources)


def test_there_is_nothing_to_claim_before_a_slot_is_granted(world: World, intern: Any, internship: Any) -> None:
    with pytest.raises(services.NoLease) as refusal:
        services.claim("ines", now=world.now)
    assert str(refusal.value.facts["url"]).endswith("/notebook/")
    world.open(intern)
    with pytest.raises(services.NoLease, match="in line"):
        services.claim("ines", now=world.now)


def test_a_running_or_stopping_notebook_cannot_be_claimed_again(world: World, intern: Any, internship: Any) -> None:
    world.run(intern)
    with pytest.raises(services.NoLease):
        services.claim("ines", now=world.now)
    services.stop_notebook(intern, now=world.now)
    with pytest.raises(services.NoLease):
        services.claim("ines", now=world.now)


def test_claims_of_unknown_or_deactivated_people_are_refused(world: World, intern: Any, internship: Any) -> None:
    with pytest.raises(NotFound):
        services.claim("nobody", now=world.now)
    type(intern).objects.update(is_active=False)
    with pytest.raises(Forbidden):
        services.claim("ines", now=world.now)


def test_a_second_claim_fences_off_the_first(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, "pending")
    world.tick()
    first = world.grants[0]["lease"]["token"]
    second = services.claim("ines", now=world.now)["lease"]["token"]
    assert second == first + 1
    with pytest.raises(Stale):
        services.record_event(session.pk, token=first, state="ready", message="", now=world.now)
    assert WorkspaceToken.objects.filter(revoked_at__isnull=True).count() == 1
    services.record_event(session.pk, token=second, state="ready", message="", now=world.now)
    assert ends(session) == ("running", "active")


def test_the_hubs_word_that_it_is_ready_is_enough_and_may_come_twice(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.open(intern, "pending")
    world.tick()
    for _ in range(2):
        services.record_event(session.pk, token=2, state="ready", message="", now=world.now)
    assert ends(session) == ("running", "active")
    assert messages(session).count("JupyterLab is ready") == 1


# --- Failing to start ------------------------------------------------------------------------------------------------


def test_a_start_is_tried_three_times_then_failed_with_the_reason(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, *["There is no such image."] * 4)
    for _ in range(4):
        world.tick(after=2 * SECOND)
    assert ends(session) == ("failed", "released")
    assert (session.attempts, session.reason) == (3, "There is no such image.")
    assert [verb for verb, _ in world.hub.calls].count("start") == 3


def test_the_second_try_may_succeed(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, "No space left.", "ready")
    world.tick()
    assert (*ends(session), session.reason) == ("starting", "granted", "No space left.")
    world.tick(after=2 * SECOND)
    assert (*ends(session), session.reason) == ("running", "active", "")
    assert "Trying again (attempt 2)" in messages(session)


def test_a_start_the_hub_says_failed_after_its_claim_is_tried_again(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, "pending", "ready")
    world.tick()
    world.hub.lose("ines")
    services.record_event(session.pk, token=2, state="failed", message="The server ended (1).", now=world.now)
    services.record_event(session.pk, token=2, state="failed", message="The server ended (1).", now=world.now)
    assert messages(session).count("The server ended (1).") == 1
    world.tick(after=2 * SECOND)
    assert ends(session) == ("running", "active")


def test_a_hub_that_is_away_costs_no_attempt(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, "ready")
    world.hub.is_away = True
    for _ in range(5):
        world.tick(after=2 * SECOND)
    assert (*ends(session), session.attempts) == ("starting", "granted", 0)
    world.hub.is_away = False
    world.tick(after=2 * SECOND)
    assert ends(session) == ("running", "active")


def test_a_site_that_does_not_answer_the_hub_costs_no_attempt_and_is_one_line(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.open(intern, "No space left.", *["unavailable"] * 6, "ready")
    for _ in range(7):
        world.tick(after=2 * SECOND)
    assert (*ends(session), session.attempts) == ("starting", "granted", 1)
    world.tick(after=2 * SECOND)
    assert (*ends(session), session.attempts) == ("running", "active", 2)
    assert messages(session).count("Trying again (attempt 2)") == 1


def test_a_site_that_never_answers_the_hub_ends_the_start_in_a_quarter_of_an_hour(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.open(intern, *["unavailable"] * 40)
    for _ in range(29):
        world.tick(after=30 * SECOND)
    assert ends(session) == ("starting", "granted")
    for _ in range(3):
        world.tick(after=30 * SECOND)
    assert ends(session)[0] == "failed"


def test_a_start_that_never_comes_up_fails_at_its_deadline_and_can_be_tried_again(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.open(intern, "pending")
    world.tick()
    world.tick(after=5 * MINUTE)
    assert ends(session)[0] == "failed"
    world.tick(after=SECOND)
    assert (*ends(session), world.containers) == ("failed", "released", 0)
    assert world.run(intern) != session


def test_while_the_last_container_is_cleared_away_the_person_is_told_to_wait(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.open(intern, *["No."] * 3)
    for _ in range(3):
        world.tick(after=2 * SECOND)
        world.hub.is_away = session.attempts == 2
        session.refresh_from_db()
    Lease.objects.filter(pk=session.lease_id).update(state="draining")
    with pytest.raises(Conflict, match="cleared away"):
        services.open_notebook(intern, now=world.now)


# --- Stopping --------------------------------------------------------------------------------------------------------


def test_who_is_in_line_may_leave_it(
    world: World, intern: Any, peer: Any, internship: Any, peer_internship: Any
) -> None:
    world.run(peer)
    session = world.open(intern)
    services.stop_notebook(intern, now=world.now)
    assert ends(session) == ("stopped", "cancelled")
    with pytest.raises(Conflict, match="no notebook open"):
        services.stop_notebook(intern, now=world.now)


def test_the_slot_is_given_back_only_when_the_container_is_gone(
    world: World, intern: Any, peer: Any, internship: Any, peer_internship: Any
) -> None:
    session = world.run(intern)
    waiting = world.open(peer, "ready")
    services.stop_notebook(intern, now=world.now)
    world.hub.stops_slowly = True
    for _ in range(3):
        world.tick(after=SECOND)
        assert ends(session) == ("stopping", "draining")
        assert ends(waiting) == ("queued", "queued")
    world.hub.servers.clear()
    world.engine.is_away = True
    world.tick(after=SECOND)
    assert ends(session) == ("stopping", "draining")
    world.engine.is_away = False
    world.tick(after=SECOND)
    assert (*ends(session), world.containers) == ("stopped", "released", 0)
    world.tick()
    assert ends(waiting) == ("running", "active")


def test_stopping_twice_is_one_stop(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    services.stop_notebook(intern, now=world.now)
    services.stop_notebook(intern, now=world.now)
    world.tick(after=SECOND)
    assert ends(session) == ("stopped", "released")
    assert messages(session)[-2:] == ["You stopped it.", "Stopped; your files are kept"]


def test_a_start_under_way_can_be_stopped(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, "pending")
    world.tick()
    services.stop_notebook(intern, now=world.now)
    world.tick(after=SECOND)
    assert (*ends(session), world.containers) == ("stopped", "released", 0)


def test_an_admin_who_ends_the_lease_ends_the_session(world: World, intern: Any, internship: Any, admin: Any) -> None:
    session = world.run(intern)
    leases.end_lease(session.lease_id, reason="An admin ended it.", actor=admin, now=world.now)
    world.tick()
    world.tick(after=SECOND)
    assert (*ends(session), session.reason) == ("stopped", "released", "An admin ended it.")


def test_an_admin_may_take_somebody_out_of_the_line(
    world: World, intern: Any, peer: Any, internship: Any, peer_internship: Any, admin: Any
) -> None:
    world.run(peer)
    session = world.open(intern)
    leases.end_lease(session.lease_id, reason="An admin ended it.", actor=admin, now=world.now)
    world.tick()
    assert (*ends(session), session.reason) == ("stopped", "cancelled", "An admin ended it.")


def test_a_session_ends_with_its_lease_after_a_warning(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    lease_until = session.lease.lease_until
    assert lease_until is not None
    world.tick(after=lease_until - world.now - 5 * MINUTE)
    session.refresh_from_db()
    assert session.stop_at == lease_until
    world.tick(after=5 * MINUTE)
    world.tick(after=SECOND)
    assert (*ends(session), session.reason) == ("stopped", "released", "Its time was up.")


def test_who_waits_too_long_is_told_so(
    world: World, intern: Any, peer: Any, internship: Any, peer_internship: Any
) -> None:
    world.run(peer)
    Lease.objects.filter(user=peer).update(lease_until=world.now + timedelta(days=3))
    session = world.open(intern)
    world.tick(after=timedelta(hours=12))
    assert ends(session) == ("stopped", "cancelled")
    assert "12 hours" in session.reason


def test_the_notebook_of_a_deactivated_account_is_stopped(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    type(intern).objects.filter(pk=intern.pk).update(is_active=False)
    world.tick()
    world.tick(after=SECOND)
    assert (*ends(session), session.reason) == ("stopped", "released", "The account was switched off.")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("ended", "The internship was ended. Its files are kept."),
        ("paused", "The internship is paused. Its files are kept."),
        ("completed", ""),
    ],
)
def test_the_notebook_of_an_internship_ended_early_or_paused_is_stopped_and_one_of_a_completed_goes_on(
    world: World, intern: Any, internship: Any, state: str, reason: str
) -> None:
    session = world.run(intern)
    type(internship).objects.filter(pk=internship.pk).update(state=state)
    world.tick()
    world.tick(after=SECOND)
    session.refresh_from_db()
    assert (session.state, session.reason) == ("stopped" if reason else "running", reason)


def test_while_an_internship_is_paused_no_notebook_opens(world: World, intern: Any, internship: Any) -> None:
    type(internship).objects.filter(pk=internship.pk).update(state="paused")

    with pytest.raises(Conflict, match="paused"):
        services.open_notebook(intern, now=world.now)


def test_a_notebook_that_ends_by_itself_is_closed(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    world.hub.stop("ines")
    services.record_event(session.pk, token=2, state="stopped", message="It used too much memory.", now=world.now)
    assert ends(session) == ("stopping", "draining")
    world.tick()
    assert (*ends(session), session.reason) == ("stopped", "released", "It used too much memory.")


def test_tokens_of_a_session_that_ended_open_nothing(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    services.stop_notebook(intern, now=world.now)
    world.tick()
    session.refresh_from_db()
    assert not session.tokens.filter(revoked_at__isnull=True).exists()


def test_a_session_moves_once_however_many_try(world: World, intern: Any, internship: Any) -> None:
    session = world.open(intern, "pending")
    world.tick()
    same = Session.objects.get(pk=session.pk)
    lifecycle.begin_stop(session, reason="x", actor=None, now=world.now)
    moves: list[Callable[[], None]] = [
        lambda: lifecycle.begin_stop(same, reason="y", actor=None, now=world.now),
        lambda: lifecycle.fail(same, reason="y", now=world.now),
        lambda: lifecycle.mark_ready(same, token=2, now=world.now),
        lambda: lifecycle.begin_attempt(same, now=world.now),
    ]
    for move in moves:
        with pytest.raises(Stale):
            move()
    assert (*ends(session), session.reason) == ("stopping", "draining", "x")


# --- Idleness --------------------------------------------------------------------------------------------------------


def stops_after_its_notice(world: World, session: Session) -> None:
    """It has just been told, runs until five minutes later, and then no more."""
    session.refresh_from_db()
    assert session.stop_at == world.now + 5 * MINUTE
    assert "unless something runs" in world.hear(session)["warning"]
    world.idle_for(session, 4)
    assert ends(session) == ("running", "active")
    world.tick(after=MINUTE)
    world.tick(after=SECOND)
    assert ends(session) == ("stopped", "released")


def test_an_idle_notebook_is_warned_five_minutes_before_and_then_stopped(
    world: World, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    world.idle_for(session, 39)
    assert ends(session) == ("running", "active")
    assert session.stop_at is None
    world.idle_for(session, 1)
    stops_after_its_notice(world, session)
    assert "45 minutes" in session.reason


def test_activity_withdraws_the_announcement(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    world.idle_for(session, 41)
    assert world.hear(session)["stop_at"] is not None
    answer = world.hear(session, busy_kernels=1)
    assert (answer["stop_at"], answer["warning"]) == (None, None)
    world.idle_for(session, 39)
    assert ends(session) == ("running", "active")


@pytest.fixture
def keeping(world: World, cohort: Any) -> Any:
    """The cohort has the slot guaranteed, and keeps idle notebooks until somebody waits; then those idle for 15 minutes go."""
    Cohort.objects.filter(pk=cohort.pk).update(idle_minutes=15, is_idle_kept=True)
    Quota.objects.create(cohort=cohort, pool=Slot.objects.get().pool, guaranteed=1)
    return cohort


def test_an_idle_notebook_that_is_in_nobodys_way_stays(
    world: World, keeping: Any, intern: Any, internship: Any
) -> None:
    session = world.run(intern)
    world.idle_for(session, 120)
    assert ends(session) == ("running", "active")
    assert world.hear(session)["stop_at"] is None


def test_once_somebody_waits_for_its_slot_notice_is_given_and_the_slot_is_theirs(
    world: World, keeping: Any, intern: Any, internship: Any, peer: Any, peer_internship: Any
) -> None:
    session = world.run(intern)
    world.idle_for(session, 60)
    waiting = world.open(peer, "ready")
    world.tick()
    stops_after_its_notice(world, session)
    world.tick(after=SECOND)
    assert Lease.objects.get(pk=waiting.lease_id).slot_id == session.lease.slot_id


def test_whether_somebody_could_have_the_slot_is_not_asked_at_every_look(
    world: World, keeping: Any, intern: Any, internship: Any, stranger: Any, stranger_internship: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    session = world.run(intern)
    pool = Slot.objects.get().pool
    Quota.objects.create(cohort=stranger_internship.cohort, pool=pool, guaranteed=0, borrowing_limit=0)
    world.open(stranger)
    world.idle_for(session, 60)
    looks: list[datetime] = []
    monkeypatch.setattr(seen, "wanted_of", lambda *_, **__: looks.append(world.now) or frozenset())
    for _ in range(20):
        world.tick(after=SECOND / 5)
    assert len(looks) == 2


def test_who_is_kept_out_of_the_slot_takes_nobody_elses(
    world: World, keeping: Any, intern: Any, internship: Any, stranger: Any, stranger_internship: Any
) -> None:
    session = world.run(intern)
    cohort = stranger_internship.cohort
    Quota.objects.create(cohort=cohort, pool=Slot.objects.get().pool, guaranteed=0, borrowing_limit=0)
    world.open(stranger)
    world.idle_for(session, 60)
    assert ends(session) == ("running", "active")
    assert session.stop_at is None


def test_the_notice_is_withdrawn_once_nobody_waits_any_more(
    world: World, keeping: Any, intern: Any, internship: Any, peer: Any, peer_internship: Any
) -> None:
    session = world.run(intern)
    world.idle_for(session, 60)
    world.open(peer)
    world.idle_for(session, 2)
    session.refresh_from_db()
    assert session.stop_at is not None

    services.stop_notebook(peer, now=world.now)
    world.idle_for(session, 60)

    session.refresh_from_db()
    assert (ends(session), session.stop_at) == (("running", "active"), None)


def test_who_was_busy_lately_is_told_no_sooner_than_anybody(
    world: World, keeping: Any, intern: Any, internship: Any, peer: Any, peer_internship: Any
) -> None:
    session = world.run(intern)
    world.open(peer)
    world.idle_for(session, 9)
    assert world.hear(session)["stop_at"] is None
    world.idle_for(session, 1)
    session.refresh_from_db()
    assert session.stop_at == world.now + 5 * MINUTE


def test_a_busy_notebook_is_never_stopped_for_idleness(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    for _ in range(60):
        world.now += MINUTE
        world.hear(session, cpu_seconds=30.0, seconds=60.0)
        world.tick()
    assert ends(session) == ("running", "active")


def test_a_notebook_whose_reports_stay_away_counts_as_busy(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    for _ in range(60):
        world.tick(after=MINUTE)
    assert ends(session) == ("running", "active")
    assert world.hear(session)["stop_at"] is None
    world.tick()
    assert session.stop_at is None


def test_a_gpu_in_use_counts_as_activity(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    Slot.objects.update(kind="gpu")
    for _ in range(60):
        world.now += MINUTE
        LeaseSample.objects.create(
            lease=session.lease, at=world.now, gpu_percent=12.0, memory_bytes=1 << 30, processes=1
        )
        world.hear(session)
        world.tick()
    assert ends(session) == ("running", "active")


def test_an_open_tab_that_holds_a_gpus_memory_is_idle(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    Slot.objects.update(kind="gpu")
    for _ in range(44):
        world.now += MINUTE
        LeaseSample.objects.create(
            lease=session.lease, at=world.now, gpu_percent=0.0, memory_bytes=40 << 30, processes=1
        )
        world.hear(session)
        world.tick()
    assert ends(session) == ("running", "active")
    world.tick(after=MINUTE)
    world.tick(after=SECOND)
    assert ends(session) == ("stopped", "released")


def test_a_gpu_nobody_looks_at_is_never_called_idle(world: World, intern: Any, internship: Any) -> None:
    session = world.run(intern)
    Slot.objects.update(kind="gpu")
    world.idle_for(session, 90)
    assert ends(session) == ("running", "active")


def test_activity_seen_between_looking_and_stopping_saves_the_notebook(
    world: World, intern: Any, internship: Any, now: datetime
) -> None:
    session = world.run(intern)
    Session.objects.filter(pk=session.pk).update(active_at=now + MINUTE)
    with pytest.raises(Stale):
        lifecycle.begin_stop(session, reason="idle", actor=None, now=now, active_at=session.active_at)
    assert ends(session) == ("running", "active")
