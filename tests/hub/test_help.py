"""A mentor in an intern's notebook: a real hub with its shares, and the notebook server that interns have, with its door.

Each thing that must be impossible is done once where it is allowed, by the same browser with the same cookies, so that a
refusal is the door's and not a fault of the attempt.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.hub.conftest import IMPATIENT
from tests.hub.fake_site import FakeSite
from tests.hub.harness import API_TOKEN, ROOT, Hub, running
from tests.tools.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.workspace]

INSTALLER = ROOT / "hub/practicum_hub/workspace/install.py"
TOKENS = {"ines": "i" * 40, "peer": "p" * 40}
SHUT_WITHIN = 5.0
CONFIRM = re.compile(r'name="(_xsrf|scopes)" value="([^"]+)"')
NOTEBOOK: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@dataclass
class Place:
    """The hub, the site, and who looks at them; browsers are shut at the end."""

    hub: Hub
    site: FakeSite
    browsers: list[httpx.Client] = field(default_factory=list)
    request: str = ""

    def begin(self) -> None:
        """What the site says from now on is of another request for help."""
        self.request = f"http://127.0.0.1:{self.site.port}/review/help/{uuid.uuid4()}/"

    def say(self, state: str, *, seconds: float = 600) -> None:
        """What the site says of help in the notebook of ines from now on."""
        until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        told = {"state": state, "helper": "mira", "helper_name": "Mira", "topic": "Why?", "until": until, "url": ""}
        told["helper_url"] = self.request
        with self.site.lock:
            self.site.help.pop(TOKENS["ines"], None)
            if state != "none":
                self.site.help[TOKENS["ines"]] = told

    def share(self, guest: str) -> None:
        """The hub lets somebody into the notebook of ines."""
        self.hub.api("POST", f"/users/{guest}")
        assert self.hub.api("POST", "/shares/ines/", json={"user": guest}).status_code == 200

    def enter(self, who: str, *, whose: str = "ines") -> tuple[httpx.Client, int]:
        """A browser that signed in and went to a notebook, confirming what the hub asks; and the status it ended with."""
        self.site.browser_user = who
        browser = self.hub.browser()
        self.browsers.append(browser)
        page = browser.get(f"{self.hub.url}/user/{whose}/lab")
        if page.status_code == 200 and page.url.path == "/hub/api/oauth2/authorize":
            fields: dict[str, list[str]] = {}
            for name, value in CONFIRM.findall(page.text):
                fields.setdefault(name, []).append(value)
            page = browser.post(page.url, data=fields, headers={"Referer": str(page.url)})
        return browser, page.status_code

    def let_in(self) -> httpx.Client:
        """The mentor's browser, in the notebook of ines with hands."""
        self.say("hands")
        self.share("mira")
        browser, _ = self.enter("mira")
        self.wait_until(browser, 200, what=lambda: self.hub.log("hub")[-3000:])
        return browser

    def ask(self, browser: httpx.Client, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """A request as JupyterLab's page makes it."""
        xsrf = browser.cookies.get("_xsrf", path="/user/ines/") or ""
        headers = {"X-XSRFToken": xsrf, "Referer": f"{self.hub.url}/user/ines/lab"}
        return browser.request(
            method, f"{self.hub.url}/user/ines{path}", headers=headers, follow_redirects=False, **kwargs
        )

    def wait_until(self, browser: httpx.Client, status: int, *, what: Any, seconds: float = 20) -> None:
        """The notebook of ines answers this browser so."""
        enter = f"{self.hub.url}/user/ines/lab"

        def answers() -> bool:
            if status == 200:
                browser.get(enter)
            return self.ask(browser, "GET", "/api/contents").status_code == status

        wait_for(answers, seconds=seconds, what=what, every=0.2)


@pytest.fixture(scope="module")
def real_hub(tmp_path_factory: pytest.TempPathFactory, lasting_site: FakeSite) -> Iterator[Hub]:
    """A hub where the notebooks of two interns run, those that interns have."""
    python = os.environ.get("PRACTICUM_WORKSPACE_PYTHON", "")
    if not python:
        pytest.fail("PRACTICUM_WORKSPACE_PYTHON must name the Python of an environment with JupyterLab 4.")
    subprocess.run([python, str(INSTALLER)], check=True, capture_output=True)
    engine = {"PRACTICUM_ENGINE": "local", "PRACTICUM_WORKSPACE_PYTHON": python}
    top = tmp_path_factory.mktemp("hub")
    project = top / "project"
    project.mkdir()
    (project / "start.ipynb").write_text(json.dumps(NOTEBOOK))
    lasting_site.forget()
    with running(Hub(top, lasting_site.port, engine, options=IMPATIENT)) as hub:
        for name, token in TOKENS.items():
            lasting_site.leases[name] = lease_of(name, token=token, project=project, port=lasting_site.port)
            hub.launch(name)
        yield hub
        hub.forget(*TOKENS)


def lease_of(name: str, *, token: str, project: Path, port: int) -> dict[str, Any]:
    """The answer to a claim."""
    url = f"http://127.0.0.1:{port}"
    return {
        "session": f"session-of-{name}",
        "lease": {"id": "l-1", "token": 7, "until": "2026-03-02T12:00:00Z"},
        "slot": {"kind": "cpu", "uuid": None, "label": "CPU 1"},
        "image": "unused",
        "volume": f"hubtest-home-{name}",
        "mounts": [{"source": str(project), "target": "/data", "read_only": True}],
        "environment": {
            "PRACTICUM_PROJECT": "digits",
            "PRACTICUM_TOKEN": token,
            "PRACTICUM_API_URL": url,
            "PRACTICUM_SITE_URL": url,
            "PRACTICUM_ACTIVITY_SECONDS": "0.5",
        },
        "limits": {"cpus": 1.5, "memory_bytes": 1 << 30, "pids": 256, "shm_bytes": 1 << 26},
        "labels": {"org.practicum.kind": "session"},
        "project_dir": str(project),
    }


@pytest.fixture
def place(real_hub: Hub, site: FakeSite) -> Iterator[Place]:
    """Nobody helps, and nothing is shared."""
    place = Place(real_hub, site)
    place.begin()
    yield place
    real_hub.api("DELETE", "/shares/ines/")
    for browser in place.browsers:
        browser.close()


async def connect(place: Place, browser: httpx.Client, path: str) -> WebSocketClientConnection:
    """A socket with the browser's cookies."""
    url = f"{place.hub.url}/user/ines{path}"
    cookie = browser.build_request("GET", url).headers.get("cookie", "")
    return await websocket_connect(HTTPRequest(url.replace("http", "ws", 1), headers={"Cookie": cookie}))


def do_all(place: Place, browser: httpx.Client, *, name: str) -> dict[str, int]:
    """Everything that reads, writes, executes or deletes, as one list: what was tried, and its status."""
    notebook = {"type": "notebook", "format": "json", "content": NOTEBOOK}
    file = {"type": "file", "format": "text", "content": "x"}
    session = {"path": "digits/start.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    settings = {"raw": "{}"}
    tried = [
        ("list files", "GET", "/api/contents/digits", None),
        ("read a file", "GET", "/api/contents/digits/start.ipynb", None),
        ("download a file", "GET", "/files/digits/start.ipynb", None),
        ("export a notebook", "GET", "/nbconvert/script/digits/start.ipynb", None),
        ("list kernels", "GET", "/api/kernels", None),
        ("list terminals", "GET", "/api/terminals", None),
        ("read the page", "GET", "/lab", None),
        ("read settings", "GET", "/lab/api/settings", None),
        ("read the panel", "GET", "/practicum/status", None),
        ("make a file", "PUT", f"/api/contents/digits/{name}.txt", file),
        ("change a notebook", "PUT", f"/api/contents/digits/{name}.ipynb", notebook),
        ("move a file", "PATCH", f"/api/contents/digits/{name}.txt", {"path": f"digits/{name}-2.txt"}),
        ("delete a file", "DELETE", f"/api/contents/digits/{name}-2.txt", None),
        ("start a kernel", "POST", "/api/kernels", {"name": "python3"}),
        ("start a session", "POST", "/api/sessions", session),
        ("open a terminal", "POST", "/api/terminals", {}),
        ("change a setting", "PUT", "/lab/api/settings/@jupyterlab/apputils-extension:themes", settings),
        ("hand in", "POST", "/practicum/submit", {}),
        ("move to a GPU", "POST", "/practicum/move", {}),
        ("end the help as the intern", "POST", "/practicum/help/end", {}),
    ]
    return {what: place.ask(browser, method, path, json=body).status_code for what, method, path, body in tried}


OWNERS = {"hand in", "move to a GPU", "end the help as the intern"}


def test_a_mentor_who_reads_has_nothing_of_the_server(place: Place) -> None:
    place.say("reading")
    browser, status = place.enter("mira")

    assert status == 403
    assert set(do_all(place, browser, name="reader").values()) <= {302, 403}
    for _ in range(2):
        wait_for(lambda: place.site.shown, seconds=60, what="the notebook is shown on the site")
        assert set(place.site.shown) == {"digits/start.ipynb"}
        # Before the notebook's server has asked again this help is over, and there is another, whose mentor has seen nothing.
        place.site.shown.clear()
        place.begin()
        place.say("reading")


def test_the_door_stands_between_a_reader_and_the_server_even_where_the_hub_shares_it(place: Place) -> None:
    browser = place.let_in()
    allowed = do_all(place, browser, name="hands")
    assert {what: status for what, status in allowed.items() if status >= 300} == dict.fromkeys(OWNERS, 403)
    home = place.hub.folder / "workspaces/ines/digits"
    assert (home / "hands.ipynb").is_file()

    for state in ("reading", "hands_asked", "asked", "none"):
        place.say(state)
        place.wait_until(browser, 403, seconds=SHUT_WITHIN, what=state)
        after = do_all(place, browser, name="reader")
        assert set(after.values()) <= {302, 403}, (state, after)
        assert {status for what, status in after.items() if what != "read the page"} == {403}, (state, after)
        assert not list(home.glob("reader*"))


def test_no_socket_opens_to_a_reader_and_those_that_are_open_die_when_it_ends(place: Place) -> None:
    # In a thread of its own: in this one Chromium's event loop may be alive, from the tests of JupyterLab's page.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, open_and_lose_sockets(place)).result()


async def open_and_lose_sockets(place: Place) -> None:
    """The sockets of a mentor with hands work, die when the help ends, and open to no reader; the intern's own goes on."""
    browser = place.let_in()
    kernel = place.ask(browser, "POST", "/api/kernels", json={"name": "python3"}).json()["id"]
    terminal = place.ask(browser, "POST", "/api/terminals", json={}).json()["name"]
    paths = [f"/api/kernels/{kernel}/channels", f"/terminals/websocket/{terminal}", "/api/events/subscribe"]
    sockets = [await connect(place, browser, path) for path in paths]
    await sockets[0].write_message(json.dumps(execute("print(6 * 7)")))
    assert "42" in await said_by(sockets[0], "stream")
    owner, status = place.enter("ines")
    assert status == 200
    own = await connect(place, owner, paths[0])

    place.say("none")
    began = time.monotonic()
    for socket in sockets:
        while await socket.read_message() is not None:
            pass
        socket.close()
    assert time.monotonic() - began < SHUT_WITHIN

    for state in ("none", "reading"):
        place.say(state)
        for path in paths:
            with pytest.raises(HTTPClientError) as refusal:
                await connect(place, browser, path)
            assert refusal.value.code == 403
    await own.write_message(json.dumps(execute("print(6 * 8)")))
    assert "48" in await said_by(own, "stream"), "the intern's own goes on"
    own.close()


def test_hands_in_one_notebook_are_none_in_anothers(place: Place) -> None:
    place.let_in()
    browser, status = place.enter("mira", whose="peer")
    assert status == 403
    assert browser.get(f"{place.hub.url}/user/peer/api/contents").status_code == 403
    assert place.enter("peer", whose="ines")[1] == 403
    assert place.enter("otto")[1] == 403
    place.share("otto")
    assert place.enter("otto")[1] == 403, "whom the hub lets in and the intern did not"


def test_once_the_share_is_taken_back_the_hub_refuses_too(place: Place) -> None:
    browser = place.let_in()
    assert place.hub.api("DELETE", "/shares/ines/").status_code == 204
    assert place.enter("mira")[1] == 403
    place.say("none")
    place.wait_until(browser, 403, seconds=SHUT_WITHIN, what="out")


def test_the_time_and_a_silent_site_end_it_without_anybodys_word(place: Place) -> None:
    browser = place.let_in()
    place.say("hands", seconds=4)
    place.wait_until(browser, 403, seconds=10, what="its time is up")
    place.say("hands")
    place.wait_until(browser, 200, what="in again")
    place.site.away = True
    place.wait_until(browser, 403, seconds=20, what="the site is silent")


def test_neither_the_sites_token_nor_an_intern_can_open_the_door(place: Place) -> None:
    """The site's token may access servers, or it could not share them."""
    headers = {"Authorization": f"token {API_TOKEN}"}
    for path in ("/api/contents", "/api/kernels", "/lab"):
        assert httpx.get(f"{place.hub.url}/user/ines{path}", headers=headers).status_code == 403
    browser, status = place.enter("peer", whose="peer")
    assert status == 200
    browser.get(f"{place.hub.url}/hub/home")
    xsrf = {"X-XSRFToken": browser.cookies.get("_xsrf", path="/hub/") or ""}
    answer = browser.post(f"{place.hub.url}/hub/api/shares/peer/", json={"user": "mira"}, headers=xsrf)
    assert answer.status_code in (403, 404)
    assert place.hub.api("GET", "/shares/peer/").json()["items"] == []


def execute(code: str) -> dict[str, Any]:
    """A kernel's order to run code."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    header |= {"date": datetime.now(UTC).isoformat(), "version": "5.3"}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }


async def said_by(socket: WebSocketClientConnection, kind: str) -> str:
    """The next message of a kind, whole."""
    while (message := await socket.read_message()) is not None:
        if isinstance(message, str) and json.loads(message)["header"]["msg_type"] == kind:
            return message
    raise AssertionError("the socket was shut")
