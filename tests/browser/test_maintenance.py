"""Planned maintenance: announced by an admin in the browser, read by an intern on every page, taken back after a question."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils.timezone import localtime

from practicum.lib.clock import utc_now
from tests.browser.conftest import faults_on_a_phone
from tests.tools.accessibility import faults_of

pytestmark = pytest.mark.browser

SAID = "Notebooks go on; hand in before six."


def test_it_is_announced_read_and_taken_back(people: dict[str, Any], visit: Callable[..., Any]) -> None:
    assert people
    begins = localtime(utc_now() + timedelta(hours=20))
    admin = visit("admin")
    page = admin.go("/status/")
    page.get_by_role("link", name="Planned maintenance").click()
    page.get_by_label("From").fill(f"{begins:%Y-%m-%dT%H:%M}")
    page.get_by_label("To", exact=True).fill(f"{begins + timedelta(hours=2):%Y-%m-%dT%H:%M}")
    page.get_by_label("What people should know").fill(SAID)
    page.get_by_role("button", name="Announce it").click()
    page.get_by_role("heading", name="Announced").wait_for()
    assert faults_of(page) == []

    intern = visit("intern")
    told = intern.go("/account/")
    assert SAID in told.locator("[data-maintenance]").inner_text()
    assert faults_of(told) == []
    assert faults_on_a_phone(visit, "intern", ["/status/"]) == []
    assert faults_on_a_phone(visit, "admin", ["/status/maintenance/"]) == []

    assert "your clock" not in told.locator("footer").inner_text()
    far = visit("intern", zone="Asia/Kolkata").go("/account/")
    assert "Times in UTC (your clock: 5 h 30 min ahead)" in far.locator("footer").inner_text()
    there = begins.astimezone(ZoneInfo("Asia/Kolkata"))
    assert f"{there:%-I:%M}" in far.locator("[data-maintenance] [data-own-span]").inner_text()

    page.get_by_role("button", name="Take it back").click()
    page.get_by_role("dialog").get_by_role("button", name="Take it back").click()
    page.get_by_text("nobody is told any more").wait_for()
    assert intern.go("/account/").locator("[data-maintenance]").count() == 0
    assert (admin.complaints, intern.complaints) == ([], [])
