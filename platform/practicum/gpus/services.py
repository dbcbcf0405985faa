"""What changes servers, slots and leases.

Each move of a lease is one conditional UPDATE on ``(id, state, token)``: 0 rows means that somebody else moved it, and
the caller is told so with :class:`Stale`. The partial unique index on the slot has the last word on who holds it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import BigIntegerField, BooleanField, Case, F, Field, Q, Value, When

from practicum.accounts.models import User
from practicum.audit.services import record, record_all
from practicum.errors import Conflict, Stale
from practicum.gpus import policy, selectors, telling
from practicum.gpus.models import (
    LIVE_STATES,
    OPEN_STATES,
    Lease,
    LeaseState,
    Pool,
    PoolKind,
    Purpose,
    ServerState,
    Slot,
)
from practicum.internships.models import Cohort

log = logging.getLogger(__name__)

RUNNING_STATES = (LeaseState.GRANTED, LeaseState.ACTIVE)
GRANTS_AT_ONCE = 200
# What of a slot decides whether it is given.
GIVEN_BY = ("uuid", "pool", "parts", "is_present", "fault", "server__state", "server__away_since")
TIME_IS_UP = "Its time was up."


@transaction.atomic
def request_lease(
    user: User,
    *,
    cohort: Cohort | None,
    purpose: Purpose,
    duration: timedelta,
    now: datetime,
    pool: Pool | None = None,
) -> Lease:
    """Put ``user`` in line for a slot, of any pool if none is named.

    Raises:
        Conflict: the user has a notebook, or waits for one, already.
    """
    facts = {"user": user, "cohort": cohort, "purpose": purpose, "duration": duration, "pool": pool}
    try:
        with transaction.atomic():
            lease = Lease.objects.create(requested_at=now, **facts)
    except IntegrityError as clash:
        raise Conflict("You are in line for a notebook, or have one, already.") from clash
    record("lease.requested", subject=lease, actor=user, now=now, purpose=purpose, pool=pool.pk if pool else None)
    return lease


def keep_meanwhile(lease_id: UUID, *, token: int) -> None:
    """A notebook's lease on a CPU slot becomes the one that its intern holds while they wait for a GPU.

    Raises:
        Stale: the lease was moved meanwhile, or its intern holds such a one already.
    """
    states = (LeaseState.GRANTED, LeaseState.ACTIVE)
    try:
        with transaction.atomic():
            _move(lease_id, token=token, states=states, changes={"purpose": Purpose.MEANWHILE})
    except IntegrityError as clash:
        raise Stale("Somebody else has moved this lease on.") from clash


def wait_for_pool(lease_id: UUID, *, pool: Pool) -> None:
    """A lease in line waits for ``pool`` and for no other; its place is the one it has.

    Raises:
        Stale: it is not in line any more.
    """
    if not Lease.objects.filter(pk=lease_id, state=LeaseState.QUEUED).update(pool=pool):
        raise Stale("Somebody else has moved this lease on.")


def allocate(*, now: datetime) -> list[Lease]:
    """Do what the policy decides on the rows as they are: grant, ask back, let stay; returns what was really granted.

    Any number of these may run at once: what was decided on rows that somebody else decided on meanwhile is not done, and
    the next call decides anew.
    """
    if not selectors.is_anything_to_decide(now=now):
        return []
    turns = selectors.turns()  # before the rows: what is decided elsewhere while they are read must show
    decisions = policy.decide(selectors.snapshot(now=now), now)
    granted = carry_out(decisions, turns=turns, now=now)
    return list(Lease.objects.filter(pk__in=granted).select_related("slot__server")) if granted else []


def carry_out(decisions: policy.Decisions, *, turns: Mapping[int, int], now: datetime) -> list[UUID]:
    """Make true what was decided, as far as it still can be; returns the leases that were really granted, in their order.

    ``turns``: of the pools, as they were before the rows were read. Where one has moved on, somebody else gave slots or
    changed quotas since, so that limits might be passed: then nothing is done. The pools are locked, and all is one
    transaction; where a grant of it meets a slot that is taken all the same, the grants are made one by one.
    """
    if not (decisions.grants or decisions.reclaims or decisions.withdrawals):
        return []
    try:
        return _carry_out(decisions, turns=turns, grant=_grant_all, now=now)
    except IntegrityError:
        return _carry_out(decisions, turns=turns, grant=_grant_one_by_one, now=now)


@transaction.atomic
def _carry_out(
    decisions: policy.Decisions, *, turns: Mapping[int, int], grant: Callable[..., list[UUID]], now: datetime
) -> list[UUID]:
    if not _take_turns(turns):
        return []
    parts = range(0, len(decisions.grants), GRANTS_AT_ONCE)
    granted = [id for start in parts for id in grant(decisions.grants[start : start + GRANTS_AT_ONCE], now=now)]
    for reclaim in decisions.reclaims:
        _ask_back(reclaim, now=now)
    for withdrawal in decisions.withdrawals:
        _let_stay(withdrawal.holding, now=now)
    return granted


def _take_turns(turns: Mapping[int, int]) -> bool:
    """Lock the pools and count on; False if one of them has been counted on since."""
    pools = Pool.objects.filter(pk__in=turns)
    if dict(pools.select_for_update().order_by("pk").values_list("pk", "turn")) != turns:
        return False
    pools.update(turn=F("turn") + 1)
    return True


@transaction.atomic
def _ask_back(reclaim: policy.Reclaim, *, now: datetime) -> None:
    """The holder is told that the slot is needed; it keeps it until ``reclaim.by``. Asked before, nothing changes."""
    rows = Lease.objects.filter(pk=reclaim.holding, state__in=RUNNING_STATES, reclaim_at__isnull=True)
    if rows.update(reclaim_at=reclaim.by, reason=reclaim.reason):
        facts = {"by": reclaim.by.isoformat(), "reason": reclaim.reason, "reservation": reclaim.reservation}
        facts["for_lease"] = None if reclaim.request is None else str(reclaim.request)
        record("lease.asked_back", subject=Lease.objects.get(pk=reclaim.holding), actor=None, now=now, **facts)
        telling.asked_back(Lease.objects.get(pk=reclaim.holding), by=reclaim.by, reason=reclaim.reason, now=now)


@transaction.atomic
def _let_stay(lease_id: UUID, *, now: datetime) -> None:
    """Its slot is needed no more: the holder keeps it."""
    rows = Lease.objects.filter(pk=lease_id, state__in=RUNNING_STATES, reclaim_at__gt=now)
    if rows.update(reclaim_at=None, reason=""):
        record("lease.kept", subject=Lease.objects.get(pk=lease_id), actor=None, now=now)
        telling.kept(Lease.objects.get(pk=lease_id), now=now)


def _grant_all(grants: Sequence[policy.Grant], *, now: datetime) -> list[UUID]:
    """Locks the slots with all other parts of their GPUs, then the leases, each in the order of their ids: no two of these
    can wait for one another, and none gives a part of a shared GPU to one cohort while another gives one to the next.
    """
    wanted = {grant.request: grant for grant in grants}
    gpus = Slot.objects.filter(pk__in=[grant.slots[0] for grant in grants]).values("uuid")
    slots = Slot.objects.filter(uuid__in=gpus).select_related("server").only(*GIVEN_BY)
    locked = {slot.pk: slot for slot in slots.select_for_update(of=("self",)).order_by("pk")}
    queued = Lease.objects.filter(pk__in=wanted, state=LeaseState.QUEUED)
    rows = queued.select_for_update().order_by("pk").values_list("pk", "token", "cohort_id")
    waiting = {pk: (token, cohort) for pk, token, cohort in rows}
    live = Lease.objects.filter(slot__in=locked, state__in=LIVE_STATES).order_by()
    taken = dict(live.values_list("slot_id", "cohort_id"))
    real = []
    for grant in grants:
        slot = locked.get(grant.slots[0])
        held = waiting.get(grant.request)
        if held is not None and slot is not None and _may_give(slot, held[1], taken, locked):
            real.append(grant)
            taken[slot.pk] = held[1]
    pools = {slot.pk: slot.pool_id for slot in locked.values()}
    if not real:
        return []
    Lease.objects.filter(pk__in=[grant.request for grant in real], state=LeaseState.QUEUED).update(
        state=LeaseState.GRANTED,
        slot=_by_lease({grant.request: grant.slots[0] for grant in real}),
        pool=_by_lease({grant.request: pools[grant.slots[0]] for grant in real}),
        reservation=_by_lease({grant.request: grant.reservation for grant in real}),
        is_borrowed=_by_lease({grant.request: grant.is_borrowed for grant in real}, field=BooleanField()),
        token=F("token") + 1,
        granted_at=now,
        lease_until=now + F("duration"),
        heartbeat=now,
    )
    facts = ((Lease(pk=g.request), {"slot": g.slots[0], "token": waiting[g.request][0] + 1}) for g in real)
    record_all("lease.granted", facts, now=now)
    return [grant.request for grant in real]


def _may_give(slot: Slot, cohort: int | None, taken: Mapping[int, int | None], locked: Mapping[int, Slot]) -> bool:
    """It can be given, nobody holds it, and nobody of another cohort holds a part of the same GPU."""
    if slot.pk in taken or not slot.is_present or slot.fault:
        return False
    if slot.server.state != ServerState.ONLINE or slot.server.away_since is not None:
        return False
    return slot.parts == 1 or all(cohort == other for pk, other in taken.items() if locked[pk].uuid == slot.uuid)


def _by_lease(values: Mapping[UUID, Any], *, field: Field[Any, Any] | None = None) -> Any:
    """For an UPDATE of many leases: the value of each, a number if no ``field`` is named; leases with the same value share a
    branch. A value that all have is written as it is: for one lease that is half the work of putting the UPDATE together.
    """
    leases: dict[Any, list[UUID]] = {}
    for lease, value in values.items():
        leases.setdefault(value, []).append(lease)
    if len(leases) == 1:
        return next(iter(leases))
    branches = (When(pk__in=ids, then=Value(value)) for value, ids in leases.items() if value is not None)
    return Case(*branches, default=Value(None), output_field=field or BigIntegerField(null=True))


def _grant_one_by_one(grants: Sequence[policy.Grant], *, now: datetime) -> list[UUID]:
    granted: list[UUID] = []
    for grant in grants:
        try:
            with transaction.atomic():
                granted += _grant_all([grant], now=now)
        except IntegrityError:
            log.info("slot %s was given to somebody else first", grant.slots[0])
    return granted


@transaction.atomic
def renew_token(lease_id: UUID, *, token: int, now: datetime) -> int:
    """Raise the fencing token of a granted lease: whoever knew the old one is not heard any more.

    Raises:
        Stale: the lease was moved meanwhile.
    """
    _change(lease_id, token=token, states=[LeaseState.GRANTED], changes={"token": token + 1, "heartbeat": now})
    return token + 1


@transaction.atomic
def put_back(lease_id: UUID, *, token: int, now: datetime) -> None:
    """A slot that was given and on which nothing was ever started: back to the place in line that it had.

    The caller knows that nobody claimed it; whoever is about to finds the token stale.

    Raises:
        Stale: the lease was moved meanwhile.
    """
    changes = {"state": LeaseState.QUEUED, "token": token + 1, "slot": None, "granted_at": None, "lease_until": None}
    changes |= {"heartbeat": None, "reservation": None, "is_borrowed": False, "reclaim_at": None}
    lease = _move(lease_id, token=token, states=[LeaseState.GRANTED], changes=changes)
    # A GPU of another kind, or for all, will do as well; who asked for a CPU slot asks for one still.
    Lease.objects.filter(pk=lease_id, purpose=Purpose.SESSION).exclude(pool__kind=PoolKind.CPU).update(pool=None)
    record("lease.put_back", subject=lease, actor=None, now=now, token=token + 1)


@transaction.atomic
def activate_lease(lease_id: UUID, *, token: int, now: datetime) -> None:
    """What the lease is for runs now.

    Raises:
        Stale: the lease is not granted any more, or to a newer token.
    """
    changes = {"state": LeaseState.ACTIVE, "heartbeat": now}
    lease = _move(lease_id, token=token, states=[LeaseState.GRANTED], changes=changes)
    record("lease.activated", subject=lease, actor=None, now=now, token=token)


def touch_lease(lease_id: UUID, *, token: int, now: datetime, idle_since: datetime | None = None) -> None:
    """The holder gave a sign of life; ``idle_since``: nothing has run on the slot since, as far as is known.

    Raises:
        Stale: the lease is not live any more, or has a newer token.
    """
    _change(lease_id, token=token, states=LIVE_STATES, changes={"heartbeat": now, "idle_since": idle_since})


def note_container(lease_id: UUID, *, token: int, container: str) -> None:
    """Write down which container runs on a lease, by the engine's id, so that what it uses is told from others' use.

    Only those who look at the engine may call this. A lease that has moved on meanwhile is left alone.
    """
    live = Lease.objects.filter(pk=lease_id, token=token, state__in=LIVE_STATES)
    live.exclude(container=container).update(container=container)


@transaction.atomic
def drain_lease(lease_id: UUID, *, token: int, reason: str, actor: User | None, now: datetime) -> None:
    """The holder must stop. The slot stays taken until its container was seen gone.

    Raises:
        Stale: the lease is not granted or active any more, or has a newer token.
    """
    changes = {"state": LeaseState.DRAINING, "reason": reason}
    lease = _move(lease_id, token=token, states=RUNNING_STATES, changes=changes)
    record("lease.draining", subject=lease, actor=actor, now=now, reason=reason)


@transaction.atomic
def release_lease(lease_id: UUID, *, token: int, observed_gone: bool, reason: str = "", now: datetime) -> None:
    """Give the slot back. ``observed_gone``: the engine's own list showed no container of this lease.

    Only those who look at the engine may call this (and an admin who vouches that the machine is off); a stop that was
    asked for is no proof of a stop.

    Raises:
        Conflict: nobody has seen the container gone.
        Stale: the lease is not live any more, or has a newer token.
    """
    if not observed_gone:
        raise Conflict("The slot is kept until its container was seen gone.")
    changes = {"state": LeaseState.RELEASED, "closed_at": now} | ({"reason": reason} if reason else {})
    lease = _move(lease_id, token=token, states=LIVE_STATES, changes=changes)
    record("lease.released", subject=lease, actor=None, now=now, reason=lease.reason)


@transaction.atomic
def cancel_lease(lease_id: UUID, *, token: int, reason: str, actor: User | None, now: datetime) -> None:
    """Leave the line.

    Raises:
        Stale: it was granted or cancelled meanwhile.
    """
    changes = {"state": LeaseState.CANCELLED, "closed_at": now, "reason": reason}
    lease = _move(lease_id, token=token, states=[LeaseState.QUEUED], changes=changes)
    record("lease.cancelled", subject=lease, actor=actor, now=now, reason=reason)


def end_lease(lease_id: UUID, *, reason: str, actor: User | None, now: datetime) -> bool:
    """Take a lease out of the line, or ask its holder to stop, whichever it needs; False if it is stopping already.

    Raises:
        Conflict: there is none any more, or it moved twice while we tried.
    """
    for _ in range(2):
        lease = Lease.objects.filter(pk=lease_id, state__in=OPEN_STATES).first()
        if lease is None:
            raise Conflict("This lease has ended already.")
        if lease.state == LeaseState.DRAINING:
            return False
        end = cancel_lease if lease.state == LeaseState.QUEUED else drain_lease
        try:
            end(lease.pk, token=lease.token, reason=reason, actor=actor, now=now)
        except Stale:
            continue
        return True
    raise Conflict("This lease is being changed by somebody else; look again.")


def live_leases() -> list[Lease]:
    """Every lease that holds a slot."""
    return list(Lease.objects.filter(state__in=LIVE_STATES).order_by("pk"))


def expire_leases(*, now: datetime) -> int:
    """Ask the holders of leases whose time is up, or that were asked back until now, to stop; returns how many."""
    over = Q(lease_until__lte=now) | Q(reclaim_at__lte=now)
    due = list(Lease.objects.filter(over, state__in=RUNNING_STATES).values_list("pk", "token", "reclaim_at", "reason"))
    return sum(
        _expire(lease_id, token=token, reason=reason if reclaim_at and reclaim_at <= now else TIME_IS_UP, now=now)
        for lease_id, token, reclaim_at, reason in due
    )


def _expire(lease_id: UUID, *, token: int, reason: str, now: datetime) -> bool:
    try:
        drain_lease(lease_id, token=token, reason=reason, actor=None, now=now)
    except Stale:
        return False
    return True


def _move(lease_id: UUID, *, token: int, states: Iterable[LeaseState], changes: dict[str, Any]) -> Lease:
    _change(lease_id, token=token, states=states, changes=changes)
    return Lease.objects.get(pk=lease_id)


def _change(lease_id: UUID, *, token: int, states: Iterable[LeaseState], changes: dict[str, Any]) -> None:
    moved = Lease.objects.filter(pk=lease_id, token=token, state__in=list(states)).update(**changes)
    if not moved:
        raise Stale("Somebody else has moved this lease on.")
