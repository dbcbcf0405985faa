"""Ways in for the tests of this folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from django.test import Client

from practicum.accounts.ways_in import OIDC, Provider, WaysIn
from practicum.config.sign_in import allauth_providers
from tests.unit.accounts.provider import CLIENT, SECRET, OpenIdProvider


@pytest.fixture(scope="session")
def lasting_provider() -> Iterator[OpenIdProvider]:
    """One provider for the session; tests take ``provider``, at which nobody has signed in."""
    provider = OpenIdProvider()
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def provider(lasting_provider: OpenIdProvider) -> OpenIdProvider:
    """The provider, with the intern signed in there."""
    lasting_provider.claims = {
        "sub": "subject-of-ines",
        "email": "Ines@Example.org",
        "email_verified": True,
        "name": "Ines Intern",
        "preferred_username": "ines",
    }
    lasting_provider.lies = {}
    for kept in (lasting_provider.codes, lasting_provider.issued, lasting_provider.asked):
        kept.clear()
    return lasting_provider


@pytest.fixture
def allow(settings: Any, provider: OpenIdProvider) -> Callable[..., WaysIn]:
    """``allow(open_to=…)``: the lab's provider by OpenID Connect, and what else is said of the ways in."""

    def allow(**more: Any) -> WaysIn:
        facts = {"ISSUER": provider.url, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}
        ways = replace(WaysIn(providers=(Provider(OIDC, "the lab", facts),)), **more)
        settings.PRACTICUM_WAYS_IN = ways
        settings.SOCIALACCOUNT_PROVIDERS = allauth_providers(ways)
        return ways

    return allow


def way_out(client: Client, *, slug: str = OIDC, **fields: str) -> str:
    """The address at the provider to which the site sends the person."""
    page = client.post(f"/sign-in/with/{slug}/", fields)
    assert page.status_code == 200, page.content.decode()
    found = re.search(r'rel="noreferrer" href="([^"]+)"', page.content.decode())
    assert found
    return found[1].replace("&amp;", "&")


def way_back(address: str) -> str:
    """Where the provider sends the browser, without the host: the person signs in there at once."""
    answer = httpx.get(address, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    location: str = answer.headers["location"]
    assert location.startswith("http://testserver/")
    return location.removeprefix("http://testserver")


def sign_in_by(client: Client, **fields: str) -> Any:
    """The whole way to the provider and back; the answer of the last step."""
    return client.get(way_back(way_out(client, **fields)))
