"""What an attempt at the readiness check holds: four shares of right values, and the share of bars they reach.

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
TASKS = {"environment": 1, "dates": 2, "numbers": 3, "repeats": 4}
TOLERANCE = 1e-6  # of the value


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``held``: the share of bars held; the share of right values of each; ``variant``: which one was handed in.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not all of one variant.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth, variants, task = (held[name] for name in ("id", "value", "variant", "task"))
    given = FORM.read(predictions, ids=ids)
    variant = _one(given["variant"])
    right = np.abs(given["value"] - truth) <= TOLERANCE * np.abs(truth)
    found = {name: float(right[(variants == variant) & (task == number)].mean()) for name, number in TASKS.items()}
    held_bars = sum(found[name] >= least for name, least in BARS.items())
    return {"held": held_bars / len(BARS), **found, "variant": float(variant)}


def _one(variants: np.ndarray) -> int:
    first = int(variants[0])
    if (variants != first).any():
        raise InvalidSubmission(f"The rows say more than one variant. Write {first} in each of them.")
    return first
