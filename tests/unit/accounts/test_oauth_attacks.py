"""Attacks on the site as OpenID provider of the hub (SECURITY.md, B1 to B6), beside the honest way that they bend."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

from practicum.accounts.models import User
from practicum.accounts.services import change_role, set_active

HUB, SECRET = "practicum-hub", "client-secret-" + "x" * 32
BACK = "https://hub.example.org/hub/oauth_callback"
VERIFIER = "v" * 64


def challenge(verifier: str) -> str:
    """S256 of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def client_of_provider(name: str, *, secret: str, back: str) -> Application:
    """A confidential client, as ``practicum setup`` registers the hub."""
    return Application.objects.create(
        client_id=name,
        name=name,
        client_secret=secret,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=back,
        algorithm=Application.RS256_ALGORITHM,
        skip_authorization=True,
    )


@pytest.fixture(scope="session")
def signing_key() -> str:
    """The site's key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture
def hub(db: None, settings: Any, signing_key: str) -> Application:
    """The hub as a client, and another one beside it."""
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "OIDC_RSA_PRIVATE_KEY": signing_key}
    client_of_provider("another", secret="another-" + "y" * 32, back="https://another.example.org/back")
    return client_of_provider(HUB, secret=SECRET, back=BACK)


def ask(browser: Client, **changes: str | None) -> Any:
    """The hub's question, with parts replaced; None leaves one out."""
    asked: dict[str, str | None] = {
        "client_id": HUB,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "openid profile",
        "state": "s",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    return browser.get(
        "/o/authorize/?" + urlencode({name: value for name, value in asked.items() if value is not None})
    )


def code_of(answer: Any) -> str:
    """The code in the way back."""
    assert answer.status_code == 302, answer.content.decode()
    assert answer["Location"].startswith(f"{BACK}?")
    return parse_qs(urlsplit(answer["Location"]).query)["code"][0]


def redeem(code: str, /, **changes: str | None) -> Any:
    """The hub fetches tokens for a code, with parts replaced; None leaves one out."""
    sent: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "client_id": HUB,
        "client_secret": SECRET,
        "code_verifier": VERIFIER,
        **changes,
    }
    return Client().post("/o/token/", {name: value for name, value in sent.items() if value is not None})


def renew(refresh: str, **changes: str) -> Any:
    """The hub renews its tokens."""
    sent = {
        "grant_type": "refresh_token",
        "refresh_token": refresh,
        "client_id": HUB,
        "client_secret": SECRET,
        **changes,
    }
    return Client().post("/o/token/", sent)


def opens(access: str) -> bool:
    """The access token opens the person's claims."""
    return Client().get("/o/userinfo/", headers={"Authorization": f"Bearer {access}"}).status_code == 200


def test_the_honest_way_works_and_names_its_issuer(hub: Application, intern: Any, client_of: Any) -> None:
    answer = ask(client_of(intern))
    tokens = redeem(code_of(answer)).json()
    assert opens(tokens["access_token"])
    assert parse_qs(urlsplit(answer["Location"]).query)["iss"] == [f"{settings.PRACTICUM_SITE_URL}/o"]
    assert renew(tokens["refresh_token"]).status_code == 200


# --- B1: where the answer goes ---

ELSEWHERE = [
    f"{BACK}?x=1",
    f"{BACK};x",
    f"{BACK}/",
    f"{BACK}#x",
    f"{BACK}/../../evil",
    "https://user@hub.example.org/hub/oauth_callback",
    "https://hub.example.org@evil.example/hub/oauth_callback",
    "//evil.example/hub/oauth_callback",
    "https://evil.example\\@hub.example.org/hub/oauth_callback",
    "https:\\\\hub.example.org\\hub\\oauth_callback",
    "https://hub.example.org/hub%2foauth_callback",
    "https://hub.example.org:8443/hub/oauth_callback",
    "https://x.hub.example.org/hub/oauth_callback",
    "https://hub.example.org.evil.example/hub/oauth_callback",
    "https://hub.example.org/HUB/oauth_callback",
    "http://hub.example.org/hub/oauth_callback",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://another.example.org/back",
    " https://hub.example.org/hub/oauth_callback",
    "",
]


@pytest.mark.parametrize("address", ELSEWHERE)
@pytest.mark.parametrize("prompt", [None, "none"])
def test_an_answer_goes_to_the_one_address_of_the_client_and_never_out(
    address: str, prompt: str | None, hub: Application, intern: Any, client_of: Any
) -> None:
    page = ask(client_of(intern), redirect_uri=address, prompt=prompt)
    assert page.status_code == 400
    assert "Location" not in page
    assert "That service asked for something it may not have" in page.content.decode()
    assert not Grant.objects.exists()


# --- B2: nobody is led out ---


@pytest.mark.parametrize(
    "changes", [{"client_id": "nobody"}, {"client_id": None}, {"redirect_uri": "https://evil.example/"}], ids=str
)
@pytest.mark.parametrize("is_signed_in", [False, True])
def test_a_bad_question_with_prompt_none_leads_nowhere(
    changes: dict[str, Any], is_signed_in: bool, hub: Application, intern: Any, client_of: Any
) -> None:
    browser = client_of(intern) if is_signed_in else Client()
    page = ask(browser, prompt="none", **changes)
    assert "evil.example" not in page.get("Location", "")
    assert page.get("Location", "/").startswith("/")


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "https:evil.example", "\tjavascript:x"]
)
def test_sign_in_on_the_way_to_the_hub_leads_to_no_other_site(wanted: str, intern: Any) -> None:
    sent = {"account": "ines", "password": "correct horse", "next": wanted}
    assert Client().post("/sign-in/", sent)["Location"] == "/"


# --- B3: codes ---


def test_a_code_that_is_used_again_takes_back_what_it_gave(hub: Application, intern: Any, client_of: Any) -> None:
    code = code_of(ask(client_of(intern)))
    first = redeem(code).json()
    assert opens(first["access_token"])
    again = redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not opens(first["access_token"])
    assert renew(first["refresh_token"]).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": "another", "client_secret": "another-" + "y" * 32}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"code_verifier": None}, 400, "invalid_request"),
        ({"code_verifier": "w" * 64}, 400, "invalid_grant"),
        ({"code_verifier": challenge(VERIFIER)}, 400, "invalid_grant"),
        ({"redirect_uri": "https://another.example.org/back"}, 400, "invalid_request"),
        ({"code": "guessed"}, 400, "invalid_grant"),
        ({"grant_type": "password", "username": "ines", "password": "correct horse"}, 400, "unauthorized_client"),
        ({"grant_type": "client_credentials"}, 400, "unauthorized_client"),
    ],
    ids=str,
)
def test_a_code_gives_tokens_to_its_client_with_its_verifier_alone(
    changes: dict[str, Any], status: int, error: str, hub: Application, intern: Any, client_of: Any
) -> None:
    refused = redeem(code_of(ask(client_of(intern))), **changes)
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert not AccessToken.objects.exists()


def test_a_code_is_good_for_a_minute(hub: Application, intern: Any, client_of: Any) -> None:
    code = code_of(ask(client_of(intern)))
    left = Grant.objects.get().expires - timezone.now()
    assert left <= timedelta(seconds=60)
    Grant.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert redeem(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
    ],
)
def test_without_s256_there_is_no_code(changes: dict[str, Any], hub: Application, intern: Any, client_of: Any) -> None:
    answer = ask(client_of(intern), **changes)
    assert "code=" not in answer.get("Location", "")
    assert "access_token" not in answer.get("Location", "")
    assert not Grant.objects.exists()


# --- B5: refresh tokens ---


def test_a_refresh_token_that_is_used_again_ends_its_family(hub: Application, intern: Any, client_of: Any) -> None:
    first = redeem(code_of(ask(client_of(intern)))).json()
    second = renew(first["refresh_token"]).json()
    assert opens(second["access_token"])
    assert renew(first["refresh_token"]).status_code == 400
    assert not opens(second["access_token"])
    assert renew(second["refresh_token"]).status_code == 400


def test_another_client_neither_renews_nor_revokes(hub: Application, intern: Any, client_of: Any) -> None:
    tokens = redeem(code_of(ask(client_of(intern)))).json()
    thief = {"client_id": "another", "client_secret": "another-" + "y" * 32}
    assert renew(tokens["refresh_token"], **thief).status_code == 400
    Client().post("/o/revoke_token/", {"token": tokens["access_token"], **thief})
    assert opens(tokens["access_token"])
    Client().post("/o/revoke_token/", {"token": tokens["access_token"], "client_id": HUB, "client_secret": SECRET})
    assert not opens(tokens["access_token"])


# --- B6 and A8: who may not ---


def test_who_is_switched_off_gets_no_code_and_what_they_have_opens_nothing(
    hub: Application, intern: Any, admin: Any, client_of: Any, now: Any
) -> None:
    browser = client_of(intern)
    tokens = redeem(code_of(ask(browser))).json()
    waiting = code_of(ask(browser))
    set_active(admin, user=intern, active=False, now=timezone.now())
    assert ask(browser)["Location"].startswith("/sign-in/")
    assert redeem(waiting).status_code == 400
    assert not opens(tokens["access_token"])
    assert renew(tokens["refresh_token"]).status_code == 400


def test_with_another_role_the_tokens_of_the_one_before_open_nothing(
    hub: Application, mentor: Any, client_of: Any
) -> None:
    browser = client_of(mentor)
    tokens = redeem(code_of(ask(browser))).json()
    change_role(None, user=mentor, role="intern", why="a test", now=timezone.now())
    assert browser.get("/account/").status_code == 302, "the session is over with the next request"
    assert not opens(tokens["access_token"])
    assert renew(tokens["refresh_token"]).status_code == 400


def test_a_new_password_ends_the_hubs_sign_in(hub: Application, intern: Any, client_of: Any) -> None:
    browser = client_of(intern)
    tokens = redeem(code_of(ask(browser))).json()
    sent = {"current": "correct horse", "password": "battery staple apart", "again": "battery staple apart"}
    browser.post("/account/", {"form": "password", **sent})
    assert not opens(tokens["access_token"])
    assert renew(tokens["refresh_token"]).status_code == 400


# --- A token in the wrong place (I1), and what is kept of tokens (B8) ---


def test_a_token_in_the_address_opens_nothing(hub: Application, intern: Any, client_of: Any) -> None:
    tokens = redeem(code_of(ask(client_of(intern)))).json()
    assert Client().get(f"/o/userinfo/?access_token={tokens['access_token']}").status_code == 401


def test_no_token_stands_in_the_database(hub: Application, intern: Any, client_of: Any) -> None:
    tokens = redeem(code_of(ask(client_of(intern)))).json()
    kept = json.dumps(
        [list(model.objects.values()) for model in (AccessToken, RefreshToken, Grant, Application)], default=str
    )
    assert tokens["access_token"] not in kept
    assert tokens["refresh_token"] not in kept
    assert SECRET not in kept
    assert User.objects.get().pk
