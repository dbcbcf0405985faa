"""No page breaks a rule of WCAG 2.2 AA that axe-core can see, at a desktop's and a phone's width, light and dark.

The pages are those of the demo that its people reach by links, each view once, with the demo's own people and work in it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import RunningDemo
from tests.tools.accessibility import Crawl, faults_of

pytestmark = pytest.mark.e2e
# Who has most on a page that several can open comes first.
PEOPLE = ("ada", "mira", "lin", "sam", "nadia")
FEWEST_VIEWS = 50


@pytest.fixture(scope="module")
def crawl(demo: RunningDemo) -> Crawl:
    """One crawl for all people, so that a view is looked at once."""
    return Crawl(demo.site)


@pytest.mark.parametrize("username", PEOPLE)
def test_no_page_breaks_a_rule(username: str, crawl: Crawl, person: Callable[[str], Page]) -> None:
    page = person(username)
    crawl.seen.discard("portal:home")  # each role has another
    found = {view: faults for view in crawl.pages(page) if (faults := faults_of(page))}
    assert found == {}


def test_no_page_of_those_who_are_not_signed_in_breaks_a_rule(crawl: Crawl, browser: Browser) -> None:
    page = browser.new_page()
    found: dict[str, list[str]] = {}
    for begin in ("/sign-in/", "/cohorts/winter/", "/cohorts/winter/sign-up/", "/certificates/check/"):
        found |= {view: faults for view in crawl.pages(page, begin=begin) if (faults := faults_of(page))}
    page.close()
    assert found == {}
    assert len(crawl.seen) >= FEWEST_VIEWS, sorted(crawl.seen)


def test_what_is_wrong_is_found(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        '<html lang="en"><title>x</title><main><h1>x</h1><p style="color:#ccc;width:2000px">pale</p><img src="x">'
    )
    faults = faults_of(page)
    page.close()
    assert {fault.split()[2].rstrip(":") for fault in faults} >= {"color-contrast", "image-alt", "page"}
