"""What changes applications: what applicants send and take back, what admins answer, and the waiting list.

A cohort with ``capacity`` has so many *seats*; whoever an admin offers a place beyond them is put on the waiting list,
and moves up, the longest on it first, as soon as a seat is free. Seats are given under a lock on the cohort's row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.timezone import localdate

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships import telling
from practicum.internships.models import SEATED, Application, ApplicationState, Cohort, Entry, Invitation
from practicum.internships.services import REASON_LENGTH, check_admin, end_check

HOURS = (1, 60)


@dataclass(frozen=True)
class Answers:
    """What an applicant filled in; ``ranking`` are slugs of projects, the dearest first."""

    background: str
    hours_a_week: int
    prerequisites: list[str]
    hardware: str
    hardware_note: str
    wishes: list[str]
    wishes_note: str
    ranking: list[str]


class TooLate(Conflict):
    """The time to apply is over, or has not begun."""

    code = "too_late"


@transaction.atomic
def apply(applicant: User, *, cohort: Cohort, answers: Answers, now: datetime) -> Application:
    """The application says this from now on; the first time it is received.

    Raises:
        Forbidden: the person is no intern, or was not invited where one has to be.
        TooLate: the time to apply is over.
        Invalid: an answer can't be used.
        Conflict: the application was declined or withdrawn, or its applicant has been placed.
    """
    check_may_apply(applicant, cohort=cohort, now=now)
    if len(set(answers.ranking)) != len(answers.ranking):
        raise Invalid("Choose each project once.", field="ranking")
    said = asdict(answers) | {"changed_at": now}
    editable = (ApplicationState.RECEIVED, ApplicationState.OFFERED, ApplicationState.WAITLISTED)
    rows = Application.objects.filter(cohort=cohort, applicant=applicant)
    if rows.filter(state__in=editable).update(**said):
        application = rows.get()
        record("application.changed", subject=application, actor=applicant, now=now)
        return application
    try:
        with transaction.atomic():
            application = Application.objects.create(cohort=cohort, applicant=applicant, sent_at=now, **said)
    except IntegrityError as clash:
        raise Conflict("This application can't be changed any more.") from clash
    record("application.received", subject=application, actor=applicant, now=now, cohort=cohort.slug)
    telling.received(application, now=now)
    return application


def check_may_apply(applicant: User, *, cohort: Cohort, now: datetime) -> None:
    """Let whoever may apply through.

    Raises:
        Forbidden: the person is no intern, or was not invited where one has to be.
        TooLate: the time to apply is over.
    """
    if not (applicant.is_intern and applicant.is_active):
        raise Forbidden("Only interns apply to a cohort.")
    if not cohort.takes_applications(today=localdate(now)):
        raise TooLate(f"Nobody can apply to {cohort} now.")
    is_invited = Invitation.objects.filter(cohort=cohort, used_by=applicant, revoked_at__isnull=True).exists()
    if cohort.entry == Entry.INVITATION and not is_invited:
        raise Forbidden(f"{cohort} takes only people who were invited. Open the link in your invitation first.")


@transaction.atomic
def withdraw(application: Application, *, now: datetime) -> None:
    """The applicant takes it back; who is first on the waiting list moves up.

    Raises:
        Conflict: it was withdrawn or declined already, or its applicant has been placed.
    """
    _lock(application.cohort_id)
    open_states = (ApplicationState.RECEIVED, *SEATED[:1], ApplicationState.WAITLISTED)
    rows = Application.objects.filter(pk=application.pk, state__in=open_states)
    if not rows.update(withdrawn_from=F("state"), state=ApplicationState.WITHDRAWN, listed_at=None):
        raise Conflict("This application can't be withdrawn any more.")
    record("application.withdrawn", subject=application, actor=application.applicant, now=now)
    _end_check(application, why="The application was withdrawn.", now=now)
    move_up(application.cohort, now=now)


@transaction.atomic
def undo_withdrawal(application: Application, *, now: datetime) -> Application:
    """It counts again; whoever had a place gets one if there is one still, or is last on the waiting list.

    Raises:
        TooLate: the time to apply is over.
        Conflict: it is not withdrawn.
    """
    cohort = _lock(application.cohort_id)
    if not cohort.takes_applications(today=localdate(now)):
        raise TooLate("The time to apply is over; write to an admin.")
    rows = Application.objects.filter(pk=application.pk, state=ApplicationState.WITHDRAWN)
    row = rows.first()
    if row is None:
        raise Conflict("This application is not withdrawn.")
    had_none = row.withdrawn_from == ApplicationState.RECEIVED
    state = ApplicationState.RECEIVED if had_none else _seat(cohort)
    rows.update(state=state, withdrawn_from="", listed_at=now if state == ApplicationState.WAITLISTED else None)
    record("application.withdrawal_undone", subject=row, actor=row.applicant, now=now, state=str(state))
    row.refresh_from_db()
    return row


@transaction.atomic
def offer_place(actor: User, *, application: Application, now: datetime) -> Application:
    """The applicant has a place, or is put on the waiting list where all are taken; they are told.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: it was withdrawn, or has a place already.
    """
    check_admin(actor)
    cohort = _lock(application.cohort_id)
    state = _seat(cohort)
    rows = Application.objects.filter(
        pk=application.pk, state__in=(ApplicationState.RECEIVED, ApplicationState.DECLINED)
    )
    listed_at = now if state == ApplicationState.WAITLISTED else None
    if not rows.update(state=state, listed_at=listed_at, reason=""):
        raise Conflict("This application was withdrawn, or has a place already.")
    application.refresh_from_db()
    record(f"application.{state}", subject=application, actor=actor, now=now)
    telling.answered(application, now=now)
    return application


@transaction.atomic
def decline(actor: User, *, application: Application, reason: str, now: datetime) -> Application:
    """The applicant gets no place, and reads why; who is first on the waiting list moves up.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: no reason is given, or one that is too long.
        Conflict: it was withdrawn or declined, or its applicant has been placed.
    """
    check_admin(actor)
    reason = reason.strip()
    if not reason or len(reason) > REASON_LENGTH:
        raise Invalid(f"Say why, in at most {REASON_LENGTH} characters.", field="reason")
    cohort = _lock(application.cohort_id)
    open_states = (ApplicationState.RECEIVED, ApplicationState.OFFERED, ApplicationState.WAITLISTED)
    rows = Application.objects.filter(pk=application.pk, state__in=open_states)
    if not rows.update(state=ApplicationState.DECLINED, reason=reason, listed_at=None):
        raise Conflict("This application was withdrawn or answered meanwhile.")
    application.refresh_from_db()
    record("application.declined", subject=application, actor=actor, now=now, reason=reason)
    _end_check(application, why="The application was declined.", now=now)
    telling.answered(application, now=now)
    move_up(cohort, now=now)
    return application


@transaction.atomic
def move_up(cohort: Cohort, *, now: datetime) -> int:
    """Give every free seat to who is on the waiting list longest, and tell them; returns how many moved up."""
    cohort = _lock(cohort.pk)
    moved = 0
    waiting = Application.objects.filter(cohort=cohort, state=ApplicationState.WAITLISTED)
    for application in waiting.select_related("applicant", "cohort").order_by("listed_at", "pk"):
        if _seat(cohort) == ApplicationState.WAITLISTED:
            break
        Application.objects.filter(pk=application.pk).update(state=ApplicationState.OFFERED, listed_at=None)
        application.state = ApplicationState.OFFERED
        record("application.moved_up", subject=application, actor=None, now=now)
        telling.answered(application, now=now)
        moved += 1
    return moved


def _end_check(application: Application, *, why: str, now: datetime) -> None:
    """Nobody goes on with a readiness check for an application that is over."""
    end_check(application.applicant, why=why, actor=None, now=now, only_in=application.cohort)


def _lock(cohort_id: int) -> Cohort:
    return Cohort.objects.select_for_update().get(pk=cohort_id)


def _seat(cohort: Cohort) -> ApplicationState:
    """What the next who is offered a place gets; the cohort's row is locked."""
    taken = Application.objects.filter(cohort=cohort, state__in=SEATED).count()
    is_free = cohort.capacity is None or taken < cohort.capacity
    return ApplicationState.OFFERED if is_free else ApplicationState.WAITLISTED
