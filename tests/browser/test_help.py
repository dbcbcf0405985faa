"""Help in a running notebook, in Chromium: the intern asks, the mentor reads, asks to work, is let in and shown out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from practicum.gpus.inventory import pool_of
from practicum.gpus.models import PoolKind, Server, Slot
from practicum.lib.clock import utc_now
from practicum.workspaces import help_requests
from practicum.workspaces.hub import MemoryHub
from practicum.workspaces.models import HelpRequest, Session
from practicum.workspaces.sharing import follow_help
from tests.browser.conftest import LOOKS
from tests.tools.accessibility import faults_of
from tests.unit.gpus.conftest import lease_on

pytestmark = pytest.mark.browser
HOSTILE = "<script>parent.document.title='owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def session(people: dict[str, Any]) -> Session:
    """The intern's notebook runs."""
    now, server = utc_now(), Server.objects.create(name="gpu-1")
    pool = pool_of(name="CPU slots", kind=PoolKind.CPU)
    slot = Slot.objects.create(server=server, pool=pool, kind="cpu", index=0, uuid="cpu:0", model="CPU")
    lease = lease_on(slot, people["intern"], now=now)
    return Session.objects.create(
        user=people["intern"], internship=people["internship"], lease=lease, requested_at=now, state="running",
        deadline=now + timedelta(hours=8), active_at=now,
    )  # fmt: skip


def notebook(text: str) -> bytes:
    """A notebook with this text in a Markdown cell and in an output."""
    output = {"output_type": "stream", "name": "stdout", "text": f"printed: {text}\n"}
    code = {
        "cell_type": "code",
        "id": "b",
        "metadata": {},
        "source": "print(1)",
        "outputs": [output],
        "execution_count": 1,
    }
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": f"# {text}"}, code]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def save(text: str, *, path: str = "digits/start.ipynb") -> None:
    """The intern saves, and their notebook shows it."""
    request = HelpRequest.objects.get()
    help_requests.hear(request, now=utc_now())
    help_requests.take_notebook(request, path=path, content=notebook(text), now=utc_now())


def fits(page: Page, name: str, *, tmp_path: Any) -> None:
    """A picture for who looks, and no scrolling sideways."""
    page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_from_the_question_to_the_end(
    session: Session, visit: Callable[..., Any], tmp_path: Any, *, phone: bool, dark: bool
) -> None:
    hub = MemoryHub()
    hub.answers["ines"] = []
    look = {"phone": phone, "dark": dark}
    intern, mentor = visit("intern", **look), visit("mentor", **look)
    page = intern.go("/notebook/")
    page.get_by_role("link", name="Ask for help").press("Enter")
    page.get_by_label("What is it about?").fill("The loss is NaN after the first epoch")
    fits(page, "ask", tmp_path=tmp_path)
    page.get_by_role("radio", name="15 minutes").check()
    page.get_by_role("button", name="Ask for help").press("Enter")
    expect(page.get_by_role("heading", name="You asked Mira Mentor for help")).to_be_visible()
    fits(page, "asked", tmp_path=tmp_path)

    desk = mentor.go("/review/")
    fits(desk, "inbox", tmp_path=tmp_path)
    desk.get_by_role("link", name="Ines Intern").press("Enter")
    fits(desk, "waits", tmp_path=tmp_path)
    desk.get_by_role("button", name="Start reading").press("Enter")
    expect(desk.get_by_text("The notebook comes in a few seconds.")).to_be_visible()
    expect(page.get_by_role("heading", name="Mira Mentor reads your notebooks")).to_be_visible(timeout=10_000)
    save(f"First {HOSTILE}")
    frame = desk.frame_locator("iframe[name=notebook]")
    expect(frame.get_by_role("heading", name="First")).to_be_visible(timeout=15_000)
    save("Second")
    expect(frame.get_by_role("heading", name="Second")).to_be_visible(timeout=15_000)
    save("Other", path="digits/other.ipynb")
    expect(desk.get_by_role("link", name="digits/other.ipynb")).to_be_visible(timeout=10_000)
    fits(desk, "reads", tmp_path=tmp_path)
    fits(page, "is-read", tmp_path=tmp_path)

    desk.get_by_role("button", name="Ask to work in it").click()
    expect(page.get_by_role("heading", name="Mira Mentor asks to work in your notebook")).to_be_visible(timeout=10_000)
    fits(page, "hands-asked", tmp_path=tmp_path)
    save("Third")
    page.get_by_role("button", name="Let them work in it").press("Enter")
    expect(page.get_by_role("heading", name="Mira Mentor may work in your notebook")).to_be_visible()
    fits(page, "hands", tmp_path=tmp_path)
    follow_help(utc_now(), hub=hub)
    assert hub.shares == {"ines": {"mira"}}
    lab = desk.get_by_role("link", name="JupyterLab")
    expect(lab).to_be_visible(timeout=10_000)
    assert "/user/ines/lab/tree/digits/" in str(lab.get_attribute("href"))
    fits(desk, "works", tmp_path=tmp_path)

    page.get_by_role("button", name="End the help").click()
    expect(page.get_by_text("might work in it from")).to_be_visible()
    expect(desk.get_by_role("heading", name="This is over")).to_be_visible(timeout=10_000)
    expect(desk.locator("iframe")).to_be_hidden()
    fits(desk, "over", tmp_path=tmp_path)
    fits(page, "after", tmp_path=tmp_path)
    follow_help(utc_now(), hub=hub)
    assert (hub.shares, intern.complaints, mentor.complaints) == ({}, [], [])
    assert desk.title().startswith("Help for")


def test_it_reads_without_scripts(session: Session, people: dict[str, Any], visit: Callable[..., Any]) -> None:
    request = help_requests.ask(people["intern"], topic="Why?", minutes=15, now=utc_now())
    help_requests.open_request(request, now=utc_now())
    save("Plain")
    page = visit("mentor", scripts=False).go(f"/review/help/{request.pk}/")
    expect(page.frame_locator("iframe").get_by_role("heading", name="Plain")).to_be_visible()


def test_the_mentors_page_breaks_no_rule_at_any_step(
    session: Session, people: dict[str, Any], visit: Callable[..., Any]
) -> None:
    request = help_requests.ask(people["intern"], topic="Why?", minutes=15, now=utc_now())
    steps = {
        "asked": lambda: None,
        "reading": lambda: help_requests.open_request(request, now=utc_now()),
        "hands_asked": lambda: help_requests.ask_for_hands(request, now=utc_now()),
        "hands": lambda: help_requests.allow_hands(request, now=utc_now()),
        "ended": lambda: help_requests.end_by(people["intern"], request, now=utc_now()),
    }
    for state, step in steps.items():
        step()
        help_requests.hear(request, now=utc_now())
        request.refresh_from_db()
        assert request.state == state
        assert faults_of(visit("mentor").go(f"/review/help/{request.pk}/")) == [], state
