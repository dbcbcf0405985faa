"""Questions about internships. Every gate to an intern's work starts here.

Who may see an internship: its intern, its mentor, and admins. To anybody else it does not exist.
"""

from __future__ import annotations

from datetime import date

from django.db.models import Q, QuerySet

from practicum.accounts.models import Role, User
from practicum.errors import NotFound
from practicum.internships.models import Cohort, Internship, InternshipState, Milestone


def internships_visible_to(user: User) -> QuerySet[Internship]:
    """The internships ``user`` may see, with intern, mentor, cohort and project loaded."""
    rows = Internship.objects.select_related("intern", "mentor", "cohort", "version__project")
    if user.is_admin:
        return rows
    return rows.filter(Q(mentor=user) if user.is_mentor else Q(intern=user))


def internship_for(user: User, *, internship_id: int) -> Internship:
    """The internship, if ``user`` may see it.

    Raises:
        NotFound: there is none, or it is not theirs to see.
    """
    internship = internships_visible_to(user).filter(pk=internship_id).first()
    if internship is None:
        raise NotFound
    return internship


def active_internship_of(user: User) -> Internship | None:
    """The one active internship of an intern, or None."""
    return (
        Internship.objects.select_related("intern", "mentor", "cohort", "version__project")
        .filter(intern=user, state=InternshipState.ACTIVE)
        .first()
    )


def current_internship_of(user: User) -> Internship | None:
    """The active internship, or else the one that ended last: what an intern's home shows."""
    return active_internship_of(user) or (
        Internship.objects.select_related("intern", "mentor", "cohort", "version__project")
        .filter(intern=user)
        .order_by("-completed_at", "-pk")
        .first()
    )


def next_milestone(internship: Internship) -> Milestone | None:
    """The first milestone that is not reached."""
    return internship.milestones.filter(reached_at__isnull=True).first()


def days_left(internship: Internship, *, today: date) -> int:
    """Days until the cohort ends; 0 once it has."""
    return max(0, (internship.cohort.ends_on - today).days)


def interns_to_place() -> QuerySet[User]:
    """Active interns without an active internship, by name."""
    busy = Internship.objects.filter(state=InternshipState.ACTIVE).values("intern")
    return User.objects.filter(role=Role.INTERN, is_active=True).exclude(pk__in=busy).order_by("name", "pk")


def active_mentors() -> QuerySet[User]:
    """Mentors who can take interns, by name."""
    return User.objects.filter(role=Role.MENTOR, is_active=True).order_by("name", "pk")


def open_cohorts(*, today: date) -> QuerySet[Cohort]:
    """Cohorts in progress or planned, the one that begins last first."""
    return Cohort.objects.filter(ends_on__gte=today)
