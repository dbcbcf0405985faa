"""The second factor: added, asked for, lost, reset; required of a role; its codes and secrets worth nothing to others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core.management import CommandError, call_command
from django.test import Client

from practicum.accounts import factors
from practicum.accounts.models import Notice, User
from practicum.audit.models import Record
from practicum.errors import Conflict, Forbidden
from tests.unit.accounts.conftest import sign_in_by

KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code(key: str = KEY, *, steps: int = 0) -> str:
    """What a phone with this key shows now, or half minutes later."""
    return str(format_hotp_value(hotp_value(key, int(time.time()) // 30 + steps)))


def with_factor(user: User) -> list[str]:
    """Give the person a second factor; their recovery codes."""
    TOTP.activate(user, KEY)
    return list(RecoveryCodes.activate(user).get_unused_codes())


def half_way_in(username: str, *, following: str = "/projects/") -> Client:
    """A browser in which the password was right, and the code is asked for."""
    client = Client()
    sent = {"account": username, "password": "correct horse", "next": following}
    assert client.post("/sign-in/", sent)["Location"] == "/sign-in/code/"
    return client


def verbs(user: User) -> list[str]:
    """What is on record of a person's account."""
    return list(
        Record.objects.filter(object_type="accounts.user", object_id=str(user.pk))
        .order_by("pk")
        .values_list("verb", flat=True)
    )


def test_a_person_adds_an_app_and_is_asked_for_its_code_from_then_on(
    client: Client, intern: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client.post("/sign-in/", {"account": "ines", "password": "correct horse"})
    page = client.get("/account/factor/app/").content.decode()
    key = re.search(r"factor-key\">([A-Z2-7]+)<", page)
    assert key
    assert "This code is wrong" in client.post("/account/factor/app/", {"code": "000000"}).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        codes = client.post("/account/factor/app/", {"code": code(key[1])}, follow=True).content.decode()
    assert len(re.findall(r"<code>\d{8}</code>", codes)) == 10
    assert verbs(intern) == ["account.factor_added"]

    other = half_way_in("ines")
    assert other.get("/account/")["Location"].startswith("/sign-in/")
    answer = other.post("/sign-in/code/", {"code": code(key[1], steps=1)})
    assert answer["Location"] == "/projects/"
    assert other.get("/account/").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: "000000",
        lambda: "",
        lambda: code(steps=5),
        lambda: code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
    ],
    ids=["zeros", "nothing", "of later", "of another key"],
)
def test_a_wrong_code_opens_nothing(wrong: Callable[[], str], intern: Any) -> None:
    with_factor(intern)
    client = half_way_in("ines")
    assert client.post("/sign-in/code/", {"code": wrong()}).status_code == 200
    assert client.get("/account/").status_code == 302


def test_a_code_counts_once(intern: Any) -> None:
    with_factor(intern)
    shown = code()
    assert half_way_in("ines").post("/sign-in/code/", {"code": shown}).status_code == 302
    assert half_way_in("ines").post("/sign-in/code/", {"code": shown}).status_code == 200


def test_after_five_wrong_codes_the_right_one_waits_too(intern: Any) -> None:
    with_factor(intern)
    for _ in range(5):
        half_way_in("ines").post("/sign-in/code/", {"code": "000000"})
    page = half_way_in("ines").post("/sign-in/code/", {"code": code()})
    assert page.status_code == 200
    assert "Too many wrong tries. Wait five minutes" in page.content.decode()


def test_a_recovery_code_opens_once_and_is_on_record(intern: Any) -> None:
    first, *_ = with_factor(intern)
    assert half_way_in("ines").post("/sign-in/code/", {"code": first})["Location"] == "/projects/"
    assert half_way_in("ines").post("/sign-in/code/", {"code": first}).status_code == 200
    assert verbs(intern) == ["account.recovery_code_used"]


def test_a_provider_is_no_way_around_it(client: Client, intern: Any, allow: Callable[..., Any]) -> None:
    allow()
    with_factor(intern)
    assert sign_in_by(client)["Location"] == "/sign-in/code/"
    assert client.get("/account/").status_code == 302
    client.post("/sign-in/code/", {"code": code()})
    assert client.get("/account/").status_code == 200


def test_the_hub_is_reached_with_it_only(intern: Any) -> None:
    with_factor(intern)
    asked = "/o/authorize/?client_id=x&response_type=code"
    client = half_way_in("ines", following=asked)
    assert client.get(asked)["Location"].startswith("/sign-in/")
    assert client.post("/sign-in/code/", {"code": code()})["Location"] == asked


@pytest.fixture
def required(settings: Any) -> None:
    """Admins must have one."""
    settings.PRACTICUM_WAYS_IN = replace(settings.PRACTICUM_WAYS_IN, factor_roles=frozenset({"admin"}))


@pytest.mark.parametrize("address", ["/", "/people/accounts/", "/o/authorize/?client_id=x", "/notices/"])
def test_where_the_role_must_have_one_nothing_opens_before(
    address: str, required: None, admin: Any, intern: Any, client_of: Any
) -> None:
    client = Client()
    client.post("/sign-in/", {"account": "ada", "password": "correct horse"})
    assert client.get(address)["Location"] == "/account/factor/"
    assert "Your role needs a second factor" in client.get("/account/factor/").content.decode()
    assert client_of(intern).get("/").status_code == 200
    with_factor(admin)
    assert client.get(address).status_code != 302
    page = client.get("/account/factor/codes/").content.decode()
    assert f'href="{address.replace("&", "&amp;")}"' in page, "and it goes on to what was asked for"


def test_where_the_role_must_have_one_it_can_not_be_removed(required: None, admin: Any) -> None:
    with_factor(admin)
    client = half_way_in("ada")
    client.post("/sign-in/code/", {"code": code()})
    assert "The authenticator app stays" in client.post("/account/factor/app/remove/").content.decode()
    assert factors.has_factor(admin)


def test_who_removes_it_is_on_record_and_the_codes_go_too(intern: Any) -> None:
    with_factor(intern)
    client = half_way_in("ines")
    client.post("/sign-in/code/", {"code": code()})
    assert client.post("/account/factor/app/remove/")["Location"] == "/account/factor/"
    assert not Authenticator.objects.exists()
    assert verbs(intern) == ["account.factor_removed"]


def test_a_session_that_is_not_fresh_proves_itself_again_first(intern: Any, client_of: Any) -> None:
    with_factor(intern)
    client = client_of(intern)
    assert client.get("/account/factor/codes/new/")["Location"].startswith("/account/again/")
    assert client.post("/account/factor/app/remove/")["Location"].startswith("/account/again/")
    assert factors.has_factor(intern)
    client.post("/account/again/", {"password": "wrong"})
    assert client.post("/account/factor/app/remove/")["Location"].startswith("/account/again/")


def test_an_admin_resets_it_and_every_session_ends_and_the_person_is_told(
    intern: Any, admin: Any, client_of: Any
) -> None:
    with_factor(intern)
    theirs, ours = client_of(intern), client_of(admin)
    assert "Reset second factor" in ours.get("/people/accounts/").content.decode()
    ours.post(f"/people/accounts/{intern.pk}/factor/")
    assert theirs.get("/account/").status_code == 302
    assert not Authenticator.objects.exists()
    row = Record.objects.get(verb="account.factor_reset")
    assert (row.actor, row.object_id) == (admin, str(intern.pk))
    assert Notice.objects.get(user=intern).subject == "Your second factor was taken away"
    answer = Client().post("/sign-in/", {"account": "ines", "password": "correct horse"})
    assert answer["Location"] == "/"


@pytest.mark.parametrize("who", ["mentor", "intern"])
def test_only_admins_reset_it_and_not_their_own(
    who: str, request: pytest.FixtureRequest, peer: Any, admin: Any, now: Any
) -> None:
    with_factor(peer)
    with_factor(admin)
    with pytest.raises(Forbidden):
        factors.reset_factor(request.getfixturevalue(who), user=peer, now=now)
    with pytest.raises(Conflict):
        factors.reset_factor(admin, user=admin, now=now)


def test_the_secrets_are_not_in_the_database(intern: Any) -> None:
    with_factor(intern)
    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert KEY not in kept
    seed = Authenticator.objects.get(type="recovery_codes").data["seed"]
    assert not re.fullmatch(r"[0-9a-f]{80}", seed)


def test_with_another_key_of_the_site_it_says_so(intern: Any, settings: Any) -> None:
    with_factor(intern)
    settings.SECRET_KEY = "another" * 8
    client = half_way_in("ines")
    page = client.post("/sign-in/code/", {"code": code()})
    assert page.status_code == 503
    assert "ask an admin to reset it" in page.content.decode()


def test_the_command_says_when_there_is_none(admin: Any) -> None:
    with pytest.raises(CommandError, match="has no second factor"):
        call_command("account", "reset-2fa", "ada", stdout=StringIO())
