"""Bits per byte: how many bits it takes to say the next byte to who believes what was predicted.

Reads what project.toml declares under [submission] (``id`` (n,) and ``logits`` (n, 256)), strictly, by the platform's shared
reader. The logits are made into probabilities here, by a softmax in double precision, so they always add up to 1 and
nobody can claim more than there is. The score is the mean of -log2 of the probability of the byte that came. Pure: the
same two folders give the same numbers, whatever the order of rows. Whatever the intern can mend is an
``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

import json
from math import fsum
from pathlib import Path

import numpy as np
from practicum_scorer import InvalidSubmission, load_form

__all__ = ["InvalidSubmission", "evaluate"]

FORM = load_form(Path(__file__).with_name("project.toml"))


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``bits_per_byte``, its ``standard_error`` over the hidden places, and the share whose likeliest byte was ``right``.
    Where the text was told with known probabilities, ``source_bits_per_byte`` as well, which nobody gets below.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not 256 finite numbers for each hidden place.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth = held["id"], held["next"].astype(np.int64)
    logits = FORM.read(predictions, ids=ids)["logits"].astype(np.float64)  # (n, 256)
    raised = logits - logits.max(axis=1, keepdims=True)
    nats = np.log(np.exp(raised).sum(axis=1)) - raised[np.arange(len(truth)), truth]
    bits = nats / np.log(2.0)
    mean = fsum(bits.tolist()) / len(bits)  # exact, so that the order of rows changes nothing
    error = (fsum(((bits - mean) ** 2).tolist()) / max(len(bits) - 1, 1) / len(bits)) ** 0.5
    known = answers / "floor.json"
    floor = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    return {
        "bits_per_byte": mean,
        "standard_error": error,
        "right": float((logits.argmax(axis=1) == truth).mean()),
        **{name: float(value) for name, value in floor.items()},
    }
