"""The ways in for who has no account: a link by mail, once, in time, revocable; and how often one may ask for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from practicum.accounts.mail import NotMailed
from practicum.accounts.models import User
from practicum.accounts.services import WeakPassword
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.internships.applications import apply
from practicum.internships.invitations import (
    ask_to_join,
    invitation_of,
    invite,
    join_as,
    join_as_new,
    link_of,
    revoke,
    token_of,
)
from practicum.internships.models import Cohort, Invitation
from tests.unit.internships.conftest import ANSWERS

PERSON = {"username": "nora", "name": "Nora New", "password": "three unrelated words"}
SIGN_UP = "/cohorts/spring/sign-up/"


@pytest.fixture(autouse=True)
def mailing(settings: Any, monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The site has a mail server; pages are read at ``now``."""
    settings.EMAIL_HOST = "mail.example.org"
    monkeypatch.setattr("practicum.internships.application_views.utc_now", lambda: now)
    monkeypatch.setattr("practicum.internships.admission_views.utc_now", lambda: now)


@pytest.fixture
def invitation(admin: Any, open_cohort: Any, now: Any) -> Invitation:
    """Nora is invited."""
    (row,) = invite(admin, cohort=open_cohort, addresses=["nora@example.org"], now=now)
    return row


def joining(token: str) -> str:
    return f"/join/{token}/"


def test_people_are_invited_once_each_by_a_mail_with_their_link(admin: Any, open_cohort: Any, now: Any) -> None:
    made = invite(
        admin, cohort=open_cohort, addresses=["a@example.org", " A@example.org ", "", "b@example.org"], now=now
    )

    assert [row.email for row in made] == ["a@example.org", "b@example.org"]
    assert [message.to for message in mail.outbox] == [["a@example.org"], ["b@example.org"]]
    assert link_of(made[0]) in mail.outbox[0].body
    assert invite(admin, cohort=open_cohort, addresses=["b@example.org"], now=now) == []
    assert invite(admin, cohort=open_cohort, addresses=["b@example.org"], now=now + timedelta(days=15)) != []


@pytest.mark.parametrize("addresses", [[], ["  "], ["good@example.org", "bad"], [f"a{n}@x.org" for n in range(51)]])
def test_a_list_with_a_fault_invites_nobody(admin: Any, open_cohort: Any, now: Any, addresses: list[str]) -> None:
    with pytest.raises(Invalid) as refusal:
        invite(admin, cohort=open_cohort, addresses=addresses, now=now)

    assert refusal.value.facts["field"] == "addresses"
    assert (Invitation.objects.count(), len(mail.outbox)) == (0, 0)


def test_only_admins_invite_and_revoke(mentor: Any, open_cohort: Any, invitation: Invitation, now: Any) -> None:
    with pytest.raises(Forbidden):
        invite(mentor, cohort=open_cohort, addresses=["c@example.org"], now=now)
    with pytest.raises(Forbidden):
        revoke(mentor, invitation=invitation, now=now)


def test_an_invitation_whose_mail_fails_stays_to_be_sent_again(
    admin: Any, open_cohort: Any, settings: Any, now: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", 1, False

    (row,) = invite(admin, cohort=open_cohort, addresses=["a@example.org"], now=now)

    row.refresh_from_db()
    assert row.mailed_at is None
    with pytest.raises(NotMailed):
        ask_to_join(cohort=open_cohort, email="b@example.org", now=now)


def test_a_link_makes_an_account_once(invitation: Invitation, open_cohort: Any, now: Any) -> None:
    found = invitation_of(token_of(invitation))
    late = invitation_of(token_of(invitation))
    person = join_as_new(found, **PERSON, now=now)

    assert (person.email, person.role, person.must_choose_password) == ("nora@example.org", "intern", False)
    assert person.check_password(PERSON["password"])
    with pytest.raises(Conflict, match="used already"):
        join_as_new(late, **PERSON | {"username": "other"}, now=now)
    assert User.objects.filter(email="nora@example.org").count() == 1


@pytest.mark.parametrize("token", ["", "1", "1:forged", "x:y:z", "999:"])
def test_a_link_that_is_not_ours_opens_nothing(db: None, token: str) -> None:
    with pytest.raises(NotFound):
        invitation_of(token)


@pytest.mark.parametrize(("how", "told"), [("revoked", "taken back"), ("expired", "too old")])
def test_a_link_that_was_revoked_or_is_too_old_opens_nothing(
    invitation: Invitation, admin: Any, intern: Any, now: Any, how: str, told: str
) -> None:
    if how == "revoked":
        revoke(admin, invitation=invitation, now=now)
    at = now + timedelta(days=14) if how == "expired" else now

    with pytest.raises(Conflict, match=told):
        join_as_new(invitation, **PERSON, now=at)
    with pytest.raises(Conflict, match=told):
        join_as(intern, invitation=invitation, now=at)
    assert not User.objects.filter(username="nora").exists()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"password": "password12"}, WeakPassword),
        ({"username": "Nora N"}, Invalid),
        ({"username": "ada"}, Conflict),
        ({"name": ""}, Invalid),
    ],
)
def test_an_account_that_can_not_be_leaves_the_link_open(
    invitation: Invitation, admin: Any, now: Any, changes: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        join_as_new(invitation, **PERSON | changes, now=now)

    invitation.refresh_from_db()
    assert invitation.state_at(now) == "open"


def test_who_was_invited_may_apply_where_others_may_not(
    invitation: Invitation, open_cohort: Any, intern: Any, mentor: Any, now: Any
) -> None:
    Cohort.objects.update(entry="invitation")
    open_cohort.refresh_from_db()

    with pytest.raises(Forbidden):
        join_as(mentor, invitation=invitation, now=now)
    join_as(intern, invitation=invitation, now=now)
    assert apply(intern, cohort=open_cohort, answers=ANSWERS, now=now).pk


def test_signing_up_says_the_same_whether_the_address_has_an_account(open_cohort: Any, intern: Any) -> None:
    bodies = []
    for address in ("new@example.org", "INES@example.org"):
        answer = Client().post(SIGN_UP, {"email": address})
        bodies.append(answer.content.decode().replace(address, "X"))

    assert bodies[0] == bodies[1]
    assert [message.to for message in mail.outbox] == [["new@example.org"], ["ines@example.org"]]
    assert "/join/" in mail.outbox[0].body
    assert "/join/" not in mail.outbox[1].body
    assert "has an account already" in mail.outbox[1].body


def test_an_address_is_mailed_three_times_an_hour_at_most(open_cohort: Any) -> None:
    statuses = [Client().post(SIGN_UP, {"email": "new@example.org"}).status_code for _ in range(4)]

    assert statuses == [200, 200, 200, 429]
    assert len(mail.outbox) == 3


def test_a_caller_asks_thirty_times_an_hour_at_most(open_cohort: Any) -> None:
    statuses = [Client().post(SIGN_UP, {"email": f"n{number}@example.org"}).status_code for number in range(31)]

    assert statuses == [200] * 30 + [429]


def test_where_one_must_be_invited_nobody_signs_up(open_cohort: Any, now: Any) -> None:
    Cohort.objects.update(entry="invitation")
    open_cohort.refresh_from_db()

    assert Client().get(SIGN_UP).status_code == 404
    with pytest.raises(Forbidden):
        ask_to_join(cohort=open_cohort, email="new@example.org", now=now)


def test_without_a_mail_server_nobody_is_led_on(open_cohort: Any, settings: Any) -> None:
    settings.EMAIL_HOST, settings.PRACTICUM_ENV = "", "production"
    browser = Client()

    assert "sends no mail yet" in browser.get(SIGN_UP).content.decode()
    assert "sends no mail yet" in browser.post(SIGN_UP, {"email": "new@example.org"}).content.decode()
    assert not Invitation.objects.exists()


def test_the_demo_shows_the_link_that_it_can_not_mail(open_cohort: Any, settings: Any) -> None:
    settings.EMAIL_HOST, settings.PRACTICUM_ENV = "", "demo"

    text = Client().post(SIGN_UP, {"email": "new@example.org"}).content.decode()

    assert link_of(Invitation.objects.get()) in text
    assert mail.outbox == []


def test_the_page_of_a_link_keeps_what_was_typed_and_signs_in(invitation: Invitation, open_cohort: Any) -> None:
    browser = Client()
    address = joining(token_of(invitation))

    assert browser.get(address).status_code == 200
    refused = browser.post(address, PERSON | {"again": "another thing"})
    text = refused.content.decode()
    assert (refused.status_code, 'value="nora"' in text, PERSON["password"] in text) == (400, True, False)
    answer = browser.post(address, PERSON | {"again": PERSON["password"]})
    assert (answer.status_code, answer["Location"]) == (302, "/cohorts/spring/apply/")
    assert browser.get("/cohorts/spring/apply/").status_code == 200
    assert Client().get(address).status_code == 410


def test_opening_a_link_alone_uses_nothing(invitation: Invitation, client_of: Any, intern: Any, now: Any) -> None:
    address = joining(token_of(invitation))
    browser = client_of(intern)

    assert "Go on as Ines" in browser.get(address).content.decode()
    invitation.refresh_from_db()
    assert invitation.state_at(now) == "open"
    assert browser.post(address).status_code == 302
    assert browser.get(address).status_code == 302
    invitation.refresh_from_db()
    assert invitation.used_by == intern


def test_who_has_an_account_is_led_to_sign_in(admin: Any, open_cohort: Any, intern: Any, now: Any) -> None:
    (row,) = invite(admin, cohort=open_cohort, addresses=["ines@example.org"], now=now)

    text = Client().get(joining(token_of(row))).content.decode()

    assert "has an account already" in text
    assert "/sign-in/?next=/join/" in text


def test_an_admin_invites_mails_again_and_revokes_on_the_page(
    client_of: Any, admin: Any, open_cohort: Any, other_cohort: Any, settings: Any
) -> None:
    ada = client_of(admin)
    page = "/cohorts/spring/invitations/"

    refused = ada.post(page, {"addresses": "a@example.org\nnobody"})
    assert (refused.status_code, "nobody is no e-mail address" in refused.content.decode()) == (400, True)
    assert ada.post(page, {"addresses": "a@example.org\nb@example.org"}).status_code == 302
    row = Invitation.objects.get(email="a@example.org")
    assert link_of(row) in ada.get(page).content.decode()
    assert ada.post(f"{page}{row.pk}/send/").status_code == 302
    assert len(mail.outbox) == 3
    assert ada.post(f"/cohorts/autumn/invitations/{row.pk}/revoke/").status_code == 404
    assert ada.post(f"{page}{row.pk}/revoke/").status_code == 302
    assert ada.post(f"{page}{row.pk}/revoke/").status_code == 409
    assert ada.post(f"{page}{row.pk}/send/").status_code == 410
