"""How much the truth surprises the probabilities that were handed in, after a fair calibration.

Reads what project.toml declares under [submission] (``id`` (n,) and ``probability`` (n, 10), each row adding up to 1),
strictly, by the platform's shared reader.

**Calibrated.** A network that is too sure everywhere is mended by one number, the temperature: p becomes p^(1/T), made to
add up to 1 again (Guo and others 2017, https://arxiv.org/abs/1706.04599). Comparing likelihoods without it ranks networks by
their temperature (Ashukha and others 2020, https://arxiv.org/abs/2002.06470), so the evaluator fits it for everybody.

**It can't be cheated.** The hidden images are in two random folds. The temperature for one fold is fitted to the other, so no
label touches the number it is judged with; folds, labels and the fit are in a process that never runs an intern's code. It
is one number for all images of a fold: being too sure of the corrupted ones alone isn't mended by it. Handing in
probabilities that are calibrated already changes nothing, and neither does raising them all to a power. No
probability counts as less than ``LEAST``: one wrong certainty has a loss of at most 13.8 before calibration.

All of it is without random numbers: the same two folders give the same numbers, whatever the order of rows. Whatever the
intern can mend is an ``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))
LEAST = 1e-6
SUM_TOLERANCE = 1e-3
MOST_SHARPENED = 20.0  # the least temperature is 1 / 20
STEPS = 20
BINS = 15


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``calibrated_nll``; ``nll`` and ``ece`` as handed in; ``accuracy``; ``knows``; the ``temperature`` that was fitted.

    ``knows`` is the chance that an image named rightly has a higher confidence than one named wrongly (an area under an
    ROC curve); ``ece`` is the expected calibration error over 15 equal bins of confidence.

    Raises:
        InvalidSubmission: the probabilities can't be read, or are not one distribution for each hidden image.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, label, fold = held["id"], held["label"], held["fold"]
    probability = distributions(FORM.read(predictions, ids=ids)["probability"].astype(np.float64), ids)
    logits = np.log(np.maximum(probability, LEAST))
    loss, fitted = np.zeros(len(ids)), []
    for judged in (0, 1):
        sharpness = fitted_sharpness(logits[fold != judged], label[fold != judged])
        loss[fold == judged] = losses(sharpness * logits[fold == judged], label[fold == judged])
        fitted.append(sharpness)
    confidence, right = probability.max(axis=1), probability.argmax(axis=1) == label
    return {
        "calibrated_nll": float(loss.mean()),
        "nll": float(losses(logits, label).mean()),
        "accuracy": float(right.mean()),
        "ece": calibration_error(confidence, right),
        "knows": chance_of_knowing(confidence, right),
        "temperature": float(1.0 / max(np.mean(fitted), 1e-3)),
    }


def distributions(probability: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The rows (n, 10), each made to add up to 1 exactly.

    Raises:
        InvalidSubmission: a row adds up to something else.
    """
    total = probability.sum(axis=1)
    wrong = np.flatnonzero(np.abs(total - 1.0) > SUM_TOLERANCE)
    if len(wrong):
        row = wrong[0]
        raise InvalidSubmission(
            f"The probabilities of {len(wrong)} images don't add up to 1: those of id {ids[row]} add up to "
            f"{total[row]:.4f}. Divide each row by its sum; logits go through softmax first."
        )
    return probability / total[:, None]


def losses(logits: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Minus the log of the probability of each row's label; (n, classes) and (n,) to (n,), never below 0."""
    ahead = logits - logits[np.arange(len(label)), label][:, None]
    most = ahead.max(axis=1)
    return most + np.log(np.exp(ahead - most[:, None]).sum(axis=1))


def fitted_sharpness(logits: np.ndarray, label: np.ndarray) -> float:
    """1 / T in [0, ``MOST_SHARPENED``] with the least mean loss: bisection on its slope, which only rises with 1 / T."""
    low, high = 0.0, MOST_SHARPENED
    below = logits - logits.max(axis=1, keepdims=True)
    wanted = below[np.arange(len(label)), label].mean()
    for _ in range(STEPS):
        middle = (low + high) / 2
        weights = np.exp(middle * below)
        slope = ((weights * below).sum(axis=1) / weights.sum(axis=1)).mean() - wanted
        low, high = (middle, high) if slope < 0 else (low, middle)
    return (low + high) / 2


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean distance of confidence and accuracy over ``BINS`` equal bins of confidence, weighted by how full they are."""
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gap = np.bincount(place, weights=confidence - right, minlength=BINS)
    return float(np.abs(gap).sum() / len(right))


def chance_of_knowing(confidence: np.ndarray, right: np.ndarray) -> float:
    """The chance that a right row is more confident than a wrong one, ties counting half; 1 where all are right."""
    wrong = np.sort(confidence[~right])
    if not len(wrong):
        return 1.0
    if len(wrong) == len(right):
        return 0.5
    below = np.searchsorted(wrong, confidence[right], side="left") + np.searchsorted(
        wrong, confidence[right], side="right"
    )
    return float(below.mean() / (2 * len(wrong)))
