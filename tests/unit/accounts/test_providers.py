"""Signing in by a provider: who is let in and who is not, as what, and which answers are believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from django.test import Client

from practicum.accounts.models import User
from practicum.accounts.services import change_role
from practicum.accounts.ways_in import GITHUB, GOOGLE, Provider
from practicum.audit.models import Record
from practicum.errors import Conflict
from tests.unit.accounts.conftest import sign_in_by, way_back, way_out
from tests.unit.accounts.provider import CLIENT, SECRET, OpenIdProvider

Allow = Callable[..., Any]


def who(client: Client) -> str:
    """The username of whoever is signed in; empty: nobody."""
    return str(getattr(client.get("/account/").wsgi_request.user, "username", ""))


def test_who_has_an_account_with_the_verified_address_comes_in_and_is_joined(
    client: Client, intern: Any, allow: Allow
) -> None:
    allow()
    answer = sign_in_by(client, next="/projects/")
    assert (answer.status_code, answer["Location"]) == (302, "/projects/")
    assert who(client) == "ines"
    joined = SocialAccount.objects.get()
    assert (joined.user, joined.provider, joined.uid, joined.extra_data) == (intern, "oidc", "subject-of-ines", {})
    assert Record.objects.filter(verb="account.joined", object_id=str(intern.pk)).count() == 1


def test_once_joined_the_subject_counts_and_the_address_no_more(
    client: Client, intern: Any, peer: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    allow()
    sign_in_by(client)
    provider.claims["email"] = "paul@example.org"
    again = Client()
    sign_in_by(again)
    assert who(again) == "ines"
    assert SocialAccount.objects.count() == 1


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"email_verified": False}, "does not say that your address is verified"),
        ({"email_verified": "false"}, "does not say that your address is verified"),
        ({"email": None}, "does not say that your address is verified"),
        ({"email": "nobody@example.org"}, "There is no account for you here."),
    ],
)
def test_who_has_no_account_or_no_verified_address_is_refused_with_whom_to_ask(
    claims: dict[str, Any], told: str, client: Client, intern: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    allow(whom_to_ask="Ada, room 7")
    provider.claims |= claims
    page = sign_in_by(client)
    assert page.status_code == 403
    assert told in page.content.decode()
    assert "ask Ada, room 7" in page.content.decode()
    assert (who(client), SocialAccount.objects.count(), User.objects.count()) == ("", 0, 1)


def test_the_labs_own_provider_may_be_believed_for_its_domains(
    client: Client, intern: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    provider.claims["email_verified"] = False
    allow(verified_domains=frozenset({"example.com"}))
    assert sign_in_by(client).status_code == 403
    allow(verified_domains=frozenset({"example.org"}))
    sign_in_by(client)
    assert who(client) == "ines"


def test_an_admins_account_is_never_joined_by_an_address_but_by_the_admin(
    client: Client, admin: Any, client_of: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    allow()
    provider.claims |= {"email": "ada@example.org", "sub": "subject-of-ada"}
    assert "An admin&#x27;s account has your address" in sign_in_by(client).content.decode()
    assert who(client) == ""

    signed_in = client_of(admin)
    assert sign_in_by(signed_in, process="connect")["Location"] == "/account/"
    assert SocialAccount.objects.get().user == admin
    sign_in_by(client)
    assert who(client) == "ada"


def test_nobody_joins_what_is_anothers_nor_joins_without_being_signed_in(
    client: Client, intern: Any, peer: Any, client_of: Any, allow: Allow
) -> None:
    allow()
    sign_in_by(client)
    page = sign_in_by(client_of(peer), process="connect")
    assert page.status_code == 409
    assert SocialAccount.objects.get().user == intern
    # Asked for without a session it is a sign-in, and joins nothing.
    outsider = Client()
    sign_in_by(outsider, process="connect")
    assert who(outsider) == "ines"


def test_somebody_else_with_the_same_address_does_not_take_the_account_over(
    client: Client, intern: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    allow()
    sign_in_by(client)
    provider.claims["sub"] = "the-next-ines"
    thief = Client()
    page = sign_in_by(thief)
    assert (page.status_code, who(thief)) == (403, "")
    assert "joined to somebody else" in page.content.decode()


@pytest.mark.parametrize(
    ("open_to", "is_let_in"),
    [
        ({("oidc", "example.org")}, True),
        ({("oidc", "")}, True),
        ({("oidc", "example.com")}, False),
        ({("google", "")}, False),
    ],
)
def test_the_door_is_open_to_whom_the_operator_says(
    open_to: set[tuple[str, str]], is_let_in: bool, client: Client, db: None, allow: Allow, provider: OpenIdProvider
) -> None:
    allow(open_to=frozenset(open_to))
    provider.claims |= {"email": "Noor.Ali@example.org", "preferred_username": "Noor Ali!", "name": "Noor Ali"}
    sign_in_by(client)
    assert who(client) == ("noor-ali" if is_let_in else "")
    if is_let_in:
        noor = User.objects.get()
        assert (noor.role, noor.name, noor.email) == ("intern", "Noor Ali", "noor.ali@example.org")
        assert not noor.has_usable_password()


def test_a_newcomer_is_never_called_as_somebody_else_is(
    client: Client, intern: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    allow(open_to=frozenset({("oidc", "")}))
    provider.claims |= {"email": "other@example.org", "sub": "another"}
    sign_in_by(client)
    assert who(client) == "ines-2"


def test_an_account_that_is_switched_off_stays_so(
    client: Client, intern: Any, admin: Any, allow: Allow, now: Any
) -> None:
    allow()
    sign_in_by(client)
    User.objects.filter(pk=intern.pk).update(is_active=False)
    again = Client()
    page = sign_in_by(again)
    assert (page.status_code, who(again)) == (403, "")
    assert "switched off" in page.content.decode()


ROLES = {"lab-admins": "admin", "lab-mentors": "mentor"}


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["lab-mentors"], "mentor"),
        (["lab-mentors", "lab-admins", "chess"], "admin"),
        ("lab-mentors", "mentor"),
        (["chess"], "intern"),
        ([], "intern"),
        (None, "intern"),
        ({"lab-admins": True}, "intern"),
        ([["lab-admins"], 1], "intern"),
    ],
)
def test_groups_give_the_role_at_each_sign_in_up_and_down(
    groups: Any, role: str, client: Client, intern: Any, admin: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    allow(roles_of_groups=ROLES)
    User.objects.filter(pk=intern.pk).update(role="intern")
    provider.claims["groups"] = groups
    sign_in_by(client)
    assert User.objects.get(username="ines").role == role
    provider.claims["groups"] = []
    sign_in_by(Client())
    assert User.objects.get(username="ines").role == "intern"
    assert client.get("/account/").status_code == (302 if role != "intern" else 200), (
        "a session of the role before is over"
    )
    moved = Record.objects.filter(verb="account.role_changed", object_id=str(intern.pk)).order_by("pk")
    assert [row.facts["role"] for row in moved] == ([role, "intern"] if role != "intern" else [])


def test_without_a_mapping_and_for_who_has_a_spare_key_no_role_is_touched(
    client: Client, mentor: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    provider.claims |= {"email": "mira@example.org", "sub": "mira", "groups": ["chess"]}
    allow()
    sign_in_by(client)
    allow(roles_of_groups=ROLES, spare_keys=frozenset({"mira"}))
    sign_in_by(Client())
    assert User.objects.get(username="mira").role == "mentor"


def test_the_last_admin_keeps_the_role_whatever_the_groups_say(
    admin: Any, client_of: Any, allow: Allow, provider: OpenIdProvider, now: Any
) -> None:
    allow(roles_of_groups=ROLES)
    provider.claims |= {"email": "ada@example.org", "sub": "ada"}
    sign_in_by(client_of(admin), process="connect")
    sign_in_by(Client())
    assert User.objects.get(username="ada").role == "admin"
    assert Record.objects.filter(verb="account.role_kept").count() == 1
    with pytest.raises(Conflict):
        change_role(None, user=User.objects.get(username="ada"), role="mentor", why="", now=now)


# --- Answers that are not believed (SECURITY.md, B4) ---


def mangled(address: str, **changes: str | None) -> str:
    """The way back with other values; None leaves one out."""
    parts = urlsplit(address)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    kept = {name: value for name, value in {**query, **changes}.items() if value is not None}
    return f"{parts.path}?{urlencode(kept)}"


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None},
        {"state": ""},
        {"state": "forged"},
        {"iss": "http://evil.example"},
        {"code": None},
        {"code": "forged"},
    ],
    ids=str,
)
def test_an_answer_with_something_missing_or_forged_signs_nobody_in(
    changes: dict[str, Any], client: Client, intern: Any, allow: Allow
) -> None:
    allow()
    page = client.get(mangled(way_back(way_out(client)), **changes))
    assert (page.status_code, who(client)) == (401, "")
    assert "could not be used" in page.content.decode()


def test_an_answer_counts_once_and_in_the_browser_that_asked_alone(client: Client, intern: Any, allow: Allow) -> None:
    allow()
    back = way_back(way_out(client))
    victim = Client()
    assert (victim.get(back).status_code, who(victim)) == (401, ""), "login CSRF"
    assert client.get(back).status_code == 302
    assert Client().get(back).status_code == 401
    client.post("/sign-out/")
    assert (client.get(back).status_code, who(client)) == (401, "")


def test_the_state_of_one_provider_is_nothing_at_another(client: Client, intern: Any, allow: Allow) -> None:
    hub = Provider(GITHUB, "GitHub", {"CLIENT_ID": "c", "CLIENT_SECRET": "s"})
    allow(providers=(*allow().providers, hub))
    back = way_back(way_out(client)).replace("/sign-in/oidc/", "/sign-in/github/")
    assert (client.get(back).status_code, who(client)) == (401, "")


@pytest.mark.parametrize(
    "lies",
    [{"aud": "another-client"}, {"iss": "http://evil.example"}, {"exp": 1}, {"sub": "somebody-else"}],
    ids=lambda lies: next(iter(lies)),
)
def test_a_token_for_another_or_too_old_or_about_another_signs_nobody_in(
    lies: dict[str, Any], client: Client, intern: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    allow()
    provider.lies = lies
    assert sign_in_by(client).status_code in (401, 403)
    assert who(client) == ""


def test_each_question_has_its_own_state_and_challenge(
    client: Client, intern: Any, allow: Allow, provider: OpenIdProvider
) -> None:
    allow()
    for _ in range(2):
        way_back(way_out(client))
    first, second = provider.asked
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]
    assert SECRET not in str(provider.asked)


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_only_a_page_of_this_site_follows(wanted: str, client: Client, intern: Any, allow: Allow) -> None:
    allow()
    assert sign_in_by(client, next=wanted)["Location"] == "/"


def test_a_provider_is_asked_by_a_form_of_ours_alone(intern: Any, allow: Allow) -> None:
    allow()
    assert Client().get("/sign-in/with/oidc/").status_code == 405
    assert Client(enforce_csrf_checks=True).post("/sign-in/with/oidc/").status_code == 403


@pytest.mark.parametrize("slug", ["oidc", "saml", "github", "google", "nothing"])
def test_what_is_not_set_up_is_not_there(slug: str, client: Client, db: None) -> None:
    for method, address in (("post", f"/sign-in/with/{slug}/"), ("get", f"/sign-in/{slug}/callback/?state=1&code=2")):
        assert getattr(client, method)(address).status_code == 404
    assert "Sign in with" not in client.get("/sign-in/").content.decode()


def test_a_provider_that_is_away_is_said_to_be_and_passwords_still_work(
    client: Client, intern: Any, allow: Allow, settings: Any
) -> None:
    allow()
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    page = client.post("/sign-in/with/oidc/")
    assert page.status_code == 503
    assert "The lab does not answer." in page.content.decode()
    assert client.post("/sign-in/", {"account": "ines", "password": "correct horse"}).status_code == 302


def test_passwords_can_be_for_spare_keys_alone(client: Client, intern: Any, admin: Any, allow: Allow) -> None:
    allow(spare_keys=frozenset({"ada"}))
    refused = client.post("/sign-in/", {"account": "ines", "password": "correct horse"})
    assert refused.status_code == 200
    assert "No account with that name and password" in refused.content.decode()
    assert client.post("/sign-in/", {"account": "ada", "password": "correct horse"}).status_code == 302


def test_nobody_parts_from_the_only_way_in(client: Client, intern: Any, allow: Allow) -> None:
    allow(spare_keys=frozenset({"ada"}))
    sign_in_by(client)
    assert client.post("/account/without/oidc/").status_code == 409
    allow()
    assert client.post("/account/without/oidc/").status_code == 302
    assert not SocialAccount.objects.exists()


def test_no_token_of_a_provider_is_kept(client: Client, intern: Any, allow: Allow) -> None:
    allow()
    sign_in_by(client)
    assert not SocialToken.objects.exists()


# --- GitHub and Google: django-allauth's ways, led to a provider on loopback ---


@pytest.fixture
def github(allow: Allow, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> OpenIdProvider:
    """GitHub, with the intern signed in there."""
    addresses = {
        "access_token_url": "/token",
        "authorize_url": "/authorize",
        "profile_url": "/user",
        "emails_url": "/user/emails",
    }
    for name, path in addresses.items():
        monkeypatch.setattr(GitHubOAuth2Adapter, name, provider.url + path)
    facts = {"CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}
    allow(providers=(Provider(GITHUB, "GitHub", facts),), verified_domains=frozenset({"example.org"}))
    mails = [
        {"email": "private@example.net", "primary": True, "verified": True},
        {"email": "ines@example.org", "primary": False, "verified": True},
    ]
    provider.claims = {"id": 7, "login": "ines-at-github", "name": "Ines", "email": "ines@example.org", "emails": mails}
    return provider


def test_github_lets_in_by_a_verified_address(client: Client, intern: Any, github: OpenIdProvider) -> None:
    client.get(way_back(way_out(client, slug=GITHUB)))
    assert who(client) == "ines"
    assert (SocialAccount.objects.get().provider, SocialAccount.objects.get().uid) == ("github", "7")


def test_an_address_that_github_did_not_verify_lets_nobody_in_whatever_the_domain(
    client: Client, intern: Any, github: OpenIdProvider
) -> None:
    github.claims["emails"][1]["verified"] = False
    assert client.get(way_back(way_out(client, slug=GITHUB))).status_code == 403
    assert who(client) == ""


@pytest.mark.parametrize(
    ("lies", "name"),
    [({}, "ines"), ({"email_verified": False}, ""), ({"aud": "another"}, ""), ({"iss": "http://evil.example"}, "")],
)
def test_google_lets_in_by_its_token(
    lies: dict[str, Any],
    name: str,
    client: Client,
    intern: Any,
    allow: Allow,
    provider: OpenIdProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for attribute, path in (("access_token_url", "/token"), ("authorize_url", "/authorize")):
        monkeypatch.setattr(GoogleOAuth2Adapter, attribute, provider.url + path)
    allow(providers=(Provider(GOOGLE, "Google", {"CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}),))
    provider.lies = {**provider.claims, "iss": "https://accounts.google.com", **lies}
    client.get(way_back(way_out(client, slug=GOOGLE)))
    assert who(client) == name
