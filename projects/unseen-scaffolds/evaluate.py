"""How far predicted values are from the measured ones, on molecules whose scaffolds are in no public molecule.

Reads what project.toml declares under [submission], strictly, by the platform's shared reader. The interval comes from
drawing whole scaffolds with replacement, for the molecules of one scaffold are no independent trials; the draws are the
same each time. Pure: the same two folders give the same numbers, whatever the order of rows. Whatever the intern can mend
is an ``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))
DRAWS = 1000


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``rmse``, the ends ``rmse_low`` and ``rmse_high`` of its 90 % interval over scaffolds, and ``mae``.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not one finite value for each hidden molecule.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, value, group = held["id"], held["value"].astype(np.float64), held["group"]
    missed = FORM.read(predictions, ids=ids)["value"].astype(np.float64) - value
    low, high = interval(missed**2, group)
    return {
        "rmse": float(np.sqrt((missed**2).mean())),
        "rmse_low": low,
        "rmse_high": high,
        "mae": float(np.abs(missed).mean()),
    }


def interval(squares: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """The 5th and the 95th percentile of the root mean square over ``DRAWS`` draws of whole groups."""
    _, inverse = np.unique(group, return_inverse=True)
    sums, sizes = np.bincount(inverse, weights=squares), np.bincount(inverse)
    drawn = np.random.default_rng(0).integers(0, len(sums), size=(DRAWS, len(sums)))
    roots = np.sort(np.sqrt(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)))
    return float(roots[DRAWS // 20]), float(roots[-DRAWS // 20])
