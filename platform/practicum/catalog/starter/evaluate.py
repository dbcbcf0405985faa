"""The share of hidden recordings whose shape was told.

Runs beside the answers in a process that never runs an intern's code. It may import the standard library, NumPy and
``practicum_scorer``, which reads the predictions as project.toml declares them, or refuses them with file, line and
column. What else is wrong with them is raised as InvalidSubmission, in words for the intern; any other exception counts
as the project's own fault.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """The metrics of ``predictions``; the first name is that of metric.name in project.toml.

    Raises:
        InvalidSubmission: with the place and what to mend.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth = held["id"], held["label"]
    label = FORM.read(predictions, ids=ids)["label"]
    right = label == truth
    by_shape = [right[truth == shape].mean() for shape in np.flatnonzero(np.bincount(truth))]
    return {"accuracy": float(right.mean()), "worst_shape": float(min(by_shape))}
