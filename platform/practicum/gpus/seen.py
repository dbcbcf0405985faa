"""The rows as the policy sees them.

A lease without a pool stands in line for the first pool that has usable slots, whole GPUs first; a notebook of a cohort that
has a machine of its own for a GPU there, while one is free. A notebook is nearest to the servers whose engine has its person's
files, unless all servers share them. Usage fades with a
half-life of seven days and is forgotten after four weeks; it is read again once a minute at most.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BigIntegerField, Case, CharField, F, Func, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.sql.compiler import SQLCompiler

from practicum.engine.nodes import Nodes
from practicum.gpus import policy
from practicum.gpus.models import (
    LIVE_STATES,
    OPEN_STATES,
    Lease,
    LeaseState,
    Pool,
    PoolKind,
    Purpose,
    Quota,
    Reservation,
    ReservationState,
    ServerState,
    Slot,
)
from practicum.gpus.spare import wanted_of

HALF_LIFE = timedelta(days=7)
REMEMBERED = timedelta(days=28)
FRESH = timedelta(seconds=60)
LOOK_AGAIN = timedelta(seconds=2)
NO_POOL = 0
# Of a notebook that was not heard of for longer nobody knows whether it is idle.
HEARD_WITHIN = timedelta(minutes=2)
KIND_ORDER = [PoolKind.GPU, PoolKind.MIG, PoolKind.SHARED, PoolKind.CPU]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Span = tuple[int | None, int, datetime, datetime]


class Microseconds(Func):
    """A time as a whole number, since 1970: Django's own way to read a time from PostgreSQL takes ten times as long."""

    template = "(EXTRACT(EPOCH FROM %(expressions)s) * 1000000)::bigint"
    output_field = BigIntegerField()

    def get_db_converters(self, _: Any) -> list[Any]:
        """It is a whole number already."""
        return []

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **_: Any) -> Any:
        """SQLite keeps a time as text, ``2026-03-18 10:00:00.123456``, and would round the fraction, which may be missing."""
        text = (
            "strftime('%%%%s', substr(%(expressions)s, 1, 19)) * 1000000 + CAST(substr(%(expressions)s, 21) AS INTEGER)"
        )
        sql, values = self.as_sql(compiler, connection, template=text)
        return sql, (*values, *values)


def snapshot(*, now: datetime) -> policy.Snapshot:
    """What the policy decides on, as the rows are now."""
    slots = _slots()
    pools = _pools()
    nearness = Nearness(slots)
    requests, holdings = _leases(_first_pool(slots, pools), own=_own_pools(slots, pools), nearness=nearness, now=now)
    return policy.Snapshot(
        slots=slots,
        requests=requests,
        holdings=holdings,
        quotas=_quotas(now),
        reservations=_reservations(now),
        usage=usage.at(now),
    )


def _slots() -> tuple[policy.Slot, ...]:
    rows = Slot.objects.values_list(
        "pk",
        "pool_id",
        "server__name",
        "index",
        "is_present",
        "fault",
        "server__state",
        "server__away_since",
        "parts",
        "gpu",
    )
    return tuple(
        policy.Slot(
            pk, pool, server, index,
            is_present and not fault and state == ServerState.ONLINE and away is None, gpu if parts > 1 else "",
        )
        for pk, pool, server, index, is_present, fault, state, away, parts, gpu in rows.order_by()
    )  # fmt: skip


def _pools() -> list[tuple[int, str, int | None]]:
    """Each with its kind, and the cohort that it is for alone."""
    return list(Pool.objects.order_by("pk").values_list("pk", "kind", "cohort_id"))


def _first_pool(slots: Iterable[policy.Slot], pools: Iterable[tuple[int, str, int | None]]) -> int:
    """The pool of leases that name none: one with usable slots that is for all, whole GPUs first."""
    usable = {slot.pool for slot in slots if slot.is_usable}
    kinds = [(KIND_ORDER.index(PoolKind(kind)), pk) for pk, kind, cohort in pools if pk in usable and cohort is None]
    return min(kinds, default=(0, NO_POOL))[1]


def _own_pools(slots: Iterable[policy.Slot], pools: Iterable[tuple[int, str, int | None]]) -> dict[int, int]:
    """By cohort, a pool that is for it alone and has a free GPU: its notebooks go there before they go to one for all."""
    kept = {pk: cohort for pk, kind, cohort in pools if cohort is not None and kind != PoolKind.CPU}
    if not kept:
        return {}
    held = set(
        Lease.objects.filter(slot__pool__in=kept, state__in=LIVE_STATES).order_by().values_list("slot", flat=True)
    )
    free = {slot.pool for slot in slots if slot.pool in kept and slot.is_usable and slot.id not in held}
    return {kept[pool]: pool for pool in sorted(free, reverse=True)}


class Nearness:
    """Which servers have a person's files. Where only one engine is known, all have, and nothing is looked up for anybody."""

    def __init__(self, slots: Iterable[policy.Slot]) -> None:
        are_shared = bool(settings.PRACTICUM_VOLUME_DRIVER)
        self.elsewhere = (
            frozenset() if are_shared else frozenset(Nodes(settings.PRACTICUM_DATA_DIR / "servers").names())
        )
        self.here = frozenset(slot.server for slot in slots) - self.elsewhere if self.elsewhere else frozenset()

    @property
    def server(self) -> Combinable:
        """Of a lease, the server that its person's files are on; not looked up where it tells nothing."""
        return F("user__home__server") if self.elsewhere else Value(None, output_field=CharField())

    def of(self, server: str | None) -> frozenset[str]:
        """Those that are as good as ``server``; a server without an engine of its own is the site's, as are files without one."""
        return frozenset([server]) if server in self.elsewhere and server is not None else self.here


def usual_pool() -> int:
    """The pool of a lease that names none, as the rows are now."""
    return _first_pool(_slots(), _pools())


def _leases(
    first: int, *, own: Mapping[int, int], nearness: Nearness, now: datetime
) -> tuple[tuple[policy.Request, ...], tuple[policy.Holding, ...]]:
    requests: list[policy.Request] = []
    holdings: list[policy.Holding] = []
    # Times are dear to read: of each lease no more of them than what it is decided by.
    rows = Lease.objects.filter(state__in=OPEN_STATES).order_by()
    since = Microseconds(Coalesce("granted_at", "requested_at"))
    idle = Microseconds(Case(When(heartbeat__gte=now - HEARD_WITHIN, then=F("idle_since"))))
    for id, user, cohort, pool, purpose, state, begun, duration, slot, slot_pool, until, back, reserved, idle_since, home in (
        rows.values_list(
            "id", "user_id", "cohort_id", "pool_id", "purpose", "state", since, "duration",
            "slot_id", "slot__pool_id", Microseconds("lease_until"), Microseconds("reclaim_at"), "reservation_id", idle,
            nearness.server,
        )
    ):  # fmt: skip
        if state == LeaseState.QUEUED:
            usual = own.get(cohort, first) if purpose == Purpose.SESSION else first
            near = frozenset() if purpose == Purpose.EVALUATION else nearness.of(home)
            requests.append(policy.Request(id, user, cohort, pool or usual, purpose, moment(begun), 1, duration, near))
        else:
            holdings.append(
                policy.Holding(
                    id, user, cohort, slot_pool, purpose, (slot,), moment(begun), moment(until),
                    idle_since=None if idle_since is None else moment(idle_since),
                    reclaim_at=None if back is None else moment(back),
                    is_draining=state == LeaseState.DRAINING, reservation=reserved,
                )
            )  # fmt: skip
    return tuple(requests), tuple(holdings)


def moment(microseconds: int) -> datetime:
    """The time that :class:`Microseconds` read."""
    return EPOCH + timedelta(0, 0, microseconds)


def _quotas(now: datetime) -> tuple[policy.Quota, ...]:
    today = now.date()
    has_begun = Q(from_on__isnull=True) | Q(from_on__lte=today)
    rows = Quota.objects.filter(has_begun, Q(to_on__isnull=True) | Q(to_on__gte=today))
    names = "cohort_id", "pool_id", "guaranteed", "weight", "borrowing_limit", "lending_limit", "per_intern"
    return tuple(policy.Quota(*row) for row in rows.order_by("pk").values_list(*names))


def _reservations(now: datetime) -> tuple[policy.Reservation, ...]:
    rows = Reservation.objects.filter(state=ReservationState.GRANTED, ends_at__gt=now)
    names = "pk", "cohort_id", "pool_id", "slots", "starts_at", "ends_at"
    return tuple(policy.Reservation(*row) for row in rows.order_by("pk").values_list(*names))


class Usage:
    """Slot-hours of each person in each cohort, faded; kept in this process for a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at: datetime | None = None
        self._hours: Mapping[tuple[int | None, int], float] = {}

    def at(self, now: datetime) -> Mapping[tuple[int | None, int], float]:
        """As of ``now``, or of at most a minute before."""
        with self._lock:
            if self._read_at is None or not timedelta(0) <= now - self._read_at < FRESH:
                self._hours, self._read_at = faded_hours(_spans(now), now=now), now
            return self._hours

    def forget(self) -> None:
        """Read the rows again next time."""
        with self._lock:
            self._read_at = None


usage = Usage()


class Wanted:
    """Which idle leases somebody in line could have instead; the answer is kept in this process for two seconds.

    The worker asks five times a second, and whoever is told has minutes.
    """

    def __init__(self) -> None:
        self._asked: tuple[UUID, ...] = ()
        self._asked_at: datetime | None = None
        self._found: frozenset[UUID] = frozenset()

    def among(self, idle: tuple[UUID, ...], *, now: datetime) -> frozenset[UUID]:
        """Of these leases, the first first."""
        is_fresh = self._asked_at is not None and timedelta(0) <= now - self._asked_at < LOOK_AGAIN
        if not is_fresh or self._asked != idle:
            self._found = wanted_of(snapshot(now=now), now, idle=idle)
            self._asked, self._asked_at = idle, now
        return self._found


wanted = Wanted()


def _spans(now: datetime) -> Iterable[Span]:
    """When whom held a slot in the last four weeks. What was taken back is refunded: it counts as not used.

    Nor does a CPU slot meanwhile: who works while they wait must not fall back in line for it.
    """
    was_held = Lease.objects.filter(granted_at__isnull=False, granted_at__lt=now).exclude(purpose=Purpose.MEANWHILE)
    was_held = was_held.exclude(state=LeaseState.RELEASED, reclaim_at__isnull=False, is_borrowed=True)
    recent = was_held.filter(Q(state__in=LIVE_STATES) | Q(closed_at__gt=now - REMEMBERED)).order_by()
    for cohort, user, granted, closed in recent.values_list("cohort_id", "user_id", "granted_at", "closed_at"):
        if granted is not None:
            yield cohort, user, granted, min(closed or now, now)


def faded_hours(spans: Iterable[Span], *, now: datetime) -> dict[tuple[int | None, int], float]:
    """Slot-hours by cohort and person, each moment halved for every half-life it lies back."""
    rate = math.log(2) / (HALF_LIFE / timedelta(hours=1))
    hours: dict[tuple[int | None, int], float] = {}
    for cohort, user, begin, end in spans:
        since_begin, since_end = (now - begin) / timedelta(hours=1), (now - end) / timedelta(hours=1)
        faded = (math.exp(-rate * since_end) - math.exp(-rate * since_begin)) / rate
        hours[cohort, user] = hours.get((cohort, user), 0.0) + faded
    return hours
