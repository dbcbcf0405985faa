"""Accuracy of digit labels on the hidden images.

Reads ``predictions.npz`` (arrays ``id`` and ``label``, int64) or ``predictions.csv`` (header ``id,label``), never a
pickle. Pure: the same two folders give the same numbers, whatever the order of rows. Whatever the intern can mend is
an ``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

import csv
import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

CLASSES = 10
MAX_BYTES = 8 << 20
INT64 = range(-(2**63), 2**63)
NPY = re.compile(
    rb"\x93NUMPY[\x01-\x03]\x00(?:..|.{4})\{'descr': '(?P<dtype>[^']{1,9})', 'fortran_order': (?:False|True), "
    rb"'shape': \((?P<shape>[0-9, ]{0,60})\), \} *\n",
    re.DOTALL,
)
NAMES = {"<f8": "float64", "<f4": "float32", "<i4": "int32", "|u1": "uint8", "|b1": "bool"}
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
HOW = "Write np.savez(out / 'predictions.npz', id=ids, label=labels), both int64, one row for each id of inputs.npz."


class InvalidSubmission(Exception):
    """The intern can mend this; the message says how."""


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``accuracy``: the share of hidden images with the right label; ``worst_digit``: the same for the worst class.

    Raises:
        InvalidSubmission: the predictions can't be read, or are not one label for each hidden image.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, truth = held["id"], held["label"]
    given_ids, given = _read(predictions)
    label = _in_order(given_ids, given, wanted=ids)
    right = label == truth
    worst = min(float(right[truth == digit].mean()) for digit in np.unique(truth))
    return {"accuracy": float(right.mean()), "worst_digit": worst}


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The columns id and label, both int64 and of one length, as they were handed in."""
    found = [
        name
        for name in ("predictions.npz", "predictions.csv")
        if (folder / name).is_symlink() or (folder / name).exists()
    ]
    if len(found) != 1:
        what = "must be one of" if not found else "must not be both of"
        raise InvalidSubmission(f"There {what} predictions.npz and predictions.csv in out/. {HOW}")
    file = folder / found[0]
    if file.is_symlink() or not file.is_file():
        raise InvalidSubmission(f"{file.name} is a link or a folder; it must be a plain file.")
    if file.stat().st_size > MAX_BYTES:
        raise InvalidSubmission(f"{file.name} has {file.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
    columns = _read_npz(file) if file.suffix == ".npz" else _read_csv(file)
    if len(columns[0]) != len(columns[1]):
        raise InvalidSubmission(f"id has {len(columns[0])} rows and label has {len(columns[1])}; they must be equal.")
    return columns


def _read_npz(file: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
            names = sorted(archive.namelist())
            if names != ["id.npy", "label.npy"]:
                listed = ", ".join(name.removesuffix(".npy") for name in names) or "none"
                raise InvalidSubmission(f"predictions.npz must hold the arrays id and label; it holds: {listed}. {HOW}")
            return _array(_member(archive, "id"), name="id"), _array(_member(archive, "label"), name="label")
    except BROKEN as error:
        raise InvalidSubmission(f"predictions.npz can't be read as an .npz file ({error}). {HOW}") from None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of one array, judged by the archive's own directory before anything is unpacked."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.file_size > MAX_BYTES:
        raise InvalidSubmission(f"The array {name} takes more than {MAX_BYTES:,} bytes; it must be int64, one a row.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidSubmission(f"The array {name} is packed in a way numpy doesn't write. {HOW}")
    return archive.read(entry)


def _array(content: bytes, *, name: str) -> np.ndarray:
    """The array (n,) of int64 in the bytes of an .npy file. Its header is matched, never evaluated."""
    header = NPY.match(content)
    if header is None:
        raise InvalidSubmission(f"The array {name} is not a plain array of numbers. {HOW}")
    dtype, shape = header["dtype"].decode(), tuple(int(size) for size in header["shape"].split(b",") if size.strip())
    if "O" in dtype:
        raise InvalidSubmission(f"The array {name} holds Python objects (a pickle), which are never read. {HOW}")
    if dtype != "<i8":
        raise InvalidSubmission(
            f"The array {name} has dtype {NAMES.get(dtype, dtype)}; it must be int64: use {name}.astype(np.int64)."
        )
    if len(shape) != 1:
        raise InvalidSubmission(f"The array {name} has shape {shape}; it must be one number for each row, shape (n,).")
    if len(content) - header.end() != 8 * shape[0]:
        raise InvalidSubmission(f"The array {name} is cut short or too long: its header says {shape[0]} rows. {HOW}")
    return np.frombuffer(content, dtype="<i8", offset=header.end())


def _read_csv(file: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidSubmission(f"predictions.csv is not UTF-8 comma-separated text ({error}).") from None
    if not rows or rows[0] != ["id", "label"]:
        raise InvalidSubmission("Line 1 of predictions.csv must be exactly: id,label")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != 2:
            raise InvalidSubmission(
                f"Line {number} of predictions.csv has {len(row)} columns; it must have 2: id,label."
            )
    return _column(rows, "id", place=0), _column(rows, "label", place=1)


def _column(rows: list[list[str]], name: str, *, place: int) -> np.ndarray:
    values = []
    for number, row in enumerate(rows[1:], start=2):
        digits = row[place].strip().removeprefix("-")
        whole = digits.isascii() and digits.isdigit() and len(digits) <= 19
        if not whole or int(row[place]) not in INT64:
            raise InvalidSubmission(f"Line {number}, column {name}: {row[place][:40]!r} is not a whole number (int64).")
        values.append(int(row[place]))
    return np.array(values, dtype=np.int64)


def _in_order(given_ids: np.ndarray, given: np.ndarray, *, wanted: np.ndarray) -> np.ndarray:
    """The labels in the order of ``wanted``, each hidden image exactly once, each label a digit."""
    wrong = np.flatnonzero((given < 0) | (given >= CLASSES))
    if wrong.size:
        row = int(wrong[0])
        raise InvalidSubmission(f"Row {row}, column label: {int(given[row])} is not a digit from 0 to {CLASSES - 1}.")
    order = np.argsort(given_ids, kind="stable")
    ranked = given_ids[order]
    twice = np.flatnonzero(ranked[1:] == ranked[:-1])
    if twice.size:
        first, second = int(order[twice[0]]), int(order[twice[0] + 1])
        raise InvalidSubmission(
            f"Rows {first} and {second}, column id: {int(ranked[twice[0]])} is there twice; give each image one label."
        )
    unknown = np.flatnonzero(~np.isin(given_ids, wanted))
    if unknown.size:
        row = int(unknown[0])
        raise InvalidSubmission(
            f"Row {row}, column id: {int(given_ids[row])} is not an id of inputs.npz ({unknown.size} such in all). "
            "Copy the array id of inputs.npz."
        )
    missing = np.count_nonzero(~np.isin(wanted, given_ids))
    if missing:
        raise InvalidSubmission(
            f"{missing} of the {len(wanted)} images have no row: predict a label for every id of inputs.npz."
        )
    return given[order[np.searchsorted(ranked, wanted)]]
