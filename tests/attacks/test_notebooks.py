"""Hostile notebooks in Chromium: each must fire as nbconvert exports it, and none as we show it.

A *sheet* is a page that frames many notebooks, so that one visit opens them all. Each notebook is opened four ways: as
nbconvert exports it, without a policy (the control); as the product answers, page and headers (what a mentor gets);
the product's page without its headers (the sanitiser alone must hold); nbconvert's export with the product's headers
(the policy alone must hold). Every visit clicks, focuses and hovers what it finds. Requests to other hosts end here.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert.exporters.html import HTMLExporter
from nbconvert.filters.markdown_mistune import InvalidNotebook
from playwright.sync_api import Browser, Error, Frame, Route

from practicum.reviews import rendering
from practicum.reviews.converter import notebook
from practicum.reviews.views import SANDBOX
from tests.attacks.notebooks import ELSEWHERE, FIRING, PAYLOADS
from tests.attacks.report import Result
from tests.browser.conftest import browser as browser

pytestmark = [pytest.mark.attack, pytest.mark.browser]

STAGE = "http://stage.example"
A_SHEET = 48
SETTLE_MS, POLL_MS, FIRES_MS = 400, 50, 10_000
HTML = {"content-type": "text/html; charset=utf-8"}
TOUCH = """() => {
  for (const e of document.querySelectorAll('a, area, button, input, b, summary, svg a text, mi')) {
    for (const kind of ['pointerover', 'mouseover', 'focusin']) e.dispatchEvent(new Event(kind, {bubbles: true}));
    if (e.focus) e.focus();
    e.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, view: window}));
  }
}"""


@dataclass(frozen=True)
class Page:
    """What is served for one notebook."""

    body: str
    headers: Mapping[str, str]


def visit(browser: Browser, pages: Mapping[str, Page], *, awaited: Sequence[str] = ()) -> dict[str, list[str]]:
    """Open each page in a frame of a sheet and touch what is in it; what each did, by its payload's name.

    A page is known by the name in what it says or asks for; what names no payload is listed under an empty name.
    ``awaited`` are given up to ``FIRES_MS`` to do something.
    """
    found: dict[str, list[str]] = {}
    names = list(pages)
    for first in range(0, len(names), A_SHEET):
        some = names[first : first + A_SHEET]
        for said in _sheet(browser, {name: pages[name] for name in some}, awaited={*awaited} & {*some}):
            name = payload_of(said)
            found.setdefault(name if name in pages else "", []).append(said)
    return found


def payload_of(said: str) -> str:
    """The name in what was said or asked for."""
    return said.removeprefix("FIRED ").removeprefix(f"{ELSEWHERE}/").partition("?")[0]


def _sheet(browser: Browser, pages: Mapping[str, Page], *, awaited: set[str]) -> list[str]:
    said: list[str] = []
    context = browser.new_context(viewport={"width": 1500, "height": 2200})

    def answer(route: Route) -> None:
        url = route.request.url
        name = url.removeprefix(f"{STAGE}/")
        if name == "":
            route.fulfill(body=frames, headers=HTML)
        elif name in pages:
            route.fulfill(body=pages[name].body, headers=dict(pages[name].headers))
        elif url.startswith(STAGE):
            route.fulfill(status=404)
        else:
            said.append(url)
            route.abort()

    frames = "".join(f'<iframe name="{name}" src="/{name}" width="300" height="200"></iframe>' for name in pages)
    try:
        context.route(lambda url: url.startswith(("http:", "https:")), answer)
        context.on("console", lambda message: said.append(message.text) if message.text.startswith("FIRED ") else None)
        context.on("dialog", lambda dialog: (said.append("a dialog"), dialog.dismiss()))
        page = context.new_page()
        page.goto(f"{STAGE}/", wait_until="domcontentloaded")
        page.wait_for_timeout(SETTLE_MS)
        for frame in page.main_frame.child_frames:
            _touch(frame)
        page.wait_for_timeout(SETTLE_MS)
        for _ in range(FIRES_MS // POLL_MS):
            if awaited <= {payload_of(text) for text in said}:
                break
            page.wait_for_timeout(POLL_MS)
        assert len(page.main_frame.child_frames) == len(pages)
    finally:
        context.close()
    return said


def _touch(frame: Frame) -> None:
    """Click, focus and hover everything; a frame that went elsewhere has nothing left to touch."""
    with suppress(Error):
        frame.evaluate(TOUCH)


def _exported() -> Iterator[tuple[str, str]]:
    exporter = HTMLExporter(template_name="classic")
    for name, content in PAYLOADS.items():
        with suppress(InvalidNotebook, nbformat.ValidationError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield name, exporter.from_notebook_node(nbformat.reads(content.decode(), as_version=4))[0]


@pytest.fixture(scope="module")
def exported() -> dict[str, str]:
    """The payloads as nbconvert exports them by itself; what it can't export is left out."""
    return dict(_exported())


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The converter without its process, which the unit tests start: a hundred of them would only be slow."""

    def convert(kind: str, *, content: bytes, folder: Path) -> str:
        outcome, page = notebook.convert(content)
        (folder / "page.html").write_text(page, encoding="utf-8")
        (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
        return "ok"

    monkeypatch.setattr(rendering, "_convert", convert)


@pytest.fixture
def answered(internship: Any, mentor: Any, client_of: Any, now: Any, in_this_process: None) -> dict[str, Page]:
    """What the product answers a mentor who opens each of them: page and headers."""
    from practicum.submissions.models import Submission

    client = client_of(mentor)
    row = Submission.objects.create(
        internship=internship, version=internship.version, number=1, digest="e" * 64, source="upload",
        received_at=now, size_bytes=1, files=[], notebook="start.ipynb",
    )  # fmt: skip
    row.folder.mkdir(parents=True)
    pages = {}
    for name, content in PAYLOADS.items():
        (row.folder / "start.ipynb").write_bytes(content)
        answer = client.get(f"/submissions/{row.pk}/notebook/")
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == SANDBOX
        pages[name] = Page(answer.content.decode(), {key.lower(): value for key, value in answer.headers.items()})
        assert 'class="cell ' in pages[name].body, name
    return pages


@pytest.mark.django_db
def test_a_hostile_notebook_does_nothing_and_would_without_sanitiser_and_policy(
    browser: Browser, exported: dict[str, str], answered: dict[str, Page], result: Callable[..., Result]
) -> None:
    began = time.monotonic()
    rows = {name: result(group="notebooks", kind=name.partition("-")[0], name=name, row="D1", title=name.replace("-", " "),
                         weak="no sanitiser, no policy") for name in FIRING}  # fmt: skip

    control = visit(browser, {name: Page(exported[name], HTML) for name in exported}, awaited=FIRING)
    mentor = visit(browser, answered)
    sanitised = visit(browser, {name: Page(page.body, HTML) for name, page in answered.items()})
    policed = visit(browser, {name: Page(page, answered[name].headers) for name, page in exported.items()})

    spent = round((time.monotonic() - began) / len(rows), 2)
    for name, row in rows.items():
        row.control, row.seconds = name in control, spent
        row.real = any(name in found for found in (mentor, sanitised, policed))
    quiet = [name for name in FIRING if name not in control]
    assert quiet == [], "these did not fire in the weak control, so they prove nothing"
    assert {"product": mentor, "sanitiser alone": sanitised, "policy alone": policed} == {
        "product": {}, "sanitiser alone": {}, "policy alone": {}
    }  # fmt: skip


def test_the_corpus_is_large() -> None:
    assert len(FIRING) >= 60
    assert set(FIRING) < set(PAYLOADS)
