"""Pages that a crawl does not reach, for they answer a button or a mail: none breaks a rule of WCAG 2.2 AA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from practicum.accounts import unsubscribing
from practicum.accounts.models import NoticeSettings
from tests.tools.accessibility import faults_of

pytestmark = pytest.mark.browser


def test_the_link_of_a_mail_before_and_after(people: dict[str, Any], visit: Callable[..., Any]) -> None:
    path = urlsplit(unsubscribing.address_of(people["intern"], what="digest")).path
    page = visit().go(path)
    assert faults_of(page) == []
    page.locator("main button[type=submit]").click()
    page.wait_for_load_state("networkidle")
    assert faults_of(page) == []


def test_secrets_that_are_shown_once(people: dict[str, Any], visit: Callable[..., Any]) -> None:
    hook = {"webhook_url": "https://hooks.example.org/ines"}
    NoticeSettings.objects.update_or_create(user=people["intern"], defaults=hook)
    page = visit("intern").go("/account/")
    page.get_by_role("button", name="New signing secret").click()
    page.get_by_role("dialog").get_by_role("button", name="New signing secret").click()
    page.wait_for_url("**/account/webhook/secret/")
    assert faults_of(page) == []

    admin = visit("admin")
    page = admin.go("/people/accounts/")
    row = page.locator("tr", has_text=people["intern"].username)
    row.get_by_role("button", name="New password").click()
    page.get_by_role("dialog").get_by_role("button", name="New password").click()
    page.wait_for_url("**/reset/")
    assert faults_of(page) == []
    assert admin.complaints == []


def test_an_address_that_leads_nowhere(visit: Callable[..., Any]) -> None:
    page = visit("intern").go("/nowhere/")
    assert page.get_by_role("heading", level=1).count() == 1
    assert faults_of(page) == []
