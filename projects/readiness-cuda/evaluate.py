"""What an attempt at the readiness check holds: three shares of right answers, and the share of bars they reach.

Judges the rows of the variant that is handed in; what stands in the rows of the others is not looked at. A bar is held
when its number reaches what project.toml says under ``pass``. Pure, NumPy only; runs beside the answers.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

PROJECT = Path(__file__).with_name("project.toml")
FORM = load_form(PROJECT)
BARS = {bar["metric"]: bar["pass"] for bar in tomllib.loads(PROJECT.read_text(encoding="utf-8"))["bars"]}
CAUSES, DEVICES, MEMORY = 1, 2, 3
TOLERANCE = 1e-3  # float32 on any machine comes nearer than this
PARTS = 3  # numbers a plan has


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``held``: the share of bars held; the share of right answers of each; ``variant``: which one was handed in.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not all of one variant.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth, variants, task, place = (held[name] for name in ("id", "value", "variant", "task", "place"))
    given = FORM.read(predictions, ids=ids)
    variant = _one(given["variant"])
    right = np.abs(given["value"] - truth) <= TOLERANCE

    def of(number: int) -> np.ndarray:
        rows = np.flatnonzero((variants == variant) & (task == number))
        return right[rows[np.argsort(place[rows])]]

    found = {
        "causes": float(of(CAUSES).mean()),
        "devices": float(of(DEVICES).mean()),
        "memory": float(of(MEMORY).reshape(-1, PARTS).all(axis=1).mean()),  # a plan is right as a whole
    }
    held_bars = sum(found[name] >= least for name, least in BARS.items())
    return {"held": held_bars / len(BARS), **found, "variant": float(variant)}


def _one(variants: np.ndarray) -> int:
    first = int(variants[0])
    if (variants != first).any():
        raise InvalidSubmission(f"The rows say more than one variant. Write {first} in each of them.")
    return first
