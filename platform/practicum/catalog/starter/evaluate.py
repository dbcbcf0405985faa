"""The share of hidden recordings whose shape was told.

Runs beside the answers in a process that never runs an intern's code. It may import the standard library and NumPy.
What is wrong with the predictions is raised as InvalidSubmission, in words for the intern; any other exception counts
as the project's own fault.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

SHAPES = 4
MAX_BYTES = 50_000_000
HOW = "Write np.savez(out / 'predictions.npz', id=ids, label=labels), both int64, one row for each id of inputs.npz."


class InvalidSubmission(Exception):
    """The predictions can't be scored; the message is shown to the intern as it is and costs no attempt."""


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """The metrics of ``predictions``; the first name is that of metric.name in project.toml.

    Raises:
        InvalidSubmission: with the row and what to mend.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth = held["id"], held["label"]
    label = in_order(read(predictions / "predictions.npz"), wanted=ids)
    right = label == truth
    by_shape = [right[truth == shape].mean() for shape in np.unique(truth)]
    return {"accuracy": float(right.mean()), "worst_shape": float(min(by_shape))}


def read(file: Path) -> dict[str, np.ndarray]:
    """The arrays id and label as they were handed in: int64, one number for each row, equally long."""
    if not file.is_file():
        raise InvalidSubmission(f"There is no {file.name} in out/. {HOW}")
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise InvalidSubmission(f"{file.name} unpacks to more than {MAX_BYTES:,} bytes. {HOW}")
        with np.load(file, allow_pickle=False) as held:
            given = {name: held[name] for name in held.files}
    except (OSError, ValueError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zipfile.zlib.error):
        raise InvalidSubmission(f"{file.name} can't be read as an .npz file of plain arrays. {HOW}") from None
    if set(given) != {"id", "label"}:
        raise InvalidSubmission(f"{file.name} must hold the arrays id and label; it holds: {', '.join(given)}. {HOW}")
    for name, array in given.items():
        if array.dtype != np.int64 or array.ndim != 1:
            raise InvalidSubmission(f"The array {name} is {array.dtype} of shape {array.shape}. {HOW}")
    if len(given["id"]) != len(given["label"]):
        raise InvalidSubmission(f"id has {len(given['id'])} rows and label has {len(given['label'])}. {HOW}")
    return given


def in_order(given: dict[str, np.ndarray], *, wanted: np.ndarray) -> np.ndarray:
    """The labels in the order of ``wanted``: each id exactly once, each label a shape."""
    ids, label = given["id"], given["label"]
    for row in np.flatnonzero((label < 0) | (label >= SHAPES))[:1]:
        raise InvalidSubmission(f"Row {row}, column label: {label[row]} is not a shape from 0 to {SHAPES - 1}.")
    for row in np.flatnonzero(~np.isin(ids, wanted))[:1]:
        raise InvalidSubmission(f"Row {row}, column id: {ids[row]} is not an id of inputs.npz. Copy its array id.")
    order = np.argsort(ids, kind="stable")
    for place in np.flatnonzero(ids[order][1:] == ids[order][:-1])[:1]:
        raise InvalidSubmission(f"Row {order[place + 1]}, column id: {ids[order[place]]} is there twice.")
    if len(ids) != len(wanted):
        raise InvalidSubmission(f"{len(wanted) - len(ids)} of the {len(wanted)} recordings have no row.")
    return label[order[np.searchsorted(ids[order], wanted)]]
