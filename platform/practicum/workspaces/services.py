"""What people, the hub and the notebooks themselves do with sessions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import localdate

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.engine.base import LABEL_INSTANCE, files_volume
from practicum.errors import Conflict, Forbidden, NotFound, Stale
from practicum.gpus import services as leases
from practicum.gpus import use
from practicum.gpus.idleness import looked_back
from practicum.gpus.models import LIVE_STATES, Lease, LeaseState
from practicum.gpus.selectors import cpu_pool
from practicum.internships.models import Internship
from practicum.internships.readiness_selectors import environment_of
from practicum.internships.selectors import active_internship_of
from practicum.workspaces import lifecycle, rules, selectors, turns
from practicum.workspaces.archives import HOME, home_volume
from practicum.workspaces.help_selectors import open_request_of
from practicum.workspaces.home_sizes import room_of
from practicum.workspaces.models import ActivityReport, Session, SessionState
from practicum.workspaces.selectors import open_session_of, watch_of
from practicum.workspaces.tokens import mint_token

REPORTS_KEPT = timedelta(hours=6)
IDLE_FROM = timedelta(minutes=1)
PIDS = 1024
SHM_BYTES = 1 << 30
LABEL = "org.practicum"
ATTEMPT_FAILED = "attempt_failed"
STOPPED_BY_INTERN = "You stopped it."


class NoLease(Conflict):
    """There is nothing this notebook could start on; ``url`` says where to ask for it."""

    code = "no_lease"


def open_notebook(user: User, *, now: datetime) -> Session:
    """Put the intern in line for a notebook; with one open already, that one. A readiness check takes no GPU where there
    are CPU slots.

    Raises:
        Conflict: no active internship, or the last notebook's container is still being cleared away.
    """
    session = open_session_of(user)
    if session is not None:
        return session
    internship = active_internship_of(user)
    if internship is None:
        raise Conflict("You have no active internship, or it is paused, so there is no notebook to open.")
    try:
        return _request(user, internship, now=now)
    except Conflict:
        # Either somebody (a second tab) was faster, or the old lease is still draining.
        session = open_session_of(user)
        if session is None:
            raise Conflict("Your last notebook is still being cleared away. Try again in a few seconds.") from None
        return session


def _request(user: User, internship: Internship, *, now: datetime) -> Session:
    pool = cpu_pool() if internship.is_check else None
    return lifecycle.enter_line(user, internship, pool=pool, message="In line for a slot", now=now)


@transaction.atomic
def take_turn(user: User, *, now: datetime, is_saved: bool = False) -> Session:
    """The intern is there and takes the slot that is kept for them; taken already, nothing changes.

    Who works on a CPU slot meanwhile moves. ``is_saved``: what they have open is saved, so nothing is waited for.

    Raises:
        Conflict: no slot is kept for them, or not any more.
    """
    session = open_session_of(user)
    if session is not None and session.next_lease is not None:
        return turns.move_to_gpu(session, is_saved=is_saved, now=now)
    turn = selectors.turn_of(session) if session is not None else None
    if session is None or turn is None or now >= turn.take_by:
        raise Conflict("No slot is kept for you now. Open your notebook to get in line.")
    if session.taken_at is None:
        lifecycle.move(session, states=[SessionState.QUEUED], changes={"taken_at": now})
        record("session.taken", subject=session, actor=user, now=now)
    return session


def stop_notebook(user: User, *, now: datetime) -> Session:
    """Ask the intern's open notebook to stop; stopping already, it stays as it is. A place in line for a GPU is kept.

    Raises:
        Conflict: none is open.
    """
    session = open_session_of(user)
    if session is None:
        raise Conflict("You have no notebook open.")
    if session.state != SessionState.STOPPING:
        try:
            lifecycle.begin_stop(session, reason=STOPPED_BY_INTERN, actor=user, now=now)
        except Stale:
            session.refresh_from_db()
    return session


@transaction.atomic
def claim(username: str, *, now: datetime) -> dict[str, Any]:
    """What the hub may start for this person now, by contract. A claim ends the claims before it (fencing).

    Raises:
        NotFound: no such account.
        Forbidden: the account is switched off.
        NoLease: nothing was granted to them, or their notebook has begun already.
    """
    user = User.objects.filter(username=username).first()
    if user is None:
        raise NotFound("There is no such account.")
    if not user.is_active:
        raise Forbidden("This account is switched off.")
    session = open_session_of(user)
    if session is None or session.state not in (SessionState.QUEUED, SessionState.STARTING):
        raise _no_lease("Open your notebook from the site: no slot is granted to you yet.")
    if session.lease.state != LeaseState.GRANTED:
        raise _no_lease("You are still in line for a slot.")
    try:
        token = leases.renew_token(session.lease_id, token=session.lease.token, now=now)
        changes = {"state": SessionState.STARTING, "started_at": session.started_at or now}
        lifecycle.move(session, states=[SessionState.QUEUED, SessionState.STARTING], changes=changes)
    except Stale as stale:
        raise _no_lease("Your session was ended meanwhile.") from stale
    lease = Lease.objects.select_related("slot__server").get(pk=session.lease_id)
    record("session.claimed", subject=session, actor=None, now=now, token=token)
    return grant_of(session, lease, pass_token=_mint(session, lease, now=now))


def _no_lease(message: str) -> NoLease:
    return NoLease(message, url=settings.PRACTICUM_SITE_URL + reverse("workspaces:notebook"))


def _mint(session: Session, lease: Lease, *, now: datetime) -> str:
    assert lease.lease_until is not None  # a live lease has an end, by constraint
    return mint_token(session, expires_at=lease.lease_until, now=now)


def grant_of(session: Session, lease: Lease, *, pass_token: str) -> dict[str, Any]:
    """The answer to a claim: exactly what the container gets, and nothing else."""
    version, slot = session.internship.version, lease.slot
    assert slot is not None  # a live lease has both, by constraint
    assert lease.lease_until is not None
    slug = version.project.slug
    project, public = version.folder / "project", version.folder / "public"
    instance = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE}
    return {
        "session": str(session.id),
        "lease": {"id": str(lease.id), "token": lease.token, "until": lease.lease_until.isoformat()},
        "server": slot.server.name,
        "slot": {"kind": slot.kind, "uuid": slot.uuid if slot.kind == "gpu" else None, "label": slot.label},
        "image": version.image,
        "volume": home_volume(session.user.username),
        "volume_driver": settings.PRACTICUM_VOLUME_DRIVER,
        "volume_options": settings.PRACTICUM_VOLUME_OPTIONS,
        "mounts": [
            {
                "source": str(folder),
                "volume": files_volume(folder, labels=instance),
                "target": target,
                "read_only": True,
            }
            for folder, target in ((project, "/opt/project"), (public, "/data"))
        ],
        "environment": {
            "PRACTICUM_SITE_URL": settings.PRACTICUM_SITE_URL,
            "PRACTICUM_API_URL": settings.PRACTICUM_SITE_INTERNAL_URL,
            "PRACTICUM_TOKEN": pass_token,
            "PRACTICUM_PROJECT": slug,
            "PRACTICUM_PROJECT_DIR": f"{HOME}/{slug}",
            "PRACTICUM_DATA": "/data",
            **environment_of(session.internship),
        },
        "limits": {
            "cpus": settings.PRACTICUM_WORKSPACE_CPUS,
            "memory_bytes": settings.PRACTICUM_WORKSPACE_MEMORY_BYTES,
            "pids": PIDS,
            "shm_bytes": SHM_BYTES,
        },
        "labels": {
            f"{LABEL}.managed": "1",
            f"{LABEL}.instance": settings.PRACTICUM_INSTANCE,
            f"{LABEL}.kind": "session",
            f"{LABEL}.lease": str(lease.id),
            f"{LABEL}.token": str(lease.token),
        },
        "project_dir": str(project),
    }


def record_event(session_id: UUID, *, token: int, state: str, message: str, now: datetime) -> None:
    """Take the hub's word on what became of a start. The same event twice changes nothing more.

    ``stopped`` only sets the end in motion: the slot is given back when we see for ourselves that nothing is left.

    Raises:
        NotFound: no such session.
        Stale: the token is not the lease's.
    """
    session = Session.objects.select_related("lease__slot", "user").filter(pk=session_id).first()
    if session is None:
        raise NotFound("There is no such session.")
    if session.lease.token != token:
        raise Stale("This session was claimed again since; this token is old.")
    if state == "ready" and session.state == SessionState.STARTING:
        lifecycle.mark_ready(session, token=token, now=now)
    elif state == "failed" and session.state == SessionState.STARTING:
        note_failure(session, message=message, now=now)
    elif state in ("stopped", "failed") and session.state in (SessionState.STARTING, SessionState.RUNNING):
        reason = message or "The notebook ended by itself."
        lifecycle.begin_stop(session, reason=reason, actor=None, now=now)
    elif state == "starting" and message and session.state == SessionState.STARTING:
        lifecycle.note(session, state="starting", message=message, now=now)


@transaction.atomic
def note_failure(session: Session, *, message: str, now: datetime) -> None:
    """An attempt to start it failed; whether to try again is the worker's to decide. Said twice, it is one line."""
    reason = (message or "The notebook could not be started.")[: lifecycle.REASON_LENGTH]
    lifecycle.move(session, states=[SessionState.STARTING], changes={"reason": reason})
    if not is_failure_noted(session):
        lifecycle.note(session, state=ATTEMPT_FAILED, message=reason, now=now)


def is_failure_noted(session: Session) -> bool:
    """The timeline says already that the present attempt failed."""
    return session.events.filter(state=ATTEMPT_FAILED).count() >= session.attempts


def report_activity(session: Session, *, report: rules.Report, now: datetime) -> dict[str, Any]:
    """Take a notebook's report; the answer says whether and when it is about to be stopped.

    Raises:
        Conflict: the session is not running.
    """
    if session.state not in (SessionState.STARTING, SessionState.RUNNING) or session.lease.state not in LIVE_STATES:
        raise Conflict("This session is being stopped.")
    active_at = _note_report(session, report=report, now=now)
    if session.active_at is None or active_at > session.active_at:
        changes = {"active_at": active_at, "stop_at": session.lease.reclaim_at}
        Session.objects.filter(pk=session.pk, state=SessionState.RUNNING).update(**changes)
        session.active_at, session.stop_at = active_at, session.lease.reclaim_at
    _note_commit(session, report=report, now=now)
    idle_since = active_at if now - active_at >= IDLE_FROM else None
    leases.touch_lease(session.lease_id, token=session.lease.token, now=now, idle_since=idle_since)
    session.lease.heartbeat = now
    return _outlook(session, now=now)


def _note_report(session: Session, *, report: rules.Report, now: datetime) -> datetime:
    """Keep the report; the last moment that counts as work by all that is known. What is not known counts as work."""
    ActivityReport.objects.filter(session=session, at__lt=now - REPORTS_KEPT).delete()
    ActivityReport.objects.create(
        session=session,
        at=now,
        busy_kernels=report.busy_kernels,
        cpu_seconds=report.cpu_seconds,
        seconds=report.seconds,
    )
    before = session.active_at or now
    if rules.has_executed(report, active_at=before, now=now):
        return now
    since = looked_back(before)
    reports = selectors.kernel_reports_of(session, since=since)
    activity = use.activity_of(
        session.lease, kernel_reports=reports, now=now, over=now - since, active_within=timedelta(0)
    )
    return now if activity.counts_as_busy else max(before, activity.since)


def _note_commit(session: Session, *, report: rules.Report, now: datetime) -> None:
    """Keep when the intern last committed. What is kept never goes back.

    What lies ahead of our clock is none, and what is older than the internship was made for another one.
    """
    at = report.committed_at
    if at is None or at > now or localdate(at) < session.internship.started_on:
        return
    is_later = Q(committed_at=None) | Q(committed_at__lt=at)
    Session.objects.filter(is_later, pk=session.pk).update(committed_at=at)


def _outlook(session: Session, *, now: datetime) -> dict[str, Any]:
    watch, room = watch_of(session, now=now), room_of(session.user)
    return {
        "stop_at": watch.stop_at.isoformat() if watch.stop_at else None,
        "warning": rules.warning(watch, now=now) or (room and room.warning),
        "lease_until": watch.lease_until.isoformat(),
        "is_help_open": open_request_of(session, now=now) is not None,
    }
