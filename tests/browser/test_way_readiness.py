"""Readiness checks in Chromium: taken, a gap read and its notebook opened, taken again; seen beside the application."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import localdate

from practicum.internships.applications import apply
from practicum.internships.models import Application, Cohort, Internship, Offer
from practicum.internships.placements import propose
from practicum.internships.readiness import note_figures, set_checks, start_check
from practicum.internships.readiness_models import CheckAttempt, CohortCheck
from practicum.lib.clock import utc_now
from tests.browser.conftest import faults_on_a_phone
from tests.unit.internships.checks import READINESS, publish_check
from tests.unit.internships.conftest import ANSWERS

pytestmark = pytest.mark.browser

APPLY = "/cohorts/next/apply/"


@pytest.fixture
def application(people: dict[str, Any]) -> Application:
    """The intern, whose internship is over, has applied to a cohort that has two checks."""
    Internship.objects.update(state="completed", completed_at=utc_now())
    today, admin = localdate(), people["admin"]
    cohort = Cohort.objects.create(
        slug="next",
        name="Next cohort",
        starts_on=today + timedelta(days=30),
        ends_on=today + timedelta(days=90),
        entry="open",
        apply_until=today + timedelta(days=10),
    )
    internship = people["internship"]
    Offer.objects.create(cohort=cohort, project=internship.version.project, mentor=internship.mentor, places=2)
    publish_check(admin, now=utc_now())
    bar = READINESS["bars"][0] | {"name": "Why is it running on the CPU, and how long has it been doing that?"}
    publish_check(admin, now=utc_now(), slug="readiness-cuda", title="Ready for CUDA", prerequisite="cuda", bars=[bar])
    set_checks(admin, cohort=cohort, wanted={"readiness-ml": "asked", "readiness-cuda": "offered"}, now=utc_now())
    return apply(people["intern"], cohort=cohort, answers=ANSWERS, now=utc_now())


def scored(attempt: CheckAttempt, *, submission: int, **values: float) -> None:
    """The worker has scored this submission of the attempt."""
    metrics = {"variant": float(attempt.variant), "held": 0.5} | values
    note_figures(attempt.internship, submission=submission, metrics=metrics, now=utc_now())


def test_a_check_is_taken_its_gap_read_up_on_and_taken_again(
    application: Application, visit: Callable[..., Any]
) -> None:
    ines = visit("intern")
    page = ines.go(APPLY)
    check = page.locator("#check-readiness-ml")
    check.get_by_text("Not taken yet").wait_for()
    check.get_by_role("button", name="Take it").click()
    page.wait_for_url("**/notebook/")
    page.get_by_text("Ready for machine learning: it has begun, with the numbers").wait_for()

    first = CheckAttempt.objects.select_related("internship__version").get()
    scored(first, submission=1, sgd=0.95, bagging=0.3)
    page = ines.go(APPLY)
    check = page.locator("#check-readiness-ml")
    check.get_by_text("1 of 2 bars held").wait_for()
    held, gap = check.locator(".check-bar").all()
    assert held.get_by_text("Held", exact=True).is_visible()
    assert gap.get_by_text("Gap", exact=True).is_visible()
    assert gap.get_by_text("The learners vote on what they were trained on.").is_visible()
    assert held.locator(".check-fill").bounding_box()["width"] > 2 * gap.locator(".check-fill").bounding_box()["width"]
    gap.get_by_role("link", name="Read the notebook that helps").click()
    page.get_by_text("What a step of SGD is").wait_for()

    page = ines.go(APPLY)
    page.locator("#check-readiness-cuda").get_by_role("button", name="Take it").click()
    page.get_by_role("dialog").get_by_role("button", name="Take it").click()
    page.wait_for_url("**/notebook/")
    page = ines.go(APPLY)
    page.locator("#check-readiness-ml").get_by_role("button", name="Take it again with other numbers").click()
    page.get_by_role("dialog").get_by_role("button", name="Take it again with other numbers").click()
    page.wait_for_url("**/notebook/")
    second = CheckAttempt.objects.select_related("internship__version").get(number=2)
    assert second.variant != first.variant
    scored(second, submission=1, sgd=1.0, bagging=0.8)
    ines.go(APPLY).locator("#check-readiness-ml").get_by_text("Every bar held").wait_for()
    assert ines.complaints == []

    admin = visit("admin")
    page = admin.go("/cohorts/next/applications/")
    page.get_by_role("link", name="Ines Intern").click()
    page.get_by_text("2 attempts; the best, attempt 2").wait_for()
    assert admin.complaints == []


@pytest.mark.parametrize(
    ("who", "paths"),
    [
        ("intern", [APPLY, "/", "/submissions/"]),
        ("mentor", ["/cohorts/next/ranking/"]),
        (
            "admin",
            [
                "/cohorts/next/settings/",
                "/cohorts/next/applications/",
                "/cohorts/next/applications/{application}/",
                "/cohorts/next/matching/",
                "/projects/",
            ],
        ),
    ],
)
def test_pages_with_checks_are_quiet_and_fit_a_phone(
    application: Application, visit: Callable[..., Any], who: str, paths: list[str]
) -> None:
    Application.objects.update(state="offered")
    for check in CohortCheck.objects.select_related("project", "added_by"):
        attempt = start_check(application.applicant, application=application, check=check, after=0, now=utc_now())
        scored(attempt, submission=1, sgd=0.3, bagging=0.9)
    propose(application.cohort.checks.first().added_by, cohort=application.cohort, now=utc_now())
    assert faults_on_a_phone(visit, who, [path.format(application=application.pk) for path in paths]) == []
