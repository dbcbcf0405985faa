"""How much a frozen code of the hidden images says about their labels, judged by a linear probe.

Reads what project.toml declares under [submission] (``id`` (n,) and ``code`` (n, d), d at most 1,024), strictly, by the
platform's shared reader. The hidden images are in two folds. A softmax regression is fitted to the codes and labels of
one fold and judged on the other, then the other way round, so every hidden image is judged once by a probe that hasn't
seen it. The probe standardises each feature on its own fold and picks its L2 penalty on every fifth image of that fold.
All of it is full-batch and without random numbers: the same two folders give the same numbers, whatever the order of
rows.

Whatever the intern can mend is an ``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
STEPS = 150
NEIGHBOURS = 10


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``probe_accuracy``, ``knn_accuracy``, the code's ``dimensions`` and the ``active_share`` of its entries.

    Raises:
        InvalidSubmission: the codes can't be read, or are not one finite code for each hidden image.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, label, fold = held["id"], held["label"], held["fold"]
    code = FORM.read(predictions, ids=ids)["code"].astype(np.float64)  # (n, d)
    probe, neighbours = np.zeros(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)
    for judged in (0, 1):
        fitted = fold != judged
        seen, unseen = standardised(code[fitted], code[~fitted])
        weights = fitted_probe(seen, label[fitted], classes=int(label.max()) + 1)
        probe[~fitted] = predicted(weights, unseen) == label[~fitted]
        neighbours[~fitted] = nearest_labels(seen, label[fitted], unseen) == label[~fitted]
    return {
        "probe_accuracy": float(probe.mean()),
        "knn_accuracy": float(neighbours.mean()),
        "dimensions": float(code.shape[1]),
        "active_share": float((code != 0).mean()),
    }


def standardised(seen: np.ndarray, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays (n, d), shifted and scaled by the mean and deviation of the first; a constant feature becomes 0."""
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(deviation > 1e-6 * (1.0 + np.abs(mean)), deviation, np.inf)
    scaled = ((seen - mean) / scale, np.clip((unseen - mean) / scale, -10.0, 10.0))
    return scaled[0].astype(np.float32), scaled[1].astype(np.float32)


def fitted_probe(x: np.ndarray, label: np.ndarray, *, classes: int) -> np.ndarray:
    """Weights (d + 1, classes) of a softmax regression; the penalty is picked on every fifth row, then all are used."""
    held_out = np.arange(len(x)) % 5 == 0
    tried = softmax_regressions(x[~held_out], label[~held_out], classes=classes, penalties=PENALTIES)
    scores = [float((predicted(weights, x[held_out]) == label[held_out]).mean()) for weights in tried]
    return softmax_regressions(x, label, classes=classes, penalties=PENALTIES[int(np.argmax(scores)) :][:1])[0]


def softmax_regressions(
    x: np.ndarray, label: np.ndarray, *, classes: int, penalties: tuple[float, ...]
) -> list[np.ndarray]:
    """One softmax regression, weights (d + 1, classes), for each penalty; all are fitted together.

    ``STEPS`` full-batch steps of Nesterov's method with the step 1 / L, where L bounds the curvature: half the largest
    eigenvalue of the features' second moments, plus the penalty.
    """
    inputs = np.hstack([x, np.ones((len(x), 1), dtype=np.float32)])
    target = np.eye(classes, dtype=np.float32)[label][:, None, :]  # (n, 1, classes)
    penalty = np.array(penalties, dtype=np.float32)[None, :, None]
    step_size = 1.0 / (0.5 * _largest_moment(inputs) + penalty)
    shape = (inputs.shape[1], len(penalties), classes)
    ahead, before = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    decayed = np.ones((shape[0], 1, 1), dtype=np.float32)
    decayed[-1] = 0.0  # the intercept isn't
    for step in range(1, STEPS + 1):
        logits = (inputs @ ahead.reshape(shape[0], -1)).reshape(len(x), *shape[1:])  # (n, penalties, classes)
        error = (_softmax(logits) - target).reshape(len(x), -1)
        gradient = (inputs.T @ error).reshape(shape) / np.float32(len(x)) + penalty * decayed * ahead
        weights = ahead - step_size * gradient
        ahead = weights + np.float32(step / (step + 3)) * (weights - before)
        before = weights
    return [before[:, place] for place in range(len(penalties))]


def predicted(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The most likely label of each row of x (n, d)."""
    return (x @ weights[:-1] + weights[-1]).argmax(axis=1)


def nearest_labels(known: np.ndarray, label: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The commonest label among the ``NEIGHBOURS`` rows of ``known`` with the largest cosine, for each of ``asked``."""
    likeness = _unit(asked) @ _unit(known).T
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = np.zeros((len(asked), int(label.max()) + 1))
    np.add.at(votes, (np.arange(len(asked))[:, None], label[nearest]), 1.0)
    return votes.argmax(axis=1)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _largest_moment(inputs: np.ndarray) -> np.float32:
    """The largest eigenvalue of inputs.T @ inputs / n: 30 power iterations from a fixed start, raised by a tenth."""
    vector = np.linspace(1.0, 1.01, inputs.shape[1], dtype=np.float32)
    for _ in range(30):
        vector = inputs.T @ (inputs @ (vector / np.linalg.norm(vector))) / np.float32(len(inputs))
    return np.float32(1.1) * np.float32(np.linalg.norm(vector))
