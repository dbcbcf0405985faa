"""The planner in Chromium: asked, watched, read on a phone and in the dark, and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import expect

from practicum.gpus import tasks
from practicum.gpus.models import Plan, Pool
from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now
from tests.tools.accessibility import faults_of
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.past import fill_past, make_people

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def pool(people: dict[str, Any]) -> Pool:
    """Three GPUs and more than a week of requests of two cohorts."""
    now = utc_now()
    Cohort.objects.update(ends_on=now.date() + timedelta(days=60))
    Cohort.objects.create(slug="autumn", name="Autumn", starts_on=now.date(), ends_on=now.date() + timedelta(days=60))
    slots = make_slots(3)
    fill_past(260, slots=slots, people=make_people(20), cohorts=list(Cohort.objects.order_by("pk")), until=now)
    return slots[0].pool


def work() -> None:
    """What the worker does, from a thread of its own."""

    def do() -> None:
        tasks.claim_and_plan(utc_now())
        connection.close()

    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(do).result()


def test_a_plan_is_asked_watched_and_used(pool: Pool, visit: Callable[..., Any]) -> None:
    window = visit("admin")
    page = window.go("/gpus/plan/")
    cohort = Cohort.objects.get(slug="autumn")
    page.locator(f"[name='q{cohort.pk}-{pool.pk}-guaranteed']").fill("4")
    expect(page.locator("[data-overrun]")).to_contain_text("4 slots are guaranteed today, and the pool has 3.")
    page.get_by_label("Slots of H100").fill("5")
    expect(page.locator("[data-pool]")).to_contain_text("4 of 5 slots guaranteed")
    page.get_by_label("Replay the last").select_option("1")
    page.get_by_role("button", name="Replay").click()
    page.get_by_text("In line").wait_for()
    work()
    page.get_by_role("heading", name="As it is, and as planned").wait_for()
    expect(page.locator(".plan-lines")).to_contain_text("better")
    expect(page.locator("canvas")).to_have_count(4)
    page.get_by_role("link", name="Use these quotas").click()
    page.get_by_text("filled in and not saved").wait_for()
    assert page.locator(f"[name='q{cohort.pk}-{pool.pk}-guaranteed']").input_value() == "4"
    assert window.complaints == []


def test_it_fits_a_phone_in_the_light_and_in_the_dark_and_reads_without_scripts(
    pool: Pool, visit: Callable[..., Any]
) -> None:
    page = visit("admin", scripts=False).go("/gpus/plan/")
    page.get_by_label("Slots of H100").fill("5")
    page.get_by_role("button", name="Replay").click()
    work()
    plan = Plan.objects.get()
    page.goto(page.url)
    expect(page.locator(".plan-lines")).to_contain_text("Waiting, on average")
    for dark in (False, True):
        window = visit("admin", phone=True, dark=dark)
        for path in ("/gpus/plan/", f"/gpus/plan/{plan.pk}/", f"/gpus/quotas/?plan={plan.pk}"):
            page = window.go(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert window.complaints == []
    assert faults_of(visit("admin").go(f"/gpus/plan/{plan.pk}/")) == []
