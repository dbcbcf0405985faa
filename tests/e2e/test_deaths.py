"""kill -9 of any part while a notebook runs: nothing is lost, doubled or stuck.

What such deaths do to an evaluation, at each moment of it, is ``test_crash_matrix.py``.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.bench.launch import Practicum
from tests.e2e.conftest import RunningDemo, free_demo_port, rows, start_demo
from tests.e2e.own_engine import OwnEngine
from tests.e2e.relay import Relay
from tests.tools.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SETTLE_SECONDS = 150
SLOW_PREDICT = """import time
from pathlib import Path
import numpy as np

def predict(artifact: Path, inputs: Path, out: Path) -> None:
    # {mark}
    time.sleep({seconds})
    with np.load(inputs / "inputs.npz") as held:
        np.savez(out / "predictions.npz", id=held["id"], label=np.zeros(len(held["id"]), dtype=np.int64))
"""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, own_engine: OwnEngine) -> Iterator[Relay]:
    """The engine behind a socket that can be cut."""
    target = own_engine.host.removeprefix("unix://")
    made = Relay(path=tmp_path_factory.mktemp("engine") / "docker.sock", target=target)
    yield made
    made.cut()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, relay: Relay) -> Iterator[RunningDemo]:
    """A demo of this module's own, whose engine is behind the relay."""
    port = free_demo_port()
    folder = tmp_path_factory.mktemp("deaths")
    running = start_demo(folder, port=port, options=("--work", "none"), docker_host=relay.docker_host)
    yield running
    running.stop()
    print(running.output)


@pytest.fixture(scope="module")
def kofi(system: RunningDemo) -> Iterator[Practicum]:
    """Kofi with an open notebook."""
    person = Practicum(system)
    person.launch()
    yield person
    person.client.close()


def wait_until(claim: Callable[[], bool], *, what: str | Callable[[], object], seconds: float = SETTLE_SECONDS) -> None:
    """Poll until ``claim`` holds; what raises meanwhile counts as not yet."""
    wait_for(claim, what=what, seconds=seconds, not_yet=(httpx.HTTPError, OSError, AssertionError), every=0.5)


def hand_in(person: Practicum, *, mark: str, seconds: float) -> int:
    """Upload a submission that takes ``seconds`` to predict; its number in the database."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("predict.py", SLOW_PREDICT.format(mark=mark, seconds=seconds))
    page = f"{person.demo.site}/submissions/upload/"
    text = person.client.get(page).text
    token = text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    answer = person.client.post(
        page,
        data={"csrfmiddlewaretoken": token},
        files={"archive": ("work.zip", stream.getvalue(), "application/zip")},
        headers={"Referer": page},
    )
    assert answer.status_code == 200, answer.text
    return int(rows(person.demo, "SELECT max(id) FROM submissions_submission")[0][0])


def hand_in_and_run(person: Practicum, *, mark: str) -> int:
    """Hand in, and wait until its code runs, which takes six seconds; its number in the database."""
    submission = hand_in(person, mark=mark, seconds=6)
    phase = f"SELECT phase FROM evaluation_run WHERE submission_id = {submission}"
    wait_until(lambda: rows(person.demo, phase) == [("predicting",)], what="the submission runs")
    return submission


def is_whole(system: RunningDemo, person: Practicum) -> bool:
    """Health is green and the notebook answers through the proxy."""
    health = system.health()
    return (
        health["status"] == "ok"
        and health["worker"] is not None
        and health["worker"] < 5
        and person.client.get(person.notebook).status_code == 200
    )


def assert_nothing_doubled(system: RunningDemo) -> None:
    """One live lease a slot, one container a lease."""
    live = "SELECT slot_id FROM gpus_lease WHERE state IN ('granted', 'active', 'draining')"
    assert rows(system, f"{live} GROUP BY slot_id HAVING count(*) > 1") == []
    leases = system.containers(show='{{.Label "org.practicum.lease"}}')
    assert len(leases) == len(set(leases))


def has_ended(system: RunningDemo, submission: int) -> bool:
    """The submission's run reached its score."""
    return rows(system, f"SELECT state FROM evaluation_run WHERE submission_id = {submission}") == [("scored",)]


@pytest.mark.parametrize("name", ["web", "hub", "proxy", "worker"])
def test_a_killed_program_comes_back_and_nothing_is_lost_or_doubled(
    name: str, system: RunningDemo, kofi: Practicum
) -> None:
    killed = system.pid_of(name)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: system.pid_of(name) != killed, what=f"{name} runs again")
    wait_until(lambda: is_whole(system, kofi), what="site, worker and notebook answer")
    assert_nothing_doubled(system)


def test_an_engine_that_goes_away_in_the_middle_of_a_run_costs_the_intern_nothing(
    system: RunningDemo, kofi: Practicum, relay: Relay
) -> None:
    submission = hand_in_and_run(kofi, mark="engine")
    relay.cut()
    time.sleep(8)
    relay.mend()
    wait_until(lambda: is_whole(system, kofi), what="site, worker and notebook answer")
    wait_until(lambda: has_ended(system, submission), what="the submission is scored")
    assert_nothing_doubled(system)
    runs = f"SELECT id FROM evaluation_run WHERE submission_id = {submission}"
    assert rows(system, f"SELECT count(*) FROM evaluation_score WHERE run_id IN ({runs})") == [(1,)]


def test_a_killed_engine_costs_one_notebook_and_nothing_else(
    system: RunningDemo, kofi: Practicum, own_engine: OwnEngine
) -> None:
    own_engine.kill()
    time.sleep(3)
    own_engine.start()
    # An engine that starts again ends the containers it finds: the notebook is over, says why, and can be opened again.
    wait_until(lambda: rows(system, KOFIS_LAST_SESSION)[0][2] == "released", what="the slot is free")
    assert rows(system, KOFIS_LAST_SESSION) == [("stopped", 1, "released")]
    assert kofi.launch() > 0
    wait_until(lambda: is_whole(system, kofi), what="site, worker and notebook answer")


KOFIS_LAST_SESSION = (
    "SELECT s.state, s.reason != '', l.state FROM workspaces_session s JOIN gpus_lease l ON l.id = s.lease_id "
    "JOIN accounts_user u ON u.id = s.user_id WHERE u.username = 'kofi' ORDER BY s.requested_at DESC LIMIT 1"
)


def test_a_notebook_whose_container_dies_ends_with_a_reason_and_frees_its_slot(
    system: RunningDemo, kofi: Practicum, own_engine: OwnEngine
) -> None:
    (container,) = system.containers(of="kofi", show="{{.ID}}")
    command = ["docker", "-H", own_engine.host, "kill", container]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wait_until(lambda: rows(system, KOFIS_LAST_SESSION)[0][2] == "released", what="the slot is free")
    assert rows(system, KOFIS_LAST_SESSION) == [("stopped", 1, "released")]
    assert kofi.launch() > 0
