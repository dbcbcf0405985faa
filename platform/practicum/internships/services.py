"""What changes internships."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.timezone import localdate

from practicum.accounts.models import Role, User
from practicum.audit.services import record
from practicum.catalog.models import ProjectVersion
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships.models import Cohort, Internship, InternshipState, Milestone

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
    """Begin an internship, with the project's milestones dated by the cohort's weeks.

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


@transaction.atomic
def complete_internship(internship: Internship, *, actor: User, now: datetime) -> None:
    """End an active internship as completed.

    Raises:
        Conflict: it is not active any more.
    """
    moved = Internship.objects.filter(pk=internship.pk, state=InternshipState.ACTIVE).update(
        state=InternshipState.COMPLETED, completed_at=now
    )
    if not moved:
        raise Conflict("This internship has ended already.")
    record("internship.completed", subject=internship, actor=actor, now=now)


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
    moved = Internship.objects.filter(pk=internship.pk, state=InternshipState.ACTIVE).update(
        state=InternshipState.ENDED, completed_at=now
    )
    if not moved:
        raise Conflict("This internship has ended already.")
    record("internship.ended", subject=internship, actor=actor, now=now, reason=reason)


@transaction.atomic
def change_mentor(internship: Internship, *, mentor: User, actor: User, now: datetime) -> None:
    """Hand an active internship, with all its submissions and reviews, to another mentor.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: ``mentor`` is no mentor, switched off, or its mentor already.
        Conflict: it is not active any more, or somebody changed the mentor meanwhile.
    """
    check_admin(actor)
    if mentor.role != Role.MENTOR or not mentor.is_active:
        raise Invalid(f"{mentor} is no active mentor.", field="mentor")
    if mentor.pk == internship.mentor_id:
        raise Invalid(f"{mentor} is the mentor already.", field="mentor")
    moved = Internship.objects.filter(
        pk=internship.pk, state=InternshipState.ACTIVE, mentor=internship.mentor_id
    ).update(mentor=mentor)
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
