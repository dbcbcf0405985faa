"""Questions about estimates: what is shown to who waits, and how past promises fared. Only admins ask the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from practicum.gpus.calibration import FEWEST_CASES, SHARES, Case, Coverage, coverage, factors
from practicum.gpus.estimate_words import sentence
from practicum.gpus.estimates import FEWEST_LENGTHS
from practicum.gpus.estimating import LENGTHS_OF, case_of, judged, last_cases
from practicum.gpus.history_rules import tones
from practicum.gpus.models import Estimate, Lease

NO_COHORT = "No cohort"
LOOKED_BACK = timedelta(days=28)
MOST_CASES = 2000


@dataclass(frozen=True)
class Kept:
    """How promises to one cohort, or to all, were kept: half by, nine in ten by."""

    name: str
    half: Coverage
    most: Coverage


@dataclass(frozen=True)
class Point:
    """One promise: when it was made, and of what."""

    name: str
    tone: int
    made_at: datetime
    case: Case


@dataclass(frozen=True)
class Calibration:
    """The last promises, the newest first. Forecasts are stretched by the two factors now; they are corrected once
    ``fewest`` promises were put to the test.
    """

    points: list[Point]
    groups: list[Kept]
    half_factor: float
    most_factor: float
    is_corrected: bool
    fewest: int = FEWEST_CASES


def estimate_sentence(lease: Lease, *, now: datetime) -> str:
    """What is shown to the person who waits; one query, or two where nothing was estimated yet."""
    return estimate_sentences([lease], now=now)[lease.pk]


def estimate_sentences(leases: Sequence[Lease], *, now: datetime) -> dict[UUID, str]:
    """The same for many: no query for none, else one, or two where nothing was estimated yet for one of them."""
    if not leases:
        return {}
    made = Estimate.objects.in_bulk([lease.pk for lease in leases])
    is_known = len(made) == len(leases) or _is_enough_known(now)
    return {lease.pk: sentence(made.get(lease.pk), is_enough_known=is_known, now=now) for lease in leases}


def _is_enough_known(now: datetime) -> bool:
    ended = Lease.objects.filter(granted_at__isnull=False, closed_at__gt=now - LENGTHS_OF).order_by()
    return len(ended.values_list("pk")[:FEWEST_LENGTHS]) >= FEWEST_LENGTHS


def calibration(*, now: datetime) -> Calibration:
    """First promises of the last four weeks, at most ``MOST_CASES``, against what happened; two queries."""
    recent = judged(now=now).filter(first_made_at__gt=now - LOOKED_BACK).select_related("lease__cohort")
    rows = list(recent.order_by("-first_made_at", "lease")[:MOST_CASES])
    colours = tones({row.lease.cohort_id for row in rows if row.lease.cohort_id is not None})
    points = [
        Point(
            name=row.lease.cohort.name if row.lease.cohort else NO_COHORT,
            tone=colours.get(row.lease.cohort_id or 0, 0),
            made_at=row.first_made_at,
            case=case_of(row, now=now),
        )
        for row in rows
    ]
    names = sorted({point.name for point in points}, key=lambda name: (name == NO_COHORT, name))
    groups = [_kept("All", points)] + [_kept(name, [p for p in points if p.name == name]) for name in names]
    last = last_cases(now=now)
    half, most = factors(last)
    return Calibration(points, groups if points else [], half, most, is_corrected=len(last) >= FEWEST_CASES)


def _kept(name: str, points: list[Point]) -> Kept:
    cases = [point.case for point in points]
    half, most = (coverage(cases, share=share) for share in SHARES)
    return Kept(name, half, most)
