"""Questions about applications. An applicant sees their own; admins see all; to anybody else they do not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet

from practicum.accounts.models import User
from practicum.errors import NotFound
from practicum.internships.models import (
    SEATED,
    Application,
    ApplicationState,
    Cohort,
    Entry,
    Hardware,
    Invitation,
    Prerequisite,
    Wish,
)
from practicum.internships.readiness_selectors import CheckStanding
from practicum.lib.spreadsheet import csv_lines

# The upper ends of the bars of the survey, hours a week.
HOUR_BARS = (5, 10, 15, 20, 30, 60)


def application_of(applicant: User, *, cohort: Cohort) -> Application | None:
    """What this person sent to this cohort, or None."""
    return Application.objects.select_related("applicant", "cohort").filter(applicant=applicant, cohort=cohort).first()


def own_application(applicant: User, *, cohort: Cohort) -> Application:
    """What this person sent to this cohort.

    Raises:
        NotFound: nothing.
    """
    application = application_of(applicant, cohort=cohort)
    if application is None:
        raise NotFound
    return application


def applications_of(applicant: User) -> QuerySet[Application]:
    """Everything this person sent to cohorts that are not over, the latest first."""
    return Application.objects.filter(applicant=applicant).select_related("cohort").order_by("-sent_at")


def open_to(person: User, *, today: date) -> QuerySet[Cohort]:
    """Cohorts this person may apply to now and has not, by their deadline."""
    invited = Invitation.objects.filter(used_by=person, revoked_at__isnull=True).values("cohort")
    rows = Cohort.objects.filter(apply_until__gte=today).exclude(applications__applicant=person)
    return rows.filter(Q(entry=Entry.OPEN) | Q(entry=Entry.INVITATION, pk__in=invited)).order_by("apply_until", "pk")


def waitlist_place(application: Application) -> int:
    """How manieth it is on the waiting list, from 1; 0 where it is not on it."""
    if application.state != ApplicationState.WAITLISTED:
        return 0
    earlier = Q(listed_at__lt=application.listed_at) | Q(listed_at=application.listed_at, pk__lt=application.pk)
    waiting = Application.objects.filter(cohort=application.cohort_id, state=ApplicationState.WAITLISTED)
    return waiting.filter(earlier).count() + 1


def applications_matching(
    cohort: Cohort, *, text: str = "", state: str = "", hardware: str = "", prerequisite: str = ""
) -> list[Application]:
    """The cohort's applications as they came in; each word of ``text`` is part of name or address."""
    rows = Application.objects.filter(cohort=cohort).select_related("applicant", "cohort")
    for word in text.split():
        rows = rows.filter(Q(applicant__name__icontains=word) | Q(applicant__email__icontains=word))
    if state in ApplicationState.values:
        rows = rows.filter(state=state)
    if hardware in Hardware.values:
        rows = rows.filter(hardware=hardware)
    return [row for row in rows if not prerequisite or prerequisite in row.prerequisites]


def application_for_admin(cohort: Cohort, *, application_id: int) -> Application:
    """One of the cohort's applications, for admins.

    Raises:
        NotFound: there is none.
    """
    rows = Application.objects.select_related("applicant", "cohort")
    application = rows.filter(cohort=cohort, pk=application_id).first()
    if application is None:
        raise NotFound("There is no such application.")
    return application


def invitations_of(cohort: Cohort) -> QuerySet[Invitation]:
    """Whom admins invited, the latest first."""
    rows = Invitation.objects.filter(cohort=cohort, invited_by__isnull=False)
    return rows.select_related("cohort", "invited_by", "used_by")


def invitation_for_admin(cohort: Cohort, *, invitation_id: int) -> Invitation:
    """One of the cohort's invitations, for admins.

    Raises:
        NotFound: there is none.
    """
    invitation = invitations_of(cohort).filter(pk=invitation_id).first()
    if invitation is None:
        raise NotFound
    return invitation


@dataclass(frozen=True)
class Seats:
    """How many of a cohort's places are taken, and who waits."""

    capacity: int | None
    taken: int
    waiting: int
    received: int
    total: int

    @property
    def free(self) -> int | None:
        """Places nobody has; None: as many as come."""
        return None if self.capacity is None else max(0, self.capacity - self.taken)


def seats_of(cohort: Cohort) -> Seats:
    """The counts: one query."""
    states = list(Application.objects.filter(cohort=cohort).values_list("state", flat=True))
    return Seats(
        capacity=cohort.capacity,
        taken=sum(state in SEATED for state in states),
        waiting=states.count(ApplicationState.WAITLISTED),
        received=states.count(ApplicationState.RECEIVED),
        total=sum(state != ApplicationState.WITHDRAWN for state in states),
    )


@dataclass(frozen=True)
class Bars:
    """One question of the survey: each answer, how many gave it, and the length of its bar in percent."""

    what: str
    rows: list[tuple[str, int, int]]


def survey_of(applications: Iterable[Application]) -> list[Bars]:
    """What applicants have, bring and wish, as plots; who withdrew does not count."""
    rows = [row for row in applications if row.state != ApplicationState.WITHDRAWN]
    lows = [1, *(end + 1 for end in HOUR_BARS[:-1])]
    hours = {f"{low} to {high}": (low, high) for low, high in zip(lows, HOUR_BARS, strict=True)}
    return [
        _chart("Prerequisites", {_short(c.label): sum(c in row.prerequisites for row in rows) for c in Prerequisite}),
        _chart("Own hardware", {str(c.label): sum(c == row.hardware for row in rows) for c in Hardware}),
        _chart(
            "Hours a week",
            {name: sum(low <= row.hours_a_week <= high for row in rows) for name, (low, high) in hours.items()},
        ),
        _chart("Wish to learn", {str(c.label): sum(c in row.wishes for row in rows) for c in Wish}),
    ]


def _short(label: object) -> str:
    """A label up to where it explains itself."""
    return str(label).split(":", maxsplit=1)[0]


def _chart(what: str, counts: dict[str, int]) -> Bars:
    most = max(counts.values(), default=0) or 1
    return Bars(what, [(name, count, round(100 * count / most)) for name, count in counts.items()])


COLUMNS: dict[str, Callable[[Application], Any]] = {
    "name": lambda row: row.applicant.name,
    "email": lambda row: row.applicant.email,
    "state": lambda row: row.state,
    "reason": lambda row: row.reason,
    "hours_a_week": lambda row: row.hours_a_week,
    "has_ml": lambda row: Prerequisite.ML in row.prerequisites,
    "has_python": lambda row: Prerequisite.PYTHON in row.prerequisites,
    "has_cuda": lambda row: Prerequisite.CUDA in row.prerequisites,
    "hardware": lambda row: row.hardware,
    "hardware_note": lambda row: row.hardware_note,
    "wishes": lambda row: " ".join(row.wishes),
    "wishes_note": lambda row: row.wishes_note,
    "ranking": lambda row: " ".join(row.ranking),
    "background": lambda row: row.background,
    "sent_at": lambda row: row.sent_at.isoformat(),
}


CHECK_COLUMNS: dict[str, Callable[[CheckStanding], Any]] = {
    "bars_held": lambda row: row.best.held if row.best else "",
    "bars": lambda row: row.total if row.best else "",
    "attempts": lambda row: len(row.counted),
    "best_at": lambda row: row.best.best.scored_at.isoformat() if row.best and row.best.best else "",
}


def csv_of(applications: Iterable[Application], *, standings: Mapping[int, Sequence[CheckStanding]]) -> str:
    """The columns' names, then a line for each application; several answers stand in one cell, with spaces.

    ``standings``: the cohort's readiness checks for each application, by its number; each has some columns at the end.
    """
    checks = next(iter(standings.values()), ())
    names = [f"{row.project.slug.replace('-', '_')}_{name}" for row in checks for name in CHECK_COLUMNS]
    lines = (
        [read(row) for read in COLUMNS.values()]
        + [read(standing) for standing in standings.get(row.pk, ()) for read in CHECK_COLUMNS.values()]
        for row in applications
    )
    return "".join(csv_lines([*COLUMNS, *names], lines))
