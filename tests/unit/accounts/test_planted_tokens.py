"""SECURITY.md, B8: what opens something is in no log line, page of an admin, mail, or row, whatever way a sign-in ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import call_command
from django.test import Client

from practicum.config.logs import JsonFormatter
from tests.unit.accounts.conftest import sign_in_by, way_back, way_out
from tests.unit.accounts.provider import SECRET, OpenIdProvider
from tests.unit.accounts.test_factors import KEY, code, with_factor

PAGES = (
    "/people/",
    "/people/accounts/",
    "/record/",
    "/record/?q=account",
    "/status/",
    "/permissions/",
    "/account/",
    "/notices/",
)


class Kept(logging.Handler):
    """Every line of every logger, as the site writes it on a server."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Kept]:
    """All that is logged, down to what is logged nowhere by default but by the site's own loggers."""
    handler, names = Kept(), ("", "practicum.request", "django.request", "allauth", "oauth2_provider", "httpx")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def rows() -> str:
    """Every row of the database as text, sessions unpacked."""
    out = StringIO()
    call_command("dumpdata", stdout=out)
    return out.getvalue() + str([row.get_decoded() for row in Session.objects.all()])


def planted_in(text: str, *, secrets: list[str]) -> list[str]:
    """The planted strings that stand in a text."""
    return [secret for secret in secrets if secret in text]


def test_no_token_secret_or_code_is_to_be_found(
    kept: Kept, intern: Any, admin: Any, client_of: Any, allow: Callable[..., Any], provider: OpenIdProvider
) -> None:
    allow()
    recovery = with_factor(intern)
    browser = Client(raise_request_exception=False)
    sign_in_by(browser)
    typed = code()
    browser.post("/sign-in/code/", {"code": typed})
    assert browser.get("/account/").status_code == 200
    # And the ways on which something goes wrong: a forged state, a wrong secret, an answer that is none.
    failed = Client(raise_request_exception=False)
    back = way_back(way_out(failed))
    given = back.partition("code=")[2].partition("&")[0]
    failed.get(back.replace("state=", "state=x"))
    failed.get(back)
    provider.lies = {"aud": "somebody else"}
    answer = sign_in_by(Client(raise_request_exception=False))
    Client().post("/sign-in/", {"account": "ines", "password": "planted-wrong-password"})

    secrets = [
        SECRET,
        KEY,
        given,
        "planted-code-",
        "planted-access-token-",
        "planted-wrong-password",
        "correct horse",
        *recovery,
    ]
    assert len(provider.issued) >= 2, "tokens were given, so there was something to find"
    page = client_of(admin)
    for address in PAGES:
        text = page.get(address).content.decode()
        assert planted_in(text, secrets=secrets) == [], address
    assert planted_in(answer.content.decode(), secrets=secrets) == []
    assert any("could not be used" in line for line in kept.lines)
    assert any("practicum.request" in line for line in kept.lines)
    assert planted_in("\n".join(kept.lines), secrets=secrets) == []
    assert planted_in(rows(), secrets=secrets) == []
    assert planted_in(str([message.message() for message in mail.outbox]), secrets=secrets) == []


def test_the_search_finds_what_is_there(kept: Kept, intern: Any) -> None:
    """Or the test above would look into nothing."""
    logging.getLogger("practicum.sign_in").warning("planted-in-the-log")
    type(intern).objects.update(name="planted-in-a-row")
    assert planted_in("\n".join(kept.lines), secrets=["planted-in-the-log"])
    assert planted_in(rows(), secrets=["planted-in-a-row"])
