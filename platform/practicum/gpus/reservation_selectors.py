"""Questions about reservations.

Who may see a reservation: who asked for it, mentors with an active internship in its cohort, and admins. To anybody else
it does not exist. That a cohort has slots at some time shows to every mentor who asks for the same time: a cohort's name
and a number, never what it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.timezone import get_current_timezone

from practicum.accounts.models import User
from practicum.errors import NotFound
from practicum.gpus import reservation_rules as rules
from practicum.gpus.models import Pool, Quota, Reservation, ReservationState
from practicum.gpus.quota_rules import Share
from practicum.gpus.quota_selectors import slots_of_pools
from practicum.gpus.reservation_rules import Booking, Guarantee, Outlook
from practicum.internships.models import Cohort, Internship, InternshipState

BOOKED = (ReservationState.REQUESTED, ReservationState.GRANTED)
PAST_ROWS = 30
FEED_KEEPS = timedelta(days=90)


@dataclass(frozen=True)
class Situation:
    """All that a booking of a pool is judged by: its slots, what else is booked there, and the guarantees."""

    slots: int
    bookings: tuple[Booking, ...]
    guarantees: tuple[Guarantee, ...]

    def outlook(self, wanted: Booking, *, zone: tzinfo) -> Outlook:
        """What it would meet."""
        return rules.outlook(wanted, others=self.bookings, guarantees=self.guarantees, slots=self.slots, zone=zone)


@dataclass(frozen=True)
class Line:
    """A reservation that waits for an answer, with what it would meet, in sentences."""

    reservation: Reservation
    is_possible: bool
    clashes: list[str]
    shortages: list[str]


@dataclass(frozen=True)
class Desk:
    """What the page of reservations shows a person."""

    waiting: list[Line]
    coming: list[Reservation]
    past: list[Reservation]


def reservations_visible_to(user: User) -> QuerySet[Reservation]:
    """The reservations ``user`` may see, with their people, cohort and pool loaded, by time."""
    rows = Reservation.objects.select_related("cohort", "pool", "requested_by", "decided_by")
    if user.is_admin:
        return rows
    if not user.is_mentor:
        return rows.none()
    return rows.filter(Q(requested_by=user) | Q(cohort__in=_mentored(user)))


def reservation_for(user: User, *, reservation_id: int) -> Reservation:
    """The reservation, if ``user`` may see it.

    Raises:
        NotFound: there is none, or it is not theirs to see.
    """
    row = reservations_visible_to(user).filter(pk=reservation_id).first()
    if row is None:
        raise NotFound
    return row


def cohorts_to_reserve_for(user: User, *, today: date) -> QuerySet[Cohort]:
    """Cohorts that are not over: all of them for an admin, those a mentor has active internships in for a mentor."""
    rows = Cohort.objects.filter(ends_on__gte=today).order_by("name")
    if user.is_admin:
        return rows
    return rows.filter(pk__in=_mentored(user)) if user.is_mentor else rows.none()


def _mentored(user: User) -> QuerySet[Internship, Any]:
    return Internship.objects.filter(mentor=user, state=InternshipState.ACTIVE).values("cohort")


def pools_to_reserve() -> QuerySet[Pool]:
    """Pools that have slots now."""
    return Pool.objects.filter(slots__is_present=True).distinct()


def desk_of(user: User, *, now: datetime) -> Desk:
    """What waits, what is coming, and what is past or was answered with no; the last, newest first, of bounded length."""
    rows = reservations_visible_to(user)
    is_open = Q(state__in=BOOKED, ends_at__gt=now)
    ahead = list(rows.filter(is_open))
    return Desk(
        waiting=lines([row for row in ahead if row.state == ReservationState.REQUESTED]),
        coming=[row for row in ahead if row.state == ReservationState.GRANTED],
        past=list(rows.exclude(is_open).order_by("-starts_at", "-id")[:PAST_ROWS]),
    )


def lines(reservations: Sequence[Reservation]) -> list[Line]:
    """Each with what it would meet; as many queries for many as for one."""
    if not reservations:
        return []
    zone = get_current_timezone()
    starts_at = min(row.starts_at for row in reservations)
    ends_at = max(row.ends_at for row in reservations)
    situations = situations_of({row.pool_id for row in reservations}, starts_at=starts_at, ends_at=ends_at)
    found = []
    for row in reservations:
        outlook = situations[row.pool_id].outlook(booking_of(row), zone=zone)
        found.append(
            Line(
                reservation=row,
                is_possible=outlook.is_possible and row.slots <= situations[row.pool_id].slots,
                clashes=[clash.sentence(zone) for clash in outlook.clashes],
                shortages=[shortage.sentence(zone) for shortage in outlook.shortages],
            )
        )
    return found


def situation_of(pool_id: int, *, starts_at: datetime, ends_at: datetime) -> Situation:
    """What a booking of this pool between the two times is judged by."""
    return situations_of({pool_id}, starts_at=starts_at, ends_at=ends_at)[pool_id]


def situations_of(pool_ids: Iterable[int], *, starts_at: datetime, ends_at: datetime) -> dict[int, Situation]:
    """The situation of each of these pools between the two times."""
    ids = set(pool_ids)
    booked = Reservation.objects.filter(
        pool__in=ids, state__in=BOOKED, starts_at__lt=ends_at, ends_at__gt=starts_at
    ).select_related("cohort")
    quotas = Quota.objects.filter(pool__in=ids, guaranteed__gt=0).select_related("cohort").order_by("cohort")
    slots = slots_of_pools(ids)
    bookings, promises = list(booked), list(quotas)
    return {
        pool_id: Situation(
            slots=slots.get(pool_id, 0),
            bookings=tuple(booking_of(row) for row in bookings if row.pool_id == pool_id),
            guarantees=tuple(_guarantee(row) for row in promises if row.pool_id == pool_id),
        )
        for pool_id in ids
    }


def booking_of(row: Reservation) -> Booking:
    """The reservation as the rules see it."""
    return Booking(
        id=row.pk,
        cohort_id=row.cohort_id,
        cohort=row.cohort.name,
        slots=row.slots,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        is_granted=row.state == ReservationState.GRANTED,
    )


def _guarantee(quota: Quota) -> Guarantee:
    share = Share(quota.guaranteed, quota.from_on, quota.to_on)
    return Guarantee(cohort_id=quota.cohort_id, cohort=quota.cohort.name, share=share)


def reservations_in_feed(user: User, *, now: datetime) -> list[Reservation]:
    """What a person's calendar shows: all they may see that ended at most 90 days ago."""
    return list(reservations_visible_to(user).filter(ends_at__gt=now - FEED_KEEPS))
