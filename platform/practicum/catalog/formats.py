"""Predictions written in each format that the scorer's reader takes, from plain arrays. Pure.

What ``practicum project check`` and ``project golden`` hand to ``evaluate.py``; no numpy, as in ``npz.py``.
"""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from practicum.catalog.npz import Rows, write_npz

Value = int | float | str
NUMBERS = {"i8": ("q", "I64"), "u1": ("B", "U8"), "f4": ("f", "F32"), "f8": ("d", "F64")}


def values_of(column: Rows) -> list[Value | list[Value]]:
    """Each row's value, or its values where it holds a vector.

    Raises:
        KeyError: the type is none that predictions have.
    """
    rows: list[Value | list[Value]] = []
    for row in column.rows:
        if column.kind.startswith("U"):
            rows.append(row.decode("utf-32-le").rstrip("\0"))
            continue
        letter = NUMBERS[column.kind][0]
        found = list(struct.unpack(f"<{len(row) // struct.calcsize(letter)}{letter}", row))
        rows.append(found if column.row_shape else found[0])
    return rows


def as_csv(columns: Mapping[str, Rows]) -> bytes:
    """A header, then one line a row; the entries of a vector are ``name_0``, ``name_1``..."""
    heads: list[str] = []
    for name, column in columns.items():
        heads += [f"{name}_{entry}" for entry in range(column.row_shape[0])] if column.row_shape else [name]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    for row in zip(*map(values_of, columns.values()), strict=True):
        writer.writerow([part for value in row for part in (value if isinstance(value, list) else [value])])
    return text.getvalue().encode()


def as_json(columns: Mapping[str, Rows]) -> bytes:
    """A list with one object a row."""
    rows = zip(*map(values_of, columns.values()), strict=True)
    return json.dumps([dict(zip(columns, row, strict=True)) for row in rows]).encode()


def as_safetensors(columns: Mapping[str, Rows], *, overlap: bool = False) -> bytes:
    """One tensor a column; with ``overlap`` the last lies where the first does, which no reader may take."""
    header, contents, end = {}, [], 0
    for name, column in columns.items():
        content = b"".join(column.rows)
        first = 0 if overlap and name == list(columns)[-1] else end
        header[name] = {
            "dtype": NUMBERS[column.kind][1],
            "shape": [len(column.rows), *column.row_shape],
            "data_offsets": [first, first + len(content)],
        }
        contents.append(content)
        end += len(content)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(contents)


def as_npz(columns: Mapping[str, Rows]) -> bytes:
    """As numpy writes it, uncompressed."""
    content = io.BytesIO()
    write_npz(content, columns)
    return content.getvalue()


WRITERS: dict[str, Callable[[Mapping[str, Rows]], bytes]] = {
    ".csv": as_csv, ".json": as_json, ".npz": as_npz, ".safetensors": as_safetensors,
}  # fmt: skip


def written_as(name: str, columns: Mapping[str, Rows]) -> bytes | None:
    """The bytes of a file of this name; None where its ending is no format of predictions."""
    write = WRITERS.get(Path(name).suffix)
    return write(columns) if write else None


def broken_files(files: tuple[str, ...], columns: Mapping[str, Rows]) -> dict[str, tuple[str, bytes]]:
    """For each format, under what is wrong with it: the file's name and its bytes."""
    broken = {}
    for name in files:
        suffix = Path(name).suffix
        if suffix == ".csv":
            lines = as_csv(columns).rstrip(b"\n")
            broken[f"a word for a number in {name}"] = (name, lines[: lines.rindex(b",") + 1] + b"seven\n")
        elif suffix == ".json":
            broken[f"a key twice in {name}"] = (name, as_json(columns).replace(b'{"id": ', b'{"id": 5, "id": ', 1))
        elif suffix == ".safetensors":
            broken[f"tensors that overlap in {name}"] = (name, as_safetensors(columns, overlap=True))
    return broken
