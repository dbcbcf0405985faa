"""The leaderboard in Chromium: an intern chooses what counts, a mentor hides names and releases the final scores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils.timezone import localdate
from playwright.sync_api import expect

from practicum.evaluation.models import Score
from practicum.internships.models import Cohort
from practicum.submissions.models import Submission

pytestmark = pytest.mark.browser
BOARD = "/projects/digits/leaderboard/"


@pytest.fixture
def board(people: dict[str, Any], peer_internship: Any, hand_in: Any, now: datetime) -> list[Submission]:
    """Two interns with scores, whole and shown, in a cohort that goes on for a week."""
    Cohort.objects.update(ends_on=localdate() + timedelta(days=7))
    made = []
    for internship, number, shown, whole in (
        (people["internship"], 1, 0.71, 0.83),
        (people["internship"], 2, 0.82, 0.74),
        (people["internship"], 3, 0.825, 0.79),
        (peer_internship, 1, 0.78, 0.77),
    ):
        made.append(hand_in(internship, number=number, value=whole))
        Score.objects.filter(run__submission=made[-1]).update(shown_value=shown, shown_metrics={"accuracy": shown})
    hand_in(None, number=1, version=people["internship"].version, value=0.75)
    return made


def test_an_intern_chooses_what_counts_and_sees_final_scores_only_once_they_are_released(
    board: list[Submission], visit: Callable[..., Any]
) -> None:
    intern, mentor = visit("intern", phone=True), visit("mentor")
    page = intern.go(f"/submissions/{board[0].pk}/")
    expect(page.locator("main")).to_contain_text("Another submission counts in the final ranking")
    page.get_by_role("button", name="Let this one count").click()
    expect(page.locator("main")).to_contain_text("This one counts in the final ranking.")

    page = intern.go(BOARD)
    expect(page.locator("#board")).to_contain_text("0.820")
    expect(page.locator("#board")).not_to_contain_text("Final")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    desk = mentor.go(BOARD)
    expect(desk.locator("#board")).to_contain_text("0.830")
    desk.get_by_role("button", name="Hide names from interns").click()
    expect(desk.locator("#board")).to_contain_text("shown as Intern")
    page = intern.go(BOARD)
    expect(page.locator("main")).not_to_contain_text("Paul")

    Cohort.objects.update(ends_on=localdate() - timedelta(days=1))
    desk = mentor.go(BOARD)
    desk.get_by_role("button", name="Release the final scores").click()
    desk.locator("dialog[open]").get_by_role("button", name="Release the final scores").click()
    expect(desk.locator("main")).to_contain_text("the final scores are released")
    page = intern.go(BOARD)
    expect(page.locator("#board .is-own")).to_contain_text("0.830")
    assert intern.complaints == mentor.complaints == []
