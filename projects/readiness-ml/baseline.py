"""An honest half: two hyperparameters well tuned, everything else as it was given.

Claim: 0.25 of the bars held on every secret (n = 10 split secrets, variant 1), in a second on one processor core,
2026-11-29. A coarse grid and a closer look find the hyperparameters; the loop keeps its faults, the trees all see the same rows,
and the curves are read at their last epoch.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np

VARIANT = 1
FILES = ("lab.py", "predict.py", "bag.py")


def train(public: Path, artifact: Path, budget: float) -> None:
    """Copy what is given and write answers.json. ``budget`` is in seconds; this needs less."""
    del budget
    artifact.mkdir(parents=True, exist_ok=True)
    given = public / f"variant-{VARIANT}"
    for file in (*(public / name for name in FILES), given / "sgd.py"):
        shutil.copyfile(file, artifact / file.name)
    lab = _loaded(public / "lab.py")
    with np.load(given / "tune.npz", allow_pickle=False) as held:
        trial = lab.Trials(held["x"], held["y"], held["valid_x"], held["valid_y"])
    steps = np.linspace(0.1, 0.9, 4)
    for across in steps:  # a coarse look, then a closer one around the best
        for along in steps[:3] if across == steps[0] else steps:
            trial(lab.RATE[0] + across * 4.0, lab.DECAY[0] + along * 5.0)
    for turn in range(5):
        rate, decay, _ = min(trial.done, key=lambda done: done[2])
        move = np.array([(0.5, 0.0), (-0.5, 0.0), (0.0, 0.6), (0.0, -0.6), (0.25, 0.3)][turn])
        trial(float(np.clip(rate + move[0], *lab.RATE)), float(np.clip(decay + move[1], *lab.DECAY)))
    rate, decay, _ = min(trial.done, key=lambda done: done[2])
    answers = {
        "variant": VARIANT,
        "tune": {"log_rate": rate, "log_decay": decay, "trials": len(trial.done)},
        "curve": {"stop": 80, "ended": 80, "gap": 0.0, "overfits": 1, "underfits": 1},
    }
    (artifact / "answers.json").write_text(json.dumps(answers), encoding="utf-8")


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Run what lies in the artifact as an attempt is run."""
    _loaded(artifact / "predict.py").run(artifact, inputs, out)


def _loaded(file: Path):
    spec = importlib.util.spec_from_file_location(f"given_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
