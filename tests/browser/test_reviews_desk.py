"""The mentor's desk in Chromium: cells lead the notebook, with and without scripts; by keyboard; on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from practicum.reviews.models import Comment, Review
from practicum.submissions.models import Likeness
from tests.tools.accessibility import faults_of
from tests.unit.reviews.conftest import code, hand_in, markdown, notebook_of

__all__ = ["hand_in"]

pytestmark = pytest.mark.browser
GROUND = {"light": "rgb(255, 255, 255)", "dark": "rgb(26, 33, 32)"}
CELLS = [markdown(f"## Step {number}\n\n" + "Words. " * 200) for number in range(1, 9)] + [code("1/0")]


@pytest.fixture
def desk(people: dict[str, Any], hand_in: Any) -> str:
    """The address of the desk of a scored submission with a long notebook."""
    return f"/review/{hand_in(people['internship'], notebook=notebook_of(*CELLS)).pk}/"


def test_without_scripts_a_cell_moves_the_notebook_and_a_comment_is_written(
    desk: str, visit: Callable[..., Any]
) -> None:
    page = visit("mentor", scripts=False).go(desk)
    page.locator(".cell-link").nth(6).click()
    page.frame_locator("iframe[name=notebook]").locator("#cell-c7:target").wait_for()
    page.locator(".cell-talk > summary").nth(6).click()
    page.locator("#body-c7").fill("Why?")
    page.locator("#body-c7").locator("xpath=ancestor::form").locator("button[type=submit]").click()
    page.wait_for_load_state("networkidle")
    assert Comment.objects.get().cell_id == "c7"
    assert page.locator(".remark-body", has_text="Why?").is_visible()


def test_keys_walk_the_cells_and_open_a_comment(desk: str, visit: Callable[..., Any]) -> None:
    window = visit("mentor")
    page = window.go(desk)
    for key in "jjjk":
        page.keyboard.press(key)
    page.wait_for_function("document.querySelector('.cell-line.is-current .cell-number').textContent === '2'")
    page.frame_locator("iframe[name=notebook]").locator("#cell-c2:target").wait_for()
    page.keyboard.press("c")
    page.keyboard.type("jk are letters here")
    assert page.locator("#body-c2").input_value() == "jk are letters here"
    assert window.complaints == []


@pytest.mark.parametrize("dark", [False, True])
def test_the_notebook_has_the_pages_colours(dark: bool, desk: str, visit: Callable[..., Any]) -> None:
    page = visit("mentor", dark=dark).go(desk)
    for _ in range(2):
        theme = page.evaluate("document.documentElement.dataset.bsTheme")
        body = page.frame_locator("iframe[name=notebook]").locator("body")
        expect(body).to_have_css("background-color", GROUND[theme])
        page.locator("[data-theme-toggle]").click()


def test_a_decision_is_asked_about_first(desk: str, visit: Callable[..., Any]) -> None:
    page = visit("mentor").go(desk)
    page.locator(".desk-tab.is-decide").click()
    for item in (1, 2):
        page.locator(f"label:has(input[name=points-{item}][value='4'])").click()
    page.locator("#summary").fill("Well told.")
    page.get_by_role("button", name="Accept").click()
    page.locator("dialog").get_by_role("button", name="Not now").click()
    assert not Review.objects.exists()
    page.get_by_role("button", name="Accept").click()
    page.locator("dialog").get_by_role("button", name="Accept").click()
    page.get_by_text("Your decision is sent").wait_for()
    review = Review.objects.get()
    assert (review.state, review.rubric) == ("accepted", {"method": 4, "writing": 4})


@pytest.mark.parametrize("who", ["mentor", "intern"])
@pytest.mark.parametrize("pane", ["notebook", "cells", "submission", "decide"])
def test_every_pane_fits_a_phone(who: str, pane: str, desk: str, visit: Callable[..., Any]) -> None:
    window = visit(who, phone=True)
    page = window.go(f"{desk}?pane={pane}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    visible = [name for name in ("cells", "submission", "decide") if page.locator(f".pane-{name}").is_visible()]
    assert visible == ([] if pane == "notebook" else [pane])
    assert page.locator(".desk-notebook").is_visible() == (pane == "notebook")
    assert window.complaints == []


def test_the_inbox_fits_a_phone_and_opens_by_keys(desk: str, visit: Callable[..., Any]) -> None:
    window = visit("mentor", phone=True)
    page = window.go("/review/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{desk}")
    assert window.complaints == []


def test_near_copies_stand_side_by_side_and_break_no_rule(
    people: dict[str, Any], peer_internship: Any, hand_in: Any, visit: Callable[..., Any]
) -> None:
    mine, theirs = hand_in(people["internship"]), hand_in(peer_internship)
    passage = {"name": "predict.py", "line": 3, "code": "def predict(artifact, inputs, out):\n    x = 1\n" * 9}
    passage |= {
        "other_name": "solve.py",
        "other_line": 7,
        "other_code": "def f(a, b, c):\n    y = " + "1 + " * 60 + "1\n",
    }
    found = Likeness.objects.create(first=mine, second=theirs, share=0.9, passages=[passage], found_at=mine.received_at)
    window = visit("mentor")
    page = window.go(f"/submissions/alike/{found.pk}/")
    expect(page.locator("main")).to_contain_text("solve.py")
    assert (faults_of(page), window.complaints) == ([], [])
