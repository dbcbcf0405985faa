"""Chromium against a live site; one browser a module, one window a visit.

Playwright's driver keeps an event loop running in this thread. Django refuses rows there unless told that no coroutine
of ours touches them, which is the case: ``DJANGO_ALLOW_ASYNC_UNSAFE`` is set for as long as the browser lives.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.db import connection
from django.test import Client, override_settings
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from practicum.evaluation.models import Run, Score
from tests.unit.portal.conftest import hand_in

__all__ = ["hand_in"]

CHROMIUM = os.environ.get("PRACTICUM_TEST_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Every width and every colour scheme once; that all four fit, every page's own test sees (tests/e2e/test_every_page.py).
LOOKS = [pytest.param(False, False, id="desktop-light"), pytest.param(True, True, id="phone-dark")]
DESKTOP, PHONE = ViewportSize(width=1280, height=860), ViewportSize(width=390, height=844)


def session_cookie(user: Any, *, url: str) -> Any:
    """The cookie of a session in which ``user`` is signed in."""
    client = Client()
    client.force_login(user)
    name = site_settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


class Visit:
    """A page of the browser, and everything its console complained about."""

    def __init__(self, page: Page, *, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.underway: set[Any] = set()
        page.on("request", lambda request: self.underway.add(request))
        page.on("requestfinished", lambda request: self.underway.discard(request))
        page.on("requestfailed", lambda request: self.underway.discard(request))

    def go(self, path: str) -> Page:
        """Open a page of the site and wait until it is quiet."""
        self.page.goto(self.base + path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def leave(self) -> None:
        """Let the page tell what it tells when it is left, while the test's database is still there, and close it.

        Chromium does not say how some of what outlives a page ends, so this waits for two seconds at most.
        """
        self.page.evaluate("dispatchEvent(new Event('pagehide'))")
        self.page.wait_for_timeout(50)  # until what it sends is known here
        for _ in range(100):
            if not self.underway:
                break
            self.page.wait_for_timeout(20)
        self.page.context.close()


def faults_on_a_phone(
    visit: Callable[..., Visit], who: str, paths: Iterable[str], *, unfolded: bool = False
) -> list[str]:
    """What is wrong with pages at a phone's width, light and dark: what the console complains of, and scrolling sideways.

    ``unfolded``: with all that folds on them open.
    """
    faults: list[str] = []
    for theme in ("light", "dark"):
        window = visit(who, phone=True, dark=theme == "dark")
        for path in paths:
            page = window.go(path)
            for details in page.locator("main details").all() if unfolded else []:
                details.locator("summary").click()
            if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
                faults.append(f"{path} {theme}: wider than the window")
            if page.evaluate("document.documentElement.dataset.bsTheme") != theme:
                faults.append(f"{path} is not {theme}")
            faults += [f"{path} {theme}: {said}" for said in window.complaints]
            window.complaints.clear()
    return faults


@pytest.fixture(scope="session", autouse=True)
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of collected files for the live server, which outlives every test; a fresh checkout has none."""
    with override_settings(STATIC_ROOT=tmp_path_factory.mktemp("static")):
        yield


@pytest.fixture
def people(transactional_db: None, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Intern, mentor and admin with an internship, and one of each role."""
    names = ("internship", "intern", "mentor", "admin")
    return {name: request.getfixturevalue(name) for name in names}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of one module."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, live_server: Any, people: dict[str, Any]) -> Iterator[Callable[..., Visit]]:
    """``visit("intern")`` or ``visit()``: a browser window of that person; ``phone``, ``dark``, ``scripts``, ``zone`` say how."""
    cookies = {name: session_cookie(people[name], url=live_server.url) for name in ("intern", "mentor", "admin")}
    with ExitStack() as windows:

        def open_window(
            who: str = "", *, phone: bool = False, dark: bool = False, scripts: bool = True, zone: str = "UTC"
        ) -> Visit:
            context = browser.new_context(
                viewport=PHONE if phone else DESKTOP,
                color_scheme="dark" if dark else "light",
                java_script_enabled=scripts,
                timezone_id=zone,
            )
            if who:
                context.add_cookies([cookies[who]])
            opened = Visit(context.new_page(), base=live_server.url)
            windows.callback(opened.leave)
            return opened

        yield open_window


def _finish(submission_id: int, *, at: datetime) -> None:
    run = Run.objects.get(submission_id=submission_id)
    Score.objects.create(run=run, value=0.95, metrics={"accuracy": 0.95}, scored_at=at)
    Run.objects.filter(pk=run.pk).update(state="scored", phase="", finished_at=at)
    connection.close()


@pytest.fixture
def finish(now: datetime) -> Callable[[int], None]:
    """``finish(submission)``: its run is scored 0.95, written from another thread as the worker does."""

    def do(submission_id: int) -> None:
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(_finish, submission_id, at=now).result()

    return do
