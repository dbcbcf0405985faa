"""many-minds: what is hidden and how it was spoilt follow the secret alone; the calibration is fair and can't be cheated."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT, InProject

pytestmark = pytest.mark.workspace

SPLIT = """
import pathlib, tempfile
import numpy as np
import data
with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    data.toy(work / "raw", 0)
    def split(name, secret):
        data.split(work / "raw", work / name / "public", work / name / "private", secret)
        with np.load(work / name / "private" / "inputs" / "inputs.npz") as held:
            hidden = held["x"]
        with np.load(work / name / "private" / "answers" / "ledger.npz") as held:
            return hidden, {key: held[key] for key in held.files}
    hidden, ledger = split("a", b"a")
    again, _ = split("again", b"a")
    _, other = split("b", b"b")
    with np.load(work / "raw" / "images.npz") as held:
        known = {image.tobytes() for image in held["x"]}
"""

WHOLE = (
    SPLIT
    + """
for group in np.unique(ledger["group"]):
    assert len(set(ledger["part"][ledger["group"] == group])) == 1, "a group is divided"
count = int((ledger["part"] == 1).sum())
both = ((ledger["part"] == 1) & (other["part"] == 1)).sum()
print(599 <= count <= 620, both < 0.5 * count, np.array_equal(hidden, again), len(set(ledger["id"]) & set(other["id"])))
print(sum(image.tobytes() in known for image in hidden), hidden.dtype, hidden.shape[1:])
"""
)

SPOILT = """
import numpy as np
import data
image = np.zeros((32, 32, 3), dtype=np.uint8)
image[8:24, 12:20] = (200, 120, 40)
random = np.random.default_rng(0)
for kind in data.CORRUPTIONS:
    apart = []
    for severity in (0.0, 0.5, 1.0):
        changed = kind(image.astype(np.float64), severity, np.random.default_rng(1))
        assert changed.shape == image.shape
        apart.append(float(np.abs(changed - image).mean()))
    assert apart[0] < 1.0 < apart[2] and apart[1] < apart[2], (kind.__name__, apart)
print(len({data.corrupt(image, seed=seed).tobytes() for seed in range(60)}), data.corrupt(image, seed=1).dtype)
"""

LOCAL = """
import pathlib, tempfile
import numpy as np
import data
random = np.random.default_rng(0)
with tempfile.TemporaryDirectory() as folder:
    home = pathlib.Path(folder)
    (home / "mnist").mkdir()
    x, y = random.integers(0, 256, size=(40, 28, 28), dtype=np.uint8), np.arange(40, dtype=np.uint8) % 10
    x[7] = x[3]
    np.savez(home / "mnist" / "mnist.npz", x_test=x, y_test=y)
    data.local(home / "raw", home)
    with np.load(home / "raw" / "images.npz") as held:
        print(held["x"].shape, held["y"].dtype, held["group"][7] == held["group"][3] == 3)
"""

JUDGED = """
import pathlib, tempfile
import numpy as np
import evaluate
random = np.random.default_rng(0)
count = 4000
label = random.integers(0, 10, count)
ids = np.sort(random.choice(10**9, count, replace=False)).astype(np.int64)
fold = random.integers(0, 2, count)
logits = 3.0 * np.eye(10)[label] + random.normal(size=(count, 10)) * 1.5
work = pathlib.Path(tempfile.mkdtemp())
np.savez(work / "answers.npz", id=ids, label=label, fold=fold)
def judged(logits, order=slice(None)):
    probability = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability = (probability / probability.sum(axis=1, keepdims=True)).astype(np.float32)
    np.savez(work / "predictions.npz", id=ids[order], probability=probability[order])
    return evaluate.evaluate(work, work)
"""

FAIR = (
    JUDGED
    + """
plain = judged(logits)
sharp, flat = judged(3 * logits), judged(logits / 3)
print(plain["nll"] < flat["nll"], sharp["nll"] > plain["nll"] + 0.3, sharp["accuracy"] == plain["accuracy"])
print(*(abs(other["calibrated_nll"] - plain["calibrated_nll"]) < 0.01 for other in (sharp, flat)))
print(abs(sharp["temperature"] / plain["temperature"] - 3) < 0.1, sharp["ece"] > plain["ece"] < flat["ece"])
print(judged(logits, random.permutation(count)) == plain)
"""
)

CROSSED = (
    JUDGED
    + """
from unittest import mock
seen = []
real = evaluate.fitted_sharpness
with mock.patch.object(evaluate, "fitted_sharpness", lambda x, y: seen.append(len(y)) or real(x, y)):
    plain = judged(logits)
print(seen == [int((fold == 1).sum()), int((fold == 0).sum())])
moved = label.copy()
moved[fold == 0] = (moved[fold == 0] + 5) % 10  # what one fold's labels say can't help that fold
np.savez(work / "answers.npz", id=ids, label=moved, fold=fold)
print(judged(logits)["calibrated_nll"] > plain["calibrated_nll"] + 1.0)
np.savez(work / "answers.npz", id=ids, label=label, fold=fold)
shuffled = judged(logits[random.permutation(count)])
print(abs(shuffled["calibrated_nll"] - np.log(10)) < 0.02, abs(shuffled["accuracy"] - 0.1) < 0.02)
print(abs(shuffled["knows"] - 0.5) < 0.05, plain["knows"] > 0.7)
"""
)

TEXTBOOK = """
import time
import numpy as np
import evaluate
logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]]))
print(np.allclose(evaluate.losses(logits, np.array([0, 2])), -np.log([0.7, 0.3])))
random = np.random.default_rng(0)
wide = random.normal(size=(10_000, 10)) * 3
label = np.array([random.choice(10, p=row) for row in np.exp(wide) / np.exp(wide).sum(axis=1, keepdims=True)])
grid = np.linspace(0.2, 3.0, 561)
best = min(grid, key=lambda sharpness: evaluate.losses(sharpness * wide, label).mean())
found = evaluate.fitted_sharpness(wide, label)
print(abs(found - best) < 0.006, abs(found - 1) < 0.05)
print(evaluate.calibration_error(np.array([0.95, 0.95, 0.35]), np.array([True, False, False])))
print(evaluate.chance_of_knowing(np.array([0.9, 0.8, 0.8, 0.3]), np.array([True, True, False, False])))
print(evaluate.chance_of_knowing(np.array([0.9]), np.array([True])))
"""

QUICK = """
import pathlib, tempfile, time
import numpy as np
import evaluate
random = np.random.default_rng(0)
count = 10_000
probability = random.dirichlet(np.ones(10), size=count).astype(np.float32)
ids = np.arange(count)
work = pathlib.Path(tempfile.mkdtemp())
np.savez(work / "answers.npz", id=ids, label=random.integers(0, 10, count), fold=random.integers(0, 2, count))
np.savez(work / "predictions.npz", id=ids, probability=probability)
took = []
for _ in range(7):
    start = time.process_time()
    evaluate.evaluate(work, work)
    took.append(time.process_time() - start)
print(min(took))
"""


def test_groups_stay_whole_and_the_secret_decides_what_is_hidden(in_project: InProject) -> None:
    said = in_project("many-minds", WHOLE).split("\n")

    assert said[0] == "True True True 0"
    assert said[1] == "0 uint8 (8, 8, 1)"


def test_every_corruption_grows_with_its_severity_and_no_two_images_are_spoilt_alike(in_project: InProject) -> None:
    assert in_project("many-minds", SPOILT).split() == ["60", "uint8"]


def test_local_data_have_the_raw_form_of_the_full_ones(in_project: InProject) -> None:
    assert in_project("many-minds", LOCAL) == "(40, 28, 28, 1) int64 True\n"


def test_raising_all_probabilities_to_a_power_changes_the_nll_and_not_the_score(in_project: InProject) -> None:
    assert set(in_project("many-minds", FAIR).split()) == {"True"}


def test_no_label_touches_the_temperature_it_is_judged_with_and_chance_stays_chance(in_project: InProject) -> None:
    assert set(in_project("many-minds", CROSSED).split()) == {"True"}


def test_losses_temperature_calibration_error_and_knowing_are_those_of_the_textbook(in_project: InProject) -> None:
    said = in_project("many-minds", TEXTBOOK).split()

    assert said[:3] == ["True", "True", "True"]
    assert float(said[3]) == pytest.approx((0.9 + 0.35) / 3)
    assert float(said[4]) == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    assert float(said[5]) == 1.0


def test_ten_thousand_images_are_scored_in_a_blink(in_project: InProject) -> None:
    assert float(in_project("many-minds", QUICK)) < 0.15  # 0.05 s where nothing else runs


def test_what_is_measured_is_what_the_command_says(workspace_python: Path, tmp_path: Path) -> None:
    """Two short runs of measure.py: two different secrets, a summary over both, and the constant that was set."""
    program, out = ROOT / "tests" / "projects" / "measure.py", tmp_path / "measured.json"
    options = ["--runs", "2", "--set", "EPOCHS=1", "--set", "WIDTH=4", "--json", str(out)]
    command = [str(workspace_python), "-B", str(program), "many-minds", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr

    measured = json.loads(out.read_text())
    scores = [run["metrics"]["calibrated_nll"] for run in measured["runs"]]
    mean, deviation, count = measured["summary"]["calibrated_nll"]
    assert (measured["WIDTH"], count, len(set(scores))) == (4, 2, 2)
    assert mean == pytest.approx(sum(scores) / 2)
    assert deviation == pytest.approx(abs(scores[0] - scores[1]) / 2**0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere"], "nowhere is no folder with a project.toml, and no name in projects/."),
        (["odd-one-out", "--mode", "local", "--data", "."], "odd-one-out: data.py has no local(raw, folder)."),
        (
            ["many-minds", "--mode", "local", "--data", "nowhere"],
            "--mode local needs nowhere/mnist/mnist.npz, and there is no such file.",
        ),
        (["many-minds", "--set", "DEPTH=4"], "--set DEPTH=4: baseline.py has no DEPTH."),
        (
            ["many-minds", "--mode", "local"],
            "--mode local needs real data: give their folder with --data or PRACTICUM_TEST_DATA.",
        ),
    ],
)
def test_what_is_missing_is_said_before_anything_is_measured(
    options: list[str], message: str, workspace_python: Path
) -> None:
    program = ROOT / "tests" / "projects" / "measure.py"
    command = [str(workspace_python), "-B", str(program), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={})

    assert (done.returncode, done.stderr.strip()) == (2, message)
