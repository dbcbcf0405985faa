"""What predictions must be, as ``project.toml`` says it, and reading them: ``Form.read``.

Words: a *form* is the files of which one is handed in, and their columns; a column with a *width* holds a vector in each
row, any other one value; a *table* is what a format's module found: arrays, and how a place in them is called.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from practicum_scorer.refusal import InvalidSubmission, quoted

ID = "id"
MEBIBYTE = 1 << 20
DEFAULT_MB = 8
READERS = {
    ".csv": "practicum_scorer.from_csv",
    ".json": "practicum_scorer.from_json",
    ".npz": "practicum_scorer.from_npz",
    ".safetensors": "practicum_scorer.from_safetensors",
}
MOST_CHARACTERS = 200
MOST_TEXT_BYTES = 64 * MEBIBYTE
UNSEEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
NUMBERS = {"int64": "whole number (int64)", "uint8": "whole number from 0 to 255"}


# How a place is called: row, column, entry of a vector.
Place = Callable[[int, str, int | None], str]


@dataclass(frozen=True)
class Column:
    """A column's name and type (int64, uint8, float32, float64, str), its range, and how wide its vectors may be."""

    name: str
    type: str
    low: float | None = None
    high: float | None = None
    width: tuple[int, int] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Little-endian; of a text, of no length."""
        return np.dtype("<U") if self.type == "str" else np.dtype(self.type).newbyteorder("<")

    @property
    def noun(self) -> str:
        """What a value must be, in a sentence."""
        return "text" if self.type == "str" else NUMBERS.get(self.type, "number")

    @property
    def shape(self) -> str:
        """As numpy would say it."""
        return "(n,)" if self.width is None else "(n, d)"


@dataclass(frozen=True)
class Table:
    """The arrays of a file by name. ``place(row, column, entry)`` says where a value stands, in the file's own words."""

    columns: dict[str, np.ndarray]
    place: Place


@dataclass(frozen=True)
class Form:
    """Which files are taken (one of them), how large, and their columns in order.

    ``is_ordered``: the rows must stand in the order of the ids; else they may stand in any.
    """

    files: tuple[str, ...]
    columns: tuple[Column, ...]
    max_bytes: int = DEFAULT_MB * MEBIBYTE
    is_ordered: bool = False

    def read(self, folder: Path, *, ids: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Every column of the one file in ``folder``: (n,), or (n, d) with a width; finite, within its range.

        With ``ids`` each of them has exactly one row, and the rows come in the order of ``ids``.

        Raises:
            InvalidSubmission: the first fault found, with its place.
        """
        file = self._file_in(folder)
        reader = importlib.import_module(READERS[file.suffix])
        table: Table = reader.read(file, form=self, most_rows=None if ids is None else len(ids))
        self._check(table, file=file)
        if ids is None:
            return table.columns
        order = self._order(table, wanted=ids)
        return {name: column[order] for name, column in table.columns.items()}

    @property
    def how(self) -> str:
        """What to write."""
        listed = ", ".join(f"{column.name} {column.type} {column.shape}" for column in self.columns)
        return f"Write {listed}, one row for each id of the inputs."

    def _file_in(self, folder: Path) -> Path:
        found = [folder / name for name in self.files if (folder / name).is_symlink() or (folder / name).exists()]
        if len(found) != 1:
            names = " or ".join(self.files)
            what = f"There must be {names} in out/. {self.how}" if not found else f"Leave only one of {names} in out/."
            raise InvalidSubmission(what)
        (file,) = found
        if file.is_symlink() or not file.is_file():
            raise InvalidSubmission("it is a link or a folder; it must be a plain file.", where=file.name)
        size = file.stat().st_size
        if size > self.max_bytes:
            raise InvalidSubmission(f"it has {size:,} bytes; at most {self.max_bytes:,} are read.", where=file.name)
        return file

    def _check(self, table: Table, *, file: Path) -> None:
        """Equal lengths, widths within their range, finite values within theirs."""
        lengths = {name: len(column) for name, column in table.columns.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise InvalidSubmission(f"the columns must have equally many rows: {listed}.", where=file.name)
        for column in self.columns:
            values = table.columns[column.name]
            if column.width is not None and not column.width[0] <= values.shape[1] <= column.width[1]:
                low, high = column.width
                raise InvalidSubmission(
                    f"{column.name} has vectors of {values.shape[1]} numbers; they must have from {low} to {high}.",
                    where=file.name,
                )
            if values.dtype.kind == "f":
                _refuse_first(~np.isfinite(values), table, column, "must be finite")
            if column.low is not None:
                _refuse_first(values < column.low, table, column, f"must be at least {column.low:g}")
            if column.high is not None:
                _refuse_first(values > column.high, table, column, f"must be at most {column.high:g}")

    def _order(self, table: Table, *, wanted: np.ndarray) -> np.ndarray:
        """Where the row of each wanted id stands."""
        given = table.columns[ID]
        if (given.dtype.kind == "U") != (wanted.dtype.kind == "U"):
            wanted = wanted.astype(str if given.dtype.kind == "U" else given.dtype)
        order = np.argsort(given, kind="stable")
        ranked = given[order]
        for twice in np.flatnonzero(ranked[1:] == ranked[:-1])[:1]:
            first, second = int(order[twice]), int(order[twice + 1])
            where = table.place(second, ID, None)
            raise InvalidSubmission(
                f"the id {_shown(given[second])} was there before ({table.place(first, ID, None)}).", where=where
            )
        for row in np.flatnonzero(~_are_in(given, np.sort(wanted)))[:1]:
            raise InvalidSubmission(
                f"{_shown(given[row])} is not an id of the inputs. Copy their ids.",
                where=table.place(int(row), ID, None),
            )
        missing = np.flatnonzero(~_are_in(wanted, ranked))
        for place in missing[:1]:
            raise InvalidSubmission(
                f"{missing.size} of the {len(wanted)} ids have no row, {_shown(wanted[place])} among them: write one row "
                "for every id of the inputs."
            )
        if self.is_ordered:
            for row in np.flatnonzero(given != wanted)[:1]:
                raise InvalidSubmission(
                    f"here the id must be {_shown(wanted[row])}: the rows must stand in the order of the inputs.",
                    where=table.place(int(row), ID, None),
                )
        return order[np.searchsorted(ranked, wanted)]


def load_form(file: Path) -> Form:
    """The form that a project's ``project.toml`` declares; the file has passed ``practicum project check``."""
    asked = tomllib.loads(file.read_text(encoding="utf-8"))["submission"]
    return Form(
        files=tuple(name for name in asked["files"] if Path(name).suffix in READERS),
        columns=tuple(_column(name, said) for name, said in asked["columns"].items()),
        max_bytes=asked.get("predictions_mb", DEFAULT_MB) * MEBIBYTE,
        is_ordered=asked.get("ordered", False),
    )


def _column(name: str, said: str | Mapping[str, Any]) -> Column:
    if isinstance(said, str):
        return Column(name, said)
    width = said.get("width")
    return Column(name, said["type"], said.get("low"), said.get("high"), (width[0], width[1]) if width else None)


def _are_in(values: np.ndarray, ranked: np.ndarray) -> np.ndarray:
    """Which of the values are among those ranked. (numpy's isin imports numpy.ma, which takes longer than a whole file.)"""
    if not len(ranked):
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(ranked, values), len(ranked) - 1)
    return ranked[places] == values


def as_texts(values: list[str], where: Callable[[int], str]) -> np.ndarray:
    """The texts as an array, each short and visible; ``where`` names a row.

    Raises:
        InvalidSubmission: names the first that is not.
    """
    for at, value in enumerate(values):
        if len(value) > MOST_CHARACTERS:
            raise InvalidSubmission(
                f"a text has at most {MOST_CHARACTERS} characters; here are {len(value):,}.", where=where(at)
            )
        if UNSEEN.search(value):
            raise InvalidSubmission(f"{quoted(value)} has a character that can't be seen.", where=where(at))
    # Each text takes as much room as the longest.
    if values and 4 * len(values) * max(map(len, values)) > MOST_TEXT_BYTES:
        raise InvalidSubmission("the texts take too much room; write shorter ones.", where=where(0))
    return np.array(values, dtype=str)


def _refuse_first(is_wrong: np.ndarray, table: Table, column: Column, what: str) -> None:
    for place in np.argwhere(is_wrong)[:1]:
        row, entry = int(place[0]), (int(place[1]) if len(place) > 1 else None)
        value = table.columns[column.name][tuple(place)]
        raise InvalidSubmission(f"{_shown(value)} {what}.", where=table.place(row, column.name, entry))


def _shown(value: Any) -> str:
    return quoted(str(value)) if isinstance(value, str) else str(value)
