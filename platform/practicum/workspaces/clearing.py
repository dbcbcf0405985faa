"""Clearing away what is left of a session whose lease drains. Only from here is a slot given back.

A slot is free when both say that nothing is left: the hub (which could otherwise be about to make a container) and,
asked after it, the engine. If one of them does not answer, the slot is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction

from practicum.engine.base import LABEL_INSTANCE, LABEL_KIND, LABEL_LEASE, Container, Engine
from practicum.gpus import services as leases
from practicum.gpus.models import Lease, PoolKind
from practicum.gpus.reclaiming import BOOKED, OWNERS_NEED_IT
from practicum.gpus.selectors import free_cpu_pool
from practicum.internships.models import InternshipState
from practicum.workspaces import lifecycle, snapshots
from practicum.workspaces.hub import Hub
from practicum.workspaces.leaving import may_have_server
from practicum.workspaces.models import Session

SESSION_KIND = "session"
ON_A_CPU = "Your GPU was needed by its owners: it goes on on a CPU slot, with the same files"


def session_labels(**more: str) -> dict[str, str]:
    """Labels every notebook container of this installation carries."""
    return {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: SESSION_KIND, **more}


def containers_of(lease: Lease, *, engine: Engine) -> Sequence[Container]:
    """What the engine of its server has of this lease, running or not."""
    return engine.at(lease.server_name).list(session_labels(**{LABEL_LEASE: str(lease.pk)}))


def clear_away(lease: Lease, *, hub: Hub, engine: Engine, clock: Callable[[], datetime]) -> bool:
    """End what is left of a draining lease's session, and give the slot back once nothing is; True when it was.

    A snapshot that is being made is waited for, until its deadline. What runs for somebody who may have no server any more is
    ended whatever the hub says, and whether or not it answers.

    Raises:
        HubUnavailable, EngineError: one can't be asked; the slot is kept.
        Stale: somebody else gave it back.
    """
    if not may_have_server(lease.user):
        end_containers(containers_of(lease, engine=engine), engine=engine)
    if was_started_on(lease) and _is_held_up(lease, hub=hub, now=clock()):
        return False
    left = containers_of(lease, engine=engine)
    if left:
        # The hub has forgotten them: nobody else will end them.
        end_containers(left, engine=engine.at(lease.server_name))
        left = containers_of(lease, engine=engine)
    if left:
        return False
    give_back(lease, now=clock())
    return True


def was_started_on(lease: Lease) -> bool:
    """A session had it to run on. On a place in line nothing is ever started, and the hub's server is another lease's."""
    return Session.objects.filter(lease=lease).exists()


def _is_held_up(lease: Lease, *, hub: Hub, now: datetime) -> bool:
    is_snapshot_made = may_have_server(lease.user) and snapshots.hold_up(lease, now=now)
    return is_snapshot_made or not is_hub_clear(lease.user.username, hub=hub)


def is_hub_clear(username: str, *, hub: Hub) -> bool:
    """The hub has nothing of this person; it is asked to end what it has."""
    server = hub.server(username)
    return server is None or (server.pending != "stop" and hub.stop(username))


def end_containers(containers: Sequence[Container], *, engine: Engine) -> None:
    """Stop and forget each."""
    for container in containers:
        engine.stop(container.id)
        engine.remove(container.id)


@transaction.atomic
def give_back(lease: Lease, *, now: datetime) -> None:
    """The caller has seen that neither hub nor engine has anything of it. Whose slot was taken back goes on on a CPU."""
    session = Session.objects.select_related("user", "internship__cohort", "lease__pool").filter(lease=lease).first()
    if session is None:
        leases.release_lease(lease.pk, token=lease.token, observed_gone=True, now=now)
        return
    lifecycle.finish(session, token=lease.token, observed_gone=True, now=now)
    pool = free_cpu_pool() if was_taken_back(session) else None
    if pool is not None:
        lifecycle.enter_line(session.user, session.internship, pool=pool, message=ON_A_CPU, now=now)


def was_taken_back(session: Session) -> bool:
    """It was stopped because others have a right to its GPU, and its person may go on."""
    pool = session.lease.pool
    had_gpu = pool is not None and pool.kind != PoolKind.CPU
    may_go_on = session.user.is_active and session.internship.state == InternshipState.ACTIVE
    return session.reason in (OWNERS_NEED_IT, BOOKED) and had_gpu and may_go_on
