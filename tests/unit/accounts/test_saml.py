"""Signing in by SAML: an answer that is signed, fresh, for us and to our question opens the account, and no other does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from practicum.accounts.models import User
from practicum.accounts.ways_in import SAML, Provider, WaysIn
from practicum.config.sign_in import SAML_EMAIL, allauth_providers
from tests.unit.accounts.conftest import way_out
from tests.unit.accounts.saml_provider import ENTITY, RESPONSE, SamlProvider, key_and_certificate, packed, stamp

ANSWER = "/sign-in/saml/lab/answer/"
LONG_AGO = stamp(datetime.now(UTC) - timedelta(hours=1))
A_LITTLE_AFTER = stamp(datetime.now(UTC) - timedelta(minutes=50))


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    """The provider's key and certificate."""
    return key_and_certificate()


@pytest.fixture
def lab(keys: tuple[str, str], settings: Any) -> Iterator[SamlProvider]:
    """The lab's provider, with the intern signed in there, and the site set up for it."""
    provider = SamlProvider(*keys, attributes={SAML_EMAIL[0]: ["ines@example.org"], "memberOf": ["lab-mentors"]})
    provider.start()
    facts = {"ENTITY_ID": ENTITY, "SSO_URL": provider.url, "CERTIFICATE": provider.certificate}
    ways = WaysIn(
        providers=(Provider(SAML, "the lab", facts),),
        verified_domains=frozenset({"example.org"}),
        groups_claim="memberOf",
    )
    settings.PRACTICUM_WAYS_IN = ways
    settings.SOCIALACCOUNT_PROVIDERS = allauth_providers(ways)
    yield provider
    provider.stop()


@pytest.fixture
def browser() -> Client:
    """A browser that names the host, as browsers do."""
    return Client(headers={"host": "testserver"})


def bring(browser: Client, answer: str) -> Any:
    """Bring the answer as the provider's page has the browser do, with the next request of it."""
    posted = browser.post(ANSWER, {"SAMLResponse": packed(answer)})
    assert posted.status_code == 302
    return browser.get(posted["Location"])


def who(browser: Client) -> str:
    """The username of whoever is signed in; empty: nobody."""
    return str(getattr(browser.get("/account/").wsgi_request.user, "username", ""))


def test_a_signed_answer_to_our_question_opens_the_account(browser: Client, intern: Any, lab: SamlProvider) -> None:
    page = bring(browser, lab.answer(way_out(browser, slug=SAML, next="/projects/")))
    assert (page.status_code, page["Location"], who(browser)) == (302, "/projects/", "ines")
    joined = SocialAccount.objects.get()
    assert (joined.provider, joined.uid, joined.extra_data) == (SAML, "saml-subject-of-ines", {})


def test_groups_give_the_role(browser: Client, intern: Any, lab: SamlProvider, settings: Any) -> None:
    settings.PRACTICUM_WAYS_IN = replace(settings.PRACTICUM_WAYS_IN, roles_of_groups={"lab-mentors": "mentor"})
    bring(browser, lab.answer(way_out(browser, slug=SAML)))
    assert User.objects.get(username="ines").role == "mentor"


@pytest.mark.parametrize(
    "lies",
    [
        {"audience": "https://another.example.org/metadata"},
        {"recipient": "http://testserver/sign-in/saml/another/answer/"},
        {"until": A_LITTLE_AFTER, "since": LONG_AGO},
        {
            "since": stamp(datetime.now(UTC) + timedelta(hours=1)),
            "until": stamp(datetime.now(UTC) + timedelta(hours=2)),
        },
        {"issuer": "https://evil.example/metadata"},
        {"question": "ONELOGIN_never-asked"},
        {"subject": ""},
    ],
    ids=lambda lies: next(iter(lies)) + str(len(lies)),
)
def test_an_answer_that_is_not_for_us_now_opens_nothing(
    lies: dict[str, str], browser: Client, intern: Any, lab: SamlProvider
) -> None:
    page = bring(browser, lab.answer(way_out(browser, slug=SAML), **lies))
    assert page.status_code in (401, 403)
    assert who(browser) == ""


def test_an_answer_counts_once_and_in_the_browser_that_asked_alone(
    browser: Client, intern: Any, lab: SamlProvider
) -> None:
    answer = lab.answer(way_out(browser, slug=SAML))
    victim = Client(headers={"host": "testserver"})
    assert bring(victim, answer).status_code in (401, 403)
    assert who(victim) == ""
    bring(browser, answer)
    assert who(browser) == "ines"
    browser.post("/sign-out/")
    assert bring(browser, answer).status_code in (401, 403)
    assert who(browser) == ""


def test_an_answer_nobody_asked_for_opens_nothing(browser: Client, intern: Any, lab: SamlProvider) -> None:
    asked = lab.answer(way_out(Client(headers={"host": "testserver"}), slug=SAML))
    unasked = re.sub(r' InResponseTo="[^"]*"', "", asked)
    assert bring(browser, unasked).status_code in (401, 403)
    facts = lab.facts(way_out(browser, slug=SAML))
    plain = re.sub(r' InResponseTo="[^"]*"', "", lab.assertion(facts))
    wrapped = re.sub(r' InResponseTo="[^"]*"', "", RESPONSE.format(**facts, assertion="@")).replace(
        "@", lab.sign(plain)
    )
    assert bring(browser, wrapped).status_code == 401
    assert who(browser) == ""


# --- Signatures ---


def unsigned(lab: SamlProvider, address: str) -> str:
    """Nothing is signed."""
    facts = lab.facts(address)
    return RESPONSE.format(**facts, assertion=lab.assertion(facts))


def signed_around(lab: SamlProvider, address: str) -> str:
    """The envelope is signed, what it says is not."""
    return lab.sign(unsigned(lab, address))


def with_a_key_of_their_own(lab: SamlProvider, address: str) -> str:
    """Signed by somebody else, who brings a certificate."""
    facts = lab.facts(address)
    key, certificate = key_and_certificate()
    return RESPONSE.format(**facts, assertion=lab.sign(lab.assertion(facts), key=key, certificate=certificate))


def by_broken_algorithms(lab: SamlProvider, address: str) -> str:
    """Signed with SHA-1."""
    facts = lab.facts(address)
    return RESPONSE.format(**facts, assertion=lab.sign(lab.assertion(facts), is_old=True))


def changed_afterwards(lab: SamlProvider, address: str) -> str:
    """Signed for the peer, and made Ines'."""
    lab.subject = "subject-of-paul"
    return lab.answer(address).replace("subject-of-paul", "saml-subject-of-ines")


def commented(lab: SamlProvider, address: str) -> str:
    """A comment in the subject, which signatures do not see."""
    lab.subject = "saml-subject-of-ines.evil"
    return lab.answer(address).replace("saml-subject-of-ines.evil", "saml-subject-of-ines<!---->.evil")


def forged_beside(lab: SamlProvider, address: str) -> str:
    """XSW: the peer's signed assertion, and before it a forged one of Ines'."""
    facts = lab.facts(address, subject="subject-of-paul")
    forged = lab.assertion(facts | {"subject": "saml-subject-of-ines", "assertion_id": "_forged"})
    return RESPONSE.format(**facts, assertion=forged + lab.sign(lab.assertion(facts)))


def forged_around(lab: SamlProvider, address: str) -> str:
    """XSW: the forged assertion holds the signed one in its signature."""
    facts = lab.facts(address, subject="subject-of-paul")
    signed = lab.sign(lab.assertion(facts))
    forged = lab.assertion(facts | {"subject": "saml-subject-of-ines", "assertion_id": "_forged"})
    return RESPONSE.format(**facts, assertion=forged.replace("<saml:Subject>", f"{signed}<saml:Subject>", 1))


def forged_with_the_same_name(lab: SamlProvider, address: str) -> str:
    """XSW: two assertions of one ID; the signature is good for the second."""
    facts = lab.facts(address, subject="subject-of-paul")
    forged = lab.assertion(facts | {"subject": "saml-subject-of-ines"})
    return RESPONSE.format(**facts, assertion=forged + lab.sign(lab.assertion(facts)))


def hidden_in_extensions(lab: SamlProvider, address: str) -> str:
    """XSW: the signed one is hidden in an extension, the forged one stands where it stood."""
    facts = lab.facts(address, subject="subject-of-paul")
    forged = lab.assertion(facts | {"subject": "saml-subject-of-ines", "assertion_id": "_forged"})
    hidden = f"<samlp:Extensions>{lab.sign(lab.assertion(facts))}</samlp:Extensions>"
    return RESPONSE.format(**facts, assertion=forged).replace("<samlp:Status>", f"{hidden}<samlp:Status>")


def an_entity(lab: SamlProvider, address: str) -> str:
    """An entity that reads a file of ours."""
    doctype = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    return doctype + lab.answer(address).replace("saml-subject-of-ines", "&x;", 1)


ATTACKS: list[Callable[[SamlProvider, str], str]] = [
    unsigned,
    signed_around,
    with_a_key_of_their_own,
    by_broken_algorithms,
    changed_afterwards,
    commented,
    forged_beside,
    forged_around,
    forged_with_the_same_name,
    hidden_in_extensions,
    an_entity,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_is_not_signed_as_it_must_be_opens_nobodys_account(
    attack: Callable[[SamlProvider, str], str], browser: Client, intern: Any, peer: Any, lab: SamlProvider
) -> None:
    for user, subject in ((intern, "saml-subject-of-ines"), (peer, "subject-of-paul")):
        SocialAccount.objects.create(user=user, provider=SAML, uid=subject)
    page = bring(browser, attack(lab, way_out(browser, slug=SAML)))
    assert page.status_code in (401, 403)
    assert who(browser) == ""
    # The positive control: the same person, by an honest answer.
    lab.subject = "saml-subject-of-ines"
    bring(browser, lab.answer(way_out(browser, slug=SAML)))
    assert who(browser) == "ines"


@pytest.mark.parametrize(
    "rubbish", ["", "no base64 at all!", packed("<html/>"), packed("<a"), packed("x" * 100_000)], ids=len
)
def test_rubbish_is_refused_on_a_page(rubbish: str, browser: Client, db: None, lab: SamlProvider) -> None:
    posted = browser.post(ANSWER, {"SAMLResponse": rubbish})
    page = browser.get(posted["Location"])
    assert page.status_code == 401
    assert "could not be used" in page.content.decode()


def test_metadata_tell_where_answers_go_and_offer_no_logout(browser: Client, db: None, lab: SamlProvider) -> None:
    told = browser.get("/sign-in/saml/lab/metadata/").content.decode()
    assert 'Location="http://testserver/sign-in/saml/lab/answer/"' in told
    assert 'entityID="http://testserver/sign-in/saml/lab/metadata/"' in told
    assert 'WantAssertionsSigned="true"' in told
    assert "SingleLogoutService" not in told
    assert browser.get("/sign-in/saml/lab/logout/").status_code == 404
    assert browser.get("/sign-in/saml/another/metadata/").status_code == 404
