"""From rankings to internships, in Chromium: a mentor ranks, an admin proposes, adjusts and confirms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils.timezone import localdate

from practicum.internships.models import Application, Cohort, Internship, Offer, Placement
from tests.conftest import make_user

pytestmark = pytest.mark.browser


@pytest.fixture
def seated(people: dict[str, Any], now: datetime) -> list[Application]:
    """Two people with a place in a cohort next month, who name Digits, of which there is one place."""
    today = localdate()
    cohort = Cohort.objects.create(
        slug="next",
        name="Next cohort",
        starts_on=today + timedelta(days=30),
        ends_on=today + timedelta(days=90),
        entry="open",
        apply_until=today,
    )
    internship = people["internship"]
    Offer.objects.create(cohort=cohort, project=internship.version.project, mentor=internship.mentor, places=1)
    return [
        Application.objects.create(
            cohort=cohort,
            applicant=make_user(name.lower(), role="intern", name=f"{name} New"),
            background="I have trained small networks.",
            hours_a_week=12,
            hardware="none",
            ranking=["digits"],
            state="offered",
            sent_at=now,
            changed_at=now,
        )
        for name in ("Nora", "Omar")
    ]


def test_a_mentor_ranks_and_an_admin_makes_internships_of_it(
    seated: list[Application], visit: Callable[..., Any]
) -> None:
    mentor = visit("mentor")
    page = mentor.go("/")
    page.get_by_role("link", name="Say whom you would take").click()
    page.get_by_label("Rank of Omar New").fill("1")
    page.get_by_label("Rank of Nora New").fill("2")
    page.get_by_role("button", name="Save the order").click()
    page.get_by_text("Your order is saved.").wait_for()

    admin = visit("admin")
    page = admin.go("/cohorts/next/applications/")
    page.get_by_role("link", name="Matching").click()
    page.get_by_role("button", name="Propose").click()
    page.get_by_text("The proposal is made: 1 placed.").wait_for()
    page.get_by_text("Nora New has no project.").wait_for()

    page.get_by_label("Project of Omar New", exact=True).select_option("")
    page.get_by_role("button", name="Set the project of Omar New").click()
    page.get_by_text("Omar New and Digits with Mira Mentor would both rather have each other.").wait_for()
    page.get_by_role("button", name="Propose anew").click()
    page.get_by_role("dialog").get_by_role("button", name="Propose anew").click()
    page.get_by_text("The proposal is made: 1 placed.").wait_for()
    page.get_by_role("button", name="Begin the internships").click()
    page.get_by_role("dialog").get_by_role("button", name="Begin the internships").click()
    page.get_by_text("1 internship begun. Everybody is told why.").wait_for()

    assert Internship.objects.get(cohort__slug="next").intern == seated[1].applicant
    mentor.go("/notices/").get_by_text("Omar New: Digits").wait_for()
    assert admin.complaints == mentor.complaints == []


@pytest.mark.parametrize(("who", "path"), [("mentor", "ranking"), ("admin", "matching")])
def test_a_page_is_quiet_and_fits_a_phone(
    seated: list[Application], visit: Callable[..., Any], now: datetime, who: str, path: str
) -> None:
    offer = Offer.objects.get()
    Placement.objects.create(application=seated[0], offer=offer, proposed=None, made_at=now)
    Placement.objects.create(application=seated[1], offer=offer, proposed=offer, made_at=now)
    for dark in (False, True):
        window = visit(who, phone=True, dark=dark)

        page = window.go(f"/cohorts/next/{path}/")

        assert window.complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
