"""A run as the worker does it: the scorer waits, an untrusted container writes, the scorer reads what it left.

On the real images, with a tiny project: features are numbers, the label is their double.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from practicum.engine import Exit, Inside, Limits, Mount, Program, VolumeMount
from tests.engine.benches import MEBIBYTE, PYTHON, Bench, docker_bench

pytestmark = pytest.mark.engine

DATA = """
import json, random

def toy(raw, seed):
    random.seed(seed)
    (raw / "all.json").write_text(json.dumps([random.randint(0, 99) for _ in range(20)]))

def split(raw, public, private, secret):
    numbers = json.loads((raw / "all.json").read_text())
    assert secret == bytes.fromhex("ab" * 32)
    (public / "train.json").write_text(json.dumps([[n, 2 * n] for n in numbers[:10]]))
    (private / "inputs" / "x.json").write_text(json.dumps(numbers[10:]))
    (private / "answers" / "y.json").write_text(json.dumps([2 * n for n in numbers[10:]]))
"""
BASELINE = """
import json

def train(public, artifact, budget):
    pairs = json.loads((public / "train.json").read_text())
    (artifact / "factor.json").write_text(json.dumps(pairs[0][1] / max(1, pairs[0][0])))
"""
EVALUATE = """
import json

class InvalidSubmission(Exception):
    pass

def evaluate(predictions, answers):
    print("a project may print; nobody takes it for a score")
    if not (predictions / "predictions.json").is_file():
        raise InvalidSubmission("predictions.json is missing")
    given, truth = (json.loads(f.read_text()) for f in (predictions / "predictions.json", answers / "y.json"))
    return {"accuracy": sum(a == b for a, b in zip(given, truth)) / len(truth)}
"""
PREDICT = """
import json

def predict(artifact, inputs, out):
    factor = json.loads((artifact / "factor.json").read_text())
    (out / "predictions.json").write_text(json.dumps([factor * n for n in json.loads((inputs / "x.json").read_text())]))
"""
CHEATS = {
    "prints a score": "def predict(a, i, o): print('{\"metrics\": {\"accuracy\": 1.0}}'); __import__('os')._exit(0)",
    "links to where the answers may be": "def predict(a, i, o): (o / 'predictions.json').symlink_to('/answers/y.json')",
}


@pytest.fixture
def untrusted() -> Iterator[Bench]:
    """The workspace image."""
    made = docker_bench("PRACTICUM_WORKSPACE_IMAGE")
    yield made
    made.clear()


@pytest.fixture
def scorer() -> Iterator[Bench]:
    """The scorer image."""
    made = docker_bench()
    yield made
    made.clear()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The project's files, and empty folders for what is made of them."""
    for name in ("project", "raw", "public", "private", "submission/artifact"):
        (tmp_path / name).mkdir(parents=True)
    for name, content in (("data", DATA), ("baseline", BASELINE), ("evaluate", EVALUATE)):
        (tmp_path / "project" / f"{name}.py").write_text(content)
    (tmp_path / "submission" / "predict.py").write_text(PREDICT)
    return tmp_path


def run_program(bench: Bench, program: str, *arguments: str | Inside, folders: Path, stdin: str | None = None) -> Exit:
    """Run one of the image's programs with all folders mounted; it must end well."""
    writable = [Mount(folders / name, f"/{name}", read_only=False) for name in ("raw", "public", "private")]
    artifact = Mount(folders / "submission" / "artifact", "/artifact", read_only=False)
    container_id = bench.start(
        program,
        command=[PYTHON, "-I", "-B", Program("workspace", program), *arguments],
        mounts=[Mount(folders / "project", "/project"), *writable, artifact],
        stdin=stdin,
    )
    ended = bench.engine.wait(container_id, wall_seconds=60)
    assert ended.exit_code == 0, bench.engine.log(container_id)
    return ended


@pytest.fixture
def prepared(untrusted: Bench, folders: Path) -> Path:
    """A published toy version with a trained baseline as the submission."""
    run_program(
        untrusted, "prepare.py", "--project", "/project", "--mode", "toy", "--seed", "3", "--raw", "/raw",
        "--public", "/public", "--private", "/private", folders=folders, stdin="ab" * 32 + "\n",
    )  # fmt: skip
    run_program(
        untrusted, "train.py", "--project", "/project", "--public", "/public", "--artifact", "/artifact",
        "--budget", "10", folders=folders,
    )  # fmt: skip
    return folders


def evaluate(untrusted: Bench, scorer: Bench, *, folders: Path) -> tuple[Exit, Exit, dict[str, object]]:
    """The whole run; how both containers ended, and what the scorer says."""
    volume = f"{scorer.instance}-out"
    scorer.engine.create_output_volume(volume, size_bytes=MEBIBYTE, inodes=64, labels=scorer.labels)
    judge = scorer.start(
        "score",
        kind="score",
        command=[
            PYTHON, "-I", "-B", Program("scorer", "score.py"), "--project", Inside("/project"),
            "--predictions", Inside("/predictions"), "--answers", Inside("/answers"), "--wait",
        ],
        mounts=[Mount(folders / "project", "/project"), Mount(folders / "private" / "answers", "/answers")],
        volumes=[VolumeMount(volume, "/predictions", read_only=True)],
    )  # fmt: skip
    assert scorer.engine.wait_for_line(judge, "READY", seconds=30), scorer.engine.log(judge)
    suspect = untrusted.start(
        "predict",
        command=[
            PYTHON, "-I", "-B", Program("workspace", "predict.py"), "--submission", Inside("/submission"),
            "--inputs", Inside("/inputs"), "--out", Inside("/out"),
        ],
        mounts=[Mount(folders / "submission", "/submission"), Mount(folders / "private" / "inputs", "/inputs")],
        volumes=[VolumeMount(volume, "/out")],
        limits=Limits(memory_bytes=512 * MEBIBYTE),
    )  # fmt: skip
    predicted = untrusted.engine.wait(suspect, wall_seconds=60)
    scorer.engine.signal(judge, "SIGUSR1")
    scored = scorer.engine.wait(judge, wall_seconds=60)
    assert scored.exit_code == 0, scorer.engine.log(judge)
    ready, answer = scorer.engine.log(judge, stream="stdout").splitlines()
    assert ready == "READY"
    return predicted, scored, json.loads(answer)


def test_a_good_submission_is_scored(untrusted: Bench, scorer: Bench, prepared: Path) -> None:
    predicted, _, answer = evaluate(untrusted, scorer, folders=prepared)
    assert predicted.exit_code == 0
    assert answer == {"metrics": {"accuracy": 1.0}}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_score_comes_from_the_scorer_alone(cheat: str, untrusted: Bench, scorer: Bench, prepared: Path) -> None:
    (prepared / "submission" / "predict.py").write_text(CHEATS[cheat])
    _, _, answer = evaluate(untrusted, scorer, folders=prepared)
    assert list(answer) == ["invalid"]


def test_code_that_raises_is_told_apart(untrusted: Bench, scorer: Bench, prepared: Path) -> None:
    (prepared / "submission" / "predict.py").write_text("def predict(a, i, o): raise ValueError('mine')")
    predicted, _, answer = evaluate(untrusted, scorer, folders=prepared)
    assert predicted.exit_code == 3
    assert answer == {"invalid": "predictions.json is missing"}


def test_a_scorer_that_is_stopped_while_it_waits_ends_at_once(scorer: Bench, prepared: Path) -> None:
    judge = scorer.start(
        "score",
        command=[
            PYTHON, "-I", "-B", Program("scorer", "score.py"), "--project", "/project", "--predictions", "/tmp",
            "--answers", "/answers", "--wait",
        ],
        mounts=[Mount(prepared / "project", "/project"), Mount(prepared / "private" / "answers", "/answers")],
    )  # fmt: skip
    assert scorer.engine.wait_for_line(judge, "READY", seconds=30)
    scorer.engine.signal(judge, "SIGTERM")
    assert scorer.engine.wait(judge, wall_seconds=30).exit_code == 5
