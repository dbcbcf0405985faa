"""A cohort that takes applications, and what an applicant answers."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache

from practicum.internships.applications import Answers, apply
from practicum.internships.readiness import note_figures, start_check
from practicum.internships.readiness_models import CohortCheck
from tests.conftest import make_user
from tests.unit.gpus.conftest import shared_database as shared_database
from tests.unit.internships.checks import publish_check

ANSWERS = Answers(
    background="I have trained small networks.",
    hours_a_week=12,
    prerequisites=["ml", "python"],
    hardware="small",
    hardware_note="",
    wishes=["gpus"],
    wishes_note="",
    ranking=["digits"],
)


@pytest.fixture(autouse=True)
def no_counters(settings: Any) -> None:
    """Counters of requests begin at nothing."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture
def open_cohort(cohort: Any, version: Any) -> Any:
    """Everybody may apply until the day after ``NOW``; there are two places."""
    cohort.entry, cohort.apply_until, cohort.capacity = "open", date(2026, 3, 19), 2
    cohort.save()
    return cohort


@pytest.fixture
def applicants(db: None) -> list[Any]:
    """Four people without an internship."""
    return [make_user(f"app{number}", role="intern", name=f"Applicant {number}") for number in range(1, 5)]


@pytest.fixture
def check(open_cohort: Any, admin: Any, now: Any) -> Any:
    """The cohort asks its applicants for the check of machine learning."""
    version = publish_check(admin, now=now)
    return CohortCheck.objects.create(cohort=open_cohort, project=version.project, is_asked=True, added_by=admin)


@pytest.fixture
def application(open_cohort: Any, intern: Any, now: Any) -> Any:
    """What the intern sent to the cohort."""
    return apply(intern, cohort=open_cohort, answers=ANSWERS, now=now)


@pytest.fixture
def attempt(application: Any, check: Any, intern: Any, now: Any) -> Any:
    """The intern takes the check for the first time."""
    return start_check(intern, application=application, check=check, after=0, now=now)


@pytest.fixture
def reach() -> Any:
    """``reach(attempt, sgd=0.9, bagging=0.1)``: what the scorer measured on the attempt's next submission."""

    def make(attempt: Any, *, now: Any, submission: int | None = None, **metrics: float) -> None:
        number = submission or attempt.reached.count() + 1
        said = {"variant": float(attempt.variant), "held": 0.5} | metrics
        note_figures(attempt.internship, submission=number, metrics=said, now=now)

    return make
