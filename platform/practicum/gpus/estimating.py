"""Works out the estimates of everybody in line and keeps them on rows; the worker does it, pages only read.

The first estimate of a lease is written once; later ones change only what is shown. What is read of the past: leases that
ended in the last four weeks, the newest first and at most ``MOST_LEASES``; who came in the last ``COMING``; and the last
promises with what became of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet

from practicum.gpus import policy, selectors
from practicum.gpus.calibration import REMEMBERED, Case, corrected, factors
from practicum.gpus.estimates import Arrivals, Forecast, Past, estimate
from practicum.gpus.models import Estimate, Lease, LeaseState

EVERY = timedelta(seconds=15)
LENGTHS_OF = timedelta(days=28)
MOST_LEASES = 2000
COMING = timedelta(hours=6)
HOUR = timedelta(hours=1)


def refresh_estimates(*, now: datetime) -> int:
    """Estimate anew for all in line, unless that was done within ``EVERY``; returns for how many."""
    if not _is_due(now):
        return 0
    rows = selectors.snapshot(now=now)
    if not rows.requests:
        return 0
    past = past_of({request.id: request.pool for request in rows.requests}, now=now)
    forecasts = estimate(rows, past=past, now=now, seed=int(now.timestamp()))
    by = factors(last_cases(now=now))
    made = [
        _promise(request, forecasts[request.id], rows, by=by, now=now)
        for request in rows.requests
        if request.id in forecasts
    ]
    # Who was cancelled meanwhile is kept all the same: the row is there, and nothing was promised but to them.
    Estimate.objects.bulk_create(
        made, update_conflicts=True, unique_fields=["lease"], update_fields=["made_at", "p50_at", "p90_at"]
    )
    return len(made)


def _is_due(now: datetime) -> bool:
    queued = Lease.objects.filter(state=LeaseState.QUEUED)
    return queued.exists() and not queued.filter(estimate__made_at__gt=now - EVERY).exists()


def _promise(
    request: policy.Request, forecast: Forecast, rows: policy.Snapshot, *, by: tuple[float, float], now: datetime
) -> Estimate:
    ends = None if forecast.p90 is None else now + forecast.p90
    is_booked = any(
        booked.pool == request.pool and (ends is None or booked.starts_at <= ends) for booked in rows.reservations
    )
    half, most = corrected((forecast.p50, forecast.p90), by=by, is_booked=is_booked)
    p50, p90, plain_p50, plain_p90 = (
        None if wait is None else now + wait for wait in (half, most, forecast.p50, forecast.p90)
    )
    return Estimate(
        lease_id=request.id, made_at=now, p50_at=p50, p90_at=p90, first_made_at=now, first_p50_at=p50,
        first_p90_at=p90, first_forecast_p50_at=plain_p50, first_forecast_p90_at=plain_p90,
    )  # fmt: skip


def past_of(pools: dict[UUID, int], *, now: datetime) -> Past:
    """What the estimates learn from. ``pools``: of those in line, also where they named none."""
    ended = Lease.objects.filter(granted_at__isnull=False, closed_at__gt=now - LENGTHS_OF).order_by("-closed_at")
    lengths: dict[tuple[str, int | None], list[timedelta]] = defaultdict(list)
    for purpose, cohort, granted, closed in ended.values_list("purpose", "cohort_id", "granted_at", "closed_at")[
        :MOST_LEASES
    ]:
        if granted is not None and closed is not None:
            lengths[purpose, cohort].append(closed - granted)
    return Past(dict(lengths), _arrivals(pools, now=now))


def _arrivals(pools: dict[UUID, int], *, now: datetime) -> list[Arrivals]:
    """Who came in the last hours; over a shorter time while the site has not been asked for so long."""
    rows = Lease.objects.filter(requested_at__gt=now - COMING, requested_at__lte=now).order_by("requested_at", "id")
    kinds: dict[tuple[int | None, int, str], list[tuple[int, timedelta]]] = defaultdict(list)
    for id, cohort, pool, purpose, user, duration in rows.values_list(
        "id", "cohort_id", "pool_id", "purpose", "user_id", "duration"
    ):
        where = pool or pools.get(id)
        if where is not None:
            kinds[cohort, where, purpose].append((user, duration))
    oldest = Lease.objects.order_by("requested_at").values_list("requested_at", flat=True).first() or now
    hours = max(min(COMING, now - oldest), HOUR) / HOUR
    return [
        Arrivals(cohort, pool, purpose, len(some) / hours, tuple(sorted({user for user, _ in some})), some[-1][1])
        for (cohort, pool, purpose), some in kinds.items()
    ]


def last_cases(*, now: datetime) -> Sequence[Case]:
    """The last first promises of which something can be said, the oldest first."""
    rows = judged(now=now).order_by("-first_made_at", "lease")[:REMEMBERED]
    return list(reversed(cases_of(rows, now=now)))


def judged(*, now: datetime) -> QuerySet[Estimate]:
    """First promises whose lease started, or whose p90 passed while it waited."""
    promised = Estimate.objects.filter(first_p90_at__isnull=False, first_forecast_p90_at__isnull=False)
    never = Q(lease__granted_at__isnull=True)
    is_late = Q(lease__closed_at__isnull=True, first_p90_at__lt=now) | Q(lease__closed_at__gt=F("first_p90_at"))
    return promised.filter(~never | (never & is_late)).select_related("lease")


def cases_of(rows: Iterable[Estimate], *, now: datetime) -> list[Case]:
    """Rows that :func:`judged` gave, as the rules see them."""
    return [case_of(row, now=now) for row in rows]


def case_of(row: Estimate, *, now: datetime) -> Case:
    """One of them."""
    made, lease = row.first_made_at, row.lease
    assert row.first_p50_at
    assert row.first_p90_at
    assert row.first_forecast_p50_at
    assert row.first_forecast_p90_at
    return Case(
        forecast=(row.first_forecast_p50_at - made, row.first_forecast_p90_at - made),
        promised=(row.first_p50_at - made, row.first_p90_at - made),
        waited=max((lease.granted_at or lease.closed_at or now) - made, timedelta(0)),
        has_started=lease.granted_at is not None,
    )
