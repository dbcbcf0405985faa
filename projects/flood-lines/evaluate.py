"""How well predicted water covers the water of hidden chips, over all pixels whose label is known.

Reads what project.toml declares under [submission], strictly, by the platform's shared reader: a mask of bits for each
chip. Pure: the same two folders give the same numbers, whatever the order of rows. Whatever the intern can mend is an
``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``water_iou`` over all pixels together, ``mean_iou`` (water and land), ``worst_event`` (water in the worst event).

    Intersection over union: of the pixels that are water or were called water, the share that are both.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not one mask of the right size for each hidden chip.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, water, known, event = held["id"], held["water"], held["known"], held["event"]
    said = FORM.read(predictions, ids=ids)["water"]  # (n, bytes)
    if said.shape != water.shape:
        raise InvalidSubmission(
            f"water has {said.shape[1]} bytes a row; these chips have {8 * water.shape[1]:,} pixels, so it must have "
            f"{water.shape[1]}: use np.packbits(mask.reshape(-1))."
        )
    both, either = ones(water & said & known), ones((water | said) & known)
    dry, not_both = ones(~water & ~said & known), ones(~(water & said) & known)
    events = [share(both[event == name], either[event == name]) for name in np.flatnonzero(np.bincount(event))]
    iou = share(both, either)
    return {"water_iou": iou, "mean_iou": (iou + share(dry, not_both)) / 2.0, "worst_event": min(events)}


def ones(bits: np.ndarray) -> np.ndarray:
    """How many bits of each row are set, (n,)."""
    return np.bitwise_count(bits).sum(axis=1, dtype=np.int64)


def share(part: np.ndarray, whole: np.ndarray) -> float:
    """The part of the whole; 1 where there is nothing to find and nothing was called."""
    return float(part.sum() / whole.sum()) if whole.any() else 1.0
