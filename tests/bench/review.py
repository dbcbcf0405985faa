"""A notebook on the mentor's desk against plain ``jupyter nbconvert --to html``: the first time, and once it is kept.

The notebooks: those of the projects that ship, executed on their toy data as an intern's first hour ends, and one of 60
cells with 8 figures. Ours is all that stands between the request and the page: a child of the warm converter with its
limits, sanitised HTML, the file it is kept in, the view and its sandboxing header; the peer is the command itself, with its
output in a file. Both are run in turns. The result is the worst notebook's median ratio. Beside it: what changed in the
second round of the 60 cells, and how long the desk itself takes once its notebook is kept.

The projects' notebooks need an interpreter with what they import, named by ``PRACTICUM_WORKSPACE_PYTHON``.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.pages import fill, set_up
from tests.bench.report import heading, percentile, verdict

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
CACHED = 20
DESK_SECONDS = 0.3
NEEDED = ("the six files", "project.toml", "start.ipynb is clean", "toy and split repeat", "start.ipynb runs")


def picture(seed: int, *, side: int = 200) -> str:
    """A PNG that doesn't get much smaller by packing, about the size of a plot."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(side) for _ in range(side))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(whole).decode()


def sixty_cells(*, round_number: int = 1) -> bytes:
    """60 cells, 8 of them with a figure; in the second round three are others."""
    cells: list[dict[str, Any]] = []
    for number in range(1, 61):
        again = round_number == 2 and number in (7, 31, 50)
        common = {"id": f"cell-{number}", "metadata": {}}
        if number % 4 == 0:
            words = f"## Step {number}\n\nWhy it is **needed**, with $x_{{{number}}}^2$.\n\n- one\n- two\n"
            cells.append({**common, "cell_type": "markdown", "source": words + ("More.\n" if again else "")})
            continue
        rate = 0.05 if again else number / 100
        source = (
            f"rate = {rate}\nfor epoch in range({number}):\n    loss = step(model, batch, rate=rate)\n    print(loss)"
        )
        outputs: list[dict[str, Any]] = [{"output_type": "stream", "name": "stdout", "text": "loss 0.123\n" * number}]
        if number % 7 == 3:
            data = {"image/png": picture(number), "text/plain": ["<Figure>"]}
            outputs.append({"output_type": "display_data", "metadata": {}, "data": data})
        cells.append({**common, "cell_type": "code", "execution_count": number, "source": source, "outputs": outputs})
    metadata = {"language_info": {"name": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}).encode()


def executed(slug: str, *, python: Path, folder: Path) -> bytes:
    """The project's ``start.ipynb`` as it ends, run by the project's own check."""
    from practicum.catalog.check import check_project
    from practicum.catalog.programs import NOTEBOOK, Completed, run_process

    kept = folder / f"{slug}.ipynb"

    def runner(
        command: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, limit_seconds: float
    ) -> Completed:
        keeping = f"{NOTEBOOK}nbformat.write(notebook, {str(kept)!r})\n"
        command = [keeping if part == NOTEBOOK else part for part in command]
        return run_process(command, stdin=stdin, environment=environment, cwd=cwd, limit_seconds=limit_seconds)

    check_project(ROOT / "projects" / slug, python=python, runner=runner, only=NEEDED)
    return kept.read_bytes()


def notebooks(folder: Path) -> dict[str, bytes]:
    """Each notebook by name."""
    found = {"60 cells, 8 figures": sixty_cells()}
    python = os.environ.get("PRACTICUM_WORKSPACE_PYTHON", "")
    if not python:
        sys.exit("Set PRACTICUM_WORKSPACE_PYTHON to an interpreter with images/workspace/requirements.txt installed.")
    for project in sorted((ROOT / "projects").glob("*/start.ipynb")):
        found[project.parent.name] = executed(project.parent.name, python=Path(python), folder=folder)
    return found


def seconds_of(act: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


def plain(content: bytes, *, folder: Path) -> Callable[[], object]:
    """``jupyter nbconvert`` on the notebook."""
    (folder / "peer.ipynb").write_bytes(content)
    command = [
        str(Path(sys.executable).parent / "jupyter-nbconvert"),
        "--to",
        "html",
        "peer.ipynb",
        "--log-level",
        "ERROR",
    ]
    return lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True)


class Desk:
    """A submission whose notebook is put in its place, and the mentor who opens it."""

    def __init__(self) -> None:
        from django.test import Client

        from practicum.submissions.models import Submission

        cast = fill(cohorts=1, interns=10)
        self.rows = list(Submission.objects.filter(internship=cast["internship"]).order_by("number")[:2])
        Submission.objects.filter(pk__in=[row.pk for row in self.rows]).update(notebook="start.ipynb")
        self.mentor = cast["mentor"]
        self.client = Client(SERVER_NAME="127.0.0.1")
        self.client.force_login(self.mentor)

    def put(self, place: int, content: bytes) -> None:
        """The notebook of the first (0) or second (1) submission; nothing is kept rendered any more."""
        from django.conf import settings

        folder = self.rows[place].folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "start.ipynb").write_bytes(content)
        shutil.rmtree(Path(settings.PRACTICUM_DATA_DIR) / "rendered", ignore_errors=True)

    def open(self, address: str) -> bytes:
        """The answer, which must be a page."""
        answer = self.client.get(address)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        return bytes(answer.content)

    def notebook(self, place: int, *, asked: str = "") -> Callable[[], object]:
        """Opening the frame."""
        return lambda: self.open(f"/submissions/{self.rows[place].pk}/notebook/{asked}")


def race(desk: Desk, content: bytes, *, folder: Path) -> tuple[float, float, float]:
    """Medians over the rounds: ours first, ours kept, the peer's."""
    peer, ours = plain(content, folder=folder), desk.notebook(0)
    first, kept, theirs = [], [], []
    for _ in range(ROUNDS):
        desk.put(0, content)
        first.append(seconds_of(ours))
        theirs.append(seconds_of(peer))
        kept.append(seconds_of(ours))
    return statistics.median(first), statistics.median(kept), statistics.median(theirs)


def second_round(desk: Desk, *, folder: Path) -> tuple[float, float]:
    """Of what changed, rendered the first time, the ratio to the peer; the desk's own processor seconds (p95)."""
    from practicum.lib.clock import utc_now
    from practicum.reviews.services import open_review

    open_review(desk.mentor, submission=desk.rows[0], now=utc_now())
    peer, ours = plain(sixty_cells(round_number=2), folder=folder), desk.notebook(1, asked="?since=1")
    ratios = []
    for _ in range(ROUNDS):
        desk.put(0, sixty_cells())
        desk.put(1, sixty_cells(round_number=2))
        ratios.append(seconds_of(ours) / seconds_of(peer))
    address = f"/review/{desk.rows[1].pk}/"
    desk.open(address)
    own = [_processor_seconds(desk, address) for _ in range(CACHED)]
    return statistics.median(ratios), percentile(own, 0.95)


def _processor_seconds(desk: Desk, address: str) -> float:
    """What one answer costs, whatever else the machine does."""
    began = time.process_time()
    desk.open(address)
    return time.process_time() - began


def main() -> bool:
    """Race on each notebook, then the second round."""
    set_up()
    from practicum.reviews.rendering import keep_warm

    assert keep_warm().is_ready(wait_seconds=60), "the warm converter does not start"
    heading(f"Review: notebooks on the desk and by plain nbconvert, {ROUNDS} turns each")
    with tempfile.TemporaryDirectory(prefix="practicum-review-") as name:
        folder, desk, worst, worst_kept = Path(name), Desk(), 0.0, 0.0
        for what, content in notebooks(folder).items():
            first, kept, theirs = race(desk, content, folder=folder)
            worst, worst_kept = max(worst, first / theirs), max(worst_kept, kept / theirs)
            print(f"  {what:24} nbconvert {theirs:6.2f} s   first {first:6.2f} s   kept {kept * 1000:6.1f} ms")
        changed, own = second_round(desk, folder=folder)
    print(f"  {'what changed, 60 cells':24} {changed:.2f} of nbconvert's time, the first time")
    return all(
        [
            verdict("review, first, worst notebook to nbconvert", worst, limit=1.0),
            verdict("review, kept, worst notebook to nbconvert", worst_kept, limit=1.0),
            verdict("review, what changed to nbconvert", changed, limit=1.0),
            verdict("review, the desk beyond its notebook, processor p95 to 0.3 s", own / DESK_SECONDS, limit=1.0),
        ]
    )
