"""The frame of the review desk, in which a mentor sees an intern's notebook. The notebooks themselves: tests/attacks."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from practicum.reviews.views import SANDBOX
from tests.attacks.notebooks import PAYLOADS
from tests.browser.conftest import session_cookie

pytestmark = pytest.mark.browser


@pytest.fixture
def submission(people: dict[str, Any], now: Any) -> Any:
    """A submission with a hostile notebook."""
    from practicum.submissions.models import Submission

    internship = people["internship"]
    row = Submission.objects.create(
        internship=internship,
        version=internship.version,
        number=1,
        digest="e" * 64,
        source="upload",
        received_at=now,
        size_bytes=1,
        files=[],
        notebook="start.ipynb",
    )
    row.folder.mkdir(parents=True)
    (row.folder / "start.ipynb").write_bytes(PAYLOADS["markdown-script"])
    return row


def test_the_frame_on_the_desk_has_no_origin_of_ours_and_runs_nothing(
    browser: Browser, live_server: Any, people: dict[str, Any], submission: Any
) -> None:
    context = browser.new_context()
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text))
    try:
        context.add_cookies([session_cookie(people["mentor"], url=live_server.url)])
        page = context.new_page()
        with page.expect_response(f"{live_server.url}/submissions/{submission.pk}/notebook/**") as answer:
            page.goto(f"{live_server.url}/review/{submission.pk}/")
        assert answer.value.headers["content-security-policy"] == SANDBOX
        page.wait_for_load_state("networkidle")
        assert page.frame_locator("iframe[name=notebook]").locator("section.cell").count() == 1
        frame = page.frame("notebook")
        assert frame is not None
        assert frame.evaluate("window.origin") == "null", "the frame has no origin of ours"
        assert [text for text in said if text.startswith("FIRED")] == []
    finally:
        context.close()
