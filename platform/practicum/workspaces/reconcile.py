"""Every 30 s, and when the worker starts: hold rows, the hub's servers and the engines' containers against one another.

A server whose engine does not answer says nothing about its containers: they count as running, and it is given to nobody
until it was looked at again. The order makes it safe beside everything else that runs: the engines are listed first, all
at once and for a bounded time, rows are read afterwards. A claim
raises the lease's token before its container is made, so a container whose token is older than its lease's, or whose
lease is not live, belongs to nobody; one that was made meanwhile is not in the list. A running session was ready before
the list was made, so a container it has is in it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from practicum.audit.services import record
from practicum.engine.base import HERE, LABEL_LEASE, LABEL_TOKEN, Container, Engine
from practicum.engine.nodes import Survey, ask_all
from practicum.errors import Conflict, EngineError, Stale
from practicum.gpus import servers
from practicum.gpus import services as leases
from practicum.gpus.models import LIVE_STATES, NOTEBOOKS, Lease, LeaseState
from practicum.gpus.selectors import draining_leases
from practicum.workspaces import lifecycle, lost
from practicum.workspaces.clearing import clear_away, end_containers, session_labels
from practicum.workspaces.hub import Hub
from practicum.workspaces.models import OPEN_SESSION_STATES, Session, SessionState
from practicum.workspaces.selectors import open_sessions, unfinished_sessions

log = logging.getLogger("practicum.sessions")

VANISHED = "The notebook's container is gone; an admin can see why in the engine's log. Your files are kept."
FORGOTTEN = "The notebook hub lost this notebook. Your files are kept."
NO_SESSION = "No session belongs to it."


def reconcile(now: datetime, *, hub: Hub, engine: Engine) -> int:
    """Repair what disagrees; returns how many repairs were made. ``now`` is the moment before anything is looked at.

    Raises:
        HubUnavailable, EngineError: the hub, or this machine's engine, can't be asked; nothing that rests on its word was done.
    """
    survey = ask_all(engine, lambda one: one.list(session_labels()))
    note_silent(survey, now=now)
    repairs = 0
    for server, containers in survey.answers.items():
        try:
            repairs += _end_orphans(containers, now=now, engine=engine.at(server))
        except EngineError as fault:
            survey.silent[server] = fault
            continue
        _note_containers(containers)
    present = [container for server in survey.answers for container in survey.answers[server]]
    repairs += _close_unfinished(now=now)
    repairs += _drain_leases_without_session(now=now)
    survey.check()
    repairs += _end_vanished(present, survey=survey, now=now, hub=hub)
    repairs += _clear_draining(survey, now=now, hub=hub, engine=engine)
    for server in survey.answers.keys() - survey.silent.keys() - {HERE}:
        if servers.note_back(server, now=now):
            lost.tell_back(server, now=now)
    return repairs


def note_silent(survey: Survey[Sequence[Container]], *, now: datetime) -> None:
    """Servers that do not answer get nothing new, and who works there is told."""
    for server in survey.silent.keys() - {HERE}:
        if servers.note_away(server, now=now):
            log.warning("the engine of %s does not answer: what runs there counts as running", server)
            lost.tell_away(server, now=now)


def _end_orphans(containers: Sequence[Container], *, now: datetime, engine: Engine) -> int:
    """End containers that no lease pays for: not live any more, claimed again since, or drained and overdue."""
    ids = {lease_id for container in containers if (lease_id := _lease_id(container)) is not None}
    rows: dict[UUID | None, Lease] = {
        lease.pk: lease for lease in Lease.objects.filter(pk__in=ids).select_related("session")
    }
    orphans = [c for c in containers if _is_orphan(c, rows.get(_lease_id(c)), now=now)]
    for container in orphans:
        log.warning("container %s of lease %s is an orphan: ended", container.id[:12], _lease_id(container))
        end_containers([container], engine=engine)
        lease = rows.get(_lease_id(container))
        if lease is not None:
            record("container.removed", subject=lease, actor=None, now=now, container=container.id[:12])
    return len(orphans)


def _is_orphan(container: Container, lease: Lease | None, *, now: datetime) -> bool:
    if lease is None or lease.state not in LIVE_STATES:
        return True
    token = container.labels.get(LABEL_TOKEN, "")
    if not token.isdecimal() or int(token) < lease.token:
        return True
    session = getattr(lease, "session", None)
    return lease.state == LeaseState.DRAINING and session is not None and now >= session.deadline


def _lease_id(container: Container) -> UUID | None:
    with suppress(ValueError):
        return UUID(container.labels.get(LABEL_LEASE, ""))
    return None


def _note_containers(containers: Iterable[Container]) -> None:
    """Write down which container each lease runs in: what an agent sees it do is counted for that lease."""
    for container in containers:
        lease_id, token = _lease_id(container), container.labels.get(LABEL_TOKEN, "")
        if lease_id is not None and token.isdecimal():
            leases.note_container(lease_id, token=int(token), container=container.id)


def _end_vanished(
    containers: Iterable[Container], *, survey: Survey[Sequence[Container]], now: datetime, hub: Hub
) -> int:
    """Stop running sessions whose container is gone, or that the hub does not know any more."""
    present = {_lease_id(container) for container in containers}
    ended = 0
    for session in open_sessions():
        if session.state != SessionState.RUNNING or session.ready_at is None or session.ready_at > now:
            continue
        if survey.is_silent(session.lease.server_name):
            continue
        reason = VANISHED if session.lease_id not in present else None
        if reason is None and hub.server(session.user.username) is None:
            reason = FORGOTTEN
        if reason is not None:
            with suppress(Stale):
                lifecycle.begin_stop(session, reason=reason, actor=None, now=now)
                ended += 1
    return ended


def _close_unfinished(*, now: datetime) -> int:
    """Hand on the place in line of a session that ended while nobody could."""
    rows = unfinished_sessions()
    for session in rows:
        with suppress(Conflict, Stale):
            lifecycle.close(session, now=now)
    return len(rows)


def _drain_leases_without_session(*, now: datetime) -> int:
    """A notebook's lease whose session has ended, or never was, and that is nobody's place, is not needed by anybody."""
    needed = Session.objects.filter(state__in=OPEN_SESSION_STATES).values("lease_id")
    kept = Session.objects.filter(next_lease__isnull=False).values("next_lease_id")
    rows = Lease.objects.filter(
        purpose__in=NOTEBOOKS, state__in=[LeaseState.QUEUED, LeaseState.GRANTED, LeaseState.ACTIVE]
    ).exclude(Q(pk__in=needed) | Q(pk__in=kept))
    drained = 0
    for lease in rows:
        with suppress(Conflict, Stale):
            drained += leases.end_lease(lease.pk, reason=NO_SESSION, actor=None, now=now)
    return drained


def _clear_draining(survey: Survey[Sequence[Container]], *, now: datetime, hub: Hub, engine: Engine) -> int:
    cleared = 0
    for lease in draining_leases(NOTEBOOKS):
        if survey.is_silent(lease.server_name):
            continue
        with suppress(Stale):
            cleared += clear_away(lease, hub=hub, engine=engine, clock=lambda: now)
    return cleared
