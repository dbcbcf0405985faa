"""A notebook that was run again, in Chromium: its mentor reads both sides, its intern which cells differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from practicum.evaluation.models import Run
from tests.browser.conftest import LOOKS

pytestmark = pytest.mark.browser
SENTENCE = "cell 7: 0.912 handed in, 0.874 when run again"


@pytest.fixture
def submission(people: dict[str, Any], hand_in: Any, now: Any) -> Any:
    """One of nine cells came out otherwise."""
    row = hand_in(people["internship"], number=1, value=0.9, finished_at=now)
    told = [{"cell": 7, "kind": "number", "before": "0.912", "after": "0.874", "sentence": SENTENCE}]
    found = {"compared": 9, "differing": 1, "differences": told}
    Run.objects.filter(submission=row).update(executed="e" * 64, reproduction=found)
    return row


@pytest.mark.parametrize(
    ("who", "sentence", "links"),
    [
        ("mentor", SENTENCE.capitalize(), 1),
        ("intern", "Cell 7: came out otherwise when run again", 0),
    ],
)
@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_what_came_out_again_is_read_by_the_mentor_and_counted_for_the_intern(
    submission: Any, visit: Callable[..., Any], who: str, sentence: str, links: int, phone: bool, dark: bool
) -> None:
    window = visit(who, phone=phone, dark=dark)
    page = window.go(f"/submissions/{submission.pk}/")

    assert page.get_by_text("1 of 9 cells with outputs came out otherwise").is_visible()
    assert page.get_by_text(sentence, exact=True).is_visible()
    assert page.get_by_role("link", name="Read it as it ended").count() == links
    assert ("0.874" in page.content()) == bool(links)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert window.complaints == []
