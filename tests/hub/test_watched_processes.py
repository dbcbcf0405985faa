"""Every real process as on a server, in production with lines as JSON: what it says of its health and to Prometheus; and
secrets are planted in requests to each and looked for in what they write (SECURITY.md B8 and J3).
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest

from tests.bench.load_fill import PASSWORD
from tests.bench.load_people import Browser, Crowd
from tests.bench.load_system import HUB_HOST, SITE_HOST, System, running
from tests.tools.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.postgres]

MARK = "Pl4nt3d"
PEOPLE = f"""
from practicum.accounts.models import User
User.objects.create_user(
    username="ines", email="ines@example.org", password="{PASSWORD}", name="Ines", role="intern"
)
"""
# The last try of a webhook that leads nowhere it may lead: its failure is a line of the worker's log.
WEBHOOK = """
from django.db import transaction
from django.utils import timezone
from practicum.accounts import notices, sending
from practicum.accounts.models import Delivery, NoticeSettings, User
ines = User.objects.get(username="ines")
with transaction.atomic():
    NoticeSettings.objects.update_or_create(user=ines, defaults={"webhook_url": "https://127.0.0.1:9/{secret}"})
    notices.send_test(ines, now=timezone.now())
    Delivery.objects.filter(channel="webhook").update(tries=len(sending.BACKOFF))
"""


@dataclass
class Planted:
    """What each process wrote, and the secrets that the system really used."""

    logs: dict[str, str]
    own: list[str]


@dataclass
class Planting:
    """The system, and how many secrets were planted in it."""

    system: System
    count: int = 0

    def secret(self) -> str:
        """A new one; all hold the mark."""
        self.count += 1
        return f"{MARK}{self.count:03d}" + "x9Kq" * 8

    def ask(self, base: str, method: str, path: str, **sent: Any) -> httpx.Response:
        """One request, from inside unless it says otherwise."""
        host = HUB_HOST if base == self.system.hub else SITE_HOST
        headers = {"Host": host, "X-Forwarded-Proto": "https", **sent.pop("headers", {})}
        return httpx.request(method, base + path, headers=headers, timeout=30, **sent)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Everything, with one intern in it."""
    with running(interns=0, slots=1) as system:
        shell(system, PEOPLE)
        yield system


@dataclass
class Watched:
    """What processes said of themselves: the answers to probes by process, and the metrics of site and hub."""

    probes: dict[str, subprocess.CompletedProcess[str]]
    ready: dict[str, str]
    site: str
    hub: str


@pytest.fixture(scope="module")
def watched(system: System) -> Watched:
    """All is well: asked as compose and Prometheus ask."""
    _, hub, hub_api, _ = system.ports
    life = system.folder / "agent.alive"
    targets = {
        "web": f"{system.site}/health/ready/",
        "worker": str(system.folder / "worker.heartbeat"),
        "hub": f"http://127.0.0.1:{hub_api}/hub/health",
        "proxy": f"http://127.0.0.1:{hub}/_chp_healthz",
        "agent": str(life),
    }
    wait_for(lambda: (system.folder / "worker.heartbeat").exists() and life.exists(), seconds=60, what="signs of life")
    token = {"Authorization": f"Bearer {system.environment['PRACTICUM_METRICS_TOKEN']}"}

    def told(address: str) -> str:
        host = HUB_HOST if address.startswith(system.hub) else SITE_HOST
        return httpx.get(address, headers={"Host": host, **token}, timeout=30).raise_for_status().text

    wait_for(lambda: "practicum_agent_sent{" in told(f"{system.site}/metrics"), seconds=60, what="the agent's figures")
    return Watched(
        {name: probe(system, target) for name, target in targets.items()},
        httpx.get(targets["web"], timeout=30).json(),
        told(f"{system.site}/metrics"),
        told(f"{system.hub}/hub/metrics"),
    )


def probe(system: System, target: str) -> subprocess.CompletedProcess[str]:
    """What a container asks of itself."""
    command = [system.python, "-m", "practicum.config.probe", target]
    return subprocess.run(command, env=system.environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def planted(system: System, watched: Watched) -> Planted:
    """What each process wrote after all was planted."""
    assert watched.site
    planting = Planting(system)
    with ThreadPoolExecutor(1) as thread:  # another test's browser may keep a loop in this one
        browser = thread.submit(asyncio.run, signed_in(system)).result()
    at_the_site(planting)
    at_the_hub(planting)
    at_agent_and_worker(planting)
    while_things_fail(planting)
    assert planting.count > 40
    return Planted(logs_of(system), own_secrets(system, browser))


def shell(system: System, code: str) -> None:
    """Run lines of Python with the site's settings."""
    system.run([system.python, system.manage, "shell", "--no-imports", "-c", code])


def logs_of(system: System) -> dict[str, str]:
    """What each process wrote."""
    return {file.stem: file.read_text() for file in sorted(system.folder.glob("*.log"))}


def lines_of(text: str) -> list[dict[str, Any]]:
    """The lines that are objects."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def at_the_site(planting: Planting) -> None:
    """In each place where a request to the site can hold one."""
    site, secret = planting.system.site, planting.secret
    for path in ("/join/{}/", "/unsubscribe/{}/", "/reservations/feed/{}.ics", "/nowhere/{}", "/sign-in/?next=/x?t={}"):
        planting.ask(site, "GET", path.format(secret()))
    for path in ("/metrics", "/api/workspace/status", "/o/userinfo/"):
        planting.ask(site, "GET", path, headers={"Authorization": f"Bearer {secret()}"})
    for path in ("/api/hub/sessions/claim", "/api/agent/report", "/api/workspace/activity"):
        planting.ask(site, "POST", path, json={"username": secret()}, headers={"Authorization": f"Bearer {secret()}"})
    cookies = f"__Host-practicum-session={secret()}; __Host-practicum-csrf={secret()}"
    planting.ask(site, "GET", "/", headers={"Cookie": cookies})
    planting.ask(site, "POST", "/sign-in/", data={"account": "ines", "password": secret()}, headers={"Cookie": cookies})
    basic = base64.b64encode(f"practicum-hub:{secret()}".encode()).decode()
    grant = {"grant_type": "authorization_code", "code": secret(), "code_verifier": secret(), "client_secret": secret()}
    planting.ask(site, "POST", "/o/token/", data=grant, headers={"Authorization": f"Basic {basic}"})
    planting.ask(site, "POST", "/o/token/", data={"grant_type": "refresh_token", "refresh_token": secret()})
    planting.ask(site, "GET", f"/o/authorize/?{urlencode({'client_id': 'practicum-hub', 'state': secret()})}")
    raw(planting.system.ports[0], f"GET /{secret()} {secret()} HTTP/1.1\r\nCookie: a={secret()}\r\n\r\n")
    raw(planting.system.ports[0], f"GET / HTTP/1.1\r\nHost: {SITE_HOST}\r\n{secret()}\r\n\r\n")


def at_the_hub(planting: Planting) -> None:
    """The same for the hub, through its proxy."""
    hub, secret = planting.system.hub, planting.secret
    for path in (
        "/hub/oauth_callback?code={}&state=x", "/hub/oauth_callback?code=x&state={}", "/hub/login?next=/x%3Ftoken={}",
        "/hub/home?token={}", "/user/ines/lab?token={}", "/hub/api/users?access_token={}", "/hub/api/authorizations/token/{}",
        "/hub/accept-share?code={}", "/hub/nowhere?password={}",
    ):  # fmt: skip
        planting.ask(hub, "GET", path.format(secret()))
    planting.ask(hub, "GET", "/hub/api/users", headers={"Authorization": f"token {secret()}"})
    planting.ask(hub, "GET", "/hub/metrics", headers={"Authorization": f"Bearer {secret()}"})
    planting.ask(hub, "GET", "/hub/home", headers={"Cookie": f"jupyterhub-session-id={secret()}; _xsrf={secret()}"})
    planting.ask(hub, "POST", "/hub/api/users/ines/server", json={"password": secret()})
    raw(planting.system.ports[1], f"GET /{secret()} {secret()} HTTP/1.1\r\nCookie: a={secret()}\r\n\r\n")


def at_agent_and_worker(planting: Planting) -> None:
    """An agent whose token opens nothing, and a webhook that nobody answers at."""
    system = planting.system
    env = system.environment | {"PRACTICUM_AGENT_TOKEN": planting.secret(), "PRACTICUM_AGENT_TOKEN_FILE": ""}
    with (system.folder / "agent.log").open("ab") as log:
        command = [system.python, "-m", "practicum_hub.agent", "--once", "--cpu-slots", "1"]
        assert subprocess.run(command, env=env, cwd=system.folder, stderr=log, check=False).returncode == 1
    shell(system, WEBHOOK.replace("{secret}", planting.secret()))
    wait_for(lambda: "given up" in logs_of(system)["worker"], seconds=30, what="the webhook is given up")


def while_things_fail(planting: Planting) -> None:
    """Tracebacks of site and hub, and the proxy's words about a hub that is gone."""
    site, hub, secret = planting.system.site, planting.system.hub, planting.secret
    with psycopg.connect(planting.system.database, autocommit=True) as connection:
        connection.execute("ALTER TABLE django_session RENAME TO kept_session")
        try:
            cookies = {"Cookie": f"__Host-practicum-session={secret()}"}
            failed = planting.ask(site, "GET", f"/notices/?token={secret()}", headers=cookies)
            assert failed.status_code == 500
        finally:
            connection.execute("ALTER TABLE kept_session RENAME TO django_session")
    process = planting.system.processes["hub"]
    process.kill()
    process.wait()
    for path in ("/hub/oauth_callback?code={}", "/user/ines/lab?token={}"):
        assert planting.ask(hub, "GET", path.format(secret())).status_code == 503


def raw(port: int, request: str) -> None:
    """What no client would send."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode())
        connection.recv(4096)


async def signed_in(system: System) -> Browser:
    """Ines signs in at the site and, through it, at the hub: with real cookies, codes and tokens."""
    crowd = Crowd(system)
    browser = Browser(1, "ines", crowd=crowd)
    try:
        assert await browser.sign_in(), crowd.record.errors
        assert await browser.sign_in_to_hub(), crowd.record.errors
    finally:
        await crowd.close()
    return browser


@pytest.mark.slow
def test_no_planted_secret_and_none_of_the_systems_own_is_in_any_log(planted: Planted) -> None:
    assert set(planted.logs) == {"web", "worker", "hub", "proxy", "agent"}
    for name, text in planted.logs.items():
        assert MARK not in text, f"{name}: {next(line for line in text.splitlines() if MARK in line)}"
        for own in planted.own:
            assert own not in text, f"{name} wrote a secret of the system's own"


def own_secrets(system: System, browser: Browser) -> list[str]:
    """Tokens, keys and cookies that were really used."""
    named = [value for name, value in system.environment.items() if re.search(r"_(KEY|TOKEN|SECRET)$", name)]
    token = (system.folder / "agent/token").read_text().strip()
    cookies = [v.strip('"') for jar in browser.cookies.values() for v in jar.values() if len(v) > 20]
    assert len(named) >= 7
    assert len(cookies) >= 3
    return [*named, token, *cookies, PASSWORD]


def test_every_process_writes_objects_with_the_same_fields_and_nothing_else(planted: Planted) -> None:
    for name, text in planted.logs.items():
        assert lines_of(text), name
        for line in lines_of(text):
            assert {"at", "level", "logger", "message"} <= set(line), (name, line)
    # Django's checks speak before there is a log; PostgreSQL and JupyterHub's set-up are not ours to format.
    for name in ("web", "proxy", "agent"):
        assert [line for line in planted.logs[name].splitlines() if not line.startswith("{")] == [], name


def test_lines_say_whose_they_are(planted: Planted) -> None:
    logs = {name: lines_of(text) for name, text in planted.logs.items()}
    (failed,) = [line for line in logs["web"] if line.get("status") == 500]
    errors = [line for line in logs["web"] if line.get("request") == failed["request"] and "exception" in line]
    assert errors
    assert all("UndefinedTable" in error["exception"] for error in errors)
    assert any(line.get("user") == "ines" and line.get("route") == "/hub/home" for line in logs["hub"])
    assert any(line.get("user") == "ines" and line["logger"] == "proxy" for line in logs["proxy"])
    assert any("given up" in line["message"] for line in logs["worker"])
    assert any("does not take this token" in line["message"] for line in logs["agent"])


def test_every_process_says_that_it_is_well(watched: Watched) -> None:
    for name, done in watched.probes.items():
        assert done.returncode == 0, f"{name}: {done.stderr}"
    assert watched.ready == {"status": "ok", "database": "ok", "migrations": "ok", "worker": "ok", "hub": "ok"}


def test_a_process_that_is_gone_is_not_well(system: System, planted: Planted) -> None:
    assert planted.logs, "the hub was killed meanwhile"
    done = probe(system, f"http://127.0.0.1:{system.ports[2]}/hub/health")
    assert (done.returncode, done.stderr) == (1, "it does not answer (URLError)\n")


def test_site_and_hub_tell_what_each_process_counted(watched: Watched) -> None:
    for name in (
        'practicum_request_seconds_count{route="/health/"', 'practicum_task_seconds_count{task="sessions",worker=',
        'practicum_task_failures_total{task="mail",worker=', 'practicum_agent_sent{server="load-1"}',
        'practicum_agent_uptime_seconds{server="load-1"}', 'practicum_deliveries_total{channel="mail",outcome="failed",worker=',
    ):  # fmt: skip
        assert name in watched.site, name
    assert watched.site.count("# TYPE practicum_task_seconds histogram") == 1
    for name in ("jupyterhub_running_servers 0.0", "jupyterhub_request_duration_seconds_count{"):
        assert name in watched.hub, name
