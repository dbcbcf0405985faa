"""Does what interns see tell what is hidden? Questions to the data a project has split.

The folder asked about holds ``raw``, ``public``, ``private/inputs`` and ``private/answers``. The ledger in the answers
says for every id which item, group and part it is; part 1 is hidden.
"""

from __future__ import annotations

import csv
import io
import json
import math
import random
import re
import statistics
import struct
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from practicum.catalog.npz import Rows, read_npz

HIDDEN_PART = 1
TOLERANCE = 1e-9
SMALL_ID = 10**6  # a number below it may stand in a file for something else than an item
FEWEST_LABELS = 16  # of fewer, the same sequence may stand in a file by chance
TELLING = 0.9  # a column of which the label can be read this often is the label in other words
REMAINDERS = range(2, 17)
SHUFFLES, DEVIATIONS, MOST_ROWS = 100, 5.0, 500
SEPARATORS = ("\n", "\r\n", ",", ", ", " ")
WHOLE = {"u1": "B", "i1": "b", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}  # as struct calls them


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
        if name == "id":
            continue
        needles = _as_written(column)
        leaks = [file.name for file, content in given.items() if any(needle in content for needle in needles)]
        if leaks:
            raise Fault(f"the answers' column {name} can be read in {leaks[0]}, which interns' code sees")
    told = set(answers) - {"id"}
    for file in _all(private / "inputs"):
        if file.suffix == ".npz" and told & set(read_npz(file)):
            raise Fault(f"{file.name} under private/inputs/ has a column of the answers")
    _no_hidden_id_in_public(data)
    _no_row_twice(data)
    _no_order(answers)
    _no_telling_id(answers)
    _no_telling_column(private / "inputs", answers)
    return "no answer and no hidden row is in what interns see"


def _as_written(column: Rows) -> list[bytes]:
    """The whole column as bytes, and a column of numbers also in other types and as text."""
    whole = [b"".join(column.rows)]
    if column.kind not in WHOLE or column.row_shape or len(column.rows) < FEWEST_LABELS:
        return whole
    count = len(column.rows)
    numbers = struct.unpack(f"<{count}{WHOLE[column.kind]}", whole[0])
    if len(set(numbers)) < 2:
        return whole
    texts = [separator.join(map(str, numbers)).encode() for separator in SEPARATORS]
    for kind in (*WHOLE.values(), "f", "d"):
        try:
            texts.append(struct.pack(f"<{count}{kind}", *numbers))
        except struct.error:  # too large for this type
            continue
    return whole + texts


def _no_hidden_id_in_public(data: Path) -> None:
    """A file that names hidden items says something about them."""
    hidden = {name for name in _ids(data / "private" / "inputs") if name >= SMALL_ID}
    for file in _all(data / "public"):
        named = len(hidden & _numbers(file))
        if named:
            raise Fault(f"{file.name} in public/ names {named} of the hidden ids: what it says of them is no secret")


def _numbers(file: Path) -> set[int]:
    """The whole numbers that stand in a file, in arrays or as digits."""
    if file.suffix == ".npz":
        columns = read_npz(file).values()
        return {one for held in columns if held.kind == "i8" and not held.row_shape for one in held.whole_numbers()}
    return {int(digits) for digits in re.findall(rb"(?<!\d)\d{7,19}(?!\d)", file.read_bytes())}


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


def _no_order(
    answers: Mapping[str, Rows], *, of: str = "hidden rows", mend: str = "sort them by id or shuffle them"
) -> None:
    """Rows that stand next to each other share a label no more often than chance says."""
    for name, rows in _labels(answers):
        chance = sum((count / len(rows)) ** 2 for count in Counter(rows).values())
        equal = sum(a == b for a, b in pairwise(rows)) / max(len(rows) - 1, 1)
        if equal > chance + 4 * math.sqrt(chance * (1 - chance) / len(rows)) + TOLERANCE:
            raise Fault(f"the order of the {of} tells {name}: {mend}")


def _no_telling_id(answers: Mapping[str, Rows]) -> None:
    """Neither the remainder of an id nor its place among the ids says the label."""
    ids = answers["id"].whole_numbers()
    by_id = sorted(range(len(ids)), key=lambda row: ids[row])
    in_order = {name: column.reordered(by_id) for name, column in answers.items()}
    _no_order(in_order, of="ids", mend="make them of the secret")
    for name, labels in _labels(answers):
        for divisor in REMAINDERS:
            if _tells([one % divisor for one in ids], labels):
                raise Fault(f"the ids tell {name} (by their remainder of {divisor}): make them of the secret")


def _no_telling_column(inputs: Path, answers: Mapping[str, Rows]) -> None:
    """No column beside the hidden ids, in whatever file, is a label in other words."""
    place = {one: row for row, one in enumerate(answers["id"].whole_numbers())}
    for file in _all(inputs):
        for told, values in _columns_beside_ids(file):
            known = {place[one]: value for one, value in values.items() if one in place}
            for name, labels in _labels(answers):
                rows = [labels[row] for row in known]
                if len(rows) >= FEWEST_LABELS and _tells([*known.values()], rows, at_least=TELLING):
                    raise Fault(f"column {told} of {file.name} under private/inputs/ tells {name}")


def _labels(answers: Mapping[str, Rows]) -> Iterator[tuple[str, Sequence[bytes]]]:
    return ((name, held.rows) for name, held in answers.items() if name != "id" and not held.row_shape)


def _columns_beside_ids(file: Path) -> Iterator[tuple[str, dict[int, Hashable]]]:
    """Each column of a table that has a column ``id``, as value by id."""
    if file.suffix == ".npz":
        held = read_npz(file)
        if "id" not in held or held["id"].kind != "i8":
            return
        ids = held["id"].whole_numbers()
        for name, column in held.items():
            if name != "id" and not column.row_shape and len(column.rows) == len(ids):
                yield name, dict(zip(ids, column.rows, strict=True))
        return
    found: dict[str, dict[int, Hashable]] = defaultdict(dict)
    for row in _records(file):
        for name, value in row.items():
            if name != "id" and str(row.get("id", "")).isdecimal():
                found[str(name)][int(row["id"])] = str(value)
    yield from found.items()


def _records(file: Path) -> list[dict[str, Any]]:
    """The rows of a .csv or .json file, ``{id: {...}}`` and ``{id: value}`` included; none where it is something else."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".csv":
            return list(csv.DictReader(io.StringIO(text)))
        told = json.loads(text) if file.suffix == ".json" else []
    except (ValueError, csv.Error):
        return []
    if isinstance(told, dict):
        told = [
            {"id": name, **(value if isinstance(value, dict) else {"value": value})} for name, value in told.items()
        ]
    return [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []


def _tells(values: Sequence[Hashable], labels: Sequence[bytes], *, at_least: float = 0.0) -> bool:
    """The label can be read from the value: more often than from the same values beside shuffled labels, and ``at_least`` so
    often. More is five standard deviations of a hundred shuffles, whose seed is fixed.
    """
    values, shuffled = values[:MOST_ROWS], [*labels[:MOST_ROWS]]
    right, draw, by_chance = _read_from(values, shuffled), random.Random(0), []
    for _ in range(SHUFFLES):
        draw.shuffle(shuffled)
        by_chance.append(_read_from(values, shuffled))
    limit = statistics.fmean(by_chance) + DEVIATIONS * statistics.pstdev(by_chance)
    return right > limit + TOLERANCE and right >= at_least * len(values)


def _read_from(values: Sequence[Hashable], labels: Sequence[bytes]) -> int:
    """Rows whose label is the commonest one of their value."""
    seen: dict[Hashable, Counter[bytes]] = defaultdict(Counter)
    for value, label in zip(values, labels, strict=True):
        seen[value][label] += 1
    return sum(max(counts.values()) for counts in seen.values())
