"""For how long a cohort's files are kept, set in Chromium by an admin: on a desk and on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now
from practicum.persons.models import Removal, Retention
from tests.browser.conftest import LOOKS
from tests.browser.test_persons import fits
from tests.tools.accessibility import faults_of

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_an_admin_sets_it_and_sees_what_goes(
    visit: Callable[..., Any], people: dict[str, Any], phone: bool, dark: bool, tmp_path: Path
) -> None:
    window = visit("admin", phone=phone, dark=dark)
    page = window.go("/cohorts/spring/settings/")
    page.get_by_role("link", name="Retention").click()
    page.get_by_text("Nothing is set: everything is kept.").wait_for()
    assert page.get_by_label("Snapshots of these files").input_value() == "30"
    page.get_by_label("Files that were handed in").fill("3")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("greater than or equal to 14").wait_for()
    assert not Retention.objects.exists()
    window.complaints.clear()  # Chromium tells of the answer's status

    page.get_by_label("Files that were handed in").fill("")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved. What goes is told of two weeks ahead.").wait_for()
    row = Retention.objects.get()
    assert (row.homes_days, row.submissions_days) == (90, None)
    now, cohort = utc_now(), Cohort.objects.get(slug="spring")
    Removal.objects.create(
        cohort=cohort,
        part="snapshots",
        due_on=now.date(),
        told_at=now - timedelta(days=15),
        waits_for="A snapshot is being restored.",
    )
    page.reload()
    page.get_by_text("It waits: A snapshot is being restored.").wait_for()
    page.screenshot(path=tmp_path / "retention.png", full_page=True)
    assert fits(page)
    assert faults_of(page) == []
    assert window.complaints == []
