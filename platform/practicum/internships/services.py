"""What changes internships."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.timezone import localdate

from practicum.accounts.models import Role, User
from practicum.audit.services import record
from practicum.catalog.models import ProjectVersion
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships import telling
from practicum.internships.models import (
    GOING_ON,
    Change,
    ChangeState,
    Cohort,
    Internship,
    InternshipPurpose,
    InternshipState,
    Milestone,
)
from practicum.internships.readiness_models import CheckAttempt
from practicum.internships.rules import days_of_pause

REASON_LENGTH = 300


def check_admin(actor: User) -> None:
    """Let an admin through.

    Raises:
        Forbidden: the actor is no admin.
    """
    if not (actor.is_admin and actor.is_active):
        raise Forbidden("Only admins arrange cohorts and internships.")


@transaction.atomic
def start_internship(
    intern: User, *, mentor: User, cohort: Cohort, version: ProjectVersion, actor: User, now: datetime
) -> Internship:
    """Begin an internship, with the project's milestones dated by the cohort's weeks. A readiness check they take is over.

    Raises:
        Invalid: a person has the wrong role, or an account that is switched off; or the cohort is over.
        Conflict: the intern has an active internship already.
    """
    if intern.role != Role.INTERN or mentor.role != Role.MENTOR:
        raise Invalid("An internship needs an intern and a mentor; check the roles of both accounts.")
    for person in (intern, mentor):
        if not person.is_active:
            raise Invalid(f"The account of {person} is switched off.")
    if cohort.ends_on < localdate(now):
        raise Invalid(f"{cohort} is over. Choose a cohort that is in progress or planned.")
    end_check(intern, why="An internship began.", actor=actor, now=now)
    try:
        with transaction.atomic():
            internship = Internship.objects.create(
                intern=intern, mentor=mentor, cohort=cohort, version=version, started_on=cohort.starts_on
            )
    except IntegrityError as clash:
        raise Conflict(f"{intern} is in an internship already; end that one first.") from clash
    Milestone.objects.bulk_create(
        Milestone(
            internship=internship,
            position=position,
            title=milestone["title"],
            evidence=milestone["evidence"],
            due_on=cohort.starts_on + timedelta(weeks=milestone["week"], days=-1),
        )
        for position, milestone in enumerate(version.manifest["milestones"], start=1)
    )
    record("internship.started", subject=internship, actor=actor, now=now, intern=intern.username)
    return internship


@transaction.atomic
def reach_milestone(milestone: Milestone, *, actor: User | None, now: datetime) -> bool:
    """Mark a milestone reached; False if it was already."""
    moved = Milestone.objects.filter(pk=milestone.pk, reached_at__isnull=True).update(reached_at=now)
    if moved:
        record("milestone.reached", subject=milestone, actor=actor, now=now)
    return bool(moved)


@transaction.atomic
def take_back_milestone(milestone: Milestone, *, reached_at: datetime, actor: User, now: datetime) -> bool:
    """Mark a milestone not reached again, if it was reached at exactly ``reached_at``; False if not."""
    moved = Milestone.objects.filter(pk=milestone.pk, reached_at=reached_at).update(reached_at=None)
    if moved:
        record("milestone.taken_back", subject=milestone, actor=actor, now=now)
    return bool(moved)


def mark_milestone(milestone: Milestone, *, actor: User, now: datetime) -> bool:
    """The mentor saw that it is reached, without a review of it; False if it was already.

    Raises:
        Conflict: the internship is over.
    """
    _check_goes_on(milestone.internship)
    return reach_milestone(milestone, actor=actor, now=now)


def unreach_milestone(milestone: Milestone, *, actor: User, now: datetime) -> bool:
    """It is not reached after all; False if it was not.

    Raises:
        Conflict: the internship is over.
    """
    _check_goes_on(milestone.internship)
    if milestone.reached_at is None:
        return False
    return take_back_milestone(milestone, reached_at=milestone.reached_at, actor=actor, now=now)


def _check_goes_on(internship: Internship) -> None:
    if internship.state not in GOING_ON:
        raise Conflict("This internship has ended already.")


@transaction.atomic
def complete_internship(internship: Internship, *, actor: User, now: datetime) -> None:
    """End an active internship as completed, and tell its intern. Milestones that are not reached stay so.

    Raises:
        Conflict: it is paused, or not active any more.
    """
    moved = Internship.objects.filter(pk=internship.pk, state=InternshipState.ACTIVE).update(
        state=InternshipState.COMPLETED, completed_at=now
    )
    if not moved:
        paused = Internship.objects.filter(pk=internship.pk, state=InternshipState.PAUSED).exists()
        raise Conflict("It is paused; let it go on first." if paused else "This internship has ended already.")
    _lapse(internship, now=now)
    record("internship.completed", subject=internship, actor=actor, now=now)
    telling.completed(internship, now=now)


@transaction.atomic
def end_internship(internship: Internship, *, reason: str, actor: User, now: datetime) -> None:
    """End an active internship early. Its work stays; the intern hands in nothing more, and an open notebook is stopped.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: no reason is given, or one that is too long.
        Conflict: it is not active any more.
    """
    check_admin(actor)
    reason = reason.strip()
    if not reason or len(reason) > REASON_LENGTH:
        raise Invalid(f"Say why, in at most {REASON_LENGTH} characters.", field="reason")
    close_early(internship, reason=reason, actor=actor, now=now)


@transaction.atomic
def close_early(internship: Internship, *, reason: str, actor: User, now: datetime) -> None:
    """End one that goes on; the caller has checked who asks for it, and why.

    Raises:
        Conflict: it has ended already.
    """
    moved = Internship.objects.filter(pk=internship.pk, state__in=GOING_ON).update(
        state=InternshipState.ENDED, completed_at=now
    )
    if not moved:
        raise Conflict("This internship has ended already.")
    _lapse(internship, now=now)
    record("internship.ended", subject=internship, actor=actor, now=now, reason=reason)


@transaction.atomic
def end_check(person: User, *, why: str, actor: User | None, now: datetime, only_in: Cohort | None = None) -> bool:
    """The readiness check this person takes, if any, is over; what was handed in stays. False where none went on.

    ``only_in``: a check for this cohort, and no other.
    """
    checks = Internship.with_checks.filter(intern=person, purpose=InternshipPurpose.READINESS, state__in=GOING_ON)
    checks = checks if only_in is None else checks.filter(cohort=only_in)
    check = checks.first()
    if check is None or not checks.filter(pk=check.pk).update(state=InternshipState.ENDED, completed_at=now):
        return False
    attempt = CheckAttempt.objects.get(internship=check)
    record("readiness.ended", subject=attempt, actor=actor, now=now, why=why)
    return True


def _lapse(internship: Internship, *, now: datetime) -> None:
    """Nobody needs to answer any more what was asked for."""
    open_ones = Change.objects.filter(internship=internship, state=ChangeState.OPEN)
    open_ones.update(state=ChangeState.LAPSED, answered_at=now)


@transaction.atomic
def change_mentor(internship: Internship, *, mentor: User, actor: User, now: datetime) -> None:
    """Hand an active internship, with all its submissions and reviews, to another mentor.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: ``mentor`` is no mentor, switched off, or its mentor already.
        Conflict: it is not active any more, or somebody changed the mentor meanwhile.
    """
    check_admin(actor)
    hand_over(internship, mentor=mentor, actor=actor, now=now)


def check_mentor(internship: Internship, *, mentor: User) -> None:
    """Let through who may become the mentor.

    Raises:
        Invalid: ``mentor`` is no mentor, switched off, or its mentor already.
    """
    if mentor.role != Role.MENTOR or not mentor.is_active:
        raise Invalid(f"{mentor} is no active mentor.", field="mentor")
    if mentor.pk == internship.mentor_id:
        raise Invalid(f"{mentor} is the mentor already.", field="mentor")


@transaction.atomic
def hand_over(internship: Internship, *, mentor: User, actor: User, now: datetime) -> None:
    """Another mentor has it from now on; the caller has checked who asks for it.

    Raises:
        Invalid: ``mentor`` is no mentor, switched off, or its mentor already.
        Conflict: it is over, or somebody changed the mentor meanwhile.
    """
    check_mentor(internship, mentor=mentor)
    rows = Internship.objects.filter(pk=internship.pk, state__in=GOING_ON, mentor=internship.mentor_id)
    moved = rows.update(mentor=mentor)
    if not moved:
        raise Conflict("This internship has ended, or its mentor was changed meanwhile.")
    record(
        "internship.mentor_changed",
        subject=internship,
        actor=actor,
        now=now,
        old=internship.mentor.username,
        new=mentor.username,
    )


@transaction.atomic
def extend(internship: Internship, *, until: date, actor: User, now: datetime) -> None:
    """Its last day is ``until``, and milestones that are not reached move along.

    Raises:
        Conflict: it is over, or its last day was moved meanwhile.
    """
    by = until - internship.last_day
    rows = Internship.objects.filter(pk=internship.pk, state__in=GOING_ON, ends_on=internship.ends_on)
    if not rows.update(ends_on=until):
        raise Conflict("This internship is over, or its last day was moved meanwhile.")
    _move_milestones(internship, by=by)
    record("internship.extended", subject=internship, actor=actor, now=now, until=until.isoformat())


@transaction.atomic
def pause(internship: Internship, *, until: date, actor: User, now: datetime) -> None:
    """It rests until that day: no notebook opens, an open one is stopped, nothing is taken in.

    Raises:
        Conflict: it is not active.
    """
    rows = Internship.objects.filter(pk=internship.pk, state=InternshipState.ACTIVE)
    if not rows.update(state=InternshipState.PAUSED, paused_on=localdate(now), back_on=until):
        raise Conflict("This internship is not active, so it can't be paused.")
    record("internship.paused", subject=internship, actor=actor, now=now, until=until.isoformat())


@transaction.atomic
def resume(internship: Internship, *, actor: User | None, now: datetime) -> None:
    """It goes on; its last day and the milestones that are not reached move by the days of the pause.

    Raises:
        Conflict: it is not paused.
    """
    rows = Internship.objects.select_for_update().filter(pk=internship.pk, state=InternshipState.PAUSED)
    row = rows.select_related("cohort").first()
    if row is None or row.paused_on is None:
        raise Conflict("This internship is not paused.")
    by = days_of_pause(row.paused_on, today=localdate(now))
    ends_on = row.last_day + by if by else row.ends_on
    moved = Internship.objects.filter(pk=row.pk, state=InternshipState.PAUSED).update(
        state=InternshipState.ACTIVE, paused_on=None, back_on=None, ends_on=ends_on
    )
    if not moved:
        raise Conflict("This internship is not paused.")
    _move_milestones(row, by=by)
    record("internship.resumed", subject=internship, actor=actor, now=now, days=by.days)


def resume_due(*, now: datetime) -> int:
    """Let every internship go on whose pause is over; returns how many."""
    due = Internship.objects.filter(state=InternshipState.PAUSED, back_on__lte=localdate(now))
    for internship in due:
        resume(internship, actor=None, now=now)
    return len(due)


def _move_milestones(internship: Internship, *, by: timedelta) -> None:
    if not by:
        return
    moved = list(Milestone.objects.filter(internship=internship, reached_at__isnull=True))
    for milestone in moved:
        milestone.due_on += by
    Milestone.objects.bulk_update(moved, ["due_on"])
