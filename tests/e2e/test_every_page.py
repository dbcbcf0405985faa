"""No page breaks a rule of WCAG 2.2 AA that axe-core can see, at a desktop's and a phone's width, light and dark.

The pages are those of the demo that its people reach by links, each view once, with the demo's own people and work in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import RunningDemo
from tests.tools.accessibility import Crawl, faults_of

pytestmark = pytest.mark.e2e
# Who has most on a page that several can open comes first; where each begins.
PEOPLE = {
    "ada": ("/", "/cohorts/winter/applications/"),
    "mira": ("/",),
    "lin": ("/",),
    "sam": ("/", "/portfolio/"),
    "nadia": ("/",),
    "ines": ("/", "/notebook/help/"),
}
NOBODY = ("/sign-in/", "/cohorts/winter/", "/cohorts/winter/sign-up/", "/certificates/check/")
FEWEST_VIEWS = 55


@pytest.fixture(scope="module")
def crawl(demo: RunningDemo) -> Crawl:
    """One crawl for all people, so that a view is looked at once."""
    return Crawl(demo.site)


def faults_from(begins: Iterable[str], *, crawl: Crawl, page: Page) -> dict[str, list[str]]:
    """What is wrong, by view, on the pages that are reached from these addresses."""
    pages = chain.from_iterable(crawl.pages(page, begin=begin) for begin in begins)
    return {view: faults for view in pages if (faults := faults_of(page))}


@pytest.mark.slow
@pytest.mark.parametrize("username", PEOPLE)
def test_no_page_breaks_a_rule(username: str, crawl: Crawl, person: Callable[[str], Page]) -> None:
    page = person(username)
    crawl.seen.discard("portal:home")  # each role has another
    assert faults_from(PEOPLE[username], crawl=crawl, page=page) == {}


@pytest.mark.slow
def test_no_page_of_those_who_are_not_signed_in_breaks_a_rule(crawl: Crawl, browser: Browser) -> None:
    page = browser.new_page()
    found = faults_from(NOBODY, crawl=crawl, page=page)
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
