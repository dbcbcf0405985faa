"""Sign-in with a second factor, and a cohort's retention, by keyboard alone: each stop is seen, and Enter does what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from practicum.persons.models import Retention
from tests.unit.accounts.test_factors import code, with_factor

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:No directory at")]
MOST_STOPS = 60
# What has the focus: its label or text, and the width of the ring around it, in pixels.
FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    const called = at.labels?.[0]?.innerText || at.getAttribute('aria-label') || at.innerText;
    return [called.trim(), style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth)];
}"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until this has the focus; every stop on the way has a ring."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        called, ring = page.evaluate(FOCUSED)
        assert ring >= 2, f"{called or 'a stop'} has no ring"
        if called == name:
            return
    raise AssertionError(f"{name} is not reached")


def test_an_admin_signs_in_with_a_code_and_sets_for_how_long_files_are_kept(
    visit: Callable[..., Any], people: dict[str, Any]
) -> None:
    with_factor(people["admin"])
    window = visit()
    page = window.go("/cohorts/spring/retention/")
    tab_to(page, "Username or e-mail")
    page.keyboard.type("ada")
    tab_to(page, "Password")
    page.keyboard.type("correct horse")
    tab_to(page, "Sign in")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="One more thing").wait_for()
    tab_to(page, "Code")
    page.keyboard.type(code())
    tab_to(page, "Sign in")
    page.keyboard.press("Enter")

    page.get_by_role("heading", name="How long files are kept").wait_for()
    tab_to(page, "Files that were handed in")
    page.keyboard.press("Control+a")
    page.keyboard.type("400")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    page.get_by_text("Saved. What goes is told of two weeks ahead.").wait_for()
    assert Retention.objects.get().submissions_days == 400
    assert window.complaints == []
