"""The place in line for a GPU that a session on a CPU slot keeps: each move one transaction.

::

    in line ──▶ kept ──▶ taken ──▶ handed on, when nothing of the session is left (lifecycle.close)
       └──────────┴────────────▶ given up: the session goes on on its CPU slot

A place is a lease like any other: the policy does not know that its person works meanwhile. Nothing is ever started on
it while it is a *next lease*, so there is nothing to clear away where it is given up.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Stale
from practicum.gpus import services as leases
from practicum.gpus.models import Lease, LeaseState, Pool, Purpose
from practicum.workspaces import lifecycle, telling
from practicum.workspaces.models import OPEN_SESSION_STATES, Session, SessionState

ON_CPU = (SessionState.STARTING, SessionState.RUNNING)


@transaction.atomic
def work_meanwhile(session: Session, *, cpu: Pool, gpu: Pool, now: datetime) -> None:
    """A session in line for a GPU goes to a CPU slot; its lease in line becomes its next one, for GPUs alone.

    Raises:
        Stale: it is not in line any more.
        Conflict: the CPU slot of an earlier session is still being cleared away.
    """
    place = session.lease_id
    leases.wait_for_pool(place, pool=gpu)
    lease = _ask(session, purpose=Purpose.MEANWHILE, pool=cpu, now=now)
    changes: dict[str, Any] = {"lease": lease, "next_lease": place, "deadline": now + lifecycle.WAIT_AT_MOST}
    lifecycle.move(session, states=[SessionState.QUEUED], changes=changes, lease=place)
    lifecycle.note(session, state="queued", message="On a CPU slot meanwhile; its place in line is kept", now=now)
    record("session.meanwhile", subject=session, actor=session.user, now=now)


@transaction.atomic
def join_line(session: Session, *, gpu: Pool, now: datetime) -> None:
    """A session on a CPU slot gets in line for a GPU.

    Raises:
        Stale: it has a place already, or does not run any more.
    """
    leases.keep_meanwhile(session.lease_id, token=session.lease.token)
    lease = _ask(session, purpose=Purpose.SESSION, pool=gpu, now=now)
    lifecycle.move(session, states=ON_CPU, changes={"next_lease": lease}, next_lease=None, moves_at=None)
    lifecycle.note(session, state="ready", message="In line for a GPU; it goes on on its CPU slot", now=now)
    record("session.in_line", subject=session, actor=session.user, now=now)


@transaction.atomic
def call(session: Session, *, take_by: datetime, now: datetime) -> None:
    """Its turn has come: its person is told, and the GPU is kept for them until ``take_by``.

    Raises:
        Stale: somebody else told them, or the place was given up.
    """
    guards = {"next_lease": session.next_lease_id, "take_by": session.take_by}
    lifecycle.move(session, states=OPEN_SESSION_STATES, changes={"take_by": take_by}, **guards)
    lifecycle.note(session, state="turn", message="It is your turn: a GPU is kept for you", now=now)
    record("session.called", subject=session, actor=None, now=now, take_by=take_by.isoformat())
    telling.next_turn(session, take_by=take_by, now=now)


@transaction.atomic
def take(session: Session, *, moves_at: datetime, now: datetime) -> None:
    """Its person takes the GPU that is kept: the session ends at ``moves_at`` and goes on there.

    Raises:
        Stale: it is not kept any more, or was taken already.
    """
    lifecycle.lock_leases(session)
    if not Lease.objects.filter(waiting_session=session.pk, state=LeaseState.GRANTED).exists():
        raise Stale("The GPU is not kept any more.")
    guards = {"next_lease": session.next_lease_id, "moves_at": None}
    lifecycle.move(session, states=OPEN_SESSION_STATES, changes={"moves_at": moves_at}, **guards)
    lifecycle.note(session, state="turn", message="You take the GPU: what is open is saved, then it moves", now=now)
    record("session.taken", subject=session, actor=session.user, now=now)


@transaction.atomic
def give_up(session: Session, *, reason: str, actor: User | None, now: datetime, **guards: Any) -> None:
    """The place is gone, or the GPU goes to the next in line; the session goes on as it is.

    Raises:
        Stale: it was given up or handed on already, or is not as ``guards`` say.
    """
    place = session.next_lease_id
    lifecycle.lock_leases(session)
    with suppress(Conflict):  # ended already: then only the session has to let go of it
        assert place is not None  # the caller saw one
        leases.end_lease(place, reason=reason[: lifecycle.REASON_LENGTH], actor=actor, now=now)
    changes: dict[str, Any] = {"next_lease": None, "take_by": None}
    if session.state != SessionState.STOPPING:
        # One that is stopping in order to move can't stay: it is given a CPU slot again when nothing of it is left.
        changes["moves_at"] = None
    lifecycle.move(session, states=[SessionState(session.state)], changes=changes, next_lease=place, **guards)
    lifecycle.note(session, state="left", message=reason, now=now)
    record("session.left_line", subject=session, actor=actor, now=now, reason=reason)
    telling.place_lost(session, place=place, reason=reason, actor=actor, now=now)


def _ask(session: Session, *, purpose: Purpose, pool: Pool, now: datetime) -> Lease:
    cohort = session.internship.cohort
    hours = timedelta(hours=cohort.session_hours)
    return leases.request_lease(session.user, cohort=cohort, purpose=purpose, duration=hours, now=now, pool=pool)
