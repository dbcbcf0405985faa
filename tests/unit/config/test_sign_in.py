"""The ways in: what of the environment is taken and what is refused, what the doctor says of it, and the operator's commands."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from practicum.accounts.models import User
from practicum.accounts.ways_in import GITHUB, OIDC, SAML, Provider, WaysIn
from practicum.audit.models import Record
from practicum.config import sign_in as variables
from practicum.config.doctor.sign_in import ways_in
from practicum.config.env import ConfigurationError, read
from practicum.config.sign_in import allauth_providers
from tests.tools import guide
from tests.unit.accounts.test_factors import with_factor
from tests.unit.config.test_env import PRODUCTION, ROOT

DOCS = Path(__file__).parents[3] / "docs" / "operator" / "sign-in.md"
SECRET = "planted-secret-of-the-provider"
CERTIFICATE = "MIIC" + "A" * 200
OF_OIDC = {
    "PRACTICUM_SIGN_IN_OIDC_ISSUER": "https://login.lab.example.org/realms/lab",
    "PRACTICUM_SIGN_IN_OIDC_CLIENT_ID": "practicum",
    "PRACTICUM_SIGN_IN_OIDC_CLIENT_SECRET": SECRET,
}
OF_SAML = {
    "PRACTICUM_SIGN_IN_SAML_ENTITY_ID": "https://saml.lab.example.org",
    "PRACTICUM_SIGN_IN_SAML_SSO_URL": "https://saml.lab.example.org/sso",
    "PRACTICUM_SIGN_IN_SAML_CERTIFICATE": f"-----BEGIN CERTIFICATE-----\n{CERTIFICATE}\n-----END CERTIFICATE-----",
}


def ways_of(**more: str) -> WaysIn:
    """The ways in of a production site with the lab's provider."""
    named = {f"PRACTICUM_SIGN_IN_{name}": value for name, value in more.items()}
    return read(PRODUCTION | OF_OIDC | named, root=ROOT).ways_in


def test_without_a_word_there_is_no_provider_and_everybodys_password_opens() -> None:
    usual = read(PRODUCTION, root=ROOT).ways_in
    assert usual == WaysIn()
    assert allauth_providers(usual) == {}


def test_all_of_it_is_read() -> None:
    ways = ways_of(
        SECOND_FACTOR="admin, mentor",
        PASSWORDS="ada",
        OPEN_TO="oidc:Lab.example.org",
        VERIFIED_DOMAINS="lab.example.org",
        ROLES="cn=admins,lab-mentors = mentor".replace("cn=admins", "cn=admins=admin"),
        GROUPS="memberOf",
        OIDC_NAME="Lab account",
    )
    assert [each.label for each in ways.providers] == ["Lab account"]
    assert ways.factor_roles == {"admin", "mentor"}
    assert (ways.takes_password_of("ada"), ways.takes_password_of("ines")) == (True, False)
    assert ways.open_to == {("oidc", "lab.example.org")}
    assert ways.roles_of_groups == {"cn=admins": "admin", "lab-mentors": "mentor"}
    assert ways.groups_claim == "memberOf"
    (app,) = allauth_providers(ways)["openid_connect"]["APPS"]
    assert (app["secret"], app["settings"]["verified_email"]) == (SECRET, ["lab.example.org"])


def test_saml_by_certificate_or_by_metadata() -> None:
    by_hand = allauth_providers(read(PRODUCTION | OF_SAML, root=ROOT).ways_in)["saml"]["APPS"][0]["settings"]
    assert by_hand["idp"]["x509cert"] == CERTIFICATE
    assert by_hand["advanced"]["want_assertion_signed"] is True
    by_metadata = {
        "PRACTICUM_SIGN_IN_SAML_ENTITY_ID": "x",
        "PRACTICUM_SIGN_IN_SAML_METADATA_URL": "https://saml.lab.example.org/metadata",
    }
    settings = allauth_providers(read(PRODUCTION | by_metadata, root=ROOT).ways_in)["saml"]["APPS"][0]["settings"]
    assert settings["idp"] == {"entity_id": "x", "metadata_url": "https://saml.lab.example.org/metadata"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"OIDC_CLIENT_SECRET": ""}, "PRACTICUM_SIGN_IN_OIDC_CLIENT_SECRET must be set too"),
        ({"OIDC_ISSUER": "http://login.lab.example.org"}, "PRACTICUM_SIGN_IN_OIDC_ISSUER must be a full https address"),
        ({"OIDC_ISSUER": "login.lab.example.org"}, "PRACTICUM_SIGN_IN_OIDC_ISSUER"),
        ({"SAML_ENTITY_ID": "x"}, "PRACTICUM_SIGN_IN_SAML_METADATA_URL must be set, or"),
        ({"SAML_SSO_URL": "https://a.example"}, "PRACTICUM_SIGN_IN_SAML_ENTITY_ID must be set too"),
        (
            {"SAML_ENTITY_ID": "x", "SAML_SSO_URL": "https://a.example", "SAML_CERTIFICATE": "none"},
            "PRACTICUM_SIGN_IN_SAML_CERTIFICATE",
        ),
        ({"GITHUB_CLIENT_ID": "x"}, "PRACTICUM_SIGN_IN_GITHUB_CLIENT_SECRET"),
        ({"GOOGLE_CLIENT_SECRET": "x"}, "PRACTICUM_SIGN_IN_GOOGLE_CLIENT_ID"),
        ({"SECOND_FACTOR": "admins"}, "PRACTICUM_SIGN_IN_SECOND_FACTOR: 'admins' is none of"),
        ({"PASSWORDS": "nobody@home"}, "PRACTICUM_SIGN_IN_PASSWORDS"),
        ({"PASSWORDS": "everybody,ada"}, "PRACTICUM_SIGN_IN_PASSWORDS"),
        ({"OPEN_TO": "google:lab.example.org"}, "PRACTICUM_SIGN_IN_OPEN_TO"),
        ({"OPEN_TO": "oidc:*"}, "PRACTICUM_SIGN_IN_OPEN_TO"),
        ({"VERIFIED_DOMAINS": "@lab.example.org"}, "PRACTICUM_SIGN_IN_VERIFIED_DOMAINS"),
        ({"ROLES": "lab-admins"}, "PRACTICUM_SIGN_IN_ROLES"),
        ({"ROLES": "lab-admins=owner"}, "PRACTICUM_SIGN_IN_ROLES"),
        ({"TYPO": "x"}, "PRACTICUM_SIGN_IN_TYPO is not a setting"),
    ],
)
def test_what_can_not_be_used_keeps_the_site_from_starting_and_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as refusal:
        ways_of(**change)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("name", ["PASSWORDS", "ROLES", "VERIFIED_DOMAINS"])
def test_what_needs_a_provider_is_refused_without_one(name: str) -> None:
    value = {"PASSWORDS": "ada", "ROLES": "a=admin", "VERIFIED_DOMAINS": "a.example"}[name]
    with pytest.raises(ConfigurationError, match=f"PRACTICUM_SIGN_IN_{name}"):
        read(PRODUCTION | {f"PRACTICUM_SIGN_IN_{name}": value}, root=ROOT)


def test_secrets_are_in_no_picture_of_the_settings() -> None:
    assert SECRET not in repr(ways_of())
    assert SECRET not in repr(read(PRODUCTION | OF_OIDC, root=ROOT).ways_in)


def test_the_page_of_the_guide_names_every_variable() -> None:
    text = DOCS.read_text()
    for name in variables.KNOWN:
        short = name.removeprefix("PRACTICUM_SIGN_IN_")
        tail = short.partition("_")[2]
        assert name in text or f"`_{tail}`" in text, name


# --- The doctor ---

ISSUER = "https://login.lab.example.org"
DOCUMENT = {
    "issuer": ISSUER,
    **dict.fromkeys(("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"), f"{ISSUER}/x"),
}
BY_OIDC = WaysIn(providers=(Provider(OIDC, "the lab", {"ISSUER": ISSUER}),), factor_roles=frozenset({"admin"}))


def told(ways: WaysIn, *answers: httpx.Response | Exception) -> dict[str, tuple[str, str, str]]:
    """What the doctor finds, where the providers answer so."""
    left = list(answers)

    def get(_: str) -> httpx.Response:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    found = ways_in(ways, site_url="https://site.example.org", get=get)
    return {each.name: (each.state.value, each.said, each.mend) for each in found}


def test_a_provider_that_answers_is_well_and_what_to_enter_there_is_told() -> None:
    found = told(BY_OIDC, httpx.Response(200, json=DOCUMENT))
    assert found["sign-in by oidc"][0] == "ok"
    assert "https://site.example.org/sign-in/oidc/callback/" in found["sign-in by oidc: enter there"][1]
    assert found["second factor"][0] == "ok"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.ConnectError("refused"), "does not answer"),
        (httpx.Response(404), "answers 404"),
        (httpx.Response(200, text="<html>"), "does not answer"),
        (
            httpx.Response(200, json=DOCUMENT | {"issuer": "https://other.example"}),
            "calls itself https://other.example",
        ),
        (httpx.Response(200, json={"issuer": ISSUER}), "has no authorization_endpoint"),
        (httpx.Response(200, json=DOCUMENT | {"code_challenge_methods_supported": ["plain"]}), "PKCE"),
    ],
)
def test_a_provider_that_is_ill_is_told_with_what_mends_it(answer: httpx.Response | Exception, said: str) -> None:
    state, found, mend = told(BY_OIDC, answer)["sign-in by oidc"]
    assert (state, bool(mend)) == ("mend", True)
    assert said in found


def test_saml_and_github_are_told_too_and_a_missing_factor_is_looked_at() -> None:
    facts = {"ENTITY_ID": "urn:lab", "METADATA_URL": "https://saml.lab.example.org/metadata"}
    ways = WaysIn(providers=(Provider(SAML, "the lab", facts), Provider(GITHUB, "GitHub", {})))
    found = told(ways, httpx.Response(200, text='<EntityDescriptor entityID="urn:lab"/>'))
    assert "https://site.example.org/sign-in/saml/lab/answer/" in found["sign-in by saml: enter there"][1]
    assert "https://site.example.org/sign-in/github/callback/" in found["sign-in by github: enter there"][1]
    assert found["second factor"][0] == "look"
    assert told(ways, httpx.Response(200, text="nothing"))["sign-in by saml"][0] == "mend"


def test_spare_keys_that_open_nothing_are_told(admin: Any, mentor: Any) -> None:
    for name, state in (("ada", "ok"), ("mira", "mend"), ("nobody", "mend")):
        found = told(replace(BY_OIDC, spare_keys=frozenset({name})), httpx.Response(200, json=DOCUMENT))
        assert found["passwords"][0] == state


# --- The commands of the guide ---


def run(line: str) -> str:
    """One line of the guide, here."""
    program, *arguments = line.split()
    assert program == "deploy/practicum"
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_guides_way_out_of_a_lost_phone(admin: Any) -> None:
    with_factor(admin)
    (line,) = guide.block("sign-in", "A lost phone")
    assert "ada signs in without a second factor now" in run(line)
    assert not Authenticator.objects.exists()
    row = Record.objects.get(verb="account.factor_reset")
    assert (row.actor, row.object_id) == (None, str(admin.pk))


def test_the_guides_look_at_the_ways_in(admin: Any) -> None:
    (line,) = guide.block("sign-in", "Does it work?")
    assert "look   second factor: admins need none" in run(line)


def test_the_guides_way_to_switch_somebody_off(admin: Any, other_mentor: Any) -> None:
    told = [run(line) for line in guide.block("sign-in", "Switching somebody off")]
    assert told == [
        "The account of otto is switched off.\n",
        "The account of otto is switched on.\n",
        "otto is mentor already.\n",
    ]
    assert Record.objects.filter(verb__startswith="account.switched").count() == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("off", "nobody"), "There is no account called nobody"),
        (("off", "ada"), "the last admin"),
        (("role", "ada", "intern"), "the last admin"),
    ],
)
def test_the_command_tells_a_refusal_in_its_words(arguments: tuple[str, ...], said: str, admin: Any) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("account", *arguments, stdout=StringIO())
    assert User.objects.get(username="ada").is_active
