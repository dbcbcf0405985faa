"""What admins do with accounts, as decision tables: who may, what is refused, what ends."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.timezone import now as real_now
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

from practicum.accounts.models import User
from practicum.accounts.selectors import accounts_matching
from practicum.accounts.services import create_account, one_time_password, reset_password, set_active
from practicum.audit.models import Record
from practicum.errors import Conflict, Forbidden, Invalid, Refused

NEW = {"username": "nora", "email": "nora@example.org", "name": "Nora New", "role": "intern"}
OWN = "stapler under seven bridges"


def hub_tokens(user: User) -> tuple[AccessToken, RefreshToken]:
    hub = Application.objects.create(
        name="hub", client_type="confidential", authorization_grant_type="authorization-code"
    )
    soon = real_now() + timedelta(minutes=5)
    access = AccessToken.objects.create(user=user, application=hub, token="a", expires=soon, scope="openid")
    Grant.objects.create(user=user, application=hub, code="c", expires=soon, redirect_uri="http://hub/", scope="openid")
    return access, RefreshToken.objects.create(user=user, application=hub, token="r", access_token=access)


def is_shut_out(user: User, *, access: AccessToken, refresh: RefreshToken) -> bool:
    access.refresh_from_db()
    refresh.refresh_from_db()
    return access.is_expired() and refresh.revoked is not None and not Grant.objects.filter(user=user).exists()


def sign_in(account: str, password: str) -> Client:
    client = Client()
    client.post("/sign-in/", {"account": account, "password": password})
    return client


@pytest.mark.parametrize("role", ["intern", "mentor", "admin"])
def test_an_account_opens_with_a_password_that_is_told_once(admin: Any, now: Any, role: str) -> None:
    user, password = create_account(admin, **NEW | {"role": role}, now=now)

    kept = User.objects.get(username="nora")
    assert (kept.role, kept.name, kept.email, kept.is_superuser, kept.is_staff) == (
        role,
        "Nora New",
        "nora@example.org",
        False,
        False,
    )
    assert kept.must_choose_password
    assert kept.check_password(password)
    created = Record.objects.get(verb="account.created", object_id=str(user.pk))
    assert (created.actor, created.facts) == (admin, {"username": "nora", "role": role})
    assert password not in str(created.facts) + kept.password


def test_one_time_passwords_are_long_and_never_the_same() -> None:
    made = {one_time_password() for _ in range(200)}

    assert len(made) == 200
    assert all(len(password.replace("-", "")) == 16 and not set(password) & set("01ilo") for password in made)


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"username": "ines"}, "username", "There is an account called ines already."),
        ({"username": "Nora"}, "username", "lower-case"),
        ({"username": "n"}, "username", "lower-case"),
        ({"username": "n" * 32}, "username", "lower-case|at most 31"),
        ({"username": ""}, "username", "blank"),
        ({"email": "INES@example.org"}, "email", "Another account has this address."),
        ({"email": "nora"}, "email", "valid email"),
        ({"name": "   "}, "name", "blank"),
        ({"name": "n" * 121}, "name", "at most 120"),
        ({"role": "owner"}, "role", "not a valid choice"),
    ],
)
def test_a_fact_that_can_not_be_used_opens_nothing(
    admin: Any, intern: Any, now: Any, changes: Any, field: str, told: str
) -> None:
    before = User.objects.count()

    with pytest.raises((Conflict, Invalid), match=told) as refusal:
        create_account(admin, **NEW | changes, now=now)

    assert refusal.value.facts["field"] == field
    assert User.objects.count() == before


@pytest.mark.parametrize("who", ["intern", "mentor"])
def test_only_admins_look_after_accounts(who: str, request: pytest.FixtureRequest, peer: Any, now: Any) -> None:
    actor = request.getfixturevalue(who)

    with pytest.raises(Forbidden):
        create_account(actor, **NEW, now=now)
    with pytest.raises(Forbidden):
        reset_password(actor, user=peer, now=now)
    with pytest.raises(Forbidden):
        set_active(actor, user=peer, active=False, now=now)


def test_a_new_password_ends_the_old_one_and_every_session(admin: Any, intern: Any, client_of: Any, now: Any) -> None:
    browser, (access, refresh) = client_of(intern), hub_tokens(intern)

    password = reset_password(admin, user=intern, now=real_now())

    intern.refresh_from_db()
    assert intern.check_password(password)
    assert not intern.check_password("correct horse")
    assert intern.must_choose_password
    assert browser.get("/account/").status_code == 302
    assert is_shut_out(intern, access=access, refresh=refresh)
    assert Record.objects.filter(verb="account.password_reset", actor=admin).count() == 1


@pytest.mark.parametrize(
    ("who", "is_active", "told"),
    [("admin", True, "Change your own password on your account page."), ("intern", False, "Switch it on first")],
)
def test_whose_password_is_not_made_anew(
    request: pytest.FixtureRequest, admin: Any, now: Any, who: str, is_active: bool, told: str
) -> None:
    user = request.getfixturevalue(who)
    User.objects.filter(pk=user.pk).update(is_active=is_active)

    with pytest.raises(Conflict, match=told):
        reset_password(admin, user=user, now=now)

    assert User.objects.get(pk=user.pk).check_password("correct horse")


def test_switching_off_ends_sessions_for_good_and_nobody_else_s(
    admin: Any, intern: Any, peer: Any, client_of: Any
) -> None:
    browser, other = client_of(intern), client_of(peer)
    access, refresh = hub_tokens(intern)

    assert set_active(admin, user=intern, active=False, now=real_now())

    assert browser.get("/account/").status_code == 302
    assert other.get("/account/").status_code == 200
    assert is_shut_out(intern, access=access, refresh=refresh)
    assert "_auth_user_id" not in sign_in("ines", "correct horse").session

    assert set_active(admin, user=intern, active=True, now=real_now())
    assert browser.get("/account/").status_code == 302
    assert sign_in("ines", "correct horse").get("/account/").status_code == 200
    verbs = Record.objects.filter(actor=admin, verb__startswith="account.switched").order_by("pk")
    assert [record.verb for record in verbs] == ["account.switched_off", "account.switched_on"]


def test_switching_off_twice_is_recorded_once(admin: Any, intern: Any, now: Any) -> None:
    assert set_active(admin, user=intern, active=False, now=now)
    assert not set_active(admin, user=intern, active=False, now=now)
    assert Record.objects.filter(verb="account.switched_off").count() == 1


def test_nobody_switches_off_themselves(admin: Any, now: Any) -> None:
    create_account(admin, **NEW | {"role": "admin"}, now=now)

    with pytest.raises(Conflict, match="your own account"):
        set_active(admin, user=admin, active=False, now=now)


def test_two_admins_can_not_switch_each_other_off(admin: Any, now: Any) -> None:
    other, _ = create_account(admin, **NEW | {"role": "admin"}, now=now)
    set_active(admin, user=other, active=False, now=now)

    other.is_active = True  # as it was when their own request began
    with pytest.raises(Conflict, match="last admin"):
        set_active(other, user=admin, active=False, now=now)

    assert User.objects.get(pk=admin.pk).is_active


@pytest.mark.parametrize("path", ["/", "/notebook/", "/projects/", "/o/authorize/?client_id=hub"])
def test_with_a_one_time_password_nothing_opens_but_the_account(admin: Any, now: Any, path: str) -> None:
    _, password = create_account(admin, **NEW, now=now)
    client = sign_in("nora", password)

    answer = client.get(path)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/?next=")
    assert "Choose your own password first." in client.get("/account/").content.decode()


def test_one_s_own_password_opens_the_page_that_was_asked_for(admin: Any, now: Any) -> None:
    _, password = create_account(admin, **NEW, now=now)
    client = sign_in("nora", password)
    sent = {"form": "password", "current": password, "next": "/projects/"}

    same = client.post("/account/", sent | {"password": password, "again": password})
    assert "This is the password you have now" in same.content.decode()
    chosen = client.post("/account/", sent | {"password": OWN, "again": OWN})

    assert chosen.headers["Location"] == "/projects/"
    assert client.get("/projects/").status_code == 200
    assert not User.objects.get(username="nora").must_choose_password


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/"])
def test_choosing_a_password_leads_to_no_other_site(admin: Any, now: Any, elsewhere: str) -> None:
    _, password = create_account(admin, **NEW, now=now)
    sent = {"form": "password", "current": password, "password": OWN, "again": OWN, "next": elsewhere}

    assert sign_in("nora", password).post("/account/", sent).headers["Location"] == "/"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["ada", "ines", "mira", "paul"]),
        ({"text": "MENTOR mira"}, ["mira"]),
        ({"text": "paul@example"}, ["paul"]),
        ({"text": "nobody"}, []),
        ({"role": "intern"}, ["ines", "paul"]),
        ({"role": "intern", "is_active": False}, ["paul"]),
        ({"is_active": True}, ["ada", "ines", "mira"]),
        ({"role": "owner"}, ["ada", "ines", "mira", "paul"]),
    ],
)
def test_accounts_are_found_by_words_role_and_state(
    admin: Any, intern: Any, mentor: Any, peer: Any, asked: Any, found: list[str]
) -> None:
    User.objects.filter(pk=peer.pk).update(is_active=False)

    assert [user.username for user in accounts_matching(**asked)] == found


def test_the_command_makes_the_first_admin(db: None) -> None:
    written = StringIO()

    call_command("create_admin", "rosa", "rosa@example.org", "Rosa First", stdout=written)

    password = written.getvalue().splitlines()[-1]
    rosa = User.objects.get(username="rosa")
    assert (rosa.is_admin, rosa.must_choose_password, rosa.check_password(password)) == (True, True, True)
    assert Record.objects.get(verb="account.created").actor is None


def test_the_command_tells_a_refusal_in_its_words(admin: Any) -> None:
    with pytest.raises(CommandError, match="There is an account called ada already"):
        call_command("create_admin", "ada", "other@example.org", "Ada")


def test_a_refusal_is_of_the_tree(admin: Any, now: Any) -> None:
    with pytest.raises(Refused) as refusal:
        create_account(admin, **NEW | {"username": "ada"}, now=now)
    assert (refusal.value.status, refusal.value.code) == (409, "taken")
