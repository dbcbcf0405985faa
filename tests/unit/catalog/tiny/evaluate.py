"""The share of hidden items with the right label. Standard library only."""

import re
import struct
import zipfile
from pathlib import Path

HEADER = re.compile(rb"\x93NUMPY\x01\x00..\{'descr': '<i8', 'fortran_order': False, 'shape': \((\d+),\), \} *\n", re.S)


class InvalidSubmission(Exception):
    """The intern's to mend."""


def columns(file: Path) -> dict[str, tuple[int, ...]]:
    """The int64 columns of the file."""
    found = {}
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            header = HEADER.match(content)
            if header is not None:
                count = int(header[1])
                found[name.removesuffix(".npy")] = struct.unpack(f"<{count}q", content[header.end() :])
    return found


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    try:
        given = columns(predictions / "predictions.npz")
    except (OSError, zipfile.BadZipFile):
        raise InvalidSubmission("predictions.npz can't be read") from None
    truth = columns(answers / "answers.npz")
    lengths = {name: len(column) for name, column in given.items()}
    if lengths != {"id": len(truth["id"]), "label": len(truth["id"])} or {*given["id"]} != {*truth["id"]}:
        raise InvalidSubmission("id and label must be int64, one row for each id")
    label = dict(zip(given["id"], given["label"], strict=True))
    right = [label.get(name) == wanted for name, wanted in zip(truth["id"], truth["label"], strict=True)]
    return {"accuracy": sum(right) / len(right)}
