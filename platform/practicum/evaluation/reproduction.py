"""Does a notebook give again what was handed in? Cell by cell, pure.

A cell that was handed in with outputs makes a claim; one without makes none. Text is compared after what differs between
any two runs (addresses in memory, moments, durations, progress bars) is made equal; pictures are compared by digest.
What a cell says on stderr, and what it only draws in HTML, is not compared.

Words: *before* is as handed in, *after* is when it was run again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

MOST_TOLD = 100
TOLD_CHARACTERS = 80
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")
SKIPPED = "%practicum"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?%?")
ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
SAME: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"0x[0-9a-fA-F]{4,}"), "<address>"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<moment>"),
    (re.compile(r"\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?\b"), "<moment>"),
    (
        re.compile(r"\b\d+(?:[.,]\d+)?\s?(?:ns|µs|μs|us|ms|s|sec|secs|seconds?|min|mins|minutes?|it/s|s/it)(?![\w/])"),
        "<time>",
    ),
    (re.compile(r"(?<=/)tmp[a-z0-9_]{8}\b"), "<folder>"),
)


@dataclass(frozen=True)
class Difference:
    """A cell whose outputs came out otherwise. ``kind``: number, text, picture, missing or error."""

    cell: int
    kind: str
    before: str = ""
    after: str = ""

    def sentence(self) -> str:
        """What a person reads."""
        if self.kind == "picture":
            return f"cell {self.cell}: another picture when run again"
        if self.kind == "missing":
            return f"cell {self.cell}: had an output when handed in, none when run again"
        if self.kind == "error":
            return f"cell {self.cell}: {self.after} when run again"
        return f"cell {self.cell}: {self.before} handed in, {self.after} when run again"


@dataclass(frozen=True)
class Reproduction:
    """How many cells made a claim, and which of them came out otherwise."""

    compared: int
    differences: tuple[Difference, ...]


def compare(before: Sequence[Any], after: Sequence[Any]) -> Reproduction:
    """The cells of a notebook as handed in against the same cells when run again; they may be anything at all."""
    compared, differences = 0, []
    for number, (was, now) in enumerate(zip_longest(before, after), start=1):
        if not _is_claim(was):
            continue
        compared += 1
        difference = _difference(number, _outputs(was), _outputs(now))
        if difference is not None:
            differences.append(difference)
    return Reproduction(compared, tuple(differences))


def as_json(found: Reproduction) -> dict[str, Any]:
    """As it is kept: ``{compared, differing, differences: [{cell, kind, before, after, sentence}]}``."""
    told = [asdict(row) | {"sentence": row.sentence()} for row in found.differences[:MOST_TOLD]]
    return {"compared": found.compared, "differing": len(found.differences), "differences": told}


def _is_claim(cell: Any) -> bool:
    if not isinstance(cell, dict) or cell.get("cell_type") != "code" or not _outputs(cell):
        return False
    return not any(line.startswith(SKIPPED) for line in _text(cell.get("source")).split("\n"))


def _outputs(cell: Any) -> list[dict[str, Any]]:
    outputs = cell.get("outputs") if isinstance(cell, dict) else None
    return [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []


def _difference(number: int, was: list[dict[str, Any]], now: list[dict[str, Any]]) -> Difference | None:
    """The first thing that came out otherwise."""
    error = next((output for output in now if output.get("output_type") == "error"), None)
    if error is not None and not any(output.get("output_type") == "error" for output in was):
        return Difference(number, "error", after=_short(f"{_text(error.get('ename'))}: {_text(error.get('evalue'))}"))
    text_was, text_now = _told(was), _told(now)
    pictures_was, pictures_now = _pictures(was), _pictures(now)
    if (text_was.strip() or pictures_was) and not (text_now.strip() or pictures_now):
        return Difference(number, "missing")
    if _alike(text_was) != _alike(text_now):
        return _in_words(number, text_was.splitlines(), text_now.splitlines())
    return Difference(number, "picture") if pictures_was != pictures_now else None


def _in_words(number: int, was: list[str], now: list[str]) -> Difference:
    """The first line that differs; of two lines that differ in numbers only, the first such number."""
    for one, other in zip_longest(was, now, fillvalue=""):
        if _alike(one) == _alike(other):
            continue
        if NUMBER.sub("#", _alike(one)) == NUMBER.sub("#", _alike(other)):
            pairs = zip(NUMBER.findall(_alike(one)), NUMBER.findall(_alike(other)), strict=True)
            first = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
            return Difference(number, "number", *(_short(part) for part in first))
        return Difference(number, "text", _short(one) or "nothing", _short(other) or "nothing")
    return Difference(number, "text", "other white space", "other white space")


def _told(outputs: list[dict[str, Any]]) -> str:
    """What the outputs say in plain text, one after the other."""
    return "".join(_told_by(output) for output in outputs)


def _told_by(output: dict[str, Any]) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        return "" if output.get("name") == "stderr" else _text(output.get("text"))
    if kind == "error":
        return f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}\n"
    data = output.get("data")
    if not isinstance(data, dict) or any(mime in data for mime in PICTURES):
        return ""
    return f"{_text(data.get('text/plain'))}\n"


def _pictures(outputs: list[dict[str, Any]]) -> list[str]:
    """The digest of each picture."""
    datas = [data for output in outputs if isinstance(data := output.get("data"), dict)]
    found = [_text(data[mime]) for data in datas for mime in PICTURES if mime in data]
    return [hashlib.sha256("".join(picture.split()).encode()).hexdigest() for picture in found]


def _text(value: Any) -> str:
    """A text of a notebook, which may be a list of lines."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))


def _alike(text: str) -> str:
    """The text with what differs between any two runs made equal."""
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in ESCAPE.sub("", text).split("\n")]
    plain = "\n".join(lines).strip("\n")
    for pattern, word in SAME:
        plain = pattern.sub(word, plain)
    return plain


def _short(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in ESCAPE.sub("", text)).split())
    return plain if len(plain) <= TOLD_CHARACTERS else plain[: TOLD_CHARACTERS - 1] + "…"
