"""a-week-to-minutes: a fast miss scores the limit, only the runner says how long it took, and the hidden images are others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, InProject
from .test_projects import FULL

pytestmark = pytest.mark.workspace

SLUG = "a-week-to-minutes"

JUDGED = """
import json, pathlib, tempfile
import numpy as np
import evaluate
ids, truth = np.arange(1000, dtype=np.int64), np.arange(1000, dtype=np.int64) % 10
def judged(right, run=None, target=0.94):
    with tempfile.TemporaryDirectory() as folder:
        out, answers = pathlib.Path(folder, "out"), pathlib.Path(folder, "answers")
        out.mkdir(), answers.mkdir()
        label = truth.copy()
        label[right:] = (label[right:] + 1) % 10
        np.savez(out / "predictions.npz", id=ids, label=label)
        (out / "run.json").write_text('{"seconds": 0.1}')
        np.savez(answers / "answers.npz", id=ids, label=truth)
        (answers / "task.json").write_text(json.dumps({"name": "x", "target": target}))
        return evaluate.evaluate(out, answers, *([run] if run else []))
"""

SPLIT = """
import json, pathlib, sys, tempfile
import numpy as np
import data
def split(folder, secret):
    data.split(folder / "raw", folder / secret / "public", folder / secret / "private", secret.encode())
    held = {}
    for name in ("public/train", "private/inputs/inputs", "private/answers/answers", "private/answers/ledger"):
        with np.load(folder / secret / f"{name}.npz") as arrays:
            held[name.split("/")[-1]] = {key: arrays[key] for key in arrays.files}
    return held
with tempfile.TemporaryDirectory() as place:
    folder = pathlib.Path(place)
    data.toy(folder / "raw", 0)
    with np.load(folder / "raw" / "images.npz") as raw:
        known = {image.tobytes() for image in raw["x"]}
        mean = raw["x"].mean(axis=(1, 2, 3))
    a, b = split(folder, "a"), split(folder, "b")
    said = [json.loads((folder / "a" / where / "task.json").read_text()) for where in ("public", "private/answers")]
"""


def test_a_hit_scores_its_seconds_and_a_miss_the_limit_however_fast(in_project: InProject) -> None:
    code = """
print(judged(940, {"seconds": 3.2}))
print(judged(939, {"seconds": 0.4}))
print(judged(1000, {"seconds": 700.0})["seconds"], judged(1000)["seconds"])
"""
    hit, miss, rest = in_project(SLUG, JUDGED + code).splitlines()

    assert hit == "{'seconds': 3.2, 'accuracy': 0.94, 'hit': 1.0, 'ran_seconds': 3.2}"
    assert miss == "{'seconds': 600.0, 'accuracy': 0.939, 'hit': 0.0, 'ran_seconds': 0.4}"
    assert rest == "600.0 0.0"


def test_a_time_that_the_submission_writes_itself_is_not_looked_at(in_project: InProject) -> None:
    assert in_project(SLUG, JUDGED + 'print(judged(1000, {"seconds": 9.0})["seconds"])') == "9.0\n"


def test_a_mean_over_ten_seeds_with_one_fast_miss_is_behind_the_baseline(in_project: InProject) -> None:
    """What the README says of nine hits in two seconds."""
    code = """
seconds = [judged(1000, {"seconds": 2.0})["seconds"]] * 9 + [judged(900, {"seconds": 2.0})["seconds"]]
print(round(sum(seconds) / 10, 1))
"""
    assert in_project(SLUG, JUDGED + code) == "61.8\n"


def test_the_secret_decides_what_is_hidden_what_it_looks_like_and_what_the_classes_are_called(
    in_project: InProject,
) -> None:
    code = """
    hidden = a["ledger"]["part"] == 1
    groups = set(a["ledger"]["group"][hidden]) & set(a["ledger"]["group"][~hidden])
    both = hidden & (b["ledger"]["part"] == 1)
    print(hidden.sum(), len(groups), both.sum() < 0.6 * hidden.sum())
    print(sum(image.tobytes() in known for image in a["inputs"]["x"]), said[0] == said[1], said[0]["target"])
    print(sorted(set(a["answers"]["label"].tolist())), np.ptp(mean) < 12)
    orders = {tuple(data.renamed(np.arange(10), secret=str(n).encode()).tolist()) for n in range(20)}
    print(len(orders), {tuple(sorted(order)) for order in orders} == {tuple(range(10))})
"""
    said = in_project(SLUG, SPLIT + code).splitlines()

    assert said == ["960 0 True", "0 True 0.95", "[0, 1, 2] True", "20 True"]


def test_cifar_is_unpacked_channel_last_with_its_copies_in_one_group(in_project: InProject) -> None:
    said = in_project(SLUG, FULL)

    assert said == "cifar.tar.gz is not the file named in project.toml; it was removed, fetch again False\n"


def test_every_network_of_a_recipe_names_every_class_of_every_image(in_project: InProject) -> None:
    code = """
import torch
import baseline
for name, (channels, side) in {"textures": (1, 24), "mnist": (1, 28), "cifar-10": (3, 32)}.items():
    model = baseline.network(baseline.RECIPES[name], channels=channels, classes=10).eval()
    with torch.inference_mode():
        print(name, tuple(model(torch.zeros(2, channels, side, side)).shape))
seen = torch.arange(2 * 3 * 32 * 32, dtype=torch.float32).view(2, 3, 32, 32)
print({tuple(baseline.moved(seen).shape) for _ in range(20)}, torch.equal(baseline.moved(seen), seen))
"""
    said = in_project(SLUG, code).splitlines()

    assert said[:3] == [f"{name} (2, 10)" for name in ("textures", "mnist", "cifar-10")]
    assert said[3].startswith("{(2, 3, 32, 32)}")


def test_local_reads_mnist_in_the_raw_form(tmp_path: Path, in_project: InProject) -> None:
    code = f"""
import json, pathlib
import numpy as np
import data
folder = pathlib.Path({str(tmp_path)!r})
(folder / "mnist").mkdir()
images = np.random.default_rng(0).integers(0, 256, size=(70, 28, 28), dtype=np.uint8)
images[9] = images[4]
labels = np.arange(70, dtype=np.uint8) % 10
np.savez(folder / "mnist" / "mnist.npz", x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
data.local(folder / "raw", folder)
data.split(folder / "raw", folder / "public", folder / "private", b"a")
with np.load(folder / "raw" / "images.npz") as held:
    print(held["x"].shape, held["y"].dtype, held["group"][9] == held["group"][4] == 4)
print(json.loads((folder / "public" / "task.json").read_text()), len(np.load(folder / "private/answers/answers.npz")["id"]))
"""
    said = in_project(SLUG, code).splitlines()

    assert said == ["(70, 28, 28, 1) int64 True", "{'name': 'mnist', 'target': 0.98} 10"]


def test_its_baseline_is_measured_by_the_platforms_clock(workspace_python: Path) -> None:
    command = [sys.executable, str(ROOT / "tests" / "projects" / "clock.py"), SLUG, "--runs", "1"]
    environment = os.environ | {"PRACTICUM_WORKSPACE_PYTHON": str(workspace_python)}

    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)

    assert done.returncode == 0, done.stderr
    first = dict(part.split(" ") for part in done.stdout.splitlines()[0].removeprefix("run 0: ").split(", "))
    assert float(first["hit"]) == 1.0
    assert float(first["seconds"]) == float(first["ran_seconds"]) > 0.5
    assert "seconds: " in done.stdout


def test_the_starter_hands_in_training_and_prediction() -> None:
    cells = json.loads((ROOT / "projects" / SLUG / "start.ipynb").read_text(encoding="utf-8"))["cells"]
    written = next("".join(cell["source"]) for cell in cells if "%%writefile" in "".join(cell["source"]))

    assert "def train(public, artifact, budget, seed):" in written
    assert "def predict(artifact, inputs, out):" in written
