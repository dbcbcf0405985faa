"""One's own data and notices in Chromium: taken away, to be deleted, kept after all; each kind as it is wanted."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from practicum.accounts.models import NoticeChoice, NoticeSettings
from practicum.digests.models import CohortWebhook
from practicum.persons.models import Deletion

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:No directory at")]


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_a_person_takes_their_data_asks_for_their_deletion_and_takes_it_back(
    visit: Callable[..., Any], people: dict[str, Any], hand_in: Any, tmp_path: Path
) -> None:
    hand_in(people["internship"], number=1, value=0.9)
    window = visit("intern")
    page = window.go("/account/")
    page.get_by_role("link", name="Take away all that is kept about you").click()
    page.get_by_role("heading", name="Your data", exact=True).wait_for()

    with page.expect_download() as started:
        page.get_by_role("link", name="Download the ZIP").click()
    started.value.save_as(tmp_path / "mine.zip")
    with zipfile.ZipFile(tmp_path / "mine.zip") as packed:
        assert "Ines Intern" in packed.read("account.json").decode()

    assert page.get_by_role("row", name="Scores 1").is_visible()
    page.get_by_label("Username").fill("Ines")
    page.get_by_role("button", name="Delete my data").click()
    page.get_by_text("Type ines, the username, exactly.").wait_for()
    assert not Deletion.objects.exists()
    window.complaints.clear()  # Chromium tells of the answer's status

    page.get_by_label("Username").fill("ines")
    page.get_by_label("Username").press("Enter")
    page.get_by_text("The deletion begins on").wait_for()
    assert Deletion.objects.get().state == "asked"
    page.get_by_role("button", name="Take it back, delete nothing").click()
    page.get_by_text("Taken back: nothing is deleted.").wait_for()
    assert Deletion.objects.get().state == "taken-back"
    assert window.complaints == []


def test_an_admin_reaches_it_from_the_accounts(visit: Callable[..., Any], people: dict[str, Any]) -> None:
    page = visit("admin").go("/people/accounts/?q=ines")
    page.get_by_role("link", name="Data of Ines Intern").click()
    page.get_by_role("heading", name="Data of Ines Intern").wait_for()
    assert page.get_by_role("button", name="Delete the data of Ines Intern").is_visible()


def test_each_kind_of_notice_is_chosen_by_keyboard(visit: Callable[..., Any], people: dict[str, Any]) -> None:
    window = visit("intern")
    page = window.go("/account/")
    page.get_by_role("link", name="Choose which kinds come at once").focus()
    page.keyboard.press("Enter")
    page.get_by_label("The daily mail, from").select_option("17")
    page.get_by_label("A run has ended, or was made again: by e-mail").select_option("In the daily mail")
    page.get_by_label("A review is decided: to the webhook").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Save").press("Enter")
    page.get_by_text("Saved.").wait_for()

    assert NoticeSettings.objects.get(user=people["intern"]).digest_hour == 17
    chosen = {row.kind: (row.mail, row.webhook) for row in NoticeChoice.objects.filter(user=people["intern"])}
    assert chosen["run"] == ("digest", True)
    assert chosen["review"] == ("now", False)
    assert page.get_by_label("A run has ended, or was made again: by e-mail").input_value() == "digest"
    assert window.complaints == []


def test_an_admin_sets_a_cohorts_webhook(visit: Callable[..., Any], people: dict[str, Any]) -> None:
    page = visit("admin").go("/cohorts/spring/settings/")
    page.get_by_role("link", name="Webhook").click()
    page.get_by_label("Address of the incoming webhook").fill("https://hooks.example.org/services/x")
    page.get_by_label("Milestones that were reached").uncheck()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Post a test to see that it arrives").wait_for()
    row = CohortWebhook.objects.get()
    assert (row.url, row.tells_milestones, row.tells_board) == ("https://hooks.example.org/services/x", False, True)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_pages_are_quiet_and_fit_a_phone(visit: Callable[..., Any], people: dict[str, Any], dark: bool) -> None:
    for who, path in (
        ("intern", "/account/data/"), ("intern", "/account/notices/"), ("intern", "/account/"),
        ("admin", f"/people/accounts/{people['intern'].pk}/data/"), ("admin", "/cohorts/spring/webhook/"),
    ):  # fmt: skip
        window = visit(who, phone=True, dark=dark)
        page = window.go(path)
        assert window.complaints == [], path
        assert fits(page), path
