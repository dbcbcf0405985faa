"""The hub's door, the notebooks' door, and the launch page."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils.timezone import localdate

from practicum.gpus.models import Server
from practicum.internships.models import Internship
from practicum.lib.clock import utc_now
from practicum.workspaces.models import Session, WorkspaceToken
from tests.unit.workspaces.conftest import World, ends

ACTIVITY = {"busy_kernels": 0, "kernels": 1, "last_execution_at": None, "cpu_seconds": 0.1, "terminals": 0}


@pytest.fixture
def world(world: World) -> World:
    """Views ask the real clock, so the world lives now."""
    world.now = utc_now()
    return world


def call(path: str, body: Any, *, token: str) -> Any:
    """POST JSON with a bearer token."""
    return Client().post(
        path,
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


@pytest.fixture
def hub_token(settings: Any) -> str:
    return str(settings.PRACTICUM_HUB_SITE_TOKEN)


def test_the_hub_claims_over_http(world: World, intern: Any, internship: Any, hub_token: str) -> None:
    world.open(intern, "pending")
    world.makes_containers = False
    world.tick()
    answer = call("/api/hub/sessions/claim", {"username": "ines"}, token=hub_token)
    assert answer.status_code == 200
    assert answer.json()["lease"]["token"] == 3


def test_a_refused_claim_says_where_to_go(world: World, intern: Any, internship: Any, hub_token: str) -> None:
    answer = call("/api/hub/sessions/claim", {"username": "ines"}, token=hub_token)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "no_lease")
    assert error["url"].endswith("/notebook/")
    assert call("/api/hub/sessions/claim", {"username": "nobody"}, token=hub_token).status_code == 404
    assert call("/api/hub/sessions/claim", {"username": 7}, token=hub_token).status_code == 400
    type(intern).objects.update(is_active=False)
    assert call("/api/hub/sessions/claim", {"username": "ines"}, token=hub_token).status_code == 403


def test_the_hubs_events_move_the_session(world: World, intern: Any, internship: Any, hub_token: str) -> None:
    session = world.open(intern, "pending")
    world.tick()
    path = f"/api/hub/sessions/{session.pk}/events"
    ready = {"token": 2, "state": "ready", "message": ""}
    assert call(path, ready | {"token": 1}, token=hub_token).status_code == 409
    assert call(path, ready, token=hub_token).status_code == 204
    assert ends(session) == ("running", "active")
    assert call(path, ready | {"state": "dancing"}, token=hub_token).status_code == 400
    assert call(path, ready | {"token": "2"}, token=hub_token).status_code == 400
    assert call(f"/api/hub/sessions/{uuid4()}/events", ready, token=hub_token).status_code == 404


@pytest.mark.parametrize("path", ["/api/hub/sessions/claim", f"/api/hub/sessions/{UUID(int=1)}/events"])
def test_only_the_hubs_token_opens_the_hubs_door(db: None, path: str) -> None:
    assert call(path, {}, token="wrong").status_code == 401


def test_a_notebook_whose_server_is_away_leads_nowhere_and_says_why(
    world: World, intern: Any, internship: Any, client_of: Any
) -> None:
    world.run(intern)
    page = client_of(intern).get("/notebook/").content.decode()
    assert "Your notebook is ready" in page
    assert "Go to JupyterLab" in page
    Server.objects.update(away_since=world.now)
    page = client_of(intern).get("/notebook/").content.decode()
    assert "The server of your notebook does not answer" in page
    assert "Go to JupyterLab" not in page
    assert "Your notebook is ready" not in page
    home = client_of(intern).get("/").content.decode()
    assert "Server does not answer" in home
    assert "Back to your notebook" not in home


def test_a_slot_that_is_asked_back_ends_then_and_not_later(
    world: World, intern: Any, internship: Any, client_of: Any
) -> None:
    session = world.run(intern)
    lease, back = session.lease, world.now + timedelta(minutes=4)
    type(lease).objects.update(reclaim_at=back)
    page = client_of(intern).get("/notebook/").content.decode()
    ends_at = re.search(r'Ends</dt><dd class="col-sm-9">(\d\d:\d\d)', page)
    assert ends_at is not None
    assert ends_at.group(1) == f"{back:%H:%M}"


# --- The notebook ----------------------------------------------------------------------------------------------------


@pytest.fixture
def running(world: World, intern: Any, internship: Any) -> Session:
    return world.run(intern)


def pass_token(world: World) -> str:
    return str(world.grants[-1]["environment"]["PRACTICUM_TOKEN"])


def test_a_notebook_reports_and_learns_how_long_it_has(world: World, running: Session) -> None:
    answer = call("/api/workspace/activity", ACTIVITY, token=pass_token(world))
    assert answer.status_code == 200
    assert answer.json() == {
        "stop_at": None,
        "warning": None,
        "lease_until": running.lease.lease_until.isoformat() if running.lease.lease_until else None,
        "is_help_open": False,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"busy_kernels": -1},
        {"busy_kernels": 1.5},
        {"cpu_seconds": "1"},
        {"cpu_seconds": -1},
        {"last_execution_at": 7},
        {"last_execution_at": "yesterday"},
        {"last_execution_at": "2026-03-18T10:00:00"},
        {"kernels": None},
    ],
)
def test_a_malformed_report_is_refused(world: World, running: Session, changes: dict[str, Any]) -> None:
    answer = call("/api/workspace/activity", ACTIVITY | changes, token=pass_token(world))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")


@pytest.mark.parametrize(
    ("said", "is_kept"),
    [
        (timedelta(minutes=-1), True),
        (timedelta(days=-2), True),
        (timedelta(minutes=1), False),  # ahead of our clock
        (timedelta(days=-4), False),  # before the internship began
        ("2026-03-18T09:59:00", False),
        ("yesterday", False),
        (7, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_commit_is_kept_where_it_can_be_one_and_no_report_fails_for_it(
    world: World, running: Session, said: Any, is_kept: bool
) -> None:
    Internship.objects.update(started_on=localdate(world.now) - timedelta(days=3))
    at = world.now + said if isinstance(said, timedelta) else None
    said = at.isoformat() if at else said

    answer = call("/api/workspace/activity", ACTIVITY | {"committed_at": said}, token=pass_token(world))

    assert answer.status_code == 200
    running.refresh_from_db()
    assert running.committed_at == (at if is_kept else None)


def test_a_commit_that_is_kept_never_goes_back(world: World, running: Session) -> None:
    for hours in (5, 2, 3):
        world.hear(running, committed_at=world.now - timedelta(hours=hours))
    running.refresh_from_db()
    assert running.committed_at == world.now - timedelta(hours=2)


def test_a_commit_is_no_activity_of_a_notebook(world: World, running: Session) -> None:
    world.idle_for(running, 3)
    running.refresh_from_db()
    before = running.active_at
    world.now += timedelta(minutes=1)
    world.hear(running, committed_at=world.now)
    running.refresh_from_db()
    assert running.active_at == before


def test_a_token_that_expired_was_revoked_or_is_anothers_opens_nothing(world: World, running: Session) -> None:
    token = pass_token(world)
    for wrong in ("", "x", token[:-1]):
        assert call("/api/workspace/activity", ACTIVITY, token=wrong).status_code == 401
    for changes in ({"revoked_at": utc_now()}, {"expires_at": utc_now() - timedelta(seconds=1)}):
        WorkspaceToken.objects.update(**{"revoked_at": None, "expires_at": utc_now() + timedelta(hours=1)} | changes)
        assert call("/api/workspace/activity", ACTIVITY, token=token).status_code == 401


def test_the_token_of_a_deactivated_person_opens_nothing(world: World, running: Session) -> None:
    type(running.user).objects.update(is_active=False)
    assert call("/api/workspace/activity", ACTIVITY, token=pass_token(world)).status_code == 401


def test_a_token_is_kept_as_a_digest_only(world: World, running: Session) -> None:
    assert pass_token(world) not in str(list(WorkspaceToken.objects.values_list()))


def test_a_token_in_the_address_is_not_looked_at(world: World, running: Session) -> None:
    answer = Client().post(f"/api/workspace/activity?token={pass_token(world)}", ACTIVITY, "application/json")
    assert answer.status_code == 401


# --- The page --------------------------------------------------------------------------------------------------------

HTMX = {"HX-Request": "true"}


def test_pressing_the_button_grants_a_free_slot_in_the_same_breath(
    world: World, intern: Any, internship: Any, client_of: Any
) -> None:
    client = client_of(intern)
    assert "Open notebook" in client.get("/notebook/").content.decode()
    assert client.post("/notebook/start/").status_code == 302
    assert ends(Session.objects.get()) == ("queued", "granted")


def test_who_waits_sees_their_place(
    world: World, intern: Any, peer: Any, stranger: Any, internship: Any, peer_internship: Any,
    stranger_internship: Any, client_of: Any,
) -> None:  # fmt: skip
    world.run(peer)
    world.open(stranger)
    world.now = utc_now()
    world.open(intern)
    page = client_of(intern).get("/notebook/").content.decode()
    assert "You are 2nd in line" in page
    assert "No estimate yet: too few sessions have ended here." in page
    assert "Leave the line" in page


def test_only_who_pressed_the_button_on_this_page_is_taken_to_jupyterlab(
    world: World, intern: Any, internship: Any, client_of: Any, settings: Any
) -> None:
    client = client_of(intern)
    world.hub.answers["ines"] = ["pending"]
    pressed = client.post("/notebook/start/", headers=HTMX)
    assert "follow=1" in pressed.content.decode()
    world.tick()
    assert "HX-Redirect" not in client.get("/notebook/live/?follow=1", headers=HTMX).headers
    world.hub.come_up("ines")
    world.tick()
    there = f"{settings.PRACTICUM_HUB_URL}/user/ines/lab/tree/digits/start.ipynb"
    assert client.get("/notebook/live/?follow=1", headers=HTMX).headers["HX-Redirect"] == there
    visit = client.get("/notebook/live/", headers=HTMX)
    assert "HX-Redirect" not in visit.headers
    page = client.get("/notebook/").content.decode()
    assert there in page
    assert "follow=1" not in page


def test_a_failure_is_told_with_its_reason_and_may_be_tried_again(
    world: World, intern: Any, internship: Any, client_of: Any
) -> None:
    world.open(intern, *["There is no such image."] * 3)
    for _ in range(4):
        world.tick(after=timedelta(seconds=2))
    page = client_of(intern).get("/notebook/").content.decode()
    assert "There is no such image." in page
    assert "Try again" in page
    assert "hx-trigger" not in page


def test_the_intern_stops_the_notebook_from_the_page(
    world: World, intern: Any, internship: Any, client_of: Any
) -> None:
    session = world.run(intern)
    client = client_of(intern)
    assert client.post("/notebook/stop/").status_code == 302
    assert "Your notebook is stopping" in client.get("/notebook/").content.decode()
    world.tick()
    page = client.get("/notebook/").content.decode()
    assert ends(session) == ("stopped", "released")
    assert "Your notebook is stopped" in page
    assert "Last sessions" in page
    assert client.post("/notebook/stop/").status_code == 409


def test_an_intern_without_a_project_is_told_so(intern: Any, client_of: Any) -> None:
    client = client_of(intern)
    assert "No project yet" in client.get("/notebook/").content.decode()
    assert client.post("/notebook/start/").status_code == 409


@pytest.mark.parametrize("role", ["mentor", "admin"])
def test_for_others_than_interns_there_is_no_such_page(
    client_of: Any, request: pytest.FixtureRequest, role: str
) -> None:
    client = client_of(request.getfixturevalue(role))
    assert client.get("/notebook/").status_code == 404
    assert client.post("/notebook/start/").status_code == 404
    assert client.post("/notebook/stop/").status_code == 404


def test_a_person_sees_nothing_of_anothers_session(
    world: World, intern: Any, peer: Any, internship: Any, peer_internship: Any, client_of: Any
) -> None:
    world.run(peer)
    page = client_of(intern).get("/notebook/").content.decode()
    assert "paul" not in page
    assert "Open notebook" in page


def test_the_page_asks_as_many_questions_for_many_sessions_as_for_few(
    world: World, intern: Any, internship: Any, client_of: Any, django_assert_max_num_queries: Any
) -> None:
    client = client_of(intern)
    for _ in range(4):
        world.run(intern)
        client.post("/notebook/stop/")
        world.tick(after=timedelta(minutes=1))
    with django_assert_max_num_queries(12):
        client.get("/notebook/")
