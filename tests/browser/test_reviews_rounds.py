"""The second round of a review in Chromium: a notebook of 60 cells of which three changed, by keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from practicum.reviews import services
from practicum.reviews.models import Comment, DeskVisit, Review, Snippet
from tests.browser.conftest import LOOKS
from tests.unit.reviews.conftest import code, hand_in, markdown, notebook_of

__all__ = ["hand_in"]

pytestmark = pytest.mark.browser
CELLS = 60


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def first_notebook() -> bytes:
    """Sixty cells, every fifth of them words."""
    return notebook_of(
        *(
            markdown(f"## Step {number}\n\nWhat this step is for.")
            if number % 5 == 0
            else code(f"rate_{number} = 0.{number}\nfit(rate_{number})", printed(f"loss 0.{number}\n" * 12))
            for number in range(1, CELLS + 1)
        )
    )


def second_notebook() -> bytes:
    """The same with three cells changed: a value, an output, a paragraph."""
    content = json.loads(first_notebook())
    cells = content["cells"]
    cells[6]["source"] = "rate_7 = 0.05\nfit(rate_7)"
    cells[30]["outputs"] = [printed("loss 0.02\n")]
    cells[49]["source"] += "\n\nAnd why it was needed."
    return json.dumps(content).encode()


@pytest.fixture
def second_round(people: dict[str, Any], hand_in: Any, now: Any) -> Any:
    """A submission that waits, after a round in which a changed cell and an unchanged one were commented on."""
    internship, mentor = people["internship"], people["mentor"]
    first = hand_in(internship, notebook=first_notebook(), score=0.91)
    services.comment(mentor, submission=first, body="Is 0.7 not far too much?", cell_id="c7", now=now)
    services.comment(mentor, submission=first, body="Name what is plotted.", cell_id="c12", now=now)
    services.decide(mentor, submission=first, decision="changes", rubric={}, summary="See both.", now=now)
    return hand_in(internship, notebook=second_notebook(), score=0.953)


def current(page: Page) -> str:
    """The number of the cell at hand."""
    return page.locator(".cell-line.is-current .cell-number").inner_text()


def in_sight(page: Page, cell: str) -> bool:
    """The cell is inside the frame's window, without anybody having scrolled."""
    place = page.frame_locator("iframe[name=notebook]").locator(f"#cell-{cell}")
    place.wait_for()
    box, frame = place.bounding_box(), page.locator("iframe[name=notebook]").bounding_box()
    assert box is not None
    assert frame is not None
    return bool(box["y"] < frame["y"] + frame["height"] and box["y"] + box["height"] > frame["y"])


def test_from_inbox_to_decision_by_keyboard_alone(second_round: Any, visit: Callable[..., Any]) -> None:
    window = visit("mentor")
    page = window.go("/review/")
    keys = page.keyboard
    keys.press("j")
    keys.press("Enter")
    page.wait_for_url(f"**/review/{second_round.pk}/")
    page.wait_for_load_state("networkidle")
    notebook = page.frame_locator("iframe[name=notebook]")
    assert notebook.locator("section.cell:visible").count() == 3, "what did not change is folded"
    expect(page.locator(".since")).to_contain_text("1 of 2 open ones answered")
    expect(page.locator(".since")).to_contain_text("was 0.910")
    expect(page.locator(".since .values")).to_contain_text("rate_7")

    seen = []
    for _ in range(5):
        keys.press("j")
        seen.append(current(page))
        assert in_sight(page, f"c{current(page)}")
    assert seen == ["7", "7", "12", "31", "50"], "each change and each open comment, and nothing else"

    for _ in range(3):
        keys.press("k")
    assert current(page) == "7"
    assert page.locator("[data-thread].is-current").inner_text().count("answered: the cell changed") == 1
    with page.expect_navigation():
        keys.press("s")
    page.wait_for_load_state("networkidle")
    assert Comment.objects.get(cell_id="c7").resolved_at is not None

    keys.press("j")
    assert current(page) == "12"
    keys.press("e")
    keys.type("Still open: j and k are letters here.")
    with page.expect_navigation():
        keys.press("Control+Enter")
    page.wait_for_load_state("networkidle")
    assert Comment.objects.filter(reply_to__cell_id="c12").count() == 1

    keys.press("j")
    keys.press("C")
    keys.type("Better: `0.02`!")
    with page.expect_navigation():
        keys.press("Control+Enter")
    page.wait_for_load_state("networkidle")
    assert Comment.objects.filter(cell_id="c31", on_output=True, submission=second_round).count() == 1

    keys.press("r")
    keys.type("45")
    assert page.evaluate("document.activeElement.id") == "summary"
    keys.type("Much clearer.")
    keys.press("Escape")
    keys.press("a")
    page.locator("dialog", has_text="Accept this submission?").wait_for()
    with page.expect_navigation():
        keys.press("Enter")
    page.get_by_text("Your decision is sent").wait_for()
    review = Review.objects.get(submission=second_round)
    assert (review.state, review.rubric, review.summary) == ("accepted", {"method": 4, "writing": 5}, "Much clearer.")
    assert window.complaints == []


def test_folds_open_by_key_and_whole_and_changes_are_one_key_apart(
    second_round: Any, visit: Callable[..., Any]
) -> None:
    window = visit("mentor")
    page = window.go(f"/review/{second_round.pk}/")
    sections = page.frame_locator("iframe[name=notebook]").locator("section.cell:visible")
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator(".cell-line.is-current .cell-number")).to_have_text("8")
    page.frame_locator("iframe[name=notebook]").locator("#cell-c8").wait_for()
    page.keyboard.press("w")
    expect(sections).to_have_count(CELLS, timeout=30_000)
    page.keyboard.press("w")
    page.keyboard.press("O")
    expect(sections).to_have_count(CELLS, timeout=30_000)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    assert window.complaints == []


def test_a_fold_opens_by_click_without_scripts(second_round: Any, visit: Callable[..., Any]) -> None:
    page = visit("mentor", scripts=False).go(f"/review/{second_round.pk}/")
    notebook = page.frame_locator("iframe[name=notebook]")
    notebook.get_by_text("6 unchanged cells").click()
    expect(notebook.locator("section.cell:visible")).to_have_count(9)
    page.locator(".cell-fold summary").first.click()
    page.locator(".cell-link").nth(2).click()
    notebook.locator("#cell-c3:target").wait_for()


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_the_second_round_fits(
    second_round: Any, visit: Callable[..., Any], tmp_path: Any, *, phone: bool, dark: bool
) -> None:
    window = visit("mentor", phone=phone, dark=dark)
    page = window.go(f"/review/{second_round.pk}/?pane=cells")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.screenshot(path=tmp_path / "cells.png")
    assert window.complaints == []


def kept(page: Page) -> None:
    """Wait until the site has what was typed."""
    expect(page.locator("[data-draft]")).to_have_text("Draft kept", timeout=15_000)


def test_a_draft_is_there_on_return_and_two_windows_lose_nothing(second_round: Any, visit: Callable[..., Any]) -> None:
    one, other = visit("mentor"), visit("mentor")
    page, late = one.go(f"/review/{second_round.pk}/"), other.go(f"/review/{second_round.pk}/")
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.keyboard.type("Half a thought")
    kept(page)
    page = one.go(f"/review/{second_round.pk}/")
    assert page.locator("#body-c7").input_value() == "Half a thought"
    page.keyboard.press("r")
    page.keyboard.type("3")
    kept(page)

    late.keyboard.press("r")
    late.locator("#summary").fill("In the other window")
    late.get_by_role("button", name="Take the other").wait_for()
    late.get_by_role("button", name="Keep what is here").click()
    kept(late)
    assert late.locator("#summary").input_value() == "In the other window"
    page.locator("#summary").fill("In this one")
    page.get_by_role("button", name="Take the other").click()
    kept(page)
    assert page.locator("#summary").input_value() == "In the other window"


def test_the_bank_learns_and_is_used_by_keyboard(second_round: Any, visit: Callable[..., Any]) -> None:
    window = visit("mentor")
    page = window.go(f"/review/{second_round.pk}/")
    keys = page.keyboard
    keys.press("j")
    keys.press("j")
    with page.expect_navigation():
        keys.press("b")
    page.wait_for_load_state("networkidle")
    assert Snippet.objects.get().body == "Is 0.7 not far too much?"
    keys.press("j")
    keys.press("c")
    keys.type("Here too: ")
    keys.press("Control+/")
    keys.type("far")
    with page.expect_response("**/use/"):
        keys.press("Enter")
    assert page.locator("#body-c12").input_value() == "Here too: Is 0.7 not far too much?"
    assert page.evaluate("document.activeElement.id") == "body-c12"
    assert Snippet.objects.get().used == 1
    assert window.complaints == []


def test_a_minute_counts_only_while_something_is_done(second_round: Any, visit: Callable[..., Any]) -> None:
    window = visit("mentor")
    window.page.clock.install()
    page = window.go(f"/review/{second_round.pk}/")
    counted = page.locator("[data-minutes]")
    page.clock.run_for(50_000)
    page.keyboard.press("j")
    page.clock.run_for(50_000)
    expect(counted).to_have_text("1 min at this desk")
    page.clock.run_for(600_000)
    expect(counted).to_have_text("1 min at this desk")
    page.keyboard.press("k")
    page.clock.run_for(30_000)
    expect(counted).to_have_text("2 min at this desk")
    page.wait_for_load_state("networkidle")
    assert DeskVisit.objects.get().seconds < 120, "the site takes no more than has passed"
