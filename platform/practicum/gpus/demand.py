"""The real demand of the last weeks, as jobs that can be played again.

Every lease of the window becomes one :class:`~practicum.gpus.plan_replay.Ask`: asked for when it really was, for the
work that was really done. What was measured of a lease says when it paused; what nobody measured counts as work.

What a replay can't know: who would have come, or come back, had there been less waiting; how long those who left the line
would have worked (they are given the usual length in their cohort); how long an idle lease that was ended would have
stayed. It sees a pause where the GPU did nothing, though a notebook may have computed without it. And everybody asks
again at the time at which they really asked, though with shorter waits they may have asked earlier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median_high
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Coalesce

from practicum.gpus import facts, seen
from practicum.gpus.metrics import MINUTE, Waits
from practicum.gpus.models import Lease, LeaseUse, Reservation, ReservationState
from practicum.gpus.plan_replay import Ask

BUCKET = timedelta(minutes=10)
SHORTEST = timedelta(seconds=1)
NONE = timedelta(0)
WEEK = timedelta(weeks=1)
MOST_WEEKS = 8

Span = tuple[datetime, datetime]
Burst = tuple[timedelta, timedelta]


@dataclass(frozen=True, slots=True)
class Past:
    """A lease as its row tells it; ``pool`` None: it named none and was never granted."""

    id: UUID
    user: int
    cohort: int | None
    pool: int | None
    purpose: str
    duration: timedelta
    requested_at: datetime
    granted_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Ten minutes of a lease in which it was seen whether the GPU computed."""

    begins_at: datetime
    is_busy: bool


@dataclass(frozen=True)
class Demand:
    """All that is played again, and how much is known of it. ``waits``: in minutes, as they really were."""

    jobs: Sequence[Ask]
    reservations: Sequence[facts.Reservation]
    held_hours: float
    measured_hours: float
    waits: Waits


def first_request() -> datetime | None:
    """When anybody first asked for a slot; None: nobody ever did."""
    return Lease.objects.order_by("requested_at").values_list("requested_at", flat=True).first()


def weeks_known(*, now: datetime) -> int:
    """For how many whole weeks, up to eight, there is demand to play again."""
    first = first_request()
    return 0 if first is None else min(MOST_WEEKS, (now - first) // WEEK)


def demand_of(window: Span) -> Demand:
    """What was asked for, held and measured in the window, in three queries and one for the usual pool."""
    first, end = window
    rows = _rows(window)
    measured = _measured(window)
    usual = usual_lengths(rows, window=window)
    pool = seen.usual_pool()
    jobs = [
        ask_of(row, number=number, measured=measured.get(row.id, ()), window=window, usual=usual, pool=pool)
        for number, row in enumerate(rows)
    ]
    spans = [span for row in rows if (span := held_in(row, window=window)) is not None]
    granted = (row for row in rows if row.granted_at is not None and first <= row.granted_at < end)
    return Demand(
        jobs=jobs,
        reservations=_reservations(window),
        held_hours=sum((until - since) / timedelta(hours=1) for since, until in spans),
        measured_hours=sum(map(len, measured.values())) * (BUCKET / timedelta(hours=1)),
        waits=Waits.of((row.granted_at - row.requested_at) / MINUTE for row in granted if row.granted_at is not None),
    )


def _rows(window: Span) -> list[Past]:
    first, end = window
    touching = Lease.objects.filter(Q(closed_at__isnull=True) | Q(closed_at__gt=first), requested_at__lt=end)
    values = touching.order_by("requested_at", "id").values_list(
        "id", "user_id", "cohort_id", Coalesce("slot__pool_id", "pool_id"), "purpose", "duration",
        "requested_at", "granted_at", "closed_at",
    )  # fmt: skip
    return [Past(*row) for row in values]


def _measured(window: Span) -> dict[UUID, list[Measured]]:
    first, end = window
    rows = LeaseUse.objects.filter(starts_at__gte=first, starts_at__lt=end, measured_seconds__gt=0)
    found: dict[UUID, list[Measured]] = defaultdict(list)
    for lease, begins_at, busy in rows.order_by("starts_at").values_list("lease_id", "starts_at", "busy_seconds"):
        found[lease].append(Measured(begins_at, busy > 0))
    return found


def _reservations(window: Span) -> list[facts.Reservation]:
    first, end = window
    rows = Reservation.objects.filter(state=ReservationState.GRANTED, starts_at__lt=end, ends_at__gt=first)
    names = "pk", "cohort_id", "pool_id", "slots", "starts_at", "ends_at"
    return [facts.Reservation(*row) for row in rows.order_by("pk").values_list(*names)]


# --- One lease; pure ---


def held_in(row: Past, *, window: Span) -> Span | None:
    """When it held its slot, within the window and no longer than it was given for; None where it did not."""
    if row.granted_at is None or row.granted_at >= window[1]:
        return None
    ends = [window[1], row.granted_at + row.duration] + ([] if row.closed_at is None else [row.closed_at])
    since, until = max(row.granted_at, window[0]), min(ends)
    return since, max(until, since + SHORTEST)


def usual_lengths(rows: Iterable[Past], *, window: Span) -> dict[int | None, timedelta]:
    """The median time that a cohort's leases were held; of two in the middle, the longer."""
    lengths: dict[int | None, list[timedelta]] = defaultdict(list)
    for row in rows:
        span = held_in(row, window=window)
        if span is not None:
            lengths[row.cohort].append(span[1] - span[0])
    return {cohort: median_high(found) for cohort, found in lengths.items()}


def ask_of(
    row: Past,
    *,
    number: int,
    measured: Iterable[Measured],
    window: Span,
    usual: Mapping[int | None, timedelta],
    pool: int,
) -> Ask:
    """The lease as a job. What waited or ran when the window began asks at once; ``pool`` stands in for none."""
    held = held_in(row, window=window)
    asked_at = max(row.requested_at, window[0])
    patience: timedelta | None = None
    if held is not None:
        bursts = bursts_of(held, measured=measured)
    else:
        bursts = ((NONE, min(usual.get(row.cohort, row.duration), row.duration)),)
        if row.granted_at is None and row.closed_at is not None and row.closed_at < window[1]:
            patience = row.closed_at - asked_at
    return Ask(
        id=number, user=row.user, cohort=row.cohort, pool=row.pool or pool, submitted_at=asked_at, bursts=bursts,
        purpose=row.purpose, expected=row.duration, patience=patience,
    )  # fmt: skip


def bursts_of(held: Span, *, measured: Iterable[Measured]) -> tuple[Burst, ...]:
    """Pauses and work. The first ten minutes are work: whoever was just given a slot is there.

    A pause at the end is followed by no work: its person only closed what they had left.
    """
    begin, end = held
    bursts: list[Burst] = []
    pause, since = NONE, begin
    for idle_from, idle_until in _pauses(measured, since=begin + BUCKET, until=end):
        bursts.append((pause, idle_from - since))
        pause, since = idle_until - idle_from, idle_until
    return (*bursts, (pause, end - since))


def _pauses(measured: Iterable[Measured], *, since: datetime, until: datetime) -> list[Span]:
    """The times in which nothing was seen to be computed, neighbours joined."""
    pauses: list[Span] = []
    for each in measured:
        begin, end = max(each.begins_at, since), min(each.begins_at + BUCKET, until)
        if each.is_busy or begin >= end:
            continue
        if pauses and pauses[-1][1] == begin:
            pauses[-1] = (pauses[-1][0], end)
        else:
            pauses.append((begin, end))
    return pauses


def with_longest(jobs: Iterable[Ask], *, hours: Mapping[tuple[int | None, int], int]) -> list[Ask]:
    """The same jobs, none with a lease longer than the hours that its cohort has in its pool."""
    limits = {cell: timedelta(hours=most) for cell, most in hours.items()}
    return [replace(job, expected=min(job.expected, limits.get((job.cohort, job.pool), job.expected))) for job in jobs]
