"""Who gets in, where they are led, what a failure tells, and how often one may fail."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from practicum.accounts import throttle
from practicum.accounts.views import NO_MATCH

SIGN_IN = "/sign-in/"


def attempt(client: Client, account: str, *, password: str = "correct horse", **more: str) -> Any:
    return client.post(SIGN_IN, {"account": account, "password": password, **more})


@pytest.mark.parametrize("account", ["ines", " ines ", "INES", "ines@example.org", "Ines@Example.org"])
def test_a_person_gets_in_with_username_or_address(client: Client, intern: Any, account: str) -> None:
    response = attempt(client, account)

    assert response.status_code == 302
    assert response.url == "/"
    assert client.session["_auth_user_id"] == str(intern.pk)


@pytest.mark.parametrize(
    ("account", "password"),
    [
        ("ines", "wrong"),
        ("nobody", "correct horse"),
        ("nobody@example.org", "correct horse"),
        ("gone", "correct horse"),
    ],
    ids=["wrong password", "unknown name", "unknown address", "deactivated"],
)
def test_every_failure_looks_the_same(client: Client, intern: Any, peer: Any, account: str, password: str) -> None:
    peer.username, peer.is_active = "gone", False
    peer.save()

    response = attempt(client, account, password=password)

    assert response.status_code == 200
    assert NO_MATCH in response.content.decode()
    assert "_auth_user_id" not in client.session


def test_an_unknown_address_is_checked_against_a_password_all_the_same(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr("practicum.accounts.models.User.set_password", lambda self, raw: hashed.append(raw))

    attempt(client, "nobody@example.org", password="guess")

    assert hashed == ["guess"]


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/projects/", "/projects/"),
        ("/o/authorize/?client_id=practicum-hub&state=1", "/o/authorize/?client_id=practicum-hub&state=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_only_a_page_of_this_site_follows_signing_in(client: Client, intern: Any, wanted: str, led_to: str) -> None:
    assert attempt(client, "ines", next=wanted).url == led_to


def test_whoever_is_signed_in_is_led_on_at_once(client_of: Any, intern: Any) -> None:
    assert client_of(intern).get(SIGN_IN, {"next": "/account/"}).url == "/account/"


def test_signing_in_makes_a_new_session(client: Client, intern: Any) -> None:
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key

    attempt(client, "ines")

    assert client.session.session_key != before


@pytest.mark.parametrize("account", ["ines", "nobody"])
def test_after_six_failures_the_right_password_waits_too(client: Client, intern: Any, account: str) -> None:
    for _ in range(throttle.FAILURES_PER_ACCOUNT):
        assert attempt(client, account, password="wrong").status_code == 200

    response = attempt(client, account)

    assert response.status_code == 429
    assert "Too many attempts. Try again in 10 minutes." in response.content.decode()
    assert "_auth_user_id" not in client.session


def test_the_failures_of_one_account_do_not_close_another(client: Client, intern: Any, peer: Any) -> None:
    for _ in range(throttle.FAILURES_PER_ACCOUNT):
        attempt(client, "ines", password="wrong")

    assert attempt(client, "paul").status_code == 302


def test_signing_in_forgets_the_failures_before(client: Client, intern: Any) -> None:
    for _ in range(throttle.FAILURES_PER_ACCOUNT - 1):
        attempt(client, "ines", password="wrong")
    attempt(client, "ines")
    client.logout()

    assert attempt(client, "ines", password="wrong").status_code == 200
    assert attempt(client, "ines").status_code == 302


def test_the_window_opens_again(db: None, now: datetime) -> None:
    for _ in range(throttle.FAILURES_PER_ACCOUNT):
        throttle.note_failure("ines", address="10.0.0.1", now=now)

    with pytest.raises(throttle.TooManyAttempts):
        throttle.check_open("ines", address="10.0.0.1", now=now + throttle.WINDOW - timedelta(seconds=1))
    throttle.check_open("ines", address="10.0.0.1", now=now + throttle.WINDOW)


def test_one_address_may_not_try_name_after_name(db: None, now: datetime) -> None:
    for count in range(throttle.FAILURES_PER_ADDRESS):
        throttle.note_failure(f"name-{count}", address="10.0.0.1", now=now)

    with pytest.raises(throttle.TooManyAttempts):
        throttle.check_open("another", address="10.0.0.1", now=now)
    throttle.check_open("another", address="10.0.0.2", now=now)


@pytest.mark.parametrize(("env", "listed"), [("demo", True), ("test", False), ("production", False)])
def test_only_the_demo_lists_its_accounts(client: Client, db: None, settings: Any, env: str, listed: bool) -> None:
    settings.PRACTICUM_ENV = env

    page = client.get(SIGN_IN).content.decode()

    assert ("practicum-demo" in page) is listed
    assert ("?as=noor" in page) is listed


def test_a_demo_account_fills_in_its_name(client: Client, db: None, settings: Any) -> None:
    settings.PRACTICUM_ENV = "demo"

    page = client.get(SIGN_IN, {"as": "noor"}).content.decode()

    assert 'value="noor"' in page


def test_the_password_is_never_sent_back(client: Client, intern: Any) -> None:
    assert "hunter-two" not in attempt(client, "ines", password="hunter-two").content.decode()
