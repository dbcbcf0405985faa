"""The hub as a whole, with its real settings: JupyterHub, the proxy, OpenID sign-in; notebooks are stub processes."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.hub.conftest import Lease
from tests.hub.fake_site import FakeSite
from tests.hub.harness import Hub, session_of
from tests.tools.waiting import wait_for

SESSION = session_of("ines")

pytestmark = pytest.mark.hub


def processes() -> list[psutil.Process]:
    """What runs for the intern's session."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PRACTICUM_SESSION") == SESSION and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def notebook(hub: Hub) -> dict[str, Any]:
    """What the stub says through the proxy."""
    answer: dict[str, Any] = httpx.get(f"{hub.url}/user/ines/api").json()
    return answer


def test_no_lease_starts_nothing_and_tells_the_sites_reason(hub: Hub, site: FakeSite) -> None:
    hub.api("POST", "/users/ines")
    answer = hub.api("POST", "/users/ines/server")
    assert answer.status_code == 409
    assert answer.json()["message"] == "There is no lease for you yet: 2 people are before you, 100 % <fair>."
    assert (site.claims, site.events, processes()) == (1, [], [])


def test_a_deactivated_account_starts_nothing(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    site.deactivated.add("ines")
    hub.api("POST", "/users/ines")
    assert hub.api("POST", "/users/ines/server").status_code == 403
    assert processes() == []


def test_a_site_that_is_away_starts_nothing(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"], site.away = lease("ines"), True
    hub.api("POST", "/users/ines")
    assert hub.api("POST", "/users/ines/server").status_code == 503
    assert processes() == []


OPTIONS = [
    {"image": "evil"},
    {"user_options": {"gpus": 8}},
    {"environment": {"A": "b"}},
    {"user_options": {"x": "y" * 10**6}},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: next(iter(o)))
def test_options_are_refused_and_do_not_stick(hub: Hub, site: FakeSite, lease: Lease, options: dict[str, Any]) -> None:
    site.leases["ines"] = lease("ines")
    hub.api("POST", "/users/ines")
    assert hub.api("POST", "/users/ines/server", json=options).status_code == 400
    assert site.claims == 0
    hub.launch("ines")
    assert hub.server("ines")["user_options"] == {}


def test_a_leased_notebook_starts_with_what_the_lease_says_and_ends_completely(
    hub: Hub, site: FakeSite, lease: Lease, project: Path
) -> None:
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    stub = notebook(hub)
    environment = stub["environment"]
    home = hub.folder / "workspaces/ines"
    assert stub["cwd"] == str(home)
    assert (home / "digits/start.ipynb").read_text() == "{}"
    assert environment["PRACTICUM_PROJECT_DIR"] == str(home / "digits")
    assert environment["PRACTICUM_DATA"] == str(project)
    assert json.loads(environment["PRACTICUM_LABELS"])["org.practicum.token"] == "7"
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert not {name for name in environment if name.startswith(("PRACTICUM_HUB", "PRACTICUM_OIDC", "CONFIGPROXY"))}
    assert len(processes()) == 2, "the server and the child it leaves behind"
    assert hub.api("DELETE", "/users/ines/server").status_code == 204
    assert processes() == []
    wait_for(lambda: site.states(SESSION) == ["starting", "ready", "stopped"], seconds=5, what=lambda: site.events)
    assert {event["token"] for event in site.events} == {7}


def test_an_interns_changed_starter_file_is_kept(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    mine = hub.folder / "workspaces/ines/digits/start.ipynb"
    mine.write_text("mine")
    hub.api("DELETE", "/users/ines/server")
    hub.launch("ines")
    assert mine.read_text() == "mine"


def test_a_server_that_ends_while_starting_is_reported_failed(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines", environment={"PRACTICUM_STUB": "exit", "PRACTICUM_PROJECT": "digits"})
    hub.api("POST", "/users/ines")
    hub.api("POST", "/users/ines/server")
    wait_for(lambda: site.states(SESSION) == ["starting", "failed"], seconds=15, what=lambda: site.events)
    assert "ended while it was starting (9)" in site.events[-1]["message"]
    assert processes() == []


def test_a_start_that_is_called_off_ends_as_stopped_and_leaves_nothing(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines", environment={"PRACTICUM_STUB": "deaf", "PRACTICUM_PROJECT": "digits"})
    hub.begin("ines")
    wait_for(lambda: site.states(SESSION) == ["starting"], seconds=20, what="started")
    hub.api("DELETE", "/users/ines/server")
    wait_for(lambda: site.states(SESSION) == ["starting", "stopped"], seconds=30, what=lambda: site.events)
    assert processes() == []


def test_a_server_that_dies_is_reported_stopped(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    for process in processes():
        os.kill(process.pid, 9)
    wait_for(lambda: site.states(SESSION) == ["starting", "ready", "stopped"], seconds=15, what=lambda: site.events)
    assert hub.server("ines") == {}


def test_a_killed_hub_finds_its_notebook_again_and_still_speaks_for_it(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    hub.kill("hub")
    assert notebook(hub)["environment"]["JUPYTERHUB_USER"] == "ines", "the proxy routes while the hub is away"
    hub.start_hub()
    wait_for(lambda: hub.server("ines").get("ready"), seconds=15, what="ready again")
    assert site.claims == 1
    hub.api("DELETE", "/users/ines/server")
    wait_for(lambda: site.states(SESSION)[-1] == "stopped", seconds=5, what=lambda: site.events)
    assert site.events[-1]["token"] == 7


def test_a_killed_proxy_gets_its_routes_back(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    hub.kill("proxy")
    hub.start_proxy()
    wait_for(lambda: _routed(hub), seconds=20, what="the route is back")


def _routed(hub: Hub) -> bool:
    try:
        return "environment" in notebook(hub)
    except (httpx.HTTPError, ValueError):
        return False


def test_events_wait_for_a_site_that_is_away(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    hub.launch("ines")
    wait_for(lambda: "ready" in site.states(SESSION), seconds=5, what="ready")
    site.away = True
    hub.api("DELETE", "/users/ines/server")
    site.away = False
    wait_for(lambda: site.states(SESSION)[-1] == "stopped", seconds=10, what=lambda: site.events)


def test_signing_in_follows_the_site_and_makes_no_admin(hub: Hub, site: FakeSite) -> None:
    with hub.browser() as browser:
        page = browser.get(f"{hub.url}/hub/home")
    assert page.status_code == 200
    assert "Your notebook is not running" in page.text
    assert f"http://127.0.0.1:{site.port}/" in page.text
    user = hub.api("GET", "/users/ines").json()
    assert (user["admin"], sorted(user["groups"])) == (False, ["admin", "intern"])
    assert user["roles"] == ["user"]


def test_the_code_is_worth_nothing_in_another_browser(hub: Hub, site: FakeSite) -> None:
    with httpx.Client(timeout=20) as victim, httpx.Client(timeout=20) as thief:
        authorize = victim.get(f"{hub.url}/hub/oauth_login").headers["Location"]
        callback = victim.get(authorize).headers["Location"]
        assert "code_challenge" in authorize
        assert thief.get(callback).status_code == 400


@pytest.mark.parametrize("changes", [{"state": ""}, {"state": "forged"}, {"code": "forged"}, {}], ids=str)
def test_an_answer_that_is_forged_or_brought_again_signs_nobody_in(
    changes: dict[str, str], hub: Hub, site: FakeSite
) -> None:
    with httpx.Client(timeout=20) as browser:
        authorize = browser.get(f"{hub.url}/hub/oauth_login").headers["Location"]
        callback = httpx.URL(browser.get(authorize).headers["Location"])
        if not changes:
            browser.get(callback)
            browser.cookies.delete("jupyterhub-hub-login", path="/hub/")
        answer = browser.get(callback.copy_merge_params(changes))
        assert answer.status_code in (400, 403, 500)
        assert browser.get(f"{hub.url}/hub/home").status_code == 302, "it is asked to sign in"


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\\\evil.example", "https:evil.example"]
)
def test_signing_in_at_the_hub_leads_to_no_other_site(wanted: str, hub: Hub, site: FakeSite) -> None:
    with httpx.Client(timeout=20) as browser:
        answer = browser.get(f"{hub.url}/hub/login", params={"next": wanted})
        for _ in range(6):
            if answer.status_code != 302:
                break
            url = httpx.URL(hub.url).join(answer.headers["Location"])
            assert url.host == "127.0.0.1", url
            answer = browser.get(url)
        assert answer.status_code in (200, 404)


def test_a_deactivated_person_is_signed_out_of_the_hub(hub: Hub, site: FakeSite) -> None:
    with hub.browser() as browser:
        assert browser.get(f"{hub.url}/hub/home").status_code == 200
        site.deactivated.add("ines")
        assert wait_for(lambda: browser.get(f"{hub.url}/hub/home").status_code == 403, seconds=10, what="signed out")


def test_a_site_that_is_away_signs_nobody_out(hub: Hub, site: FakeSite) -> None:
    with hub.browser() as browser:
        browser.get(f"{hub.url}/hub/home")
        site.away = True
        before = hub.log("hub").count("site can't be asked about ines")
        asked = lambda: browser.get(f"{hub.url}/hub/home").status_code == 200 and _asked(hub) > before  # noqa: E731
        assert wait_for(asked, seconds=10, what="the hub asked, got no answer, and let the person stay")


def _asked(hub: Hub) -> int:
    return hub.log("hub").count("site can't be asked about ines")


def test_requests_at_the_same_time_use_a_refresh_token_once(hub: Hub, site: FakeSite) -> None:
    with hub.browser() as browser:
        browser.get(f"{hub.url}/hub/home")
        site.expire()
        wait_for(lambda: _refresh_together(hub, browser, site) == 1, seconds=40, what="the first refresh")
        site.expire()
        wait_for(lambda: _refresh_together(hub, browser, site) == 2, seconds=40, what="the second refresh")
    assert not any(grant.revoked for grant in site.grants), "a refresh token was sent twice"
    assert len(site.grants) == 1


def _refresh_together(hub: Hub, browser: httpx.Client, site: FakeSite) -> int:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: browser.get(f"{hub.url}/hub/home").status_code, range(8)))
    assert set(answers) == {200}
    return site.refreshes


FOREIGN = [("GET", "/hub/api/users"), ("POST", "/hub/api/users/ines/server"), ("GET", "/hub/api/users/peer")]


@pytest.mark.parametrize(("method", "path"), FOREIGN)
def test_an_intern_cannot_start_servers_or_see_others(hub: Hub, site: FakeSite, method: str, path: str) -> None:
    hub.api("POST", "/users/peer")
    with hub.browser() as browser:
        browser.get(f"{hub.url}/hub/home")
        xsrf = browser.cookies.get("_xsrf", path="/hub/")
        answer = browser.request(method, f"{hub.url}{path}", headers={"X-XSRFToken": xsrf or ""})
    assert answer.status_code in (403, 404)
    assert site.claims == 0


def test_a_foreign_form_post_spawns_nothing(hub: Hub, site: FakeSite, lease: Lease) -> None:
    site.leases["ines"] = lease("ines")
    headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    with hub.browser() as browser:
        browser.get(f"{hub.url}/hub/home")
        assert browser.post(f"{hub.url}/hub/spawn", headers=headers, data={"image": "evil"}).status_code in (403, 404)
    assert (site.claims, processes()) == (0, [])


def test_the_sites_token_opens_no_more_than_it_needs(hub: Hub) -> None:
    scopes = hub.api("GET", "/user").json()["scopes"]
    assert "admin:users" in scopes
    assert "servers" in scopes
    # Nobody can share what they may not access; that it opens no notebook all the same: tests/hub/test_help.py.
    assert {"shares", "access:servers"} <= set(scopes)
    assert not {"admin:servers", "admin-ui", "shutdown", "proxy", "tokens", "admin:groups"} & set(scopes)
    assert hub.api("POST", "/shutdown").status_code == 403
    assert hub.api("GET", "/proxy").status_code == 403
