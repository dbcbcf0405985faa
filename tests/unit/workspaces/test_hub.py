"""The hub's client: one contract for the real one (against answers as JupyterHub 6 gives them) and its twin."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from practicum.workspaces.hub import HttpHub, Hub, HubRefused, HubServer, HubUnavailable, MemoryHub


class JupyterHub:
    """JupyterHub's REST API as its handlers answer: known users, one server each; a script for starts."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.users: set[str] = set()
        self.servers: dict[str, dict[str, Any]] = {}
        self.known: set[str] = set()
        self.shares: dict[str, list[dict[str, Any]]] = {}
        self.is_away = False
        self.stops_slowly = False
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.is_away:
            raise httpx.ConnectError("refused")
        if request.headers["Authorization"] != "Bearer secret":
            return self.error(403, "Missing or invalid credentials.")
        if request.url.path.startswith("/hub/api/shares/"):
            return self.shared(request)
        if request.url.path == "/hub/api/users":
            return self.active(request.url.params)
        name, *rest = request.url.path.removeprefix("/hub/api/users/").split("/")
        return self.server(request.method, name) if rest == ["server"] else self.user(request.method, name)

    def active(self, params: httpx.QueryParams) -> httpx.Response:
        assert params["state"] == "active"
        offset, limit = int(params["offset"]), min(int(params["limit"]), 200)
        names = sorted(self.servers)[offset : offset + limit]
        return httpx.Response(200, json=[{"kind": "user", "name": name} for name in names])

    def shared(self, request: httpx.Request) -> httpx.Response:
        name, server = request.url.path.removeprefix("/hub/api/shares/").split("/")
        if server or name not in self.known:
            return self.error(404, f"No such server: {name}/{server}")
        if request.method == "DELETE":
            self.shares.pop(name, None)
            return httpx.Response(204)
        if request.method == "POST":
            guest = json.loads(request.content)["user"]
            if guest not in self.users:
                return self.error(400, f"No such user: {guest}")
            self.shares.setdefault(name, []).append({"user": {"name": guest}, "group": None, "kind": "user"})
            return httpx.Response(200, json=self.shares[name][-1])
        return httpx.Response(200, json={"items": self.shares.get(name, []), "_pagination": {"total": 1}})

    def error(self, status: int, message: str) -> httpx.Response:
        return httpx.Response(status, json={"status": status, "message": message})

    def user(self, method: str, name: str) -> httpx.Response:
        if method == "POST":
            if name in self.users:
                return self.error(409, f"User {name} already exists")
            self.users.add(name)
            return httpx.Response(201, json={"name": name})
        if name not in self.users:
            return self.error(404, "Not Found")
        if method == "DELETE":
            if name in self.servers and self.stops_slowly:
                return self.error(400, f"{name}'s server is in the process of stopping, please wait.")
            self.users.discard(name)
            self.servers.pop(name, None)
            return httpx.Response(204)
        servers = {"": self.servers[name]} if name in self.servers else {}
        return httpx.Response(200, json={"kind": "user", "name": name, "servers": servers})

    def server(self, method: str, name: str) -> httpx.Response:
        if name not in self.users:
            return self.error(404, "Not Found")
        server = self.servers.get(name)
        if method == "DELETE":
            self.servers.pop(name, None)
            return httpx.Response(204)
        if server is not None:
            return httpx.Response(202) if server["pending"] else self.error(400, f"{name} is already running")
        answer = self.answers.pop(0)
        if answer not in ("ready", "pending"):
            return self.error(500, answer)
        self.known.add(name)
        self.servers[name] = {"ready": answer == "ready", "pending": None if answer == "ready" else "spawn"}
        return httpx.Response(201 if answer == "ready" else 202)


@pytest.fixture(params=["http", "memory"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(kind: str, *answers: str) -> tuple[Hub, Any]:
    """A hub whose next starts give these answers, and the thing whose ``is_away`` can be set."""
    if kind == "memory":
        twin = MemoryHub()
        twin.answers["ines"] = list(answers)
        return twin, twin
    server = JupyterHub(list(answers))
    return HttpHub("http://hub/hub/api", token="secret", transport=httpx.MockTransport(server)), server


def test_there_is_no_server_before_a_start(kind: str) -> None:
    hub, _ = make(kind)
    assert hub.server("ines") is None


def test_a_start_that_is_ready_at_once(kind: str) -> None:
    hub, _ = make(kind, "ready")
    assert hub.start("ines") is True
    assert hub.server("ines") == HubServer(ready=True)


def test_a_start_that_takes_longer(kind: str) -> None:
    hub, _ = make(kind, "pending")
    assert hub.start("ines") is False
    assert hub.server("ines") == HubServer(ready=False, pending="spawn")


def test_starting_what_is_started_changes_nothing(kind: str) -> None:
    for answer in ("ready", "pending"):
        hub, _ = make(kind, answer)
        assert hub.start("ines") == hub.start("ines")


def test_a_refused_start_gives_the_hubs_message(kind: str) -> None:
    hub, _ = make(kind, "There is no such image.")
    with pytest.raises(HubRefused, match="no such image"):
        hub.start("ines")
    assert hub.server("ines") is None


def test_stopping_ends_the_server_and_stopping_nothing_is_fine(kind: str) -> None:
    hub, _ = make(kind, "ready")
    hub.start("ines")
    assert hub.stop("ines") is True
    assert hub.server("ines") is None
    assert hub.stop("ines") is True


def test_a_person_is_forgotten_with_their_server_and_nobody_is_no_error(kind: str) -> None:
    hub, _ = make(kind, "ready")
    hub.start("ines")
    for _ in range(2):
        hub.forget("ines")
        assert hub.server("ines") is None


def test_a_person_whose_server_is_still_stopping_is_not_forgotten(kind: str) -> None:
    hub, server = make(kind, "ready")
    hub.start("ines")
    server.stops_slowly = True
    with pytest.raises(HubRefused, match="stopping"):
        hub.forget("ines")


def test_a_hub_that_does_not_answer_is_unavailable(kind: str) -> None:
    hub, switch = make(kind)
    switch.is_away = True
    for ask in (hub.start, hub.stop, hub.server, hub.forget, hub.unshare, hub.guests):
        with pytest.raises(HubUnavailable):
            ask("ines")
    with pytest.raises(HubUnavailable):
        hub.share("ines", guest="mira")


def test_a_server_is_shared_with_a_guest_the_hub_may_not_know_yet_until_that_is_taken_back(kind: str) -> None:
    hub, _ = make(kind, "ready")
    hub.start("ines")
    assert hub.guests("ines") == set()
    hub.share("ines", guest="mira")
    hub.stop("ines")
    assert hub.guests("ines") == {"mira"}, "a share outlives its server"
    hub.unshare("ines")
    hub.unshare("ines")
    assert hub.guests("ines") == set()


def test_whom_the_hub_does_not_know_shares_nothing(kind: str) -> None:
    hub, _ = make(kind)
    hub.unshare("kofi")
    assert hub.guests("kofi") == set()
    with pytest.raises(HubRefused, match="No such server"):
        hub.share("kofi", guest="mira")


@pytest.mark.parametrize("body", [{}, {"items": [{"user": None, "group": None}]}, []])
def test_a_list_of_shares_that_makes_no_sense_is_never_taken_for_none(body: object) -> None:
    hub = HttpHub(
        "http://hub/hub/api", token="x", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    )
    with pytest.raises(HubRefused):
        hub.guests("ines")


def test_a_group_among_the_guests_is_seen() -> None:
    body = {"items": [{"user": None, "group": {"name": "mentors"}}]}
    hub = HttpHub(
        "http://hub/hub/api", token="x", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    )
    assert hub.guests("ines") == {"@mentors"}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"servers": {"": {}}}),
        httpx.Response(200, json={"servers": None}),
        httpx.Response(500, text="oops"),
    ],
)
def test_an_answer_that_makes_no_sense_is_never_taken_for_no_server(answer: httpx.Response) -> None:
    hub = HttpHub("http://hub/hub/api", token="secret", transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(HubRefused):
        hub.server("ines")


def test_a_proxy_that_finds_no_hub_is_an_unavailable_hub() -> None:
    away = httpx.MockTransport(lambda _: httpx.Response(503, text="Service Unavailable"))
    with pytest.raises(HubUnavailable):
        HttpHub("http://hub/hub/api", token="secret", transport=away).server("ines")


@pytest.mark.parametrize("status", [401, 403])
def test_a_hub_that_does_not_know_the_site_is_unavailable_and_costs_no_notebook_an_attempt(status: int) -> None:
    refusing = httpx.MockTransport(
        lambda _: httpx.Response(status, json={"message": "Missing or invalid credentials."})
    )
    hub = HttpHub("http://hub/hub/api", token="secret", transport=refusing)
    for ask in (hub.server, hub.start, hub.stop):
        with pytest.raises(HubUnavailable):
            ask("ines")


def test_a_hub_that_can_start_nothing_now_is_unavailable_and_says_why() -> None:
    said = httpx.Response(503, json={"status": 503, "message": "The site can't be asked for a lease right now."})
    hub = HttpHub("http://hub/hub/api", token="secret", transport=httpx.MockTransport(lambda _: said))
    with pytest.raises(HubUnavailable, match="can't be asked for a lease"):
        hub.start("ines")


def test_a_start_costs_one_request_for_a_known_person_and_sends_no_options() -> None:
    hub, server = make("http", "ready", "ready")
    hub.start("ines")
    hub.stop("ines")
    server.requests.clear()
    hub.start("ines")
    assert [(r.method, r.url.path, r.content) for r in server.requests] == [("POST", "/hub/api/users/ines/server", b"")]


def test_everybody_with_a_server_is_named(kind: str) -> None:
    hub, _ = make(kind, "ready")
    assert hub.people_with_servers() == set()
    hub.start("ines")
    assert hub.people_with_servers() == {"ines"}
    hub.stop("ines")
    assert hub.people_with_servers() == set()


def test_more_people_than_a_page_holds_are_all_named() -> None:
    server = JupyterHub([])
    server.servers = {f"intern-{n}": {"ready": True, "pending": None} for n in range(450)}
    hub = HttpHub("http://hub/hub/api", token="secret", transport=httpx.MockTransport(server))
    assert hub.people_with_servers() == set(server.servers)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="x"), httpx.Response(200, json={"a": 1}), httpx.Response(500)]
)
def test_a_list_that_makes_no_sense_is_never_taken_for_nobody(answer: httpx.Response) -> None:
    hub = HttpHub("http://hub/hub/api", token="secret", transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(HubRefused):
        hub.people_with_servers()
