"""From handing in to the score, and where the time goes.

Twenty small submissions to ``digits`` (as many interns take turns as the daily cap asks for), one after the other, through the
upload page of a running demo. The steps come from the run's own timeline. The limit: what the machine itself needs to start
and end the same two containers with nothing in them, measured in the same run; the ratio is to that floor.
"""

from __future__ import annotations

import io
import re
import statistics
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import httpx

from tests.bench.report import heading, spread, verdict
from tests.e2e.conftest import PASSWORD, RunningDemo, free_demo_port, rows, start_demo

SUBMISSIONS = 20
EACH = 7
INTERNS = ("kofi", "noor", "ines")
LIMIT = 4.0
WAIT_SECONDS = 120
PREDICT = """from pathlib import Path
import numpy as np

def predict(artifact: Path, inputs: Path, out: Path) -> None:
    # number {number}
    with np.load(inputs / "inputs.npz") as held:
        np.savez(out / "predictions.npz", id=held["id"], label=np.zeros(len(held["id"]), dtype=np.int64))
"""


def work(number: int) -> bytes:
    """A small submission that differs from all others."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("predict.py", PREDICT.format(number=number))
    return stream.getvalue()


def sign_in(demo: RunningDemo, username: str) -> httpx.Client:
    """A signed-in client."""
    client = httpx.Client(timeout=60, follow_redirects=True)
    page = f"{demo.site}/sign-in/"
    client.post(
        page,
        data={"csrfmiddlewaretoken": token_of(client, page), "account": username, "password": PASSWORD},
        headers={"Referer": page},
    )
    return client


def token_of(client: httpx.Client, page: str) -> str:
    """The token of the page's form."""
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(page).text)
    assert found, f"{page} holds no form"
    return found[1]


def hand_in(demo: RunningDemo, client: httpx.Client, *, number: int) -> tuple[float, dict[str, float]]:
    """Seconds from the POST to the score, and the seconds of each step."""
    page = f"{demo.site}/submissions/upload/"
    token = token_of(client, page)
    began = time.monotonic()
    answer = client.post(
        page,
        data={"csrfmiddlewaretoken": token},
        files={"archive": ("work.zip", work(number), "application/zip")},
        headers={"Referer": page},
        follow_redirects=False,
    )
    assert answer.status_code == 302, answer.text
    received = time.monotonic() - began
    run = rows(demo, "SELECT max(id) FROM evaluation_run")[0][0]
    while rows(demo, f"SELECT state FROM evaluation_run WHERE id = {run}") != [("scored",)]:
        assert time.monotonic() - began < WAIT_SECONDS, rows(
            demo, f"SELECT state, reason FROM evaluation_run WHERE id = {run}"
        )
        time.sleep(0.02)
    return time.monotonic() - began, {"receive": received, **steps_of(demo, run)}


def steps_of(demo: RunningDemo, run: int) -> dict[str, float]:
    """Seconds between the events of a run's timeline."""
    events = rows(demo, f"SELECT state, at FROM evaluation_runevent WHERE run_id = {run} ORDER BY at, id")
    moments = [(state, datetime.fromisoformat(at)) for state, at in events]
    return {state: (later - at).total_seconds() for (state, at), (_, later) in pairwise(moments)}


def floor(image: str, scorer: str, *, docker_host: str) -> float:
    """Seconds to run an empty Python in both images, one after the other, with the untrusted container's limits."""
    began = time.monotonic()
    for name in (scorer, image):
        command = [
            "docker",
            "-H",
            docker_host,
            "run",
            "--rm",
            "--network",
            "none",
            "--read-only",
            "--entrypoint",
            "/opt/venv/bin/python",
        ]
        subprocess.run([*command, name, "-c", "import numpy"], check=True)
    return time.monotonic() - began


def median_of(key: str, steps: Sequence[dict[str, float]]) -> float:
    """The median of one step."""
    return statistics.median(step.get(key, 0.0) for step in steps)


def main() -> bool:
    """Hand in twenty, print each step."""
    heading(f"Submit: POST to score, {SUBMISSIONS} small submissions, one at a time")
    with tempfile.TemporaryDirectory() as folder:
        demo = start_demo(Path(folder) / "demo", port=free_demo_port())
        try:
            env = demo.environment_of("worker")
            clients = [sign_in(demo, username) for username in INTERNS]
            totals, steps, floors = [], [], []
            for number in range(SUBMISSIONS):
                total, step = hand_in(demo, clients[number // EACH], number=number)
                totals.append(total)
                steps.append(step)
                floors.append(
                    floor(
                        env["PRACTICUM_WORKSPACE_IMAGE"], env["PRACTICUM_SCORER_IMAGE"], docker_host=env["DOCKER_HOST"]
                    )
                )
        finally:
            demo.stop()
    print(f"  whole      {spread(totals)}")
    for key in dict.fromkeys(key for step in steps for key in step):
        print(f"  {key:10} {median_of(key, steps):.3f} s")
    print(f"  floor      {spread(floors)}")
    return verdict(
        "submit to score, to two empty containers", statistics.median(totals) / statistics.median(floors), limit=LIMIT
    )
