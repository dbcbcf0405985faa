"""Questions about sessions. An intern sees their own; the launch page asks nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from practicum.accounts.models import User
from practicum.errors import NotFound
from practicum.gpus.idleness import KernelReport
from practicum.gpus.models import OPEN_STATES, LeaseState
from practicum.internships.models import Internship
from practicum.workspaces.models import OPEN_SESSION_STATES, Restoration, Session, SessionState, Snapshot, SnapshotState
from practicum.workspaces.rules import Turn, Watch


def _loaded() -> QuerySet[Session]:
    """Without the place in line for a GPU, which few have: three more tables make a query that is planned for milliseconds."""
    return Session.objects.select_related(
        "user", "internship__version__project", "internship__cohort", "lease__slot__server"
    )


def open_session_of(user: User) -> Session | None:
    """The intern's one open session, or None."""
    return _loaded().filter(user=user, state__in=OPEN_SESSION_STATES).first()


def latest_session_of(user: User) -> Session | None:
    """The open session, or else the last one."""
    return open_session_of(user) or _loaded().filter(user=user).order_by("-requested_at").first()


def past_sessions_of(user: User, *, limit: int = 8) -> list[Session]:
    """The intern's last sessions that ended, newest first."""
    rows = _loaded().filter(user=user).exclude(state__in=OPEN_SESSION_STATES)
    return list(rows.order_by("-requested_at")[:limit])


def sessions_of_internship(internship: Internship, *, limit: int = 20) -> list[Session]:
    """The sessions of an internship the caller may see (``internship_for`` is the gate), newest first."""
    return list(_loaded().filter(internship=internship).order_by("-requested_at")[:limit])


def open_sessions() -> list[Session]:
    """Every session that has not ended, the oldest first.

    The worker asks twice a second: the project, with all its texts, is left to the start, which alone needs it.
    """
    rows = Session.objects.select_related("user", "internship__cohort", "lease__slot__server")
    rows = rows.prefetch_related("next_lease__slot__server").filter(state__in=OPEN_SESSION_STATES)
    return list(rows.order_by("requested_at", "id"))


def watch_of(session: Session, *, now: datetime) -> Watch:
    """What the idle rule looks at."""
    return Watch(
        active_at=session.active_at or session.ready_at or now,
        reported_at=session.lease.heartbeat,
        lease_until=session.lease.lease_until or now,
        idle_after=timedelta(minutes=session.internship.cohort.idle_minutes),
        stop_at=session.stop_at,
        reclaim_at=session.lease.reclaim_at,
        reclaim_reason=session.lease.reason,
    )


def turn_of(session: Session) -> Turn | None:
    """The slot that was given to a session in line; None while it waits."""
    granted_at = session.lease.granted_at
    if session.state != SessionState.QUEUED or session.lease.state != LeaseState.GRANTED or granted_at is None:
        return None
    return Turn(requested_at=session.lease.requested_at, granted_at=granted_at, taken_at=session.taken_at)


def next_turn_of(session: Session) -> Turn | None:
    """The GPU that was given to a session on a CPU slot; None while it waits, or has no place in line.

    Its intern works: however short they waited, nothing is moved before they say so.
    """
    lease = session.next_lease
    if lease is None or lease.state != LeaseState.GRANTED or lease.granted_at is None:
        return None
    return Turn(requested_at=lease.requested_at, granted_at=lease.granted_at, taken_at=session.moves_at)


def unfinished_sessions() -> list[Session]:
    """Sessions that ended, with their lease, and whose place in line was not handed on: a program died there."""
    ended = _loaded().exclude(state__in=OPEN_SESSION_STATES).exclude(lease__state__in=OPEN_STATES)
    return list(ended.filter(next_lease__isnull=False))


def kernel_reports_of(session: Session, *, since: datetime) -> list[KernelReport]:
    """What its notebook said since then, the oldest first; before it the moment it was ready."""
    reports = session.reports.filter(at__gte=since).order_by("at")
    rows = reports.values_list("at", "busy_kernels", "cpu_seconds", "seconds")
    ready = [KernelReport(session.ready_at, 0, 0.0, 0.0)] if session.ready_at else []
    return ready + [KernelReport(*row) for row in rows]


def notebook_url(session: Session) -> str:
    """JupyterLab at the hub, opened at the project's first notebook."""
    slug = session.internship.version.project.slug
    return f"{settings.PRACTICUM_HUB_URL}/user/{session.user.username}/lab/tree/{slug}/start.ipynb"


def snapshots_of(user: User, *, limit: int = 50) -> list[Snapshot]:
    """The intern's snapshots, newest first, with the project they worked on. Only they see them: a home is private."""
    rows = Snapshot.objects.filter(internship__intern=user).select_related("internship__version__project")
    return list(rows.order_by("-asked_at", "-id")[:limit])


def snapshot_for(user: User, *, snapshot_id: int) -> Snapshot:
    """The snapshot, if it is the person's own.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    snapshot = Snapshot.objects.filter(pk=snapshot_id, internship__intern=user).first()
    if snapshot is None:
        raise NotFound
    return snapshot


def archive_for(user: User, *, snapshot_id: int) -> Snapshot:
    """The snapshot, if it is the person's own and its archive is there.

    Raises:
        NotFound: it is not theirs, or holds nothing.
    """
    snapshot = snapshot_for(user, snapshot_id=snapshot_id)
    if snapshot.state != SnapshotState.KEPT or not snapshot.path.is_file():
        raise NotFound
    return snapshot


def latest_restoration_of(user: User) -> Restoration | None:
    """What was asked for last, done or not."""
    return Restoration.objects.filter(user=user).select_related("snapshot").first()
