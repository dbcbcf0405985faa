"""How well scores tell faulty readings from ordinary ones, without a threshold: VUS-PR.

Reads what project.toml declares under [submission] (``id`` (n,) and ``score`` (n, length), higher where a reading is odder),
strictly, by the platform's shared reader.

**VUS-PR**, the volume under the surface of precision, recall and buffer (Paparrizos and others, PVLDB 15(11), 2022,
https://doi.org/10.14778/3551793.3551830). A detector that points a few readings beside a fault is of use, and a plain curve of
precision and recall gives it nothing. So around each fault lies a buffer in which a reading counts in part: at distance d
from the fault, ``sqrt(1 - d / w)`` up to d = w // 2, for a window of w. Of everything with a score of at least a threshold,

- precision is the weight that was found, divided by how many readings were named;
- recall is the weight that was found, divided by the mean of two counts: of the faulty readings, and of these with the weight
  named in the buffers; at most 1; times the share of faults of which anything was named (faults whose buffers meet are one).

The area is the sum of precision times the rise in recall over all distinct scores as thresholds. The volume is its mean over
the windows 0 to the period of the machine. A series counts as much as any other. With one fault and w = 0 it is the
average precision. These are the formulas of the authors' own program (``RangeAUC_volume_opt`` of
https://github.com/TheDatumOrg/TSB-AD), which takes 250 thresholds where this takes every score.

``point_adjusted_f1`` is returned beside it to be looked at, and never ranks: there, naming one reading of a fault names all of
it, so random scores look well (Kim and others 2022, https://arxiv.org/abs/2109.05257).

Pure: the same two folders give the same numbers, whatever the order of rows. Whatever the intern can mend is an
``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """Means over the series: ``vus_pr``; ``average_precision``, without buffers; ``point_adjusted_f1``.

    Raises:
        InvalidSubmission: the scores can't be read, or are not one finite score for each reading.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, label, period = held["id"], held["label"].astype(bool), held["period"]
    score = FORM.read(predictions, ids=ids)["score"]
    if score.shape != label.shape:
        raise InvalidSubmission(
            f"score has {score.shape[1]} numbers a row; the series have {label.shape[1]} readings. Write one score for each "
            f"reading; where windows give fewer, say what the readings at the ends get."
        )
    rows = list(zip(score, label, period.tolist(), strict=True))
    return {
        "vus_pr": float(np.mean([vus_pr(said, faulty, window=window) for said, faulty, window in rows])),
        "average_precision": float(np.mean([average_precision(said, faulty) for said, faulty, _ in rows])),
        "point_adjusted_f1": float(np.mean([point_adjusted_f1(said, faulty) for said, faulty, _ in rows])),
    }


def vus_pr(score: np.ndarray, label: np.ndarray, *, window: int) -> float:
    """The volume for one series: scores and faults (length,), windows 0 to ``window``."""
    faults = stretches(label)
    order, last = ranked(score)
    named = last + 1.0  # how many readings each threshold names
    weight = buffered(label, faults, window=window)  # (window + 1, length)
    found = np.cumsum(weight[:, order], axis=1)[:, last]  # (window + 1, thresholds)
    inside = np.cumsum(label[order])[last]
    recall = np.minimum(found / (label.sum() + (found - inside) / 2), 1.0)
    threshold = score[order[last]]
    for half in range(window // 2 + 1):
        recall[2 * half : 2 * half + 2] *= share_found(score, faults, threshold=threshold, half=half)
    rise = np.diff(recall, axis=1, prepend=0.0)
    return float((rise * (found / named)).sum(axis=1).mean())


def stretches(label: np.ndarray) -> list[tuple[int, int]]:
    """First and last reading of each fault."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label.astype(np.int8), [0]])))
    return [(int(first), int(after) - 1) for first, after in edges.reshape(-1, 2)]


def ranked(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Readings by falling score, and the place of the last reading of each distinct score."""
    order = np.argsort(-score, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(score[order]) != 0, True))


def buffered(label: np.ndarray, faults: list[tuple[int, int]], *, window: int) -> np.ndarray:
    """The weight of each reading for each window 0 to ``window``: (window + 1, length), 1 in faults; overlaps add, up to 1."""
    length, reach = len(label), window // 2
    distance, size = np.arange(1, reach + 1), np.arange(window + 1)[:, None]
    slope = np.where(distance <= size // 2, np.sqrt(np.maximum(1 - distance / np.maximum(size, 1), 0)), 0.0)
    weight = np.repeat(label[None, :].astype(np.float64), window + 1, axis=0)
    for first, last in faults:
        after, before = min(reach, length - 1 - last), min(reach, first)
        weight[:, last + 1 : last + 1 + after] += slope[:, :after]
        weight[:, first - before : first] += slope[:, :before][:, ::-1]
    return np.minimum(weight, 1.0)


def share_found(score: np.ndarray, faults: list[tuple[int, int]], *, threshold: np.ndarray, half: int) -> np.ndarray:
    """For each threshold: of the faults, widened by ``half`` on both sides and joined where they meet, the share found."""
    highest: list[float] = []
    end = -1
    for first, last in faults:
        top = float(score[max(first - half, 0) : last + half + 1].max())
        if highest and first - half <= end:
            highest[-1] = max(highest[-1], top)
        else:
            highest.append(top)
        end = last + half
    return (np.array(highest)[:, None] >= threshold).mean(axis=0)


def average_precision(score: np.ndarray, label: np.ndarray) -> float:
    """The area under the curve of precision and recall of single readings, as a sum over distinct scores."""
    order, last = ranked(score)
    found = np.cumsum(label[order])[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / label.sum())


def point_adjusted_f1(score: np.ndarray, label: np.ndarray) -> float:
    """The best F1 over all thresholds when a fault counts as named whole once any of its readings is."""
    order, last = ranked(score)
    wrong = np.cumsum(~label[order])[last]
    threshold = score[order[last]]
    found = np.zeros(len(last))
    for first, end in stretches(label):
        found += (end + 1 - first) * (score[first : end + 1].max() >= threshold)
    return float((2 * found / (found + wrong + label.sum())).max())
