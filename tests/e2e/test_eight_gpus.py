"""Sixty interns of three cohorts come at once to eight GPUs: each container sees exactly the GPU of its lease.

Real hub, real engine, real device requests; the GPUs are known by name only, from an agent's report. The engine is the tests'
own, with ``tests/tools`` on its PATH, whose stand-in for NVIDIA's hook lets a device request pass.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PASSWORD, ROOT, RunningDemo, free_demo_port, rows, start_demo
from tests.e2e.eight_gpus_agent import GPUS
from tests.e2e.own_engine import OwnEngine
from tests.e2e.test_deaths import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

INTERNS = 60
GUARANTEES = {"north": 4, "south": 3, "west": 1}
PEOPLE = """
from datetime import date, timedelta
from practicum.accounts.models import User
from practicum.catalog.models import ProjectVersion
from practicum.gpus.models import Pool, Quota
from practicum.internships.models import Cohort
from practicum.internships.services import start_internship
from practicum.lib.clock import utc_now
version = ProjectVersion.objects.get(project__slug="digits")
mentor, admin, pool = User.objects.get(username="mira"), User.objects.get(username="ada"), Pool.objects.get(kind="gpu")
names = {guarantees!r}
for name, guaranteed in names.items():
    today = date.today()
    ends, idle = today + timedelta(days=50), 45
    cohort = Cohort.objects.create(slug=name, name=name.title(), starts_on=today, ends_on=ends, idle_minutes=idle)
    Quota.objects.create(cohort=cohort, pool=pool, guaranteed=guaranteed, weight=guaranteed)
for n in range({interns}):
    cohort = Cohort.objects.get(slug=list(names)[n % len(names)])
    person = User(username=f"guest-{{n}}", email=f"guest-{{n}}@example.org", name=f"Guest {{n}}", role="intern")
    person.set_unusable_password()
    person.save()
    start_internship(person, mentor=mentor, cohort=cohort, version=version, actor=admin, now=utc_now())
"""
ASK = """
from practicum.accounts.models import User
from practicum.lib.clock import utc_now
from practicum.workspaces.services import open_notebook
for person in User.objects.filter(username__startswith="guest-").order_by("?"):
    open_notebook(person, now=utc_now())
"""
SET_STATE = """
from practicum.accounts.models import User
from practicum.gpus.inventory import set_server_state
from practicum.lib.clock import utc_now
set_server_state("gpu-server-1", state={state!r}, actor=User.objects.get(username="ada"), now=utc_now())
"""
STOP = """
from practicum.accounts.models import User
from practicum.lib.clock import utc_now
from practicum.workspaces.services import stop_notebook
stop_notebook(User.objects.get(username={username!r}), now=utc_now())
"""
TAKE = """
from contextlib import suppress
from practicum.accounts.models import User
from practicum.errors import Conflict
from practicum.lib.clock import utc_now
from practicum.workspaces.services import take_turn
for person in User.objects.filter(username__startswith="guest-", leases__state="granted"):
    with suppress(Conflict):
        take_turn(person, now=utc_now())
"""
LIVE = (
    "SELECT l.id, s.uuid, u.username, c.slug FROM gpus_lease l JOIN gpus_slot s ON s.id = l.slot_id "
    "JOIN accounts_user u ON u.id = l.user_id JOIN internships_cohort c ON c.id = l.cohort_id "
    "WHERE l.state = 'active' AND s.kind = 'gpu' AND u.username LIKE 'guest-%'"
)

UNSETTLED = (
    "SELECT l.id, l.slot_id, l.state, l.reason, s.state, s.attempts, s.reason FROM gpus_lease l "
    "LEFT JOIN workspaces_session s ON s.lease_id = l.id WHERE l.state IN ('granted', 'active', 'draining')"
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, own_engine: OwnEngine) -> Iterator[RunningDemo]:
    """A demo without CPU slots of its own, so that only the GPUs are there."""
    port, folder = free_demo_port(), tmp_path_factory.mktemp("eight")
    options = ("--cpu-slots", "0", "--work", "none")
    running = start_demo(folder, port=port, options=options, docker_host=own_engine.host)
    yield running
    running.stop()
    print(running.output)


def shell(demo: RunningDemo, code: str) -> None:
    """Run code beside the system, as an operator would in its shell."""
    command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", code]
    subprocess.run(command, cwd=ROOT, env=demo.environment_of("worker"), check=True)


@pytest.fixture(scope="module")
def token(demo: RunningDemo, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the agent of the server with eight GPUs shows to the site."""
    file = tmp_path_factory.mktemp("token") / "token"
    command = [sys.executable, "manage.py", "agent_token", "gpu-server-1", "--file", str(file)]
    subprocess.run(command, cwd=ROOT, env=demo.environment_of("worker"), check=True)
    return file.read_text()


@pytest.fixture(scope="module")
def report(demo: RunningDemo, token: str) -> Callable[[], None]:
    """Says once, as the agent of a server with eight GPUs would: here they are."""
    gpus = [
        {
            "uuid": uuid,
            "index": index,
            "model": "NVIDIA H100 80GB HBM3",
            "memory_bytes": 80 << 30,
            "memory_used_bytes": 0,
            "utilization_percent": 0,
            "fault": "",
            "instances": None,
        }
        for index, uuid in enumerate(GPUS)
    ]

    def say() -> None:
        body: dict[str, Any] = {"boot": "0123456789abcdef", "gpus": gpus, "cpu_slots": 0, "versions": {}, "samples": []}
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{demo.site}/api/agent/report", json=body, headers=headers, timeout=20)
        assert answer.status_code == 204, answer.text

    return say


@pytest.fixture(scope="module")
def crowd(demo: RunningDemo, report: Callable[[], None]) -> None:
    """Sixty people in three cohorts with guarantees, who all stand in line before the first slot is given."""
    report()
    shell(demo, SET_STATE.format(state="draining"))
    shell(demo, PEOPLE.format(guarantees=GUARANTEES, interns=INTERNS))
    shell(demo, ASK)
    shell(demo, SET_STATE.format(state="online"))
    shell(demo, TAKE)


def containers(demo: RunningDemo) -> dict[str, str]:
    """What the engine itself says: lease by lease, the GPUs its container was given."""
    ids = demo.containers(show="{{.ID}}")
    engine = demo.environment_of("worker")["DOCKER_HOST"]
    raw = subprocess.run(["docker", "-H", engine, "inspect", *ids], capture_output=True, text=True, check=False).stdout
    return {
        one["Config"]["Labels"]["org.practicum.lease"]: ",".join(
            uuid for request in one["HostConfig"]["DeviceRequests"] or [] for uuid in request["DeviceIDs"]
        )
        for one in json.loads(raw or "[]")
        if one["Config"]["Labels"].get("org.practicum.kind") == "session"
    }


def visible_in(demo: RunningDemo, lease_id: str) -> str:
    """What a program in the container of a lease sees."""
    engine = demo.environment_of("worker")["DOCKER_HOST"]
    label = f"label=org.practicum.lease={UUID(lease_id)}"
    listed = ["docker", "-H", engine, "ps", "--filter", label, "--format", "{{.ID}}"]
    (container,) = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    command = ["docker", "-H", engine, "exec", container, "printenv", "NVIDIA_VISIBLE_DEVICES"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def hex_of(lease_id: str) -> str:
    """SQLite keeps a UUID without its hyphens."""
    return lease_id.replace("-", "")


def agrees(demo: RunningDemo) -> bool:
    """Eight leases on eight GPUs, and the engine's own list says the same."""
    leases = {lease: uuid for lease, uuid, _, _ in rows(demo, LIVE)}
    running = {hex_of(lease): uuid for lease, uuid in containers(demo).items() if uuid}
    return len(leases) == 8 and sorted(leases.values()) == GPUS and running == leases


def test_eight_of_sixty_get_a_gpu_each_and_each_container_sees_its_own_only(demo: RunningDemo, crowd: None) -> None:
    wait_until(lambda: agrees(demo), what="eight notebooks run on eight GPUs", seconds=600)
    for lease, uuid, _, _ in rows(demo, LIVE):
        assert visible_in(demo, lease) == uuid
    waiting = "SELECT count(*) FROM gpus_lease l JOIN accounts_user u ON u.id = l.user_id WHERE l.state = 'queued' "
    assert rows(demo, waiting + "AND u.username LIKE 'guest-%'") == [(INTERNS - 8,)]


def test_each_cohort_holds_what_it_has_guaranteed(demo: RunningDemo, crowd: None) -> None:
    held: dict[str, int] = {}
    for _, _, _, cohort in rows(demo, LIVE):
        held[cohort] = held.get(cohort, 0) + 1
    assert held == GUARANTEES


@pytest.mark.parametrize("name", ["worker", "hub", "web"])
def test_a_slot_given_back_goes_to_the_next_though_a_program_is_killed(
    name: str, demo: RunningDemo, crowd: None, report: Callable[[], None]
) -> None:
    began = datetime.now(tz=UTC)
    before = {lease for lease, *_ in rows(demo, LIVE)}
    _, _, username, cohort = rows(demo, LIVE)[0]
    shell(demo, STOP.format(username=username))
    killed = demo.pid_of(name)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: demo.pid_of(name) != killed, what=f"{name} runs again")
    follower = f"SELECT count(*) FROM gpus_lease WHERE state = 'granted' AND granted_at > '{began:%Y-%m-%d %H:%M:%S}'"
    wait_until(lambda: rows(demo, follower) == [(1,)], what="the slot goes to the next in line")
    shell(demo, TAKE)
    wait_until(lambda: {lease for lease, *_ in rows(demo, LIVE)} != before and agrees(demo), what="the next one works")
    wait_until(lambda: demo.health()["status"] == "ok", what="the site answers")
    report()
    (fresh,) = {lease for lease, *_ in rows(demo, LIVE)} - before
    assert [row[3] for row in rows(demo, LIVE) if row[0] == fresh] == [cohort]


def reported(demo: RunningDemo) -> tuple[str, int]:
    """Which run of the agent the site heard last, and how many of its looks."""
    return rows(demo, "SELECT boot, last_sample FROM gpus_server WHERE name = 'gpu-server-1'")[0]  # type: ignore[return-value]


@contextmanager
def agent(demo: RunningDemo, token: str) -> Iterator[subprocess.Popen[bytes]]:
    """A real agent that has reported, and looks every half second; killed by force at the end if it runs still."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "hub")])
    site = {"PRACTICUM_SITE_URL": demo.site, "PRACTICUM_AGENT_TOKEN": token, "PYTHONPATH": paths}
    command = [sys.executable, "-m", "tests.e2e.eight_gpus_agent", "--cpu-slots", "0", "--interval", "0.5"]
    last, _ = reported(demo)
    process = subprocess.Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"], **site})
    try:
        wait_until(lambda: reported(demo)[0] != last and reported(demo)[1] > 2, what="the agent reports")
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_killed_agent_costs_no_lease_and_a_killed_site_none_of_its_looks(
    demo: RunningDemo, crowd: None, token: str
) -> None:
    before, began = set(rows(demo, LIVE)), datetime.now(tz=UTC)
    with agent(demo, token):
        killed = demo.pid_of("web")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: demo.pid_of("web") != killed, what="web runs again")
        _, seen = reported(demo)
        wait_until(lambda: reported(demo)[1] > seen + 4, what="the agent catches up")
        looks = (
            "SELECT (SELECT last_sample FROM gpus_server WHERE name = 'gpu-server-1'), count(*) FROM gpus_leasesample "
            f"WHERE at > '{began:%Y-%m-%d %H:%M:%S.%f}' GROUP BY lease_id"
        )
        counted = rows(demo, looks)
        assert len(counted) == 8
        assert all(last == count for last, count in counted)
    assert set(rows(demo, LIVE)) == before
    with agent(demo, token):
        assert set(rows(demo, LIVE)) == before
        assert agrees(demo)


def test_an_engine_killed_under_eight_notebooks_loses_no_slot_and_doubles_none(
    demo: RunningDemo, crowd: None, own_engine: OwnEngine, report: Callable[[], None]
) -> None:
    wait_until(lambda: agrees(demo), what="eight notebooks run on eight GPUs")
    before = {lease for lease, *_ in rows(demo, LIVE)}
    own_engine.kill()
    time.sleep(2)
    assert {lease for lease, *_ in rows(demo, LIVE)} == before  # nobody has seen their containers gone
    own_engine.start()
    report()

    def are_others() -> bool:
        if rows(demo, "SELECT count(*) FROM gpus_lease WHERE state = 'granted'") != [(0,)]:
            shell(demo, TAKE)
        return not before & {lease for lease, *_ in rows(demo, LIVE)} and agrees(demo)

    # An engine that starts again ends the containers it finds: their slots go to the next eight in line.
    wait_until(are_others, what=lambda: f"eight others work: {rows(demo, UNSETTLED)}, {containers(demo)}", seconds=300)
    for lease, uuid, _, _ in rows(demo, LIVE):
        assert visible_in(demo, lease) == uuid
    ended = "SELECT count(*) FROM gpus_lease WHERE state = 'released' AND reason != '' AND id IN "
    assert rows(demo, f"{ended} ({', '.join(repr(lease) for lease in before)})") == [(8,)]


def test_no_gpu_was_ever_held_twice(demo: RunningDemo, crowd: None) -> None:
    spans = rows(
        demo,
        "SELECT s.uuid, l.granted_at, coalesce(l.closed_at, '9999') FROM gpus_lease l JOIN gpus_slot s ON s.id = l.slot_id "
        "WHERE s.kind = 'gpu' ORDER BY s.uuid, l.granted_at",
    )
    for (gpu, _, end), (later_gpu, begin, _) in pairwise(spans):
        assert gpu != later_gpu or end <= begin


# --- A CPU slot meanwhile --------------------------------------------------------------------------------------------

NEXT = """
from practicum.gpus.models import Lease
from practicum.gpus.policy import decide
from practicum.gpus.selectors import snapshot
from practicum.lib.clock import utc_now
now = utc_now()
lease = Lease.objects.select_related("user", "cohort").get(pk=decide(snapshot(now=now), now).line[0].request)
lease.user.set_password({password!r})
lease.user.save()
print(lease.user.username, lease.cohort.slug)
"""
KEPT = "/home/jovyan/kept.txt"


def said_by(demo: RunningDemo, *words: str) -> str:
    """What one of the operator's commands prints."""
    command = [sys.executable, "manage.py", *words]
    env = demo.environment_of("worker")
    return subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout.strip()


def report_cpu_slots(demo: RunningDemo, token: Path, *, count: int) -> None:
    """Say once, as the agent of a server without GPUs would, how many CPU slots it has."""
    said_by(demo, "agent_token", "cpu-server-1", "--file", str(token))
    body = {"boot": "0123456789abcdee", "gpus": [], "cpu_slots": count, "versions": {}, "samples": []}
    headers = {"Authorization": f"Bearer {token.read_text()}"}
    assert httpx.post(f"{demo.site}/api/agent/report", json=body, headers=headers, timeout=20).status_code == 204


def leases_of(demo: RunningDemo, username: str) -> dict[str, tuple[str, str]]:
    """What a person's open leases are for: by purpose, the lease and its state."""
    of = f"JOIN accounts_user u ON u.id = l.user_id WHERE u.username = '{username}'"
    found = rows(demo, f"SELECT l.purpose, l.id, l.state FROM gpus_lease l {of} AND l.closed_at IS NULL")
    return {purpose: (lease, state) for purpose, lease, state in found}


def in_container(demo: RunningDemo, lease_id: str, *words: str) -> str:
    """What a command prints that runs in the container of a lease."""
    docker = ["docker", "-H", demo.environment_of("worker")["DOCKER_HOST"]]
    listed = [*docker, "ps", "-q", "--filter", f"label=org.practicum.lease={UUID(lease_id)}"]
    (container,) = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    command = [*docker, "exec", container, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_who_waits_works_on_a_cpu_slot_and_moves_to_the_gpu_when_their_turn_comes(
    demo: RunningDemo, crowd: None, person: Callable[[str], Page], tmp_path: Path
) -> None:
    wait_until(lambda: agrees(demo), what="eight notebooks run on eight GPUs", seconds=120)
    report_cpu_slots(demo, tmp_path / "token", count=2)
    username, cohort = said_by(demo, "shell", "-v", "0", "-c", NEXT.format(password=PASSWORD)).split()

    page = person(username)
    page.goto(f"{demo.site}/notebook/")
    expect(page.get_by_role("heading", name="in line for a GPU")).to_be_visible()
    page.get_by_role("button", name="Work on a CPU meanwhile").click()
    lab = re.compile(f"/user/{username}/lab")
    page.wait_for_url(lab, timeout=120_000)

    (cpu, _), (place, state) = (leases_of(demo, username)[purpose] for purpose in ("meanwhile", "session"))
    assert state == "queued"
    assert in_container(demo, cpu, "printenv", "NVIDIA_VISIBLE_DEVICES") == "void"
    assert containers(demo)[str(UUID(cpu))] == ""
    in_container(demo, cpu, "sh", "-c", f"echo mine > {KEPT}")
    panel = page.locator(".pr-panel")
    expect(panel.locator(".pr-headline")).to_contain_text("in line for a GPU", timeout=60_000)

    lent, gpu, holder, _ = next(row for row in rows(demo, LIVE) if row[3] == cohort)
    shell(demo, STOP.format(username=holder))
    wait_until(lambda: leases_of(demo, username)["session"] == (place, "granted"), what="the GPU is kept for them")
    panel.get_by_role("button", name="Refresh").click()
    panel.get_by_role("button", name="Move to the GPU").click()
    page.wait_for_url(f"{demo.site}/notebook/?follow=1", timeout=60_000, wait_until="commit")
    page.wait_for_url(lab, timeout=120_000)

    wait_until(lambda: leases_of(demo, username) == {"session": (place, "active")}, what="they hold the GPU alone")
    assert visible_in(demo, place) == gpu
    assert in_container(demo, place, "cat", KEPT) == "mine"
    assert lent not in {lease for lease, *_ in rows(demo, LIVE)}
    assert agrees(demo)
