"""The room that an intern's files take, in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from practicum.lib.clock import utc_now
from practicum.workspaces.models import HomeSize
from tests.browser.conftest import LOOKS, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:No directory at")]
GB = 10**9
LARGEST = [
    ["digits/checkpoints", 9 * GB],
    [".local/lib", 6 * GB],
    [
        "a-folder-with-a-name-that-nobody-wanted-to-be-this-long-and-no-place-to-break/it<script>alert(1)</script>",
        2 * GB,
    ],
]


@pytest.mark.parametrize(
    ("used", "colour", "is_open"), [(8.2, "", False), (18.6, "nearly", True), (23.1, "over", True)]
)
@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_the_meter_says_how_much_of_how_much_and_how_to_free_room(
    people: dict[str, Any], visit: Callable[..., Any], used: float, colour: str, is_open: bool, phone: bool, dark: bool
) -> None:
    HomeSize.objects.create(user=people["intern"], bytes=used * GB, largest=LARGEST, measured_at=utc_now())
    window = visit("intern", phone=phone, dark=dark)
    page = window.go("/notebook/")
    meter = page.get_by_role("meter", name="Room for your files")
    assert meter.get_attribute("aria-valuenow") == str(min(100, round(used * 5)))
    track, bar = meter.bounding_box(), meter.locator("span").bounding_box()
    assert bar["width"] / track["width"] == pytest.approx(min(1, used / 20), abs=0.02)
    assert page.locator(f".meter-{colour}").count() == (1 if colour else 0)
    assert page.get_by_text("sort -h").is_visible() is is_open
    assert window.complaints == []
    if phone:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_files_that_can_not_be_measured_are_said_to_be_so(people: dict[str, Any], visit: Callable[..., Any]) -> None:
    HomeSize.objects.create(user=people["intern"], bytes=None, measured_at=utc_now())
    page = visit("intern").go("/notebook/")
    page.get_by_text("could not be measured within a minute").wait_for()
    assert page.get_by_role("meter").count() == 0
