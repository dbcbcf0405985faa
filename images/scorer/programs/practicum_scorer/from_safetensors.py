"""Safetensors: eight bytes of length, a JSON header, then the tensors' bytes one after the other.

Read here as its format says (https://huggingface.co/docs/safetensors): tensors cover the bytes without a gap or an overlap,
every number of the header is checked before it is used, and no key is there twice.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from practicum_scorer.form import Column, Form, Table
from practicum_scorer.refusal import InvalidSubmission, quoted

LENGTH_BYTES = 8
MOST_HEADER_BYTES = 1 << 16
TYPES = {"I64": "int64", "U8": "uint8", "F32": "float32", "F64": "float64"}
NOTES = "__metadata__"
MOST = 1 << 40


def read(file: Path, *, form: Form, most_rows: int | None) -> Table:  # noqa: ARG001 - every format is asked alike
    """The tensors of the file.

    Raises:
        InvalidSubmission: names the tensor.
    """
    name, content = file.name, file.read_bytes()
    header, start = _header(content, name=name)
    notes = header.get(NOTES, {})
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise InvalidSubmission(f"its {NOTES} must be an object of texts.", where=name)
    names = {column.name for column in form.columns}
    if header.keys() - {NOTES} != names:
        listed = ", ".join(quoted(key) for key in list(header)[:10] if key != NOTES) or "none"
        raise InvalidSubmission(f"it must hold {', '.join(sorted(names))}; it holds {listed}. {form.how}", where=name)
    spans = {
        column.name: _span(header[column.name], column, where=f"{name}, tensor {column.name}")
        for column in form.columns
    }
    end = 0
    for tensor, (_, first, last) in sorted(spans.items(), key=lambda item: item[1][1:]):
        if first != end:
            raise InvalidSubmission("its bytes overlap another's, or leave a gap.", where=f"{name}, tensor {tensor}")
        end = last
    if end != len(content) - start:
        raise InvalidSubmission(
            f"the tensors take {end:,} bytes, but {len(content) - start:,} follow the header.", where=name
        )
    columns = {
        column.name: np.frombuffer(content[start + spans[column.name][1] : start + spans[column.name][2]], column.dtype)
        .reshape(spans[column.name][0])
        for column in form.columns
    }  # fmt: skip

    def place(row: int, column: str, entry: int | None) -> str:
        return f"{name}, tensor {column}, row {row}" + ("" if entry is None else f", entry {entry}")

    return Table(columns, place)


def _header(content: bytes, *, name: str) -> tuple[dict[str, Any], int]:
    """The header, and where the tensors' bytes begin."""
    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    if len(content) < LENGTH_BYTES or length > min(MOST_HEADER_BYTES, len(content) - LENGTH_BYTES):
        raise InvalidSubmission("its header is longer than the file, or than 65,536 bytes.", where=name)
    start = LENGTH_BYTES + length
    try:
        header = json.loads(content[LENGTH_BYTES:start].decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise InvalidSubmission("its header is not JSON with every key once.", where=name) from None
    if not isinstance(header, dict) or content[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
        raise InvalidSubmission("its header must be a JSON object.", where=name)
    return header, start


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _span(said: Any, column: Column, *, where: str) -> tuple[tuple[int, ...], int, int]:
    """Shape, first byte and last of a tensor of the column's type."""
    if not isinstance(said, dict) or said.keys() != {"dtype", "shape", "data_offsets"}:
        raise InvalidSubmission("its entry must say dtype, shape and data_offsets, and nothing else.", where=where)
    shape, offsets = said["shape"], said["data_offsets"]
    if not (_are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
        raise InvalidSubmission("its shape and data_offsets must be lists of whole numbers.", where=where)
    if TYPES.get(said["dtype"] if isinstance(said["dtype"], str) else "") != column.type:
        shown = quoted(said["dtype"]) if isinstance(said["dtype"], str) else "no name"
        raise InvalidSubmission(f"its dtype is {shown}; it must be {column.type}.", where=where)
    if len(shape) != (1 if column.width is None else 2):
        raise InvalidSubmission(f"it has shape {tuple(shape)}; it must be {column.shape}.", where=where)
    if offsets[1] - offsets[0] != math.prod(shape) * column.dtype.itemsize:
        raise InvalidSubmission(f"its data_offsets don't fit its shape {tuple(shape)}.", where=where)
    return tuple(shape), offsets[0], offsets[1]


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(type(item) is int and 0 <= item < MOST for item in value)
