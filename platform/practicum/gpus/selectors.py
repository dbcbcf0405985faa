"""Questions about servers, slots, leases and the queue. Only admins' pages and the platform itself ask these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from practicum.errors import NotFound
from practicum.gpus import policy, seen
from practicum.gpus.models import (
    LIVE_STATES,
    AgentToken,
    Lease,
    LeaseState,
    Pool,
    PoolKind,
    Purpose,
    Reservation,
    ReservationState,
    Server,
    ServerState,
    Slot,
    SlotKind,
)

SILENT_AFTER = timedelta(seconds=30)
USAGE_DAYS = 7
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Usage:
    """Hours of the last days by their beginning, slots held on average in each, and the slots there are now."""

    hours: list[datetime]
    held: list[float]
    capacity: int


def wanted_leases(idle: Sequence[UUID], *, now: datetime) -> frozenset[UUID]:
    """Of leases that are idle, the first first, those whose slots somebody in line could have instead."""
    if not idle or not Lease.objects.filter(state=LeaseState.QUEUED).exists():
        return frozenset()
    return seen.wanted.among(tuple(idle), now=now)


def snapshot(*, now: datetime) -> policy.Snapshot:
    """What the policy decides on, as the rows are now."""
    return seen.snapshot(now=now)


def turns() -> dict[int, int]:
    """Of each pool, how often it was decided about."""
    return dict(Pool.objects.order_by("pk").values_list("pk", "turn"))


def is_anything_to_decide(*, now: datetime) -> bool:
    """Somebody waits, somebody was asked for their slot, or a reservation begins soon or runs."""
    soon = now + policy.Terms().lead
    return (
        Lease.objects.filter(Q(state=LeaseState.QUEUED) | Q(state__in=LIVE_STATES, reclaim_at__isnull=False)).exists()
        or Reservation.objects.filter(state=ReservationState.GRANTED, starts_at__lte=soon, ends_at__gt=now).exists()
    )


def standing_in_line(lease: Lease, *, now: datetime) -> policy.Place | None:
    """The place of a lease in the line for its pool, from 1, and why it waits, as the policy has it; None when it
    does not wait.
    """
    return standings_in_line([lease], now=now).get(lease.id)


def standings_in_line(leases: Iterable[Lease], *, now: datetime) -> dict[UUID, policy.Place]:
    """The places of those of the leases that wait: one decision, however many there are."""
    waiting = [lease for lease in leases if lease.state == LeaseState.QUEUED]
    if not waiting:
        return {}
    rows = snapshot(now=now)
    decisions = policy.decide(rows, now)
    pool_of = {request.id: request.pool for request in rows.requests}
    asked_at = {request.id: request.requested_at for request in rows.requests}
    granted = [
        policy.Place(grant.request, place=0, waited=now - asked_at[grant.request], why="A slot is free for you.")
        for grant in decisions.grants
    ]
    wanted = {lease.id for lease in waiting}
    number: dict[int, int] = {}
    found: dict[UUID, policy.Place] = {}
    for place in (*granted, *decisions.line):
        pool = pool_of[place.request]
        number[pool] = number.get(pool, 0) + 1
        if place.request in wanted:
            found[place.request] = replace(place, place=number[pool])
    return found


def place_in_line(lease: Lease, *, now: datetime) -> int | None:
    """The place of a lease in the line for its pool, from 1; None when it does not wait."""
    standing = standing_in_line(lease, now=now)
    return standing.place if standing is not None else None


def live_leases() -> QuerySet[Lease]:
    """Leases that hold a slot, the oldest first, with holder, cohort and slot loaded."""
    return (
        Lease.objects.filter(state__in=LIVE_STATES)
        .select_related("user", "cohort", "slot__server")
        .order_by("granted_at", "id")
    )


def draining_leases(purposes: Iterable[Purpose]) -> list[Lease]:
    """Leases whose holder was told to stop and whose container is not yet seen gone."""
    rows = Lease.objects.filter(purpose__in=list(purposes), state=LeaseState.DRAINING)
    rows = rows.select_related("user", "slot__server")
    return list(rows.order_by("requested_at", "id"))


def queue() -> QuerySet[Lease]:
    """Leases in line, the oldest first, with their people loaded. ``is_on_cpu``: they work on a CPU slot meanwhile."""
    theirs = Lease.objects.filter(user=OuterRef("user"), purpose=Purpose.MEANWHILE, state__in=LIVE_STATES)
    return (
        Lease.objects.filter(state=LeaseState.QUEUED)
        .annotate(is_on_cpu=Exists(theirs))
        .select_related("user", "cohort", "estimate")
        .order_by("requested_at", "id")
    )


def servers_with_slots() -> QuerySet[Server]:
    """All servers with ``slots``; each slot has ``live``: a list with its live lease, or empty."""
    live = Prefetch("leases", queryset=live_leases(), to_attr="live")
    listed = Slot.objects.order_by("kind", "index", "uuid", "part").select_related("pool").prefetch_related(live)
    # A slot that is gone for good and that nobody holds is history, not inventory.
    shown = listed.filter(Q(is_present=True) | Q(leases__state__in=LIVE_STATES)).distinct()
    return Server.objects.select_related("cohort").prefetch_related(Prefetch("slots", queryset=shown))


@dataclass(frozen=True)
class GpuView:
    """A GPU of a server for its page: its slots in order (parts or MIG instances), each with ``live``."""

    uuid: str
    slots: list[Slot]

    @property
    def first(self) -> Slot:
        """What all its slots have in common stands on each."""
        return self.slots[0]

    @property
    def is_whole(self) -> bool:
        """It is no set of MIG instances, so it may be shared."""
        return self.first.uuid == self.uuid

    @property
    def faults(self) -> list[str]:
        """What is broken about it, each sentence once."""
        return sorted({slot.fault for slot in self.slots if slot.fault})

    @property
    def is_held(self) -> bool:
        """A lease is live on some of it."""
        return any(vars(slot)["live"] for slot in self.slots)


def server_named(name: str) -> Server:
    """The server with its slots, as :func:`servers_with_slots` gives them.

    Raises:
        NotFound: there is none of this name.
    """
    server = servers_with_slots().filter(name=name).first()
    if server is None:
        raise NotFound
    return server


def gpus_of(server: Server) -> list[GpuView]:
    """The GPUs of a server that :func:`server_named` gave."""
    found: dict[str, list[Slot]] = {}
    for slot in server.slots.all():
        if slot.kind == SlotKind.GPU:
            found.setdefault(slot.gpu or slot.uuid, []).append(slot)
    return [GpuView(uuid=uuid, slots=slots) for uuid, slots in found.items()]


def leases_on(server: Server) -> list[Lease]:
    """The live leases of a server, the oldest first."""
    return list(live_leases().filter(slot__server=server))


def tokens_of(server: Server) -> list[AgentToken]:
    """The tokens of a server's agent, those that still open something first."""
    rows = AgentToken.objects.filter(server=server).select_related("made_by")
    return sorted(rows, key=lambda token: (token.revoked_at is not None, -token.made_at.timestamp()))


def is_silent(server: Server, *, now: datetime) -> bool:
    """Its agent has not reported for 30 seconds, or never. A report from a time to come tells of a clock that was wrong."""
    return server.seen_at is None or abs(now - server.seen_at) > SILENT_AFTER


def is_given_up(name: str) -> bool:
    """An admin said that this server is gone for good."""
    return Server.objects.filter(name=name, given_up_at__isnull=False).exists()


def silent_servers(*, now: datetime) -> QuerySet[Server]:
    """Servers whose agent fell silent; their leases are kept."""
    apart = Q(seen_at__lt=now - SILENT_AFTER) | Q(seen_at__gt=now + SILENT_AFTER)
    return Server.objects.filter(Q(seen_at__isnull=True) | apart)


def has_gpus() -> bool:
    """At least one GPU is listed; without any, the pages speak of CPU slots."""
    return Slot.objects.filter(is_present=True, kind=SlotKind.GPU).exists()


def usage_series(*, now: datetime) -> Usage:
    """Slots held in each hour of the last seven days, from the leases' own rows."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(days=USAGE_DAYS) + HOUR
    rows = (
        Lease.objects.filter(granted_at__isnull=False, granted_at__lt=now)
        .filter(Q(closed_at__isnull=True) | Q(closed_at__gt=first))
        .values_list("granted_at", "closed_at")
    )
    spans = ((granted, closed or now) for granted, closed in rows if granted is not None)
    held = held_by_hour(spans, first=first, hours=USAGE_DAYS * 24)
    elapsed = max((now - last) / HOUR, 1 / 3600)
    held[-1] /= elapsed
    return Usage(
        hours=[first + HOUR * hour for hour in range(len(held))],
        held=[round(value, 2) for value in held],
        capacity=Slot.objects.filter(is_present=True).count(),
    )


def held_by_hour(spans: Iterable[tuple[datetime, datetime]], *, first: datetime, hours: int) -> list[float]:
    """Slot-hours held in each of ``hours`` hours from ``first``. One pass: whole hours as steps, ends as parts."""
    parts = [0.0] * (hours + 1)
    steps = [0] * (hours + 1)
    for begin, end in spans:
        start = min(max((begin - first) / HOUR, 0.0), float(hours))
        stop = min(max((end - first) / HOUR, start), float(hours))
        # A span that covers hours [a, b) in part: count each from a on, then take back what lies before the start.
        steps[int(start)] += 1
        parts[int(start)] -= start - int(start)
        steps[int(stop)] -= 1
        parts[int(stop)] += stop - int(stop)
    return [step + part for step, part in zip(accumulate(steps), parts, strict=True)][:hours]


def _given_to_all() -> QuerySet[Slot]:
    """Slots that may be given to whoever asks, whether they are held or not."""
    there = Slot.objects.filter(is_present=True, fault="", pool__cohort__isnull=True)
    return there.filter(server__state=ServerState.ONLINE, server__away_since__isnull=True)


def free_cpu_pool() -> Pool | None:
    """A pool of CPU slots with a free one, or None."""
    free = _given_to_all()
    free = free.exclude(leases__state__in=LIVE_STATES)
    return Pool.objects.filter(kind=PoolKind.CPU, pk__in=free.values("pool")).first()


def cpu_pool() -> Pool | None:
    """A pool with CPU slots online, free or not; None where there are none."""
    online = _given_to_all()
    return Pool.objects.filter(kind=PoolKind.CPU, pk__in=online.values("pool")).first()


def gpu_pool_of(lease: Lease) -> Pool | None:
    """The pool of GPUs that a lease in line waits for; None where it waits for a CPU slot, or for nothing there is."""
    return Pool.objects.filter(pk=lease.pool_id or seen.usual_pool()).exclude(kind=PoolKind.CPU).first()


def usual_gpu_pool() -> Pool | None:
    """The pool of GPUs that a notebook gets one of, or None where only CPU slots are online."""
    return Pool.objects.filter(pk=seen.usual_pool()).exclude(kind=PoolKind.CPU).first()
