"""Questions about internships. Every gate to an intern's work starts here.

Who may see an internship: its intern, its mentor, and admins. To anybody else it does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.contrib.auth.models import AnonymousUser
from django.db.models import Case, Q, QuerySet, Value, When

from practicum.accounts.models import Role, User
from practicum.catalog.models import Project, ProjectVersion
from practicum.catalog.selectors import latest_versions, versions_to_work_on
from practicum.errors import NotFound
from practicum.internships.models import GOING_ON, Cohort, Internship, InternshipState, Milestone, Offer, is_proper


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


def milestone_of(internship: Internship, *, position: int) -> Milestone:
    """One of its milestones, by its place from 1.

    Raises:
        NotFound: it has no such milestone.
    """
    milestone = internship.milestones.filter(position=position).first()
    if milestone is None:
        raise NotFound
    milestone.internship = internship
    return milestone


def work_visible_to(user: User) -> QuerySet[Internship]:
    """The same, and readiness checks: their applicant's own, and admins all."""
    if user.is_admin:
        return Internship.with_checks.all()
    return Internship.with_checks.filter(is_proper(), mentor=user) if user.is_mentor else _work_of(user)


def _work_of(user: User) -> QuerySet[Internship]:
    return Internship.with_checks.select_related("intern", "mentor", "cohort", "version__project").filter(intern=user)


def active_internship_of(user: User) -> Internship | None:
    """What this person works on now, or None: the one active internship of an intern, or an applicant's readiness check."""
    return _work_of(user).filter(state=InternshipState.ACTIVE).first()


def latest_work_of(user: User) -> Internship | None:
    """What goes on, or else the internship, or else the readiness check that ended last."""
    own = _work_of(user)
    last = current_internship_of(user) or own.order_by("-completed_at", "-pk").first()
    return own.filter(state__in=GOING_ON).first() or last


def current_internship_of(user: User) -> Internship | None:
    """The internship that goes on, or else the one that ended last: what an intern's home shows."""
    rows = Internship.objects.select_related("intern", "mentor", "cohort", "version__project").filter(intern=user)
    return rows.filter(state__in=GOING_ON).first() or rows.order_by("-completed_at", "-pk").first()


def current_project_of(user: User) -> str | None:
    """The slug of the project of :func:`current_internship_of`, for every page's navigation: one light query."""
    ended = Case(When(state__in=GOING_ON, then=Value(0)), default=Value(1))
    rows = Internship.objects.filter(intern=user).order_by(ended, "-completed_at", "-pk")
    return rows.values_list("version__project__slug", flat=True).first()


def next_milestone(internship: Internship) -> Milestone | None:
    """The first milestone that is not reached."""
    return internship.milestones.filter(reached_at__isnull=True).first()


def days_left(internship: Internship, *, today: date) -> int:
    """Days until its last day; 0 once that is over."""
    return max(0, (internship.last_day - today).days)


def interns_to_place() -> QuerySet[User]:
    """Active interns without an internship that goes on, by name."""
    busy = Internship.objects.filter(state__in=GOING_ON).values("intern")
    return User.objects.filter(role=Role.INTERN, is_active=True).exclude(pk__in=busy).order_by("name", "pk")


def active_mentors() -> QuerySet[User]:
    """Mentors who can take interns, by name."""
    return User.objects.filter(role=Role.MENTOR, is_active=True).order_by("name", "pk")


def open_cohorts(*, today: date) -> QuerySet[Cohort]:
    """Cohorts in progress or planned, the one that begins last first."""
    return Cohort.objects.filter(ends_on__gte=today)


def cohort_for(viewer: User | AnonymousUser, *, slug: str) -> Cohort:
    """The cohort whose page ``viewer`` may read: everybody that of one people may apply to, who is signed in any.

    Raises:
        NotFound: there is none, or it is not public.
    """
    cohort = Cohort.objects.filter(slug=slug).first()
    if cohort is None or not (cohort.is_public or viewer.is_authenticated):
        raise NotFound
    return cohort


def cohort_of_admin(slug: str) -> Cohort:
    """The cohort, for admins.

    Raises:
        NotFound: there is none.
    """
    cohort = Cohort.objects.filter(slug=slug).first()
    if cohort is None:
        raise NotFound("There is no such cohort.")
    return cohort


@dataclass(frozen=True)
class OfferedProject:
    """A project as the cohort's page shows it, with the offers it stands in."""

    version: ProjectVersion
    offers: list[Offer]

    @property
    def places(self) -> int:
        """For how many there are places, over all its mentors."""
        return sum(offer.places for offer in self.offers)


def offers_of(cohort: Cohort) -> QuerySet[Offer]:
    """What the cohort offers, by project and mentor."""
    return Offer.objects.filter(cohort=cohort).select_related("project", "mentor")


def offer_of(cohort: Cohort, *, offer_id: int) -> Offer:
    """One offer of the cohort, for admins.

    Raises:
        NotFound: there is none, or it is another cohort's.
    """
    offer = offers_of(cohort).filter(pk=offer_id).first()
    if offer is None:
        raise NotFound
    return offer


def offered_projects(cohort: Cohort) -> list[OfferedProject]:
    """The projects the cohort offers, by title, each once, in its latest version: two queries."""
    by_project: dict[int, list[Offer]] = {}
    for offer in offers_of(cohort):
        by_project.setdefault(offer.project_id, []).append(offer)
    versions = latest_versions().filter(project__in=by_project)
    return [OfferedProject(version=version, offers=by_project[version.project_id]) for version in versions]


def published_projects() -> QuerySet[Project]:
    """Projects one may work on, with a version, by title."""
    return Project.objects.filter(pk__in=versions_to_work_on().values("project"))
