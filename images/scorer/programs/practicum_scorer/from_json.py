"""JSON: a list with one object a row, such as ``[{"id": 3, "label": 7}, ...]``; a vector is a list of numbers.

Strict beyond Python's reader: no NaN or Infinity, no key twice, no key too many, true is no number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from practicum_scorer.form import MEBIBYTE, Column, Form, Place, Table, as_texts
from practicum_scorer.refusal import InvalidSubmission, quoted

MOST_BYTES = 16 * MEBIBYTE  # Python's objects take some twenty times the text


class _NoNumber(ValueError):
    """NaN or Infinity, which Python writes and JSON has not."""


class _Twice:
    """Stands for an object in which a key is there twice."""

    def __init__(self, key: str) -> None:
        self.key = key


def read(file: Path, *, form: Form, most_rows: int | None) -> Table:
    """The columns of the file. Of more than ``most_rows`` only one too many is looked at: its id can't be right.

    Raises:
        InvalidSubmission: names row (the first is 0) and column.
    """
    name = file.name
    rows = _rows(file, form=form, most=None if most_rows is None else most_rows + 1)

    def place(row: int, column: str, entry: int | None) -> str:
        return f"{name}, row {row}, column {column}" + ("" if entry is None else f", entry {entry}")

    columns = {}
    for column in form.columns:
        values = [row[column.name] for row in rows]
        columns[column.name] = _vectors(values, column, place) if column.width else _array(values, column, place, None)
    return Table(columns, place)


def _rows(file: Path, *, form: Form, most: int | None) -> list[dict[str, Any]]:
    rows = _parsed(file)
    if not isinstance(rows, list):
        raise InvalidSubmission(f"it must be a list with one object a row. {form.how}", where=file.name)
    names = {column.name for column in form.columns}
    rows = rows[:most]
    for place, row in enumerate(rows):
        where = f"{file.name}, row {place}"
        if isinstance(row, _Twice):
            raise InvalidSubmission(f"the key {quoted(row.key)} is there twice.", where=where)
        if not isinstance(row, dict):
            raise InvalidSubmission(f"it must be an object with {', '.join(sorted(names))}.", where=where)
        if row.keys() != names:
            listed = ", ".join(quoted(key) for key in list(row)[:10]) or "none"
            raise InvalidSubmission(f"its keys must be {', '.join(sorted(names))}; they are {listed}.", where=where)
    return rows


def _parsed(file: Path) -> Any:
    if file.stat().st_size > MOST_BYTES:
        raise InvalidSubmission(f"at most {MOST_BYTES:,} bytes of JSON are read; take .npz.", where=file.name)
    content = file.read_bytes()
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidSubmission("this is not UTF-8 text.", where=f"{file.name} line {line}") from None
    except json.JSONDecodeError as error:
        where = f"{file.name} line {error.lineno}, character {error.colno}"
        raise InvalidSubmission(f"this is not JSON ({error.msg}).", where=where) from None
    except RecursionError:
        raise InvalidSubmission("it is nested too deep; write one list of objects.", where=file.name) from None
    except _NoNumber as word:
        raise InvalidSubmission(f"{word} is not JSON, and no finite number.", where=file.name) from None
    except ValueError:
        raise InvalidSubmission("a number has too many digits.", where=file.name) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Twice:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    return _Twice(next(key for key, _ in pairs if key in seen or seen.add(key)))


def _constant(word: str) -> float:
    raise _NoNumber(word)


def _array(values: list[Any], column: Column, place: Place, row: int | None) -> np.ndarray:
    """One value each. ``row``: they are the entries of this row's vector."""
    kinds = {"U": (str,), "f": (int, float)}.get(column.dtype.kind, (int,))
    for at, value in enumerate(values):
        if type(value) not in kinds:
            raise _refused(value, column, place, at, row)
    if column.type == "str":
        return as_texts(values, lambda at: place(at, column.name, None))
    limits = np.finfo(column.dtype) if column.dtype.kind == "f" else np.iinfo(column.dtype)
    number = float if column.dtype.kind == "f" else int
    low, high = number(limits.min), number(limits.max)  # Python's compare exactly, however many digits there are
    for at, value in enumerate(values):
        if not low <= value <= high:
            raise _refused(value, column, place, at, row)
    return np.array(values, dtype=column.dtype)


def _refused(value: Any, column: Column, place: Place, at: int, row: int | None) -> InvalidSubmission:
    where = place(at, column.name, None) if row is None else place(row, column.name, at)
    shown = quoted(value) if isinstance(value, str) else _short(value)
    if column.dtype.kind == "f" and type(value) in (int, float):
        return InvalidSubmission(f"{shown} is too large for {column.type}.", where=where)
    return InvalidSubmission(f"{shown} is not a {column.noun}.", where=where)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict | _Twice):
        return "an object"
    if isinstance(value, int) and abs(value) > 10**30:
        return "so large a number"
    return json.dumps(value)


def _vectors(values: list[Any], column: Column, place: Place) -> np.ndarray:
    width = len(values[0]) if values and isinstance(values[0], list) else 0
    rows = []
    for row, value in enumerate(values):
        if not isinstance(value, list) or len(value) != width:
            raise InvalidSubmission(
                "it must be a list of numbers, equally long in every row.", where=place(row, column.name, None)
            )
        rows.append(_array(value, column, place, row))
    return np.stack(rows) if rows else np.empty((0, column.width[0] if column.width else 0), dtype=column.dtype)
