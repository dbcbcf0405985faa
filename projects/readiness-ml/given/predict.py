"""Runs what you mended on data you have not seen, and hands in your answers. Nothing is to be changed here."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path

import numpy as np

SGD, TUNE, BAG, CURVE = 1, 2, 3, 4
TUNED = ("log_rate", "log_decay", "trials")
READ = ("stop", "ended", "gap", "overfits", "underfits")


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Write out/predictions.npz: the value of every row of your variant, 0 in the others'."""
    del artifact
    run(Path(__file__).resolve().parent, inputs, out)


def run(folder: Path, inputs: Path, out: Path) -> None:
    """The same, of what lies in ``folder``. A part that fails prints why and counts as not done."""
    sys.path.insert(0, str(folder))
    answers = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    variant = int(answers["variant"])
    with np.load(inputs / "inputs.npz", allow_pickle=False) as held:
        ids = held["id"]
    with np.load(inputs / f"hidden-{variant}.npz", allow_pickle=False) as held:
        hidden = {name: held[name] for name in held.files}
    parts = {
        SGD: lambda: sgd(hidden),
        TUNE: lambda: np.array([answers["tune"][name] for name in TUNED]),
        BAG: lambda: bag(hidden),
        CURVE: lambda: np.array([answers["curve"][name] for name in READ]),
    }
    value = np.zeros(len(ids))  # ids are sorted
    for task, part in parts.items():
        try:
            found = np.nan_to_num(np.asarray(part(), dtype=np.float64), nan=0.0, posinf=1e9, neginf=-1e9)
            value[np.searchsorted(ids, hidden[f"ids_{task}"])] = np.clip(found, -1e9, 1e9)
        except Exception:
            traceback.print_exc()
    np.savez(out / "predictions.npz", id=ids, variant=np.full(len(ids), variant), value=value)


def sgd(hidden: dict[str, np.ndarray]) -> np.ndarray:
    """Your loop, trained on hidden data: what it predicts for hidden rows."""
    fit = importlib.import_module("sgd").fit
    with np.errstate(all="ignore"):
        weights, bias = fit(hidden["sgd_x"].copy(), hidden["sgd_y"].copy(), rate=0.03, epochs=30, batch=20, seed=1)
        return hidden["sgd_asked"] @ weights + bias


def bag(hidden: dict[str, np.ndarray]) -> np.ndarray:
    """Your bag of trees, grown on hidden data: its vote on hidden rows."""
    module = importlib.import_module("bag")
    return module.vote(module.bag(hidden["bag_x"], hidden["bag_y"], count=40, seed=1), hidden["bag_asked"])
