"""Twenty notebooks graded: Practicum with two workers and full isolation, beside nbgrader and Otter-Grader in the same run.

The same twenty filled-in copies of nbgrader's quickstart on all sides (Otter: the same functions as an assignment of its own),
of four kinds worth 3, 2, 1.5 and 2.5 points; all of ours must get the points that nbgrader gives. Here each notebook runs from
clean in a container of its own, and a second one compares what it left with answers that the first never held. Neither peer
isolates: what they grade could read the tests and write the gradebook. All run two at a time, rounds alternate, and nbgrader
also one at a time, which is its default. Times are from when all twenty are in line to when the last has its score. The last
row is a floor: what this engine takes for two empty one-use containers each, two at a time.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.decide import set_up
from tests.bench.evaluate_peers import STUDENTS, Nbgrader, Otter, answers_of
from tests.bench.report import heading, verdict
from tests.tools.postgres import postgres

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("ROUNDS", "3"))
WORKERS = 2
LIMIT_SECONDS = 0.3
WAIT_SECONDS = 300
# What our notebook has in the place of nbgrader's test cells: it applies its functions to the hidden inputs.
HAND_IN = """import json, os, pathlib
def told(function, n):
    try:
        return function(n)
    except Exception as failure:
        return type(failure).__name__
inputs = json.loads((pathlib.Path(os.environ["PRACTICUM_INPUTS"]) / "inputs.json").read_text())
found = {name: [told(globals()[name], n) for n in numbers] for name, numbers in inputs.items()}
kept = globals().pop("squares")
found["uses"] = told(sum_of_squares, 1)
squares = kept
(pathlib.Path(os.environ["PRACTICUM_OUT"]) / "predictions.json").write_text(json.dumps(found))
"""
INPUTS = {"squares": [1, 2, 10, 11, 0, -4], "sum_of_squares": [1, 2, 10, 11]}
ANSWERS = {
    "right": [[1], [1, 4], [n * n for n in range(1, 11)], [n * n for n in range(1, 12)]],
    "refused": ["ValueError"] * 2,
    "sums": [1, 5, 385, 506],
}
EVALUATE = """
import json

class InvalidSubmission(Exception):
    pass

def evaluate(predictions, answers):
    given = json.loads((predictions / "predictions.json").read_text())
    truth = json.loads((answers / "answers.json").read_text())
    points = (given["squares"][:4] == truth["right"]) + (given["squares"][4:] == truth["refused"])
    return {"points": points + 0.5 * (given["sum_of_squares"] == truth["sums"]) + 0.5 * (given["uses"] == "NameError")}
"""


class Practicum:
    """A site's database and two of its workers, on the engine and images the environment names."""

    def __init__(self, notebooks: list[Any]) -> None:
        from django.conf import settings

        settings.PRACTICUM_NOTEBOOK_MAX_BYTES = 10_000_000
        self.notebooks, self.round = notebooks, 0
        self.internships = self._populate()

    def _populate(self) -> list[Any]:
        from practicum.accounts.models import User
        from practicum.catalog.models import Project, ProjectVersion
        from practicum.internships.models import Cohort, Internship
        from practicum.lib.clock import utc_now

        now = utc_now()
        admin, *people = (
            User.objects.create(username=name, email=f"{name}@example.org", name=name, role=role)
            for name, role in (("ada", "admin"), *((f"s{n:02d}", "intern") for n in range(STUDENTS)))
        )
        project = Project.objects.create(slug="ps1", title="Squares", question="How are squares summed?")
        manifest = {
            "submission": {"kind": "notebook", "files": ["predictions.json"], "artifact_mb": 1, "per_day": 1000},
            "metric": {"name": "points", "goal": "max", "noise": 0.0, "digits": 1},
            "budget": {"gpu_gb": 0, "gpu_hours": 0, "eval_seconds": 60, "memory_gb": 1},
        }
        version = ProjectVersion.objects.create(
            project=project, number=1, digest="d" * 64, manifest=manifest, mode="toy",
            image=os.environ["PRACTICUM_WORKSPACE_IMAGE"], published_at=now, published_by=admin,
        )  # fmt: skip
        files = {
            version.folder / "project/evaluate.py": EVALUATE,
            version.folder / "public/readme.txt": "Nothing to read.",
            version.hidden_folder / "inputs/inputs.json": json.dumps(INPUTS),
            version.hidden_folder / "answers/answers.json": json.dumps(ANSWERS),
        }
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        cohort = Cohort.objects.create(
            slug="c", name="C", starts_on=now.date(), ends_on=now.date() + timedelta(days=60)
        )
        return [
            Internship.objects.create(intern=one, mentor=admin, cohort=cohort, version=version, started_on=now.date())
            for one in people
        ]

    def grade(self) -> float:
        """Seconds from when all are in line to when the last has its score."""
        from practicum.evaluation.models import OPEN_RUN_STATES, Run

        self.round += 1
        self.runs = [self._hand_in(student) for student in range(STUDENTS)]
        began = time.perf_counter()
        Run.objects.filter(pk__in=self.runs).update(not_before=None)
        while Run.objects.filter(state__in=OPEN_RUN_STATES).exists():
            if time.perf_counter() - began > WAIT_SECONDS:
                raise RuntimeError("The runs came to no end.")
            time.sleep(0.01)
        return time.perf_counter() - began

    def _hand_in(self, student: int) -> int:
        """The student's notebook, in line but not to be begun yet."""
        from practicum.evaluation import services
        from practicum.evaluation.models import Run
        from practicum.lib.clock import utc_now
        from practicum.submissions.models import Source

        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("ps1.ipynb", json.dumps(handed_in(self.notebooks[student], round_number=self.round)))
        content.seek(0)
        internship, now = self.internships[student], utc_now()
        # The workers look for work all the time: none of these may be begun before all are there.
        from django.db import transaction

        with transaction.atomic():
            submission = services.hand_in(
                internship, archive=content, source=Source.UPLOAD, actor=internship.intern, now=now
            )
            Run.objects.filter(submission=submission).update(not_before=now + timedelta(hours=1))
        return int(submission.runs.get().pk)

    def points(self) -> list[float]:
        """What each student got in the last round."""
        from practicum.evaluation.models import Run

        runs = Run.objects.filter(pk__in=self.runs).select_related("score").order_by("pk")
        return [run.score.value if run.state == "scored" else float("nan") for run in runs]

    def steps(self) -> dict[str, float]:
        """Median seconds of each step of the last round."""
        from practicum.evaluation.models import RunEvent

        found: dict[str, list[float]] = {}
        for run in self.runs:
            events = RunEvent.objects.filter(run=run).exclude(state="queued").order_by("at", "pk")
            for (state, at), (_, later) in pairwise(events.values_list("state", "at")):
                found.setdefault(state, []).append((later - at).total_seconds())
        return {state: statistics.median(seconds) for state, seconds in found.items()}


def handed_in(notebook: Any, *, round_number: int) -> Any:
    """The same notebook without nbgrader's test cells, and with the cell that hands in."""
    cells = [cell for cell in notebook["cells"] if not cell["metadata"].get("nbgrader", {}).get("grade")]
    last: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    return notebook | {"cells": [*cells, last | {"source": f"# round {round_number}\n{HAND_IN}"}]}


@contextmanager
def workers(address: str) -> Iterator[None]:
    """Two worker processes, each with one evaluation at a time."""
    from django.conf import settings

    settings.PRACTICUM_INSTANCE = f"bench-{uuid.uuid4().hex[:8]}"
    env = {
        "PRACTICUM_INSTANCE": settings.PRACTICUM_INSTANCE,
        "PRACTICUM_DATABASE_URL": address,
        "PRACTICUM_ENGINE": "docker",
    }
    command = [sys.executable, "manage.py", "worker", "--evaluations", "1"]
    with tempfile.TemporaryFile() as log:
        started = [
            subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=log, stderr=log) for _ in range(WORKERS)
        ]
        try:
            yield
        finally:
            for worker in started:
                worker.terminate()
            for worker in started:
                worker.wait(timeout=60)


def empty_containers() -> float:
    """Seconds to start and end, for each student, the two containers with nothing in them."""
    from practicum.engine import LABEL_INSTANCE, ContainerSpec
    from practicum.engine.docker import DockerEngine

    def both(_: int) -> None:
        engine = DockerEngine()
        for name in ("SCORER", "WORKSPACE"):
            image = os.environ[f"PRACTICUM_{name}_IMAGE"]
            container = engine.start(ContainerSpec(image, ["/bin/true"], {LABEL_INSTANCE: f"floor-{os.getpid()}"}))
            engine.wait(container, wall_seconds=WAIT_SECONDS)
            engine.remove(container)
        engine.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(both, range(STUDENTS)))
    return time.perf_counter() - began


def with_engine() -> None:
    """The engine and the images are named in the environment; made where they are not."""
    if "PRACTICUM_WORKSPACE_IMAGE" not in os.environ:
        from tests.tools.run import need_engine

        os.environ |= need_engine()[0]


def main() -> bool:
    """The rounds, the table, the steps, the ratio to the limit."""
    heading(f"Evaluate: {STUDENTS} notebooks graded, {WORKERS} at a time")
    with_engine()
    with tempfile.TemporaryDirectory() as folder, postgres() as address:
        nbgrader, otter = Nbgrader(Path(folder) / "nbgrader"), Otter(Path(folder) / "otter")
        set_up(address)
        ours = Practicum(nbgrader.notebooks)
        seconds: dict[str, list[float]] = {}
        with workers(address):
            ours.grade()  # the workers are up, and the images' pages in memory
            for _ in range(ROUNDS):
                for name, grade in (
                    ("Practicum, two workers, isolated", ours.grade),
                    ("nbgrader, two processes", lambda: nbgrader.grade(processes=2)),
                    ("otter run, two processes", lambda: otter.grade(processes=2)),
                    ("nbgrader, one process", lambda: nbgrader.grade(processes=1)),
                    ("two empty containers", empty_containers),
                ):
                    seconds.setdefault(name, []).append(grade() / STUDENTS)
        points, theirs, steps = ours.points(), nbgrader.points(), ours.steps()
    print("\n| | s a submission, median | all rounds | to nbgrader |\n|---|---|---|---|")
    for name, values in seconds.items():
        ratio = statistics.median(values) / statistics.median(seconds["nbgrader, two processes"])
        print(f"| {name} | {statistics.median(values):.3f} | {', '.join(f'{v:.3f}' for v in values)} | {ratio:.2f} |")
    print("one of ours, step by step: " + ", ".join(f"{state} {took:.3f} s" for state, took in steps.items()))
    expected = [answers_of(student)[2] for student in range(STUDENTS)]
    is_same = points == theirs == expected
    print(f"points: {'the same on both sides' if is_same else f'DIFFER: {points} and {theirs}'}")
    median = statistics.median(seconds["Practicum, two workers, isolated"])
    return verdict("a submission, to 0.3 s", median / LIMIT_SECONDS, limit=1.0) and is_same
