"""The page of the slots' past, in Chromium: it fits, it is quiet, and its table says what its timeline draws."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from practicum.gpus.models import Quota
from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.past import fill_past, make_people

pytestmark = pytest.mark.browser

WEEK_HOURS = 168


@pytest.fixture
def past(people: dict[str, Any], cohort: Any, other_cohort: Any) -> None:
    """Three hundred leases of three cohorts on eight slots, two of them guaranteed something."""
    third = Cohort.objects.create(
        slug="summer", name="Summer 2026", starts_on=date(2026, 6, 1), ends_on=date(2026, 8, 1)
    )
    cohorts = [cohort, other_cohort, third]
    slots = make_slots(8)
    fill_past(300, slots=slots, people=make_people(40), cohorts=cohorts, until=utc_now())
    for each in cohorts[:2]:
        Quota.objects.create(cohort=each, pool=slots[0].pool, guaranteed=3)


@pytest.mark.parametrize("window", ["day", "week", "four-weeks"])
def test_it_fits_a_phone_and_is_quiet(past: None, visit: Callable[..., Any], window: str) -> None:
    for dark in (False, True):
        opened = visit("admin", phone=True, dark=dark)

        page = opened.go(f"/gpus/history/?window={window}")

        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert opened.complaints == []


def test_the_table_says_what_the_timeline_draws(past: None, visit: Callable[..., Any]) -> None:
    page = visit("admin").go("/gpus/history/")

    tones = page.locator(".lane-legend .lane-key > rect").evaluate_all("keys => keys.map(key => key.classList[0])")
    drawn = page.evaluate(
        "tones => [...document.querySelectorAll('.lane-bar')].map(lane => tones.map(tone =>"
        " [...lane.querySelectorAll(`.${tone} > rect:first-of-type`)]"
        ".reduce((sum, rect) => sum + rect.getBoundingClientRect().width, 0) / lane.getBoundingClientRect().width))",
        tones,
    )
    page.get_by_text("Show the slots as a table").click()
    written = page.locator("#lanes-table tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => parseFloat(cell.textContent)))"
    )

    assert len(drawn) == len(written) == 8
    for shares, hours in zip(drawn, written, strict=True):
        assert sum(hours[:3]) > 20
        assert [share * WEEK_HOURS for share in shares] == pytest.approx(hours[:3], abs=0.5)


def test_the_plots_draw_what_their_tables_say(past: None, visit: Callable[..., Any]) -> None:
    page = visit("admin").go("/gpus/history/?window=day")
    page.wait_for_function("typeof Chart !== 'undefined' && Chart.getChart('held-plot')")
    for plot in ("held-plot", "waiting-plot"):
        drawn = page.evaluate(
            f"Chart.getChart('{plot}').data.datasets.slice(0, 4).map(set => [set.label, ...set.data])"
        )
        cells = (
            page.locator(f"#{plot}")
            .locator("xpath=ancestor::figure")
            .locator("tbody tr")
            .evaluate_all(
                "rows => rows.map(row => [...row.querySelectorAll('td')].slice(1, 5).map(cell => parseFloat(cell.textContent)))"
            )
        )

        assert [series[0] for series in drawn[:3]] == ["Spring 2026", "Autumn 2026", "Summer 2026"]
        for place, series in enumerate(drawn):
            shown = [row[place] for row in cells]
            if series[1] is None:
                assert all(value != value for value in shown)
            else:
                assert shown == pytest.approx(series[1:], abs=0.006)


def test_what_was_not_measured_is_not_nothing(past: None, visit: Callable[..., Any]) -> None:
    page = visit("admin").go("/gpus/history/?window=day")

    assert "not measured" in page.locator("section[aria-labelledby=held]").inner_text()
    assert page.locator("section[aria-labelledby=waste] td", has_text="not measured").count() > 0


def test_every_lane_is_reached_by_keyboard_and_speaks(past: None, visit: Callable[..., Any]) -> None:
    page = visit("admin").go("/gpus/history/")
    lanes = page.locator(".lane-bar")

    lanes.first.focus()
    page.keyboard.press("Tab")

    assert lanes.nth(1).evaluate("lane => lane === document.activeElement")
    assert "Spring 2026" in (lanes.nth(1).get_attribute("aria-label") or "")


def test_it_reads_without_javascript(past: None, visit: Callable[..., Any]) -> None:
    page = visit("admin", scripts=False).go("/gpus/history/?window=day")

    page.get_by_label("Cohort", exact=True).select_option("autumn")
    page.get_by_role("button", name="Show").click()

    assert "cohort=autumn" in page.url
    assert page.locator("#lanes-table").get_by_role("columnheader", name="Spring 2026").count() == 0
