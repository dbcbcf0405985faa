"""A certificate in Chromium: its intern shows it, a visitor reads it, a genuine and a forged file are told apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from practicum.credentials import signing
from practicum.credentials.offline import verifier
from practicum.credentials.services import choose, keep_portfolio
from tests.browser.conftest import LOOKS
from tests.tools.accessibility import faults_of
from tests.unit.credentials.conftest import accepted, certificate, completed, engine, issue, replays
from tests.unit.portal.conftest import seeded

__all__ = ["accepted", "certificate", "completed", "engine", "issue", "replays", "seeded"]

pytestmark = pytest.mark.browser


@pytest.fixture
def certificate_path(people: dict[str, Any], certificate: Any) -> str:
    """The page of the intern's certificate."""
    return f"/certificates/{certificate.pk}/"


def download(page: Page, name: str, *, into: Path) -> Path:
    """Press a link that is a download, and keep the file."""
    with page.expect_download() as started:
        page.get_by_role("link", name=name).click()
    started.value.save_as(into)
    return into


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def upload(page: Page, file: Path) -> None:
    page.get_by_label("The certificate’s file").set_input_files(file)
    page.get_by_role("button", name="Check it").click()
    page.locator("[data-outcome]").wait_for()


def test_an_intern_shows_a_certificate_and_a_visitor_checks_it_and_finds_a_forged_one(
    certificate_path: str, visit: Callable[..., Any], tmp_path: Path
) -> None:
    stranger = visit()
    stranger.go(certificate_path)
    assert stranger.page.get_by_text("There is nothing here for you").is_visible()
    stranger.complaints.clear()

    mine = visit("intern")
    page = mine.go("/certificates/")
    page.get_by_role("link", name="Digits").first.click()
    page.get_by_label("Whoever has its address").check()
    page.get_by_label("My mentor’s name").uncheck()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()

    page = stranger.go(certificate_path)
    assert page.get_by_role("heading", name="Ines Intern").is_visible()
    assert page.get_by_text("0.961").first.is_visible()
    assert page.get_by_text("A third of the pixels is enough.").is_visible()
    assert page.get_by_text("Mira Mentor").count() == 0
    genuine = download(page, "Signed document", into=tmp_path / "credential.json")
    assert download(page, "PDF to print", into=tmp_path / "certificate.pdf").read_bytes().startswith(b"%PDF-")

    document = json.loads(genuine.read_text())
    document["credentialSubject"]["record"]["score"]["value"] = 0.999
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(document))
    page.get_by_role("contentinfo").get_by_role("link", name="Check a certificate").click()
    upload(page, genuine)
    assert page.get_by_role("heading", name="Genuine").is_visible()
    upload(page, forged)
    assert page.get_by_role("heading", name="Forged").is_visible()
    assert page.get_by_role("cell", name="credentialSubject.record.score.value").is_visible()
    assert page.get_by_role("cell", name="0.999").is_visible()

    issuer = tmp_path / "issuer.json"
    issuer.write_text(json.dumps(signing.profile()))
    assert verifier.main([str(genuine), "--issuer", str(issuer)]) == 0
    assert verifier.main([str(forged), "--issuer", str(issuer)]) == 1
    assert mine.complaints == stranger.complaints == []


def test_an_admin_revokes_it_with_a_reason_that_its_reader_finds(
    certificate_path: str, visit: Callable[..., Any]
) -> None:
    admin = visit("admin")
    page = admin.go(certificate_path)
    page.get_by_label("Why it is revoked").fill("The work was another's.")
    page.get_by_role("button", name="Revoke it").click()
    page.locator("dialog").get_by_role("button", name="Revoke it").click()
    page.get_by_text("counts no more").first.wait_for()

    page = visit("intern").go(certificate_path)
    assert page.get_by_text("The work was another's.").is_visible()
    assert admin.complaints == []


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_every_page_fits_its_window_in_both_schemes(
    certificate_path: str, certificate: Any, people: dict[str, Any], visit: Callable[..., Any], now: Any,
    phone: bool, dark: bool,
) -> None:  # fmt: skip
    intern = people["intern"]
    choose(certificate, actor=intern, visibility="listed", parts=["score", "rubric", "code"], now=now)
    keep_portfolio(intern, is_public=True, headline="I count pixels", words="What I *found*: fewer will do.", now=now)
    window = visit("intern", phone=phone, dark=dark)

    for path in (certificate_path, "/certificates/", "/certificates/check/", "/portfolio/", "/portfolio/ines/"):
        page = window.go(path)
        assert fits(page), path
        assert page.locator("h1").count() == 1, path
    assert window.complaints == []
    if not phone:
        assert faults_of(page) == [], "a portfolio that anybody may see"


def test_on_paper_there_is_the_certificate_alone_on_one_sheet(certificate_path: str, visit: Callable[..., Any]) -> None:
    page = visit("intern").go(certificate_path)
    page.emulate_media(media="print")

    assert page.locator("article.paper").is_visible()
    for gone in (".app-bar", ".app-footer", "#show-heading", "#report-heading"):
        assert not page.locator(gone).is_visible(), gone
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type /Page\b(?!s)", printed)) == 1
