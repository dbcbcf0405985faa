"""The page of a cohort and its settings, in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import localdate

from practicum.internships.models import Cohort

pytestmark = pytest.mark.browser


@pytest.fixture
def cohort_today(people: dict[str, Any]) -> Any:
    """The intern's cohort goes on for sixty days from today."""
    Cohort.objects.update(ends_on=localdate() + timedelta(days=60))
    return Cohort.objects.get(slug="spring")


def test_an_admin_opens_a_cohort_and_anybody_reads_its_page(cohort_today: Any, visit: Callable[..., Any]) -> None:
    assert "Not here" in visit().go("/cohorts/spring/").title()

    admin = visit("admin")
    page = admin.go("/people/?cohort=spring")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Applications").select_option("open")
    page.get_by_label("What it is").fill("Eight weeks of research.")
    page.get_by_label("Stop idle notebooks after").fill("20")
    page.get_by_role("button", name="Save the settings").click()
    page.get_by_text("Say until when people may apply").wait_for()
    assert page.get_by_label("What it is").input_value() == "Eight weeks of research."
    page.get_by_label("Apply until").fill((localdate() + timedelta(days=5)).isoformat())
    page.get_by_role("button", name="Save the settings").click()
    page.get_by_text("The settings are saved.").wait_for()
    page.get_by_label("Project", exact=True).select_option("digits")
    page.get_by_label("Mentor").select_option("mira")
    page.get_by_role("button", name="Offer it").click()
    page.get_by_text("Spring 2026 offers Digits with Mira Mentor.").wait_for()

    page = visit().go("/cohorts/spring/")
    for told in ("Eight weeks of research.", "How few pixels?", "With Mira Mentor", "You may apply until"):
        page.get_by_text(told).wait_for()
    assert [said for said in admin.complaints if "400 (Bad Request)" not in said] == []


@pytest.mark.parametrize("path", ["/cohorts/spring/", "/cohorts/spring/settings/"])
def test_a_page_is_quiet_and_fits_a_phone(cohort_today: Any, visit: Callable[..., Any], path: str) -> None:
    for dark in (False, True):
        window = visit("admin", phone=True, dark=dark)

        page = window.go(path)

        assert window.complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
