"""What changes reservations. A mentor asks, an admin answers; what is granted never adds up to more than the pool has.

Each move is one conditional UPDATE on the state; 0 rows means that somebody else moved it, and the caller is told. The
pool is locked where slots are given, so that two admins can't grant the same ones.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.timezone import get_current_timezone, localdate

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.gpus import reservation_rules as rules
from practicum.gpus import telling
from practicum.gpus.models import Pool, Reservation, ReservationFeed, ReservationState
from practicum.gpus.reservation_rules import Booking
from practicum.gpus.reservation_selectors import (
    booking_of,
    cohorts_to_reserve_for,
    reservation_for,
    situation_of,
)
from practicum.internships.models import Cohort

ANSWER_LENGTH = 300
PURPOSE_LENGTH = 200


class UnfitReservation(Invalid):
    """It can't be asked for like this; ``refusals`` is a list of fields and sentences."""

    code = "unfit_reservation"


class ReservationClash(Conflict):
    """What is granted already leaves too few slots; ``sentences`` says when."""

    code = "reservation_clash"


@transaction.atomic
def request_reservation(
    actor: User,
    *,
    cohort: Cohort,
    pool: Pool,
    slots: int,
    starts_at: datetime,
    ends_at: datetime,
    purpose: str,
    now: datetime,
) -> Reservation:
    """Ask for slots of a pool between two times. They count only once an admin granted them. The pool is locked.

    Raises:
        NotFound: the actor may not ask for this cohort.
        UnfitReservation: the times, the slots or the purpose can't be used.
        ReservationClash: what is granted already leaves too few slots.
    """
    if not (actor.is_active and cohorts_to_reserve_for(actor, today=localdate(now)).filter(pk=cohort.pk).exists()):
        raise NotFound("There is no such cohort for you to ask for.")
    _lock(pool.pk)
    wanted = Booking(None, cohort.pk, cohort.name, slots, starts_at, ends_at)
    refusals = refusals_of(wanted, cohort=cohort, pool=pool, now=now)
    purpose = " ".join(purpose.split())
    if not purpose or len(purpose) > PURPOSE_LENGTH:
        refusals.append(("purpose", f"Say what it is for, in at most {PURPOSE_LENGTH} characters."))
    if refusals:
        raise UnfitReservation(refusals[0][1], refusals=refusals)
    _refuse_clash(wanted, pool_id=pool.pk)
    row = Reservation.objects.create(
        cohort=cohort,
        pool=pool,
        slots=slots,
        starts_at=starts_at,
        ends_at=ends_at,
        purpose=purpose,
        requested_by=actor,
        requested_at=now,
    )
    record("reservation.requested", subject=row, actor=actor, now=now, **_facts(row))
    return row


def refusals_of(wanted: Booking, *, cohort: Cohort, pool: Pool, now: datetime) -> list[tuple[str, str]]:
    """Why it can't be asked for, whatever else is booked: the field, and a sentence."""
    slots = situation_of(pool.pk, starts_at=wanted.starts_at, ends_at=wanted.ends_at).slots
    return rules.unfit(wanted, slots=slots, cohort_ends_on=cohort.ends_on, now=now, zone=get_current_timezone())


def _lock(pool_id: int) -> None:
    Pool.objects.select_for_update().get(pk=pool_id)


def _refuse_clash(wanted: Booking, *, pool_id: int) -> None:
    """Raise if it can't be had beside what is granted. The pool must be locked."""
    zone = get_current_timezone()
    situation = situation_of(pool_id, starts_at=wanted.starts_at, ends_at=wanted.ends_at)
    if wanted.slots > situation.slots:
        have = f"The pool has {situation.slots} slot{'' if situation.slots == 1 else 's'} now"
        raise ReservationClash(f"{have}; {wanted.slots} can't be reserved.", sentences=[])
    clashes = situation.outlook(wanted, zone=zone).clashes
    final = [clash.sentence(zone) for clash in clashes if clash.is_final]
    if final:
        raise ReservationClash(f"These slots are reserved already. {final[0]}", sentences=final)


@transaction.atomic
def decide_reservation(
    reservation_id: int, *, is_granted: bool, answer: str, actor: User, now: datetime
) -> Reservation:
    """Grant or refuse what was asked for; a refusal says why. The pool is locked.

    Raises:
        Forbidden: the actor is no admin.
        NotFound: there is no such reservation.
        Invalid: a refusal without an answer, or an answer that is too long; ``field`` is ``answer``.
        ReservationClash: it is to be granted, and what is granted already leaves too few slots.
        Conflict: it was answered or withdrawn meanwhile, or its time is over.
    """
    if not (actor.is_admin and actor.is_active):
        raise Forbidden("Only admins answer requests for slots.")
    row = reservation_for(actor, reservation_id=reservation_id)
    answer = _answer(answer, is_needed=not is_granted)
    if is_granted:
        _lock(row.pool_id)
        if row.ends_at <= now:
            raise Conflict("Its time is over; there is nothing left to grant.")
        _refuse_clash(booking_of(row), pool_id=row.pool_id)
    state = ReservationState.GRANTED if is_granted else ReservationState.REFUSED
    _move(row, old=ReservationState.REQUESTED, new=state, answer=answer, actor=actor, now=now)
    verb = "reservation.granted" if is_granted else "reservation.refused"
    record(verb, subject=row, actor=actor, now=now, answer=answer, **_facts(row))
    telling.reservation_answered(row, actor=actor, now=now)
    return row


@transaction.atomic
def withdraw_reservation(reservation_id: int, *, actor: User, now: datetime) -> Reservation:
    """Take back what was asked for and is not answered yet: by who asked, or an admin.

    Raises:
        NotFound: it is not theirs to see.
        Forbidden: somebody else asked for it.
        Conflict: it was answered or withdrawn meanwhile.
    """
    row = _own(reservation_id, actor=actor)
    _move(row, old=ReservationState.REQUESTED, new=ReservationState.CANCELLED, answer="", actor=actor, now=now)
    record("reservation.withdrawn", subject=row, actor=actor, now=now, **_facts(row))
    telling.reservation_answered(row, actor=actor, now=now)
    return row


@transaction.atomic
def cancel_reservation(reservation_id: int, *, reason: str, actor: User, now: datetime) -> Reservation:
    """Give up what was granted: its slots are free for others from now on. An admin says why to whoever asked for it.

    Raises:
        NotFound: it is not theirs to see.
        Forbidden: somebody else asked for it.
        Invalid: an admin gave no reason, or it is too long; ``field`` is ``answer``.
        Conflict: it is not granted any more, or over.
    """
    row = _own(reservation_id, actor=actor)
    reason = _answer(reason, is_needed=row.requested_by_id != actor.pk)
    if row.ends_at <= now:
        raise Conflict("It is over already; there is nothing to give up.")
    _move(row, old=ReservationState.GRANTED, new=ReservationState.CANCELLED, answer=reason, actor=actor, now=now)
    record("reservation.cancelled", subject=row, actor=actor, now=now, reason=reason, **_facts(row))
    telling.reservation_answered(row, actor=actor, now=now)
    return row


def may_take_back(row: Reservation, *, person: User) -> bool:
    """Who asked for it, and admins."""
    return person.is_active and (person.is_admin or (person.is_mentor and row.requested_by_id == person.pk))


def _own(reservation_id: int, *, actor: User) -> Reservation:
    row = reservation_for(actor, reservation_id=reservation_id)
    if not may_take_back(row, person=actor):
        raise Forbidden(f"{row.requested_by} asked for it; only they or an admin can take it back.")
    return row


def _answer(typed: str, *, is_needed: bool) -> str:
    answer = " ".join(typed.split())
    if is_needed and not answer:
        raise Invalid("Say why, in a sentence: whoever asked reads it.", field="answer")
    if len(answer) > ANSWER_LENGTH:
        raise Invalid(f"Keep it to {ANSWER_LENGTH} characters.", field="answer")
    return answer


def _move(
    row: Reservation, *, old: ReservationState, new: ReservationState, answer: str, actor: User, now: datetime
) -> None:
    """One conditional UPDATE; the row in hand follows it."""
    changes: dict[str, Any] = {"state": new, "decided_by": actor, "decided_at": now, "answer": answer}
    if not Reservation.objects.filter(pk=row.pk, state=old).update(**changes):
        raise Conflict("Somebody else answered it or took it back meanwhile; look again.")
    for name, value in changes.items():
        setattr(row, name, value)


def _facts(row: Reservation) -> dict[str, Any]:
    return {
        "cohort": row.cohort.slug,
        "pool": row.pool.slug,
        "slots": row.slots,
        "starts_at": row.starts_at.isoformat(),
        "ends_at": row.ends_at.isoformat(),
    }


@transaction.atomic
def renew_feed(user: User, *, now: datetime) -> ReservationFeed:
    """Give a person's calendar feed a new address; the old one opens nothing any more."""
    feed, _ = ReservationFeed.objects.select_for_update().get_or_create(user=user)
    feed.number += 1
    feed.save(update_fields=["number"])
    record("reservation.feed_renewed", subject=feed, actor=user, now=now)
    return feed
