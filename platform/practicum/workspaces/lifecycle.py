"""The moves of a session, each one conditional UPDATE together with its lease's, its event and its record.

::

    queued ──▶ starting ──▶ running ──▶ stopping ──▶ stopped
                  └──▶ failed                (its lease is released only then)

Order inside a transaction: the leases first, two of them in the order of their ids, then the session, so that no two of
these wait for each other. A move that finds the row elsewhere raises :class:`Stale` and changes nothing.

A session that ends with a place in line hands it on to a new session, and only once nothing of it is left: a person has
one server at the hub, and one volume.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Stale
from practicum.gpus import services as leases
from practicum.gpus.models import LIVE_STATES, Lease, LeaseState, Pool, Purpose
from practicum.gpus.selectors import free_cpu_pool
from practicum.internships.models import Internship
from practicum.workspaces import rules, telling
from practicum.workspaces.models import OPEN_SESSION_STATES, Session, SessionEvent, SessionState
from practicum.workspaces.tokens import revoke_tokens

WAIT_AT_MOST = timedelta(hours=12)
START_WITHIN = timedelta(minutes=5)
IN_HAND_FOR = timedelta(seconds=15)  # a worker that is alive says so twice a second
STOP_WITHIN = timedelta(minutes=2)
REASON_LENGTH = 300
MOVING = "It moves to a GPU, with the same files."
PLACE_KEPT = "You keep your place in line for a GPU."
GPU_LOST = "The GPU was taken back before your notebook got there: it goes on on a CPU slot, with the same files"
BEFORE_STOPPING = (SessionState.QUEUED, SessionState.STARTING, SessionState.RUNNING)


def move(session: Session, *, states: Iterable[SessionState], changes: dict[str, Any], **guards: Any) -> None:
    """Change the session if it is in one of ``states`` and as ``guards`` say.

    ``guards`` name columns of the session itself: on PostgreSQL a condition that is reached through a join is not
    looked at again after waiting for another writer.

    Raises:
        Stale: it is not.
    """
    rows = Session.objects.filter(pk=session.pk, state__in=list(states), **guards)
    if not rows.update(**changes):
        raise Stale("Somebody else has moved this session on.")
    session.refresh_from_db(fields=list(changes))


def note(session: Session, *, state: str, message: str, now: datetime) -> None:
    """Add a line to the session's timeline."""
    SessionEvent.objects.create(session=session, at=now, state=state, message=message[:REASON_LENGTH])


@transaction.atomic
def enter_line(
    user: User,
    internship: Internship,
    *,
    pool: Pool | None,
    message: str,
    now: datetime,
    purpose: Purpose = Purpose.SESSION,
) -> Session:
    """A new session in line for a slot; ``message`` begins its timeline.

    Raises:
        Conflict: the user has a notebook, or waits for one, already.
    """
    hours = timedelta(hours=internship.cohort.session_hours)
    lease = leases.request_lease(user, cohort=internship.cohort, purpose=purpose, duration=hours, now=now, pool=pool)
    session = Session.objects.create(
        user=user, internship=internship, lease=lease, requested_at=now, deadline=now + WAIT_AT_MOST
    )
    note(session, state="queued", message=message, now=now)
    record("session.requested", subject=session, actor=user, now=now)
    return session


@transaction.atomic
def call(session: Session, *, take_by: datetime, now: datetime) -> None:
    """It is the person's turn: they are told, and the slot is kept for them until ``take_by``.

    Raises:
        Stale: somebody else told them, or it is not in line any more.
    """
    move(session, states=[SessionState.QUEUED], changes={"deadline": take_by}, deadline=session.deadline)
    note(session, state="turn", message="It is your turn: a slot is kept for you", now=now)
    record("session.called", subject=session, actor=None, now=now, take_by=take_by.isoformat())
    telling.turn(session, take_by=take_by, now=now)


@transaction.atomic
def begin_attempt(session: Session, *, now: datetime) -> None:
    """The hub is about to be asked to start it; counts the attempt. Only one caller gets to.

    Raises:
        Stale: somebody else began this attempt, or the session is no longer to be started.
    """
    changes: dict[str, Any] = {
        "state": SessionState.STARTING,
        "attempts": session.attempts + 1,
        "in_hand_at": now,
        "deadline": min(now + START_WITHIN, (session.started_at or now) + rules.MOST_ATTEMPTS * START_WITHIN),
    }
    if session.started_at is None:
        changes["started_at"] = now
    if not Lease.objects.filter(pk=session.lease_id, state=LeaseState.GRANTED).exists():
        raise Stale("The lease of this session is not there to start on.")
    move(session, states=[SessionState.QUEUED, SessionState.STARTING], changes=changes, attempts=session.attempts)
    slot = session.lease.slot
    message = f"Starting on {slot}" if session.attempts == 1 else f"Trying again (attempt {session.attempts})"
    # An attempt that was taken back and is made again is the same one.
    if not session.events.filter(state="starting", message=message).exists():
        note(session, state="starting", message=message, now=now)


def is_in_hand(session: Session, *, now: datetime) -> bool:
    """A worker that lives is about to ask the hub: that the hub knows nothing of it says nothing yet."""
    # A moment that lies ahead is from before a clock was set back.
    return session.in_hand_at is not None and abs(now - session.in_hand_at) < IN_HAND_FOR


def keep_in_hand(sessions: Iterable[uuid.UUID], *, now: datetime) -> None:
    """Whoever starts these is still alive."""
    Session.objects.filter(pk__in=list(sessions), in_hand_at__isnull=False).update(in_hand_at=now)


def let_go(session: Session, *, attempt: int) -> None:
    """The hub was asked, or could not be: from now on what it says of this attempt counts."""
    Session.objects.filter(pk=session.pk, attempts=attempt).update(in_hand_at=None)


def take_back_attempt(session: Session, *, reason: str = "") -> None:
    """The hub could not even try, which is no fault of this notebook: it does not count. The deadline stays.

    ``reason``: what is waited for, for the person.

    Raises:
        Stale: it is not being started any more.
    """
    changes: dict[str, Any] = {"attempts": session.attempts - 1, "in_hand_at": None}
    if reason:
        changes["reason"] = reason[:REASON_LENGTH]
    move(session, states=[SessionState.STARTING], changes=changes, attempts=session.attempts)


@transaction.atomic
def put_back(session: Session, *, now: datetime) -> None:
    """The server of its slot is away and nothing was started there: it keeps its place in line for another slot.

    Raises:
        Stale: somebody claimed it, or it is not in line any more.
    """
    leases.put_back(session.lease_id, token=session.lease.token, now=now)
    changes: dict[str, Any] = {"deadline": session.requested_at + WAIT_AT_MOST}
    move(session, states=[SessionState.QUEUED], changes=changes)
    note(session, state="queued", message="The server of its slot does not answer: in line for another slot", now=now)


@transaction.atomic
def mark_ready(session: Session, *, token: int, now: datetime) -> None:
    """JupyterLab answers.

    Raises:
        Stale: the lease has a newer token, or the session is not starting any more.
    """
    leases.activate_lease(session.lease_id, token=token, now=now)
    lease = Lease.objects.get(pk=session.lease_id)
    changes = {
        "state": SessionState.RUNNING,
        "ready_at": now,
        "active_at": now,
        "stop_at": None,
        "deadline": lease.lease_until,
        "reason": "",
    }
    move(session, states=[SessionState.STARTING], changes=changes)
    note(session, state="ready", message="JupyterLab is ready", now=now)
    record("session.ready", subject=session, actor=None, now=now, attempts=session.attempts)
    telling.ready(session, now=now)


@transaction.atomic
def fail(session: Session, *, reason: str, now: datetime) -> None:
    """It could not be started. Its lease goes back once no container is left.

    Raises:
        Stale: it is not starting any more.
    """
    lock_leases(session)
    _end_lease(session, reason=reason, actor=None, now=now)
    changes = {"state": SessionState.FAILED, "stopped_at": now, "reason": reason[:REASON_LENGTH]}
    move(session, states=[SessionState.STARTING], changes=changes)
    revoke_tokens(session, now=now)
    note(session, state="failed", message=reason, now=now)
    record("session.failed", subject=session, actor=None, now=now, reason=reason)


def announce(session: Session, *, stop_at: datetime, now: datetime) -> None:
    """Tell the intern that it stops at ``stop_at``.

    Raises:
        Stale: it is not running any more, or was active since we looked.
    """
    guards = {"active_at": session.active_at, "stop_at": session.stop_at}
    is_first = session.stop_at is None
    move(session, states=[SessionState.RUNNING], changes={"stop_at": stop_at}, **guards)
    if is_first:
        minutes = max(1, round((stop_at - now).total_seconds() / 60))
        note(session, state="warned", message=f"Announced: it stops in {minutes} min", now=now)


def withdraw(session: Session, *, now: datetime) -> None:
    """Something ran: the announced end is off.

    Raises:
        Stale: it is not running any more.
    """
    move(session, states=[SessionState.RUNNING], changes={"stop_at": None})
    note(session, state="ready", message="Something ran again: it goes on", now=now)


@transaction.atomic
def begin_stop(session: Session, *, reason: str, actor: User | None, now: datetime, **guards: Any) -> None:
    """It is to end: in line, it leaves the line and is stopped; else it is stopping until its container is gone.

    Raises:
        Stale: it is stopping or has ended already, or is not as ``guards`` say.
    """
    telling.stopping(session, reason=reason, actor=actor, now=now)
    lock_leases(session)
    _end_lease(session, reason=reason, actor=actor, now=now)
    changes: dict[str, Any] = {"reason": reason[:REASON_LENGTH], "stop_at": None}
    if Lease.objects.filter(pk=session.lease_id, state__in=LIVE_STATES).exists():
        changes |= {"state": SessionState.STOPPING, "deadline": now + STOP_WITHIN}
    else:
        changes |= {"state": SessionState.STOPPED, "stopped_at": now}
    move(session, states=BEFORE_STOPPING, changes=changes, **guards)
    note(session, state=session.state, message=reason, now=now)
    record("session.stopping", subject=session, actor=actor, now=now, reason=reason)
    if session.state == SessionState.STOPPED:
        _hand_on(session, now=now)


@transaction.atomic
def finish(session: Session, *, token: int, observed_gone: bool, now: datetime) -> None:
    """Nothing of it is left: the slot is free, the session is over (a failed one stays failed).

    Raises:
        Conflict: nobody has seen its container gone.
        Stale: the lease was released already, or has a newer token.
    """
    lock_leases(session)
    leases.release_lease(session.lease_id, token=token, observed_gone=observed_gone, now=now)
    close(session, now=now)


@transaction.atomic
def close(session: Session, *, now: datetime) -> None:
    """Its lease is closed: an open session is stopped, one that ended stays as it is; its place in line is handed on."""
    lock_leases(session)
    revoke_tokens(session, now=now)
    rows = Session.objects.filter(pk=session.pk, state__in=OPEN_SESSION_STATES)
    if rows.update(state=SessionState.STOPPED, stopped_at=now, stop_at=None):
        session.refresh_from_db()
        note(session, state="stopped", message="Stopped; your files are kept", now=now)
        record("session.stopped", subject=session, actor=None, now=now, reason=session.reason)
    _hand_on(session, now=now)


@transaction.atomic
def end_all(*, reason: str, now: datetime) -> int:
    """Every open session is over, and every place in line left, for ``reason``: nothing runs, as the caller has seen.

    Returns how many. A session that would follow one of them is ended too.
    """
    ended = 0
    while (session := Session.objects.filter(state__in=OPEN_SESSION_STATES).first()) is not None:
        for lease in filter(None, (session.next_lease_id, session.lease_id)):
            with suppress(Conflict):
                leases.end_lease(lease, reason=reason[:REASON_LENGTH], actor=None, now=now)
        session = Session.objects.select_related("lease", "next_lease", "user").get(pk=session.pk)
        if session.state in BEFORE_STOPPING:
            begin_stop(session, reason=reason, actor=None, now=now)
        if session.state == SessionState.STOPPING and session.lease.is_live:
            finish(session, token=session.lease.token, observed_gone=True, now=now)
        elif session.state == SessionState.STOPPING:
            close(session, now=now)
        ended += 1
    return ended


def lock_leases(session: Session) -> None:
    """Nobody else moves the session's two leases in this transaction. One lease alone needs no lock."""
    next_lease = Session.objects.filter(pk=session.pk).values_list("next_lease", flat=True).first()
    if next_lease is not None:
        list(Lease.objects.filter(pk__in=[session.lease_id, next_lease]).select_for_update().order_by("pk"))


def _hand_on(session: Session, *, now: datetime) -> None:
    """What an ended session leaves: its place in line, in a new session; or a CPU slot, where its GPU was lost on the way."""
    row = Session.objects.exclude(state__in=OPEN_SESSION_STATES).filter(pk=session.pk)
    row = row.filter(Q(next_lease__isnull=False) | Q(moves_at__isnull=False))
    left = row.select_related("next_lease", "user", "internship__cohort").first()
    if left is None:
        return
    row.update(next_lease=None, take_by=None, moves_at=None)
    if left.next_lease is not None and left.next_lease.state in (LeaseState.QUEUED, LeaseState.GRANTED):
        _follow(left, left.next_lease, now=now)
    elif left.moves_at is not None and (pool := free_cpu_pool()) is not None:
        enter_line(left.user, left.internship, pool=pool, message=GPU_LOST, now=now, purpose=Purpose.MEANWHILE)


def _follow(left: Session, lease: Lease, *, now: datetime) -> None:
    """A new session on the place that ``left`` kept; whose turn was taken has it taken."""
    session = Session.objects.create(
        user=left.user,
        internship=left.internship,
        lease=lease,
        requested_at=now,
        deadline=left.take_by or lease.requested_at + WAIT_AT_MOST,
        taken_at=now if left.moves_at is not None else None,
    )
    message = MOVING if left.moves_at is not None else f"{left.reason} {PLACE_KEPT}"
    note(session, state="queued", message=message, now=now)
    record("session.followed", subject=session, actor=None, now=now, before=str(left.pk))


def _end_lease(session: Session, *, reason: str, actor: User | None, now: datetime) -> None:
    try:
        leases.end_lease(session.lease_id, reason=reason[:REASON_LENGTH], actor=actor, now=now)
    except Conflict:
        # An admin took it out of the line, or it was released: then only the session is left to end.
        return
