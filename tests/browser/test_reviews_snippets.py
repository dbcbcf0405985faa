"""Comments that stand beside the lines of a rubric, in Chromium: by one key, into what is being written, the most used first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from practicum.reviews.models import Snippet
from tests.unit.reviews.conftest import code, hand_in, markdown, notebook_of

__all__ = ["hand_in"]

pytestmark = pytest.mark.browser
OWN = ["Say how often you ran it, and give the spread.", "Which control would have shown you wrong?"]


@pytest.fixture
def desk(people: dict[str, Any], hand_in: Any) -> str:
    """The address of the desk of a submission to a project whose first line of the rubric has two comments of its own."""
    submission = hand_in(people["internship"], notebook=notebook_of(markdown("# One"), code("1/0")))
    submission.version.manifest["rubric"][0]["snippets"] = OWN
    submission.version.save()
    return f"/review/{submission.pk}/"


def used(page: Any) -> dict[str, int]:
    """What the bank has counted, when the page has told it."""
    page.wait_for_load_state("networkidle")
    return dict(Snippet.objects.values_list("body", "used"))


def test_a_letter_begins_the_summary_and_goes_on_with_it_and_the_line_keeps_the_focus(
    desk: str, visit: Callable[..., Any]
) -> None:
    window = visit("mentor")
    page = window.go(desk)
    page.keyboard.press("r")
    first = page.locator(".rubric-item").first
    expect(first.locator(":focus")).to_have_count(1)

    with page.expect_response("**/bank/own/0/1/use/"):
        page.keyboard.press("g")
    with page.expect_response("**/bank/own/0/0/use/"):
        page.keyboard.press("f")

    assert page.locator("#summary").input_value() == f"{OWN[1]}\n{OWN[0]}"
    expect(first.locator(":focus")).to_have_count(1)
    page.keyboard.press("4")  # points go on as before
    assert page.locator("[name=points-1][value='4']").is_checked()
    assert used(page) == {OWN[0]: 1, OWN[1]: 1}
    page.keyboard.press("f")  # the second line has none
    assert page.locator("#summary").input_value() == f"{OWN[1]}\n{OWN[0]}"
    assert window.complaints == []


def test_with_a_comment_underway_a_letter_goes_on_with_that_one(desk: str, visit: Callable[..., Any]) -> None:
    page = visit("mentor").go(desk)
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.keyboard.type("This is one run.")
    page.keyboard.press("Escape")
    page.keyboard.press("r")

    page.keyboard.press("f")

    box = page.locator("#body-c1")
    expect(box).to_be_focused()
    assert box.input_value() == f"This is one run.\n{OWN[0]}"
    assert page.locator("#summary").input_value() == ""


def test_the_comments_are_reached_by_tab_and_taken_by_enter_and_what_is_used_comes_first(
    desk: str, visit: Callable[..., Any]
) -> None:
    page = visit("mentor").go(desk)
    page.keyboard.press("r")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=OWN[1])).to_be_focused()
    with page.expect_response("**/bank/own/0/1/use/"):
        page.keyboard.press("Enter")
    assert page.locator("#summary").input_value() == OWN[1]

    again = visit("mentor").go(f"{desk}?pane=decide")

    shown = [button.get_attribute("data-body") for button in again.locator("[data-phrase]").all()]
    assert shown == [OWN[1], OWN[0]]
    with again.expect_response("**/use/"):
        again.get_by_role("button", name=OWN[1]).click()
    assert used(again) == {OWN[1]: 2}


def test_they_stand_in_the_bank_too_and_a_letter_typed_in_a_box_is_a_letter(
    desk: str, visit: Callable[..., Any]
) -> None:
    page = visit("mentor").go(f"{desk}?pane=decide")
    page.locator("#summary").press("f")
    assert page.locator("#summary").input_value() == "f"
    page.keyboard.press("Control+/")
    page.keyboard.type("control")
    with page.expect_response("**/bank/own/0/1/use/"):
        page.keyboard.press("Enter")
    assert page.locator("#summary").input_value() == f"f\n{OWN[1]}"


def test_they_fit_a_phone(desk: str, visit: Callable[..., Any]) -> None:
    window = visit("mentor", phone=True)
    page = window.go(f"{desk}?pane=decide")
    expect(page.locator("[data-phrase]")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name=OWN[0]).click()
    assert page.locator("#summary").input_value() == OWN[0]
    assert window.complaints == []
