"""Does what interns see tell what is hidden? Questions to the data a project has split.

The folder asked about holds ``raw``, ``public``, ``private/inputs`` and ``private/answers``. The ledger in the answers
says for every id which item, group and part it is; part 1 is hidden.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from practicum.catalog.npz import Rows, read_npz

HIDDEN_PART = 1
TOLERANCE = 1e-9


class Fault(Exception):
    """What a mentor must mend."""


def another_secret_hides_others(data: Path, other: Path) -> str:
    here, there = _hidden_items(data), _hidden_items(other)
    if here == there:
        raise Fault("another secret hid the same items: the split must depend on the secret")
    shared = len(here & there) / len(here)
    return f"{1 - shared:.0%} of the hidden items are others"


def _hidden_items(data: Path) -> set[int]:
    ledger = _ledger(data)
    return {item for item, part in zip(ledger["item"], ledger["part"], strict=True) if part == HIDDEN_PART}


def _ledger(data: Path) -> dict[str, tuple[int, ...]]:
    """id, item, group and part of every item."""
    columns = read_npz(data / "private" / "answers" / "ledger.npz")
    return {name: columns[name].whole_numbers() for name in ("id", "item", "group", "part")}


def parts_are_disjoint(data: Path) -> str:
    ledger = _ledger(data)
    if len(set(ledger["id"])) != len(ledger["id"]):
        raise Fault("two items have the same id")
    by_part: dict[bool, set[int]] = {False: set(), True: set()}
    groups: dict[bool, set[int]] = {False: set(), True: set()}
    for name, group, part in zip(ledger["id"], ledger["group"], ledger["part"], strict=True):
        by_part[part == HIDDEN_PART].add(name)
        groups[part == HIDDEN_PART].add(group)
    public, hidden = _ids(data / "public"), _ids(data / "private" / "inputs")
    if public - by_part[False] or hidden != by_part[True]:
        raise Fault("the ids in public/ and private/inputs/ are not those that ledger.npz says")
    if set(read_npz(data / "private" / "answers" / "answers.npz")["id"].whole_numbers()) != hidden:
        raise Fault("answers.npz must have one row for each id of private/inputs/")
    if groups[True] & groups[False]:
        raise Fault(f"{len(groups[True] & groups[False])} groups are divided between public and hidden")
    return f"{len(public)} public and {len(hidden)} hidden items, {len(groups[True])} hidden groups"


def _ids(folder: Path) -> set[int]:
    found = [read_npz(file) for file in sorted(folder.rglob("*.npz"))]
    return {name for columns in found if "id" in columns for name in columns["id"].whole_numbers()}


def nothing_leaks(data: Path) -> str:
    private = data / "private"
    answers = read_npz(private / "answers" / "answers.npz")
    given = {file: _contents(file) for folder in (data / "public", private / "inputs") for file in _all(folder)}
    for name, column in answers.items():
        needle = b"".join(column.rows)
        leaks = [file.name for file, content in given.items() if name != "id" and needle in content]
        if leaks:
            raise Fault(f"the answers' column {name} can be read in {leaks[0]}, which interns' code sees")
    told = set(answers) - {"id"}
    for file in _all(private / "inputs"):
        if file.suffix == ".npz" and told & set(read_npz(file)):
            raise Fault(f"{file.name} under private/inputs/ has a column of the answers")
    _no_row_twice(data)
    _no_order(answers)
    return "no answer and no hidden row is in what interns see"


def _all(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _contents(file: Path) -> bytes:
    """What the file holds, unpacked if it is an archive of arrays."""
    if file.suffix != ".npz":
        return file.read_bytes()
    return b"".join(b"".join(column.rows) for column in read_npz(file).values())


def _no_row_twice(data: Path) -> None:
    """A table of the public rows' bytes finds no hidden row."""
    public = {row for file in _all(data / "public") if file.suffix == ".npz" for row in _feature_rows(file)}
    hidden = [row for file in _all(data / "private" / "inputs") if file.suffix == ".npz" for row in _feature_rows(file)]
    twice = sum(row in public for row in hidden)
    raw = {row for file in _all(data / "raw") if file.suffix == ".npz" for row in _feature_rows(file)}
    known = sum(row in raw for row in hidden)
    if twice or known:
        raise Fault(
            f"{max(twice, known)} of {len(hidden)} hidden rows are in the public data as they are: perturb them"
        )


def _feature_rows(file: Path) -> list[bytes]:
    return [row for column in read_npz(file).values() if column.row_shape for row in column.rows]


def _no_order(answers: Mapping[str, Rows]) -> None:
    """Rows that stand next to each other share a label no more often than chance says."""
    for name, column in answers.items():
        if name == "id" or column.row_shape:
            continue
        rows = column.rows
        chance = sum((count / len(rows)) ** 2 for count in Counter(rows).values())
        equal = sum(a == b for a, b in pairwise(rows)) / max(len(rows) - 1, 1)
        if equal > chance + 4 * math.sqrt(chance * (1 - chance) / len(rows)) + TOLERANCE:
            raise Fault(f"the order of the hidden rows tells {name}: sort them by id or shuffle them")
