"""Comma-separated text: a header with the columns in order, then one line a row. A vector's entries are name_0, name_1...

UTF-8 without a byte order mark; lines end with LF or CRLF; a field may be quoted, but not hold a line break, so that
line numbers are those an editor shows. Numbers are plain decimals: no spaces, underscores or digits of other scripts.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from practicum_scorer.form import MEBIBYTE, Column, Form, Table, as_texts
from practicum_scorer.refusal import InvalidSubmission, quoted

MOST_BYTES = 32 * MEBIBYTE  # a field of a few letters takes some ten times its length
MOST_DIGITS = 400
WHOLE = re.compile(r"-?[0-9]+", re.ASCII)
REAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
PLAIN = {"i": b"0123456789-,\n", "u": b"0123456789-,\n", "f": b"0123456789+-.eE,\n"}


def read(file: Path, *, form: Form, most_rows: int | None) -> Table:
    """The columns of the file. Of more than ``most_rows`` only one too many is looked at: its id can't be right.

    Raises:
        InvalidSubmission: names line and column.
    """
    name = file.name
    if file.stat().st_size > MOST_BYTES:
        raise InvalidSubmission(f"at most {MOST_BYTES:,} bytes of text are read; take .npz.", where=name)
    lines = _lines(file.read_bytes(), name=name, most=-1 if most_rows is None else most_rows + 2)
    heads = _heads(lines[0], form=form, name=name)
    count = sum(map(len, heads.values()))
    flat = _fields(lines, count=count, name=name)

    def place(row: int, column: str, entry: int | None) -> str:
        return f"{name} line {row + 2}, column {heads[column][entry or 0]}"

    columns, start = {}, 0
    for column in form.columns:
        width = len(heads[column.name])
        rows = (flat[at : at + width] for at in range(start, len(flat), count))
        fields = flat[start::count] if width == 1 else list(chain.from_iterable(rows))
        array = _array(fields, column, lambda at, c=column, w=width: place(at // w, c.name, at % w))
        columns[column.name] = array if column.width is None else array.reshape(-1, width)
        start += width
    return Table(columns, place)


def _lines(content: bytes, *, name: str, most: int) -> list[str]:
    """The first ``most`` lines without their ends; all, if it is below 0."""
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise InvalidSubmission(
            "it begins with a byte order mark; save it as UTF-8 without one.", where=f"{name} line 1"
        )
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n")
    for wrong, what in ((b"\0", "there is a NUL byte"), (b"\r", "a line ends with CR alone")):
        if wrong in content:
            line = content.count(b"\n", 0, content.index(wrong)) + 1
            raise InvalidSubmission(f"{what}; write plain text with one row a line.", where=f"{name} line {line}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidSubmission("this is not UTF-8 text.", where=f"{name} line {line}") from None
    return text.removesuffix("\n").split("\n", most)[: most if most >= 0 else None]


def _heads(line: str, *, form: Form, name: str) -> dict[str, list[str]]:
    """The labels of each column. One wide column at most may leave its width to the header."""
    given = line.split(",")
    wide = [column for column in form.columns if column.width is not None]
    spare = len(given) - len(form.columns) + len(wide)
    widths = [column.width[0] if column.width else 1 for column in wide]
    if wide:
        widths[-1] = max(1, spare - sum(widths[:-1]))
        least, most = wide[-1].width or (1, 1)
        if widths[-1] > most:
            what = f"{wide[-1].name} has vectors of {widths[-1]} numbers; they must have from {least} to {most}."
            raise InvalidSubmission(what, where=f"{name} line 1")
    by_name = dict(zip((column.name for column in wide), widths, strict=True))
    heads = {
        column.name: [f"{column.name}_{entry}" for entry in range(by_name[column.name])]
        if column.width
        else [column.name]
        for column in form.columns
    }
    expected = list(chain(*heads.values()))
    if given != expected:
        wanted = ",".join(
            f"{column.name}_0,{column.name}_1,..." if column.width else column.name for column in form.columns
        )
        raise InvalidSubmission(f"the header must be exactly {wanted}; it is {quoted(line)}.", where=f"{name} line 1")
    return heads


def _fields(lines: list[str], *, count: int, name: str) -> list[str]:
    """The fields of every line after the header, ``count`` a line, one after the other."""
    flat: list[str] = []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split(",") if '"' not in line else _unquoted(line, where=f"{name} line {number}")
        if len(fields) != count:
            what = f"it has {len(fields)} fields; there must be {count}." if line else "the line is empty."
            raise InvalidSubmission(what, where=f"{name} line {number}")
        flat += fields
    return flat


def _unquoted(line: str, *, where: str) -> list[str]:
    try:
        (fields,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError):
        raise InvalidSubmission("a quotation mark is not closed on its line, or not doubled.", where=where) from None
    return fields


def _array(fields: list[str], column: Column, where: Callable[[int], str]) -> np.ndarray:
    """The values, by a fast way where every character is one of a plain number's, else field by field."""
    kind = column.dtype.kind
    if kind == "U":
        return as_texts(fields, where)
    joined = "\n".join(fields)
    is_plain = joined.isascii() and not joined.encode().translate(None, PLAIN[kind])
    if is_plain and max(map(len, fields), default=0) <= MOST_DIGITS:
        with contextlib.suppress(ValueError, OverflowError):
            return _reals_or_wholes(list(map(float if kind == "f" else int, fields)), fields, column, where)
    values = [_number(field, column, where(at)) for at, field in enumerate(fields)]
    return _reals_or_wholes(values, fields, column, where)


def _number(field: str, column: Column, where: str) -> float | int:
    is_real = column.dtype.kind == "f"
    if len(field) > MOST_DIGITS or not (REAL if is_real else WHOLE).fullmatch(field):
        raise InvalidSubmission(f"{quoted(field)} is not a {column.noun}.", where=where)
    if is_real:
        return float(field)
    limits = np.iinfo(column.dtype)
    if not limits.min <= int(field) <= limits.max:
        raise InvalidSubmission(f"{quoted(field)} is not a {column.noun}.", where=where)
    return int(field)


def _reals_or_wholes(
    values: Sequence[float], fields: list[str], column: Column, where: Callable[[int], str]
) -> np.ndarray:
    """The numbers in the column's type; a real one that only fits as infinity is refused."""
    if column.dtype.kind != "f":
        return np.array(values, dtype=column.dtype)
    with np.errstate(over="ignore"):
        array = np.array(values, dtype=np.float64).astype(column.dtype)
    for at in np.flatnonzero(np.isinf(array))[:1]:
        raise InvalidSubmission(f"{quoted(fields[at])} is too large for {column.type}.", where=where(int(at)))
    return array
