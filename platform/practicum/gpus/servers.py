"""What an admin does with servers: add one, drain it, give up one that is gone, divide a GPU.

Rule: a GPU is divided, or put together again, only on a server that takes no new leases, and only while nobody holds any
of it. A slot of a server that is gone is freed on one word alone, an admin's that the machine is off, and that word is
on record with their name.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Invalid, NotFound, Stale
from practicum.gpus import inventory, selectors, services
from practicum.gpus.models import LIVE_STATES, AgentToken, Lease, Server, ServerState, Slot
from practicum.gpus.tokens import make_token
from practicum.internships.models import Cohort

log = logging.getLogger(__name__)

SHARES = (1, 16)
FINISH_MINUTES = (5, 24 * 60)
RESERVED_NAMES = frozenset({"new"})
GIVEN_UP = "The server {server} is gone. Files in your volume there could not be saved after it stopped."


@transaction.atomic
def add_server(name: str, *, actor: User, now: datetime) -> tuple[Server, str]:
    """Make a server and its agent's token; the token can't be read again.

    Raises:
        Conflict: there is one of this name.
        Invalid: the name is kept for a page.
    """
    if name in RESERVED_NAMES:
        raise Invalid("Choose another name: this one is kept for a page.", field="name")
    try:
        with transaction.atomic():
            server = Server.objects.create(name=name)
    except IntegrityError as clash:
        raise Conflict(
            "There is a server of this name. For a new command, open its page and make a new token.", field="name"
        ) from clash
    record("server.added", subject=server, actor=actor, now=now, name=name)
    return server, make_token(server, actor=actor, now=now)


def drain_server(name: str, *, finish_within: timedelta | None, actor: User, now: datetime) -> Server:
    """Give no new leases. ``finish_within``: ask those who run to finish by then; None: let them finish.

    Raises:
        NotFound: there is no such server.
    """
    until = None if finish_within is None else now + finish_within
    return inventory.set_server_state(name, state=ServerState.DRAINING, actor=actor, now=now, drain_until=until)


def end_overdue(*, now: datetime) -> int:
    """Ask the holders whose time to finish is over to stop; returns how many were asked."""
    overdue = Lease.objects.filter(
        slot__server__state=ServerState.DRAINING, slot__server__drain_until__lte=now, state__in=services.RUNNING_STATES
    )
    return sum(_end(lease, now=now) for lease in overdue.select_related("slot__server"))


def _end(lease: Lease, *, now: datetime) -> bool:
    assert lease.slot is not None
    try:
        return services.end_lease(
            lease.pk, reason=inventory.DRAINED.format(server=lease.slot.server.name), actor=None, now=now
        )
    except Conflict:
        log.info("lease %s had ended already", lease.pk)
        return False


@transaction.atomic
def give_up_server(name: str, *, actor: User, now: datetime) -> int:
    """End all leases of a silent server on ``actor``'s word that the machine is off; returns how many.

    Nobody can see its containers any more, so the word stands in for the look that otherwise frees a slot.

    Raises:
        NotFound: there is no such server.
        Conflict: its agent reports; then it isn't gone.
    """
    server = Server.objects.select_for_update().filter(name=name).first()
    if server is None:
        raise NotFound
    if not selectors.is_silent(server, now=now):
        raise Conflict("This server reports, so it is not gone. Drain it in place of giving it up.")
    server.state, server.drain_until, server.given_up_at = ServerState.OFFLINE, None, now
    server.save(update_fields=["state", "drain_until", "given_up_at"])
    leases = list(Lease.objects.filter(slot__server=server, state__in=LIVE_STATES))
    ended = [lease for lease in leases if _release(lease, server=server, actor=actor, now=now)]
    record(
        "server.given_up",
        subject=server,
        actor=actor,
        now=now,
        vouched_by=actor.username,
        leases=[str(lease.pk) for lease in ended],
    )
    return len(ended)


def _release(lease: Lease, *, server: Server, actor: User, now: datetime) -> bool:
    try:
        with transaction.atomic():
            services.release_lease(
                lease.pk, token=lease.token, observed_gone=True, reason=GIVEN_UP.format(server=server.name), now=now
            )
    except Stale:
        log.info("lease %s moved while its server was given up", lease.pk)
        return False
    record("lease.vouched_gone", subject=lease, actor=actor, now=now, server=server.name)
    return True


@transaction.atomic
def set_shares(name: str, *, gpu: str, shares: int, actor: User, now: datetime) -> None:
    """Divide the GPU with uuid ``gpu`` into this many shared slots without memory isolation; 1 puts it together again.

    Locked: the server's row and the GPU's slots.

    Raises:
        NotFound: this server lists no such GPU as a whole.
        Invalid: not 1 to 16 shares.
        Conflict: the server takes new leases, or somebody holds some of the GPU.
    """
    if not SHARES[0] <= shares <= SHARES[1]:
        raise Invalid("A GPU is divided into {} to {} shares.".format(*SHARES), field="shares")
    server = Server.objects.select_for_update().filter(name=name).first()
    slots = list(Slot.objects.select_for_update().filter(server=server, uuid=gpu, gpu=gpu).order_by("part"))
    if server is None or not slots or not slots[0].is_present:
        raise NotFound("This server lists no such GPU as a whole.")
    if server.state == ServerState.ONLINE:
        raise Conflict("Drain the server first: a GPU is divided only while its server takes no new leases.")
    holders = Lease.objects.filter(slot__server=server, slot__gpu=gpu, state__in=LIVE_STATES).select_related("user")
    if held := list(holders):
        names = ", ".join(sorted({lease.user.name for lease in held}))
        raise Conflict(f"It is held by {names}. Wait until nobody holds it, then divide it.")
    if shares != slots[0].parts:
        _divide(slots[0], shares=shares)
        record("slot.shares", subject=slots[0], actor=actor, now=now, gpu=gpu, before=slots[0].parts, after=shares)


def _divide(first: Slot, *, shares: int) -> None:
    pools = inventory.Pools(first.server.cohort)
    pool = pools.of_gpu(first.model, memory_bytes=first.memory_bytes, parts=shares)
    of_gpu = Slot.objects.filter(uuid=first.uuid)
    of_gpu.update(parts=shares, pool=pool)
    of_gpu.filter(part__gte=shares).update(is_present=False)
    of_gpu.filter(part__lt=shares).update(is_present=True)
    there = set(of_gpu.values_list("part", flat=True))
    Slot.objects.bulk_create(
        Slot(
            server_id=first.server_id,
            pool=pool,
            kind=first.kind,
            index=first.index,
            uuid=first.uuid,
            gpu=first.gpu,
            part=part,
            parts=shares,
            model=first.model,
            memory_bytes=first.memory_bytes,
            memory_used_bytes=first.memory_used_bytes,
            utilization_percent=first.utilization_percent,
            fault=first.fault,
        )
        for part in range(shares)
        if part not in there
    )


@transaction.atomic
def note_away(name: str, *, now: datetime) -> bool:
    """The engine of this server does not answer: it is given to nobody until :func:`note_back`. True if that is new."""
    is_new = bool(Server.objects.filter(name=name, away_since__isnull=True).update(away_since=now))
    if is_new:
        record("server.away", subject=Server.objects.get(name=name), actor=None, now=now, name=name)
    return is_new


@transaction.atomic
def note_back(name: str, *, now: datetime) -> bool:
    """Its engine answers, and what may not run there was ended: it serves. True if that is new."""
    is_new = bool(Server.objects.filter(name=name, away_since__isnull=False).update(away_since=None))
    if is_new:
        record("server.back", subject=Server.objects.get(name=name), actor=None, now=now, name=name)
    return is_new


@transaction.atomic
def join(name: str, *, is_known: bool, actor: User, now: datetime, cohort: Cohort | None = None) -> str:
    """A server with an engine of its own, and a new token for its agent; those before it open nothing any more.

    It is given to nobody until its engine was looked at. ``is_known``: it is there already, and joins anew, for those it
    is for. ``cohort``: it is somebody's own machine, for this cohort's notebooks alone.

    Raises:
        Conflict: there is one of this name, and it was not said that it is known.
        NotFound: there is none, and it was.
        Invalid: the name is kept for a page.
    """
    if not is_known:
        server, token = add_server(name, actor=actor, now=now)
        Server.objects.filter(pk=server.pk).update(cohort=cohort)
        if cohort is not None:
            record("server.lent", subject=server, actor=actor, now=now, cohort=cohort.slug)
    else:
        found = Server.objects.select_for_update().filter(name=name).first()
        if found is None:
            raise NotFound(f"There is no server called {name}.")
        server = found
        AgentToken.objects.filter(server=server, revoked_at__isnull=True).update(revoked_at=now)
        token = make_token(server, actor=actor, now=now)
        record("server.joins_anew", subject=server, actor=actor, now=now, name=name)
    note_away(name, now=now)
    return token


def check_unheld(name: str) -> None:
    """Raises: NotFound: there is no such server. Conflict: somebody holds a slot of it."""
    if not Server.objects.filter(name=name).exists():
        raise NotFound(f"There is no server called {name}.")
    held = Lease.objects.filter(slot__server__name=name, state__in=LIVE_STATES).select_related("user")
    if names := sorted({lease.user.name for lease in held}):
        raise Conflict(f"{', '.join(names)} hold slots of it. Drain it first; if the machine is gone, give it up.")


@transaction.atomic
def leave(name: str, *, actor: User, now: datetime) -> None:
    """The server takes no part any more: it is offline and its agent's tokens open nothing. What it did stays on record.

    Raises:
        NotFound: there is no such server.
        Conflict: somebody holds a slot of it.
    """
    server = Server.objects.select_for_update().filter(name=name).first()
    check_unheld(name)
    assert server is not None
    AgentToken.objects.filter(server=server, revoked_at__isnull=True).update(revoked_at=now)
    Slot.objects.filter(server=server).update(is_present=False)
    server.state, server.drain_until, server.away_since = ServerState.OFFLINE, None, None
    server.save(update_fields=["state", "drain_until", "away_since"])
    record("server.removed", subject=server, actor=actor, now=now, name=name)
