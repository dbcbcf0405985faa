"""The page of estimates against what happened, in Chromium: it fits, it is quiet, and its plot is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from practicum.gpus.models import Lease
from practicum.lib.clock import utc_now
from tests.browser.conftest import LOOKS
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.past import fill_past, make_people
from tests.unit.gpus.test_estimating import promise

pytestmark = pytest.mark.browser


@pytest.fixture
def promises(people: dict[str, Any], cohort: Any, other_cohort: Any) -> None:
    """A hundred promises to two cohorts, most of them kept."""
    chance = random.Random(2)
    fill_past(100, slots=make_slots(4), people=make_people(9), cohorts=[cohort, other_cohort], until=utc_now())
    for lease in Lease.objects.all():
        half = chance.uniform(5, 90)
        promise(lease, at=lease.requested_at, half=half, most=2 * half, waited=half * chance.uniform(0, 2.2))
    Lease.objects.update(requested_at=utc_now() - timedelta(days=1))


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_it_fits_and_is_quiet(
    promises: None, visit: Callable[..., Any], tmp_path: Any, *, phone: bool, dark: bool
) -> None:
    opened = visit("admin", phone=phone, dark=dark)
    page = opened.go("/gpus/estimates/")
    page.wait_for_function("() => window.Chart && Chart.getChart('promises-plot')")
    page.screenshot(path=str(tmp_path / "estimates.png"), full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= (390 if phone else 1280)
    assert opened.complaints == []
