"""One's own account: the name, the password, leaving; and the provider's addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils.timezone import now as real_now
from oauth2_provider.models import AccessToken, Application, RefreshToken

from practicum.accounts.services import WeakPassword, change_password
from practicum.audit.models import Record

ACCOUNT = "/account/"
NEW = "stapler under seven bridges"


def tokens_of(user: Any) -> tuple[AccessToken, RefreshToken]:
    hub = Application.objects.create(
        name="hub", client_type="confidential", authorization_grant_type="authorization-code"
    )
    access = AccessToken.objects.create(
        user=user, application=hub, token="a", expires=real_now() + timedelta(minutes=5), scope="openid"
    )
    return access, RefreshToken.objects.create(user=user, application=hub, token="r", access_token=access)


def test_a_person_changes_their_name(client_of: Any, intern: Any) -> None:
    response = client_of(intern).post(ACCOUNT, {"form": "name", "name": "Inês I."}, follow=True)

    intern.refresh_from_db()
    assert intern.name == "Inês I."
    assert "Your name is changed." in response.content.decode()
    assert Record.objects.filter(verb="account.renamed", actor=intern).count() == 1


def test_nobody_gives_themselves_a_role(client_of: Any, intern: Any) -> None:
    client_of(intern).post(ACCOUNT, {"form": "name", "name": "Ines", "role": "admin", "is_superuser": "on"})

    intern.refresh_from_db()
    assert (intern.role, intern.is_superuser) == ("intern", False)


def test_a_new_password_ends_every_other_session_and_keeps_this_one(client_of: Any, intern: Any) -> None:
    here, elsewhere = client_of(intern), client_of(intern)
    access, refresh = tokens_of(intern)

    here.post(ACCOUNT, {"form": "password", "current": "correct horse", "password": NEW, "again": NEW})

    assert here.get(ACCOUNT).status_code == 200
    assert elsewhere.get(ACCOUNT).url.startswith("/sign-in/")
    access.refresh_from_db()
    refresh.refresh_from_db()
    assert access.is_expired()
    assert refresh.revoked is not None
    assert get_user_model().objects.get(pk=intern.pk).check_password(NEW)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"current": "wrong", "password": NEW, "again": NEW}, "This is not your current password."),
        ({"current": "correct horse", "password": NEW, "again": NEW + "!"}, "not the same as the new password"),
        ({"current": "correct horse", "password": "short", "again": "short"}, "too short"),
        ({"current": "correct horse", "password": "password123", "again": "password123"}, "too common"),
    ],
)
def test_a_password_that_can_not_be_taken_changes_nothing(client_of: Any, intern: Any, sent: Any, told: str) -> None:
    response = client_of(intern).post(ACCOUNT, {"form": "password", **sent})

    intern.refresh_from_db()
    assert response.status_code == 422
    assert told in response.content.decode()
    assert intern.check_password("correct horse")


def test_the_service_refuses_a_weak_password_too(intern: Any, now: Any) -> None:
    with pytest.raises(WeakPassword, match="too short"):
        change_password(intern, password="short", now=now)


def test_leaving_ends_the_session_and_the_hub_s(client_of: Any, intern: Any) -> None:
    client = client_of(intern)
    _, refresh = tokens_of(intern)

    assert client.get("/sign-out/").status_code == 405
    response = client.post("/sign-out/", follow=True)

    refresh.refresh_from_db()
    assert "You are signed out." in response.content.decode()
    assert "_auth_user_id" not in client.session
    assert refresh.revoked is not None


def test_the_provider_says_where_its_parts_are(client: Client, db: None, settings: Any) -> None:
    answer = client.get("/o/.well-known/openid-configuration").json()

    assert answer["issuer"] == f"{settings.PRACTICUM_SITE_URL}/o"
    assert answer["authorization_endpoint"].endswith("/o/authorize/")
    assert answer["token_endpoint"].endswith("/o/token/")
    assert answer["userinfo_endpoint"].endswith("/o/userinfo/")


@pytest.mark.parametrize("path", ["applications/", "applications/register/", "authorized_tokens/", "register/"])
def test_the_provider_is_not_managed_through_pages(client_of: Any, admin: Any, path: str) -> None:
    assert client_of(admin).get(f"/o/{path}").status_code == 404


def test_asking_for_authorization_leads_through_sign_in(client: Client, db: None) -> None:
    response = client.get("/o/authorize/", {"client_id": "practicum-hub", "state": "s"})

    assert response.status_code == 302
    assert response.headers["Location"] == "/sign-in/?next=/o/authorize/%3Fclient_id%3Dpracticum-hub%26state%3Ds"


def test_an_unknown_service_is_told_so_on_a_page_of_ours(client_of: Any, intern: Any) -> None:
    response = client_of(intern).get("/o/authorize/", {"client_id": "unknown", "response_type": "code"})

    assert response.status_code == 400
    assert "That service asked for something it may not have." in response.content.decode()
