"""Accuracy of digit labels on the hidden images.

Reads what project.toml declares under [submission], strictly, by the platform's shared reader. Pure: the same two folders
give the same numbers, whatever the order of rows. Whatever the intern can mend is an ``InvalidSubmission``; its message is
shown to the intern as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``accuracy``: the share of hidden images with the right label; ``worst_digit``: the same for the worst class.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not one digit for each hidden image.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth = held["id"], held["label"]
    right = FORM.read(predictions, ids=ids)["label"] == truth
    worst = min(float(right[truth == digit].mean()) for digit in np.flatnonzero(np.bincount(truth)))
    return {"accuracy": float(right.mean()), "worst_digit": worst}
