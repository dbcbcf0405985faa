"""Submissions evaluated by the worker's own code on the real engine, in the real images. Attacks: tests/attacks."""

from __future__ import annotations

import json
import random
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from practicum.catalog.npz import Rows, write_npz
from practicum.catalog.shown import SHOWN_IDS, write_shown
from practicum.engine.docker import DockerEngine
from practicum.evaluation import services, tasks
from practicum.evaluation.models import Run
from practicum.evaluation.seeding import seeds_of
from practicum.lib.clock import utc_now
from practicum.submissions.models import Source
from tests.engine import doubling
from tests.engine.doubling import NUMBERS
from tests.unit.submissions import zips

pytestmark = [pytest.mark.engine, pytest.mark.django_db]

GOOD = """
import json

def predict(artifact, inputs, out):
    numbers = json.loads((inputs / "x.json").read_text())
    print("read", len(numbers), "numbers", flush=True)
    (out / "predictions.json").write_text(json.dumps([2 * n if n else 7 for n in numbers]))
"""
LEAVE_A_PROCESS = """
    import os, time
    if os.fork() == 0:
        os.setsid()
        time.sleep(0.5)
        while True:
            (out / "predictions.json").write_text("[0]")
"""


TRAINED_ANEW = """
import glob, json, os, random

def train(public, artifact, budget, seed):
    left = [*glob.glob("/tmp/left"), *glob.glob("/dev/shm/left")]
    answers = os.path.exists("/answers")
    print("train", seed, budget, sorted(p.name for p in public.iterdir()), left, answers, random.random(), flush=True)
    for file in ("/tmp/left", "/dev/shm/left"):
        open(file, "w").write("x")
    (artifact / "wrong.txt").write_text(str(seed % 3 + 1))

def predict(artifact, inputs, out):
    wrong = int((artifact / "wrong.txt").read_text())
    numbers = json.loads((inputs / "x.json").read_text())
    (out / "predictions.json").write_text(json.dumps([-1 if n < wrong else 2 * n for n in numbers]))
"""


@pytest.fixture
def project(version: Any, settings: Any) -> Any:
    """The tiny project, published; containers of this test carry an instance of their own."""
    doubling.publish(version, settings=settings)
    return version


@pytest.fixture
def engine(project: Any, settings: Any) -> Iterator[DockerEngine]:
    """The real engine; whatever a test leaves behind fails it, and is removed."""
    with doubling.left_clean(DockerEngine(), instance=settings.PRACTICUM_INSTANCE) as engine:
        yield engine


@pytest.fixture
def evaluated(project: Any, internship: Any, engine: DockerEngine) -> Callable[..., Run]:
    """``evaluated(code)``: that predict.py handed in and brought to its end."""

    def run(code: str, *, seconds: int = 20) -> Run:
        internship.version.refresh_from_db()
        internship.version.manifest["budget"]["eval_seconds"] = seconds
        internship.version.manifest["submission"]["per_day"] = 50
        internship.version.save()
        archive = zips.zip_of({"predict.py": code.encode(), "start.ipynb": zips.NOTEBOOK})
        submission = services.hand_in(
            internship, archive=archive, source=Source.TERMINAL, actor=internship.intern, now=utc_now()
        )
        assert tasks.claim_and_run(utc_now(), engine=engine, worker_name="test")
        return submission.runs.get()

    return run


def test_a_submission_goes_through_both_containers_to_its_score(evaluated: Callable[..., Run]) -> None:
    run = evaluated(GOOD)

    assert (run.state, run.reason, run.tries) == ("scored", "", 1)
    assert run.score.value == 0.9
    assert run.log_tail == "read 10 numbers"
    assert run.score_seconds is not None
    assert [event.message for event in run.events.all()][-2:] == ["Scoring", "Scored"]


ALL_BUT_ONE = """
import json
import numpy as np

def predict(artifact, inputs, out):
    ids = np.array(json.loads((inputs / "x.json").read_text()), dtype=np.int64)
    np.savez_compressed(out / "predictions.npz", id=ids[::-1], label=np.where(ids == WRONG, 9 - ids, ids)[::-1])
"""


def test_the_hidden_rows_that_are_shown_are_scored_once_more_by_themselves(
    project: Any, evaluated: Callable[..., Run]
) -> None:
    """With the real ``evaluate`` of a project, on arrays that numpy wrote."""
    digits = Path(__file__).resolve().parents[2] / "projects" / "digits"
    for name in ("evaluate.py", "project.toml"):
        shutil.copy(digits / name, project.folder / "project" / name)
    rows = Rows("i8", (), tuple(struct.pack("<q", number) for number in NUMBERS))
    write_npz(project.hidden_folder / "answers" / "answers.npz", {"id": rows, "label": rows})
    write_shown(project.hidden_folder, share=0.5, key=b"key")
    listed = json.loads((project.hidden_folder / "answers" / SHOWN_IDS).read_text())
    project.manifest = project.manifest | {"split": {"shown": 0.5}}
    project.save()

    run = evaluated(ALL_BUT_ONE.replace("WRONG", listed[0]))

    assert (run.state, run.reason) == ("scored", "")
    assert (run.score.value, run.score.shown_value) == (0.9, 0.8)


def test_the_projects_baseline_is_trained_and_scored_by_the_same_code(
    project: Any, mentor: Any, engine: DockerEngine
) -> None:
    from practicum.evaluation.baselines import evaluate_baseline

    run = evaluate_baseline(project, engine=engine, actor=mentor, now=utc_now())
    assert tasks.claim_and_run(utc_now(), engine=engine, worker_name="test")

    run.refresh_from_db()
    assert (run.state, run.score.value) == ("scored", 1.0)
    submission = run.submission
    assert (submission.is_baseline, submission.notebook) == (True, "start.ipynb")
    assert [file["path"] for file in submission.files] == ["artifact/factor.txt", "predict.py", "start.ipynb"]


def test_a_submission_is_trained_and_scored_once_a_seed_and_nothing_of_one_reaches_the_next(
    evaluated: Callable[..., Run], project: Any, internship: Any
) -> None:
    project.manifest["evaluation"] = {"seeds": 3, "retrain": True}
    project.save()
    internship.version = project
    seeds = seeds_of(project)

    run = evaluated(TRAINED_ANEW)

    assert (run.state, run.reason) == ("scored", "")
    values = [1 - (seed % 3 + 1) / 10 for seed in seeds]
    assert [(result.seed, result.value) for result in run.seed_results.all()] == [
        (seed, pytest.approx(value)) for seed, value in zip(seeds, values, strict=True)
    ]
    assert run.score.value == pytest.approx(sum(values) / 3)
    random.seed(seeds[-1])
    assert run.log_tail == f"train {seeds[-1]} 20.0 ['factor.txt'] [] False {random.random()}"
    assert len(run.evaluate_digest) == 64


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def predict(artifact, inputs, out):\n    pass\n", "predictions.json is missing"),
        ("def predict(artifact, inputs, out):\n    (out / 'predictions.json').write_text('[1]')\n", "1 predictions"),
        (
            "import os\ndef predict(artifact, inputs, out):\n    os.symlink('/answers/y.json', out / 'predictions.json')\n",
            "link",
        ),
        ("import os\ndef predict(artifact, inputs, out):\n    os.mkfifo(out / 'predictions.json')\n", "device"),
    ],
    ids=["none", "wrong shape", "link to the answers", "pipe"],
)
def test_predictions_that_cannot_be_read_are_the_interns_to_mend(
    evaluated: Callable[..., Run], code: str, reason: str
) -> None:
    run = evaluated(code)

    assert (run.state, run.fault) == ("invalid", "format")
    assert reason in run.reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def predict(artifact, inputs, out):\n    raise KeyError('no such digit')\n", "stopped with KeyError"),
        ("import nowhere\n", "stopped with ModuleNotFoundError"),
        ("x = 1\n", "no function predict"),
        ("import os, signal\ndef predict(a, b, c):\n    os.kill(os.getpid(), signal.SIGSEGV)\n", "by signal 11"),
    ],
    ids=["exception", "import", "no predict", "crash"],
)
def test_code_that_fails_is_told_why(evaluated: Callable[..., Run], code: str, reason: str) -> None:
    run = evaluated(code)

    assert (run.state, run.fault) == ("failed", "code")
    assert reason in run.reason


def test_code_that_takes_too_much_memory_is_stopped_and_told_how_much(evaluated: Callable[..., Run]) -> None:
    run = evaluated("def predict(artifact, inputs, out):\n    held = [bytearray(b'x' * 10**7) for _ in range(100)]\n")

    assert (run.state, run.fault) == ("failed", "limit")
    assert "out of memory" in run.reason


def test_code_that_never_ends_is_ended_at_the_limit(evaluated: Callable[..., Run]) -> None:
    code = "def predict(artifact, inputs, out):\n    while True: pass\n"
    began = utc_now()
    run = evaluated(code, seconds=3)

    assert (run.state, run.fault) == ("failed", "limit")
    assert "stopped after 3 s" in run.reason
    assert (utc_now() - began).total_seconds() < 30


def test_output_over_its_size_is_refused_and_the_disk_stays_as_it_was(evaluated: Callable[..., Run]) -> None:
    code = "def predict(a, i, out):\n    f = (out / 'x').open('wb')\n    while True: f.write(bytes(10**6)); f.flush()\n"
    run = evaluated(code)

    assert (run.state, run.fault) == ("failed", "limit")


def test_a_flood_of_output_is_kept_short_and_clean(evaluated: Callable[..., Run]) -> None:
    code = "import os\ndef predict(a, i, out):\n    for _ in range(300): os.write(1, b'\\x1b[31m\\0\\xff<b>' * 2000)\n"
    run = evaluated(code)

    assert 0 < len(run.log_tail.encode()) <= 64 * 1024
    assert not {"\x1b", "\0"} & set(run.log_tail)


def test_a_process_left_behind_is_gone_before_anything_is_read(
    evaluated: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = DockerEngine.signal

    def late(self: DockerEngine, container_id: str, name: str) -> None:
        time.sleep(1.5)
        signal(self, container_id, name)

    monkeypatch.setattr(DockerEngine, "signal", late)
    run = evaluated(GOOD + LEAVE_A_PROCESS)

    assert (run.state, run.score.value) == ("scored", 0.9)


def test_a_worker_that_died_is_followed_by_one_that_clears_up_and_scores(
    evaluated: Callable[..., Run], internship: Any, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        for name in ("wait", "remove", "remove_volume"):
            dying.setattr(DockerEngine, name, die)
        with pytest.raises(Killed):
            evaluated(GOOD)
    run = Run.objects.get()
    left = [c.labels["org.practicum.kind"] for c in engine.list(runner_labels(run))]
    assert (run.state, sorted(left)) == ("running", ["predict", "score"])

    later = after(run.lease_until)
    tasks.reconcile(later, engine=engine)
    assert engine.list(runner_labels(run)) == []
    assert tasks.claim_and_run(after(later), engine=engine, worker_name="successor")

    run.refresh_from_db()
    assert (run.state, run.score.value, run.tries) == ("scored", 0.9, 2)


def runner_labels(run: Run) -> dict[str, str]:
    return {"org.practicum.run": str(run.pk), "org.practicum.token": str(run.token)}


def after(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment + timedelta(seconds=10)


TIMED_TRAINING = """
import json, os, time

def train(public, artifact, budget, seed):
    time.sleep(1.2)

def predict(artifact, inputs, out):
    seen = [path for path in ("/measured", "/measured/run.json", "/answers") if os.path.exists(path)]
    (out / "run.json").write_text('{"seconds": 0.1}')
    (out / "predictions.json").write_text(json.dumps([2 * n for n in json.loads((inputs / "x.json").read_text())]))
    print("seen", seen, flush=True)
"""


def test_a_timed_project_scores_the_seconds_that_the_engine_saw_and_not_those_the_code_wrote(
    evaluated: Callable[..., Run], project: Any, internship: Any
) -> None:
    project.manifest = project.manifest | {"evaluation": {"seeds": 3, "retrain": True, "timed": True}}
    project.save()
    internship.version = project
    timed = doubling.EVALUATE.replace("(predictions, answers)", "(predictions, answers, run)")
    timed = timed.replace("return {", 'return {"seconds": run["seconds"], ')
    (project.folder / "project/evaluate.py").write_text(timed)

    run = evaluated(TIMED_TRAINING)

    assert (run.state, run.reason) == ("scored", "")
    assert run.log_tail == "seen []"
    seconds = [one.metrics["seconds"] for one in run.seed_results.all()]
    assert len(seconds) == 3
    assert all(1.2 <= one < 20 and round(one, 1) == one for one in seconds)
    assert run.score.metrics["seconds"] == pytest.approx(sum(seconds) / 3)
    assert [one.predict_seconds for one in run.seed_results.all()] == seconds
