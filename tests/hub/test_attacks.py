"""What an intern, or a page they were lured to, tries against the hub: each on the real one, behind its proxy."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import psutil
import pytest

from tests.hub.conftest import Lease
from tests.hub.fake_site import FakeSite
from tests.hub.harness import Hub
from tests.hub.test_local import processes

pytestmark = pytest.mark.hub

FOREIGN = {
    "cross-site": {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "another-notebook": {"Origin": "http://peer.hub.example", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    "no-origin": {},
}
FORMS = {
    "spawn": ("POST", "/hub/spawn", {"image": "evil"}),
    "spawn-for": ("POST", "/hub/spawn/ines", {}),
    "accept-share": ("POST", "/hub/accept-share", {"code": "x"}),
    "token": ("POST", "/hub/api/users/ines/tokens", {"note": "mine"}),
    "start": ("POST", "/hub/api/users/ines/server", {}),
    "stop": ("DELETE", "/hub/api/users/ines/server", {}),
}


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("form", FORMS)
def test_a_form_from_elsewhere_starts_stops_and_shares_nothing(
    form: str, origin: str, hub: Hub, site: FakeSite, lease: Lease
) -> None:
    method, path, fields = FORMS[form]
    site.leases["ines"] = lease("ines")
    with hub.browser() as browser:
        browser.get(f"{hub.url}/hub/home")
        answer = browser.request(method, f"{hub.url}{path}", headers=FOREIGN[origin], data=fields)
    assert answer.status_code in (400, 403, 404), answer.text
    assert (site.claims, processes()) == (0, [])


def test_a_running_notebook_is_not_stopped_from_elsewhere(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    with hub.browser() as browser:
        browser.get(f"{hub.url}/hub/home")
        for headers in FOREIGN.values():
            stopping = browser.delete(f"{hub.url}/hub/api/users/ines/server", headers=headers)
            assert stopping.status_code == 403
            assert browser.get(f"{hub.url}/hub/logout?next=/", headers=headers).status_code < 500
    assert len(processes()) > 0
    assert hub.server("ines")["ready"]


OPTIONS: dict[str, Any] = {
    "image": {"image": "evil"},
    "gpus": {"user_options": {"gpus": 8}},
    "volume": {"volumes": {"/": "/host"}},
    "list": ["image", "evil"],
    "number": 8,
    "string": "evil",
    "nested": {"user_options": {"a": {"b": {"c": [[[[["d"]]]]]}}}},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_no_option_of_a_start_is_taken_whatever_its_kind(name: str, hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.api("POST", "/users/ines")
    assert hub.api("POST", "/users/ines/server", json=OPTIONS[name]).status_code == 400
    assert hub.api("GET", "/users/ines").json()["servers"] == {}
    assert site.claims == 0


def test_ten_megabytes_of_options_are_refused_and_the_hub_answers_on(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.api("POST", "/users/ines")
    flood = json.dumps({"user_options": {"x": "y" * 10_000_000}})
    try:
        status = hub.api("POST", "/users/ines/server", content=flood).status_code
    except httpx.TransportError:  # shut before it was read to its end
        status = 413
    assert status in (400, 413)
    began = time.monotonic()
    assert hub.api("GET", "/users/ines").status_code == 200
    assert time.monotonic() - began < 2
    assert site.claims == 0


def test_an_address_alone_starts_nothing(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    with hub.browser() as browser:
        browser.get(f"{hub.url}/hub/home")
        for path in ("/hub/spawn?image=evil", "/hub/spawn/ines?profile=gpu8", "/user/ines/lab", "/hub/user/ines/lab"):
            browser.get(f"{hub.url}{path}")
    assert (site.claims, processes()) == (0, [])


@pytest.fixture
def token(hub: Hub, site: FakeSite, lease: Lease) -> str:
    """The hub's token that every code in the notebook of ines has."""
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    for process in processes():
        try:
            if found := process.environ().get("JUPYTERHUB_API_TOKEN"):
                return found
        except psutil.Error:
            continue
    raise AssertionError("no token")


def ask(hub: Hub, token: str, method: str, path: str) -> int:
    """The status that the hub's API answers to this token."""
    headers = {"Authorization": f"token {token}"}
    return httpx.request(method, f"{hub.url}/hub/api{path}", headers=headers, timeout=20).status_code


def test_a_notebooks_token_is_for_its_own_person_and_server_alone(hub: Hub, token: str) -> None:
    headers = {"Authorization": f"token {token}"}
    said = httpx.get(f"{hub.url}/hub/api/user", headers=headers, timeout=20).json()
    kinds = {scope.partition("!")[0] for scope in said["scopes"]}
    assert "access:servers" in kinds
    assert not [kind for kind in kinds if kind.startswith(("admin", "servers", "tokens", "shares", "proxy", "list"))]
    assert {scope.partition("!")[2] for scope in said["scopes"]} <= {"user=ines", "server=ines/"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("GET", "/users/peer"),
        ("POST", "/users/evil"),
        ("DELETE", "/users/peer"),
        ("POST", "/users/ines/server"),
        ("DELETE", "/users/ines/server"),
        ("POST", "/users/peer/server"),
        ("POST", "/users/ines/tokens"),
        ("GET", "/users/ines/tokens"),
        ("GET", "/proxy"),
        ("POST", "/proxy"),
        ("PATCH", "/proxy"),
        ("GET", "/services"),
        ("GET", "/groups"),
        ("POST", "/shares/ines/"),
        ("POST", "/shutdown"),
    ],
)
def test_a_notebooks_token_opens_nothing_of_the_hubs_api(method: str, path: str, hub: Hub, token: str) -> None:
    hub.api("POST", "/users/peer")
    assert ask(hub, token, method, path) in (403, 404)
    assert hub.server("ines")["ready"]


def test_another_persons_browser_opens_no_server_page_api_or_socket(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    site.browser_user = "peer"
    with hub.browser() as peer:
        peer.get(f"{hub.url}/hub/home")
        xsrf = {"X-XSRFToken": peer.cookies.get("_xsrf", path="/hub/") or ""}
        for method, path in [
            ("GET", "/users/ines"),
            ("POST", "/users/ines/server"),
            ("DELETE", "/users/ines/server"),
            ("POST", "/users/ines/tokens"),
            ("GET", "/users/ines/tokens"),
            ("POST", "/shares/ines/"),
        ]:
            answer = peer.request(method, f"{hub.url}/hub/api{path}", headers=xsrf)
            assert answer.status_code in (403, 404), f"{method} {path}"
        assert peer.get(f"{hub.url}/hub/spawn/ines").status_code in (403, 404)
    assert hub.server("ines")["ready"]
