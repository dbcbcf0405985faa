"""Signing in, in Chromium: by a second Practicum as OpenID provider, by SAML, with a second factor, without the phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from practicum.accounts.models import User
from practicum.accounts.ways_in import OIDC, SAML, Provider, WaysIn
from practicum.audit.models import Record
from practicum.config.sign_in import SAML_EMAIL, allauth_providers
from tests.browser import second_site
from tests.tools.accessibility import faults_of
from tests.unit.accounts.saml_provider import ENTITY, SamlProvider, key_and_certificate
from tests.unit.accounts.test_factors import code

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:No directory at")]


def allow(settings: Any, ways: WaysIn) -> None:
    """The live site has these ways in."""
    settings.PRACTICUM_WAYS_IN = ways
    settings.SOCIALACCOUNT_PROVIDERS = allauth_providers(ways)


def leave(page: Page) -> None:
    """Sign out by the site's own button."""
    page.goto(page.url.split("/account/")[0] + "/account/") if "/account/" in page.url else None
    page.evaluate("document.querySelector('form[action=\"/sign-out/\"]').submit()")
    page.get_by_role("heading", name="Sign in").wait_for()


def test_by_the_labs_provider_with_a_second_factor_that_is_lost(
    visit: Callable[..., Any], people: dict[str, Any], live_server: Any, settings: Any, tmp_path: Path
) -> None:
    back = f"{live_server.url}/sign-in/oidc/callback/"
    with second_site.running(tmp_path, return_address=back) as url:
        facts = {"ISSUER": f"{url}/o", "CLIENT_ID": second_site.CLIENT, "CLIENT_SECRET": second_site.SECRET}
        ways = WaysIn(
            providers=(Provider(OIDC, "the lab", facts),),
            verified_domains=frozenset({"example.org"}),
            factor_roles=frozenset({"mentor"}),
        )
        allow(settings, ways)
        window = visit()
        page = window.go("/projects/")
        assert faults_of(page) == []
        page.get_by_role("button", name="Sign in with the lab").click()
        page.wait_for_url(f"{url}/**")
        page.get_by_label("Username or e-mail").fill("mira")
        page.get_by_label("Password").fill(second_site.PASSWORD)
        page.get_by_label("Password").press("Enter")

        page.wait_for_url("**/account/factor/")
        page.get_by_text("Your role needs a second factor.").wait_for()
        assert faults_of(page) == []
        page.get_by_role("link", name="Add an authenticator app").press("Enter")
        page.get_by_role("heading", name="Add an authenticator app").wait_for()
        assert faults_of(page) == []
        key = page.locator(".factor-key").inner_text()
        page.get_by_label("Authenticator code").fill(code(key))
        page.get_by_label("Authenticator code").press("Enter")
        page.get_by_role("heading", name="Recovery codes").wait_for()
        assert faults_of(page) == []
        recovery = page.locator(".factor-codes code").all_inner_texts()
        assert len(recovery) == 10
        page.get_by_role("link", name="I have kept them").click()
        page.wait_for_url("**/projects/")

        # The session at the provider goes on: one click, and the code is asked for all the same.
        leave(page)
        page.get_by_role("button", name="Sign in with the lab").click()
        page.get_by_role("heading", name="One more thing").wait_for()
        assert faults_of(page) == []
        page.get_by_label("Code").fill("000000")
        page.get_by_label("Code").press("Enter")
        page.get_by_text("This code is wrong").wait_for()
        assert faults_of(page) == []
        page.get_by_label("Code").fill(code(key))
        page.get_by_label("Code").press("Enter")
        page.get_by_role("heading", name=re.compile("Mira|review|waits", re.IGNORECASE)).first.wait_for()

        # The phone is gone.
        leave(page)
        page.get_by_role("button", name="Sign in with the lab").click()
        page.get_by_label("Code").fill(recovery[0])
        page.get_by_label("Code").press("Enter")
        page.wait_for_url(f"{live_server.url}/")
        page = window.go("/account/factor/")
        assert page.get_by_text("9 of 10 are left").is_visible()
        assert faults_of(page) == []
        assert window.complaints == []
    verbs = set(Record.objects.filter(object_id=str(people["mentor"].pk)).values_list("verb", flat=True))
    assert {"account.joined", "account.factor_added", "account.recovery_code_used"} <= verbs


def test_by_saml_from_another_site_and_who_is_not_let_in(
    visit: Callable[..., Any], people: dict[str, Any], settings: Any
) -> None:
    provider = SamlProvider(*key_and_certificate(), attributes={SAML_EMAIL[0]: ["ines@example.org"]})
    provider.start()
    try:
        # Another site than ours, localhost, to the browser, which keeps our cookie from what it posts.
        facts = {"SSO_URL": provider.url, "CERTIFICATE": provider.certificate}
        ways = WaysIn(
            providers=(Provider(SAML, "the lab", {"ENTITY_ID": ENTITY, **facts}),),
            verified_domains=frozenset({"example.org"}),
            spare_keys=frozenset({"ada"}),
            whom_to_ask="Ada, room 7",
        )
        allow(settings, ways)
        window = visit()
        page = window.go("/account/")
        assert faults_of(page) == []
        page.get_by_role("button", name="Sign in with the lab").click()
        page.get_by_role("button", name="Go on as Ines").click()
        page.wait_for_url("**/account/")
        page.get_by_text("Intern · ines · ines@example.org").wait_for()
        assert faults_of(page) == []

        provider.subject, provider.attributes = "somebody", {SAML_EMAIL[0]: ["nobody@example.org"]}
        other = visit()
        page = other.go("/account/")
        page.get_by_role("button", name="Sign in with the lab").click()
        page.get_by_role("button", name="Go on as Ines").click()
        page.get_by_role("heading", name="There is no account for you here.").wait_for()
        assert page.get_by_text("ask Ada, room 7").is_visible()
        assert faults_of(page) == []
        assert User.objects.filter(email="nobody@example.org").count() == 0
    finally:
        provider.stop()


def test_an_answer_that_can_not_be_used(visit: Callable[..., Any], people: dict[str, Any], settings: Any) -> None:
    facts = {"ISSUER": "http://127.0.0.1:9", "CLIENT_ID": "c", "CLIENT_SECRET": "s"}
    allow(settings, WaysIn(providers=(Provider(OIDC, "the lab", facts),)))
    page = visit().go("/sign-in/oidc/callback/?state=forged&code=forged")
    page.get_by_role("heading", name="The answer of the lab could not be used.").wait_for()
    assert faults_of(page) == []
