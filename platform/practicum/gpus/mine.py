"""What an intern sees of the slots: the one they hold, on what terms, and how much they held this week. Never a price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.gpus.history_rules import GRACE
from practicum.gpus.models import LIVE_STATES, Lease, LeaseState, Purpose, Quota
from practicum.internships.selectors import active_internship_of


@dataclass(frozen=True)
class Mine:
    """A person's slot and week. ``lease`` is None while they hold none; ``longest`` is the longest session they may
    have there; ``is_guaranteed``: it is part of what their cohort always has; ``left`` is until it ends.
    """

    lease: Lease | None
    is_guaranteed: bool
    held: timedelta
    since: datetime
    longest: timedelta | None
    left: timedelta | None
    notice: timedelta = GRACE


def mine_this_week(user: User, *, now: datetime) -> Mine:
    """The person's slot now, and slot-hours held since Monday, in at most four queries."""
    monday = week_of(now)
    rows = Lease.objects.filter(user=user, granted_at__isnull=False, granted_at__lt=now)
    leases = list(
        rows.filter(Q(closed_at__isnull=True) | Q(closed_at__gt=monday)).select_related(
            "cohort", "slot__server", "reservation"
        )
    )
    live = [lease for lease in leases if lease.state in LIVE_STATES]
    lease = min(live, key=lambda each: (*_nearness(each), each.granted_at or now), default=None)
    quota = _quota_of(lease)
    return Mine(
        lease=lease,
        is_guaranteed=lease is not None and not lease.is_borrowed and quota is not None and quota.guaranteed > 0,
        held=sum((_held(each, since=monday, now=now) for each in leases), timedelta()),
        since=monday,
        longest=_longest(user, lease=lease, quota=quota),
        left=max(lease.lease_until - now, timedelta()) if lease is not None and lease.lease_until else None,
    )


def week_of(now: datetime) -> datetime:
    """Monday, midnight, by the site's clock."""
    today = localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday())


def _nearness(lease: Lease) -> tuple[bool, bool]:
    """A notebook before an evaluation, one that runs before one that is kept for them: it is the one they sit at."""
    return lease.purpose == Purpose.EVALUATION, lease.state == LeaseState.GRANTED


def _held(lease: Lease, *, since: datetime, now: datetime) -> timedelta:
    return max(min(lease.closed_at or now, now) - max(lease.granted_at or now, since), timedelta())


def _quota_of(lease: Lease | None) -> Quota | None:
    if lease is None or lease.slot is None:
        return None
    return Quota.objects.filter(cohort=lease.cohort_id, pool=lease.slot.pool_id).first()


def _longest(user: User, *, lease: Lease | None, quota: Quota | None) -> timedelta | None:
    if lease is not None:
        cohort = lease.cohort
    else:
        internship = active_internship_of(user)
        cohort = internship.cohort if internship is not None else None
    hours = [cohort.session_hours] if cohort is not None else []
    if quota is not None and quota.session_hours is not None:
        hours.append(quota.session_hours)
    return timedelta(hours=min(hours)) if hours else None
