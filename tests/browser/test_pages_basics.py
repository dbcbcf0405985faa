"""Every page of the portal, in Chromium: quiet console, phone width, keyboard, dark and light."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import faults_on_a_phone

pytestmark = pytest.mark.browser

PAGES = {
    "": ["/sign-in/"],
    "intern": [
        "/",
        "/projects/",
        "/projects/digits/",
        "/account/",
        "/submissions/{scored}/",
        "/submissions/{running}/",
        "/submissions/",
        "/submissions/upload/",
        "/projects/digits/leaderboard/",
        "/notebook/",
    ],
    "mentor": ["/", "/internships/{internship}/", "/attention/"],
    "admin": ["/", "/attention/", "/people/", "/people/accounts/", "/gpus/"],
}


@pytest.fixture
def ids(people: dict[str, Any], hand_in: Any) -> dict[str, int]:
    """The numbers in the addresses: an internship with a scored and a running submission."""
    internship = people["internship"]
    scored = hand_in(internship, number=1, value=0.91)
    hand_in(internship, number=2, value=0.93)
    running = hand_in(internship, number=3, state="running", phase="predicting", log_tail="x" * 400)
    return {"internship": internship.pk, "scored": scored.pk, "running": running.pk}


@pytest.mark.parametrize("who", PAGES)
def test_their_pages_are_quiet_and_fit_a_phone(ids: dict[str, int], visit: Callable[..., Any], who: str) -> None:
    assert faults_on_a_phone(visit, who, [path.format(**ids) for path in PAGES[who]]) == []


@pytest.mark.parametrize("phone", [False, True])
def test_many_names_of_files_leave_room_for_what_is_said_of_them(
    people: dict[str, Any], visit: Callable[..., Any], phone: bool
) -> None:
    version = people["internship"].version
    version.manifest["submission"]["files"] = [f"predictions.{kind}" for kind in ("npz", "csv", "json", "safetensors")]
    version.save()

    page = visit("intern", phone=phone).go("/submissions/upload/")

    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert min(page.locator(".facts dd").evaluate_all("all => all.map(one => one.clientWidth)")) >= 120


@pytest.mark.parametrize("who", PAGES)
def test_their_pages_are_reached_by_keyboard(ids: dict[str, int], visit: Callable[..., Any], who: str) -> None:
    window = visit(who)
    for path in PAGES[who]:
        page = window.go(path.format(**ids))
        page.evaluate("document.activeElement.blur()")

        page.keyboard.press("Tab")
        skip = page.locator(".skip-link")
        assert skip.evaluate("link => link === document.activeElement"), path
        assert skip.bounding_box()["y"] >= 0, path
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content", path

        unseen = []
        for _ in range(12):
            page.keyboard.press("Tab")
            outline = page.evaluate(
                "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
                " return [e.tagName, e === document.body, s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
            )
            if not outline[1] and (outline[2] == "none" or outline[3] < 2):
                unseen.append(outline)
        assert unseen == [], path


def test_dark_stays_chosen(visit: Callable[..., Any]) -> None:
    window = visit("intern")
    page = window.go("/")

    page.get_by_role("button", name="Use dark colours").click()
    page.goto(window.base + "/projects/")

    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    page.get_by_role("button", name="Use light colours").click()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "light"
    assert window.complaints == []


def test_a_chart_follows_the_colours_and_has_a_table(ids: dict[str, int], visit: Callable[..., Any]) -> None:
    page = visit("intern").go("/")
    page.wait_for_function("typeof Chart !== 'undefined' && Chart.getChart('progress')")
    before = page.evaluate("Chart.getChart('progress').data.datasets[0].borderColor")

    page.get_by_role("button", name="Use dark colours").click()

    page.wait_for_function("c => Chart.getChart('progress').data.datasets[0].borderColor !== c", arg=before)
    page.get_by_text("Show the figures as a table").click()
    assert page.get_by_role("figure").get_by_role("cell", name="0.910").is_visible()


def test_the_account_menu_opens_and_closes_by_keyboard(visit: Callable[..., Any]) -> None:
    page = visit("intern").go("/")
    menu = page.locator("details.menu summary")

    menu.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("link", name="Account").is_visible()
    page.keyboard.press("Escape")

    assert not page.get_by_role("link", name="Account").is_visible()
    assert menu.evaluate("summary => summary === document.activeElement")


def test_taking_back_asks_first(ids: dict[str, int], visit: Callable[..., Any]) -> None:
    page = visit("intern").go(f"/submissions/{ids['running']}/")

    page.get_by_role("button", name="Take it back").click()
    dialog = page.get_by_role("dialog")
    assert "Stop this evaluation?" in dialog.inner_text()
    dialog.get_by_role("button", name="Not now").click()

    assert page.get_by_role("dialog").count() == 0
    assert page.url.endswith(f"/submissions/{ids['running']}/")


def test_a_running_submission_shows_its_score_by_itself(
    ids: dict[str, int], visit: Callable[..., Any], finish: Callable[[int], None]
) -> None:
    window = visit("intern")
    page = window.go(f"/submissions/{ids['running']}/")
    assert page.locator("#submission-live").get_attribute("data-state") == "running"
    page.get_by_role("button", name="Take it back").focus()

    finish(ids["running"])

    page.locator("#submission-live[data-state=scored]").wait_for()
    assert "0.950" in page.locator("#submission-live").inner_text()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2500)
    assert asked == []
    assert window.complaints == []


def test_the_pages_read_without_javascript(ids: dict[str, int], visit: Callable[..., Any]) -> None:
    page = visit("intern", scripts=False).go("/")

    page.get_by_text("Show the figures as a table").click()

    assert page.get_by_role("figure").get_by_role("cell", name="0.910").is_visible()
    assert page.get_by_role("link", name="Open notebook").is_visible()
