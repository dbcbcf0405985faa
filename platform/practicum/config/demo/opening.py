"""A cohort of eight weeks that takes applications, with its offers, as an admin opens one on the pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from practicum.accounts.models import User
from practicum.catalog.models import Project
from practicum.internships import cohorts
from practicum.internships.models import Cohort

WEEKS = 8
ABOUT = "Eight weeks of research in deep learning, on one question of your choice, next to a mentor."
EXPECTED = "Eight hours a week or more, a check-in each week, and a result that somebody else can run."


def open_cohort(
    admin: User,
    *,
    slug: str,
    name: str,
    starts_on: date,
    apply_until: date,
    capacity: int,
    offers: Sequence[tuple[Project, User]],
    places: int,
    now: datetime,
) -> Cohort:
    """The cohort from that Monday on; ``offers``: each project with its mentor, who takes so many."""
    cohort = cohorts.create_cohort(
        admin,
        name=name,
        slug=slug,
        starts_on=starts_on,
        ends_on=starts_on + timedelta(weeks=WEEKS, days=-3),
        idle_minutes=15,
        is_idle_kept=True,
        session_hours=12,
        now=now,
    )
    terms = {name: getattr(cohort, name) for name in cohorts.Settings.__dataclass_fields__} | {
        "entry": "open",
        "apply_until": apply_until,
        "capacity": capacity,
        "about": ABOUT,
        "expected": EXPECTED,
    }
    cohorts.change_cohort(admin, cohort_id=cohort.pk, settings=cohorts.Settings(**terms), now=now)
    cohort.refresh_from_db()
    for project, mentor in offers:
        cohorts.offer_project(admin, cohort=cohort, project=project, mentor=mentor, places=places, now=now)
    return cohort
