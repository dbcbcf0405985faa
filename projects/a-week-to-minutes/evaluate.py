"""Seconds until a trained network has labelled the hidden images, where enough of them are right.

``evaluate`` is called once for each seed, with what the platform measured of that seed's run: from the start of its
container to the end of it, in a place that the submission's code never sees. Reads what project.toml declares under
[submission], strictly, by the platform's shared reader. Pure: the same folders and the same run give the same numbers,
whatever the order of rows. Whatever the intern can mend is an ``InvalidSubmission``; its message is shown as it is.

A seed *hits* where the share of hidden images with the right label is at least the target (answers/task.json). A hit scores
its seconds. A miss scores ``metric.worst``, the limit, however fast it was. The score of a submission is the mean over its
seeds, so it is fast only where every seed hits. That is a sign test: were a training of this submission as likely to miss
as to hit, ten hits of ten would come with p = 2^-10 = 0.001, nine or ten with p = 11 / 1024 = 0.011. Only ten of ten is
below 0.01.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

TOML = Path(__file__).with_name("project.toml")
FORM = load_form(TOML)
LIMIT_SECONDS = float(tomllib.loads(TOML.read_text(encoding="utf-8"))["metric"]["worst"])


def evaluate(predictions: Path, answers: Path, run: Mapping[str, float] | None = None) -> dict[str, float]:
    """``seconds`` (the limit where the seed misses), ``accuracy``, ``hit`` (1 or 0) and ``ran_seconds``, hit or not.

    ``run`` holds the ``seconds`` that were measured; without it, at home, they are taken to be none.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not one label for each hidden image.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth = held["id"], held["label"]
    target = float(json.loads((answers / "task.json").read_text(encoding="utf-8"))["target"])
    ran = 0.0 if run is None else float(run["seconds"])
    accuracy = float((FORM.read(predictions, ids=ids)["label"] == truth).mean())
    hit = accuracy >= target
    return {
        "seconds": min(ran, LIMIT_SECONDS) if hit else LIMIT_SECONDS,
        "accuracy": accuracy,
        "hit": float(hit),
        "ran_seconds": ran,
    }
