"""How much of one submission's code is in another's, names aside. Pure.

Code is cut into tokens; names that are one's own to choose (attributes of ``self`` too), numbers and texts count as equal;
what follows another dot keeps its name. Of the hashes of every ``GRAM`` tokens in a row some are picked by winnowing
(Schleimer, Wilkerson and Aiken 2003, "Winnowing: local algorithms for document fingerprinting", SIGMOD): of each ``WINDOW``
hashes in a row the smallest, so that every stretch of ``GRAM + WINDOW - 1`` tokens that two texts share is found, however far
apart it lies.
What the project itself hands out is left out on both sides: its every hash counts, not only the picked ones.

Words: a *text* is one file's code with its name, a *mark* is a picked hash and where it lies.
"""

from __future__ import annotations

import hashlib
import keyword
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

GRAM, WINDOW = 14, 8
ENOUGH_MARKS = 12  # fewer in common are what any two programs about the same question share
ALIKE = 0.5
MOST_TOKENS = 60_000
MOST_PASSAGES, PASSAGE_LINES = 6, 30
JOINED_LINES = 2
TOKEN = re.compile(
    r"(?P<space>[ \t\r\f\\]+|#[^\n]*)"
    r"|(?P<line>\n)"
    r"|(?P<text>[rbfuRBFU]{0,2}(?:\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?))"
    r"|(?P<number>\d[\w.]*)"
    r"|(?P<name>\w+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
KEPT = frozenset(keyword.kwlist) | {"range", "len", "print", "open", "sum", "zip", "enumerate", "sorted", "min", "max"}


@dataclass(frozen=True)
class Text:
    """The code of one file, or of one cell of a notebook (``name`` says which)."""

    name: str
    code: str


@dataclass(frozen=True)
class Mark:
    """A picked hash: in which text, from which line to which."""

    hash: int
    text: int
    first: int
    last: int


@dataclass(frozen=True)
class Fingerprint:
    """A submission's texts and marks."""

    texts: tuple[Text, ...]
    marks: tuple[Mark, ...]

    @property
    def hashes(self) -> frozenset[int]:
        """The marks without their places."""
        return frozenset(mark.hash for mark in self.marks)


@dataclass(frozen=True)
class Passage:
    """A stretch of both, side by side: where it lies and its lines."""

    name: str
    line: int
    code: str
    other_name: str
    other_line: int
    other_code: str


@dataclass(frozen=True)
class Alike:
    """``share`` of the smaller submission's marks that the other has too, and the longest stretches they share."""

    share: float
    common: int
    passages: tuple[Passage, ...]

    @property
    def is_flagged(self) -> bool:
        """A mentor should look at both."""
        return _is_enough(self.share, common=self.common)


def _is_enough(share: float, *, common: int) -> bool:
    return common >= ENOUGH_MARKS and share >= ALIKE


def grams_of(texts: Iterable[Text]) -> frozenset[int]:
    """Every hash of what a project hands out."""
    return frozenset(mark.hash for text in texts for mark in _grams(text, place=0))


def fingerprint(texts: Sequence[Text], *, known: frozenset[int]) -> Fingerprint:
    """The submission's marks, without what is ``known`` from the project itself."""
    marks = [
        mark
        for place, text in enumerate(texts)
        for mark in _winnowed(_grams(text, place=place))
        if mark.hash not in known
    ]
    return Fingerprint(tuple(texts), tuple(marks))


def compare(one: Fingerprint, other: Fingerprint) -> Alike:
    """How much of the smaller of the two is in the other."""
    mine, theirs = one.hashes, other.hashes
    common = mine & theirs
    share = _share(len(mine), len(theirs), common=len(common))
    return Alike(share=share, common=len(common), passages=_passages(one, other, common=common))


def would_flag(mine: frozenset[int], theirs: Collection[int]) -> bool:
    """Whether :func:`compare` would flag the two whose hashes these are; in ``theirs`` each is once."""
    common = sum(one in mine for one in theirs)
    return _is_enough(_share(len(mine), len(theirs), common=common), common=common)


def _share(mine: int, theirs: int, *, common: int) -> float:
    return common / min(mine, theirs) if mine and theirs else 0.0


def _tokens(code: str) -> list[tuple[str, int]]:
    """(word, line) of each token, from line 1; names of one's own, numbers and texts as one word each."""
    found: list[tuple[str, int]] = []
    line, after_dot, raw, owner = 1, False, "", ""
    for match in TOKEN.finditer(code):
        kind, word = match.lastgroup, match.group()
        if kind in ("name", "number", "text", "other"):
            raw, before = word, raw
            if kind == "name":
                word = word if (after_dot and owner != "self") or word in KEPT else "a"
            elif kind != "other":
                word = "1" if kind == "number" else "'"
            found.append((word, line))
            after_dot = word == "."
            owner = before if after_dot else ""
            if len(found) >= MOST_TOKENS:
                break
        line += match.group().count("\n")
    return found


def _grams(text: Text, *, place: int) -> list[Mark]:
    """The hash of every ``GRAM`` tokens in a row."""
    tokens = _tokens(text.code)
    marks = []
    for start in range(len(tokens) - GRAM + 1):
        words = tokens[start : start + GRAM]
        digest = hashlib.blake2b("\0".join(word for word, _ in words).encode(), digest_size=7).digest()
        marks.append(Mark(int.from_bytes(digest, "big"), place, words[0][1], words[-1][1]))
    return marks


def _winnowed(marks: Sequence[Mark]) -> list[Mark]:
    """Of each ``WINDOW`` marks in a row the smallest, the last one where several are; each once."""
    picked: list[Mark] = []
    last = -1
    for start in range(max(1, len(marks) - WINDOW + 1) if marks else 0):
        window = range(start, min(start + WINDOW, len(marks)))
        place = min(window, key=lambda at: (marks[at].hash, -at))
        if place != last:
            picked.append(marks[place])
            last = place
    return picked


def _passages(one: Fingerprint, other: Fingerprint, *, common: frozenset[int]) -> tuple[Passage, ...]:
    """The longest stretches whose marks follow each other on both sides."""
    places: dict[int, Mark] = {}
    for mark in other.marks:
        places.setdefault(mark.hash, mark)
    stretches: list[tuple[list[Mark], list[Mark]]] = []
    for mark in one.marks:
        if mark.hash not in common:
            continue
        there = places[mark.hash]
        if stretches and _goes_on(stretches[-1][0][-1], mark) and _goes_on(stretches[-1][1][-1], there):
            stretches[-1][0].append(mark)
            stretches[-1][1].append(there)
        else:
            stretches.append(([mark], [there]))
    stretches.sort(key=lambda pair: -len(pair[0]))
    shown: list[tuple[list[Mark], list[Mark]]] = []
    for stretch in stretches:
        if len(shown) < MOST_PASSAGES and not any(_lies_in(stretch[0][0], longest) for longest, _ in shown):
            shown.append(stretch)
    return tuple(_passage(here, there, one=one, other=other) for here, there in shown)


def _lies_in(mark: Mark, stretch: list[Mark]) -> bool:
    """What it shows is shown already."""
    return mark.text == stretch[0].text and stretch[0].first <= mark.first <= max(other.last for other in stretch)


def _goes_on(before: Mark, after: Mark) -> bool:
    return before.text == after.text and before.first <= after.first <= before.last + JOINED_LINES


def _passage(here: list[Mark], there: list[Mark], *, one: Fingerprint, other: Fingerprint) -> Passage:
    mine, theirs = one.texts[here[0].text], other.texts[there[0].text]
    return Passage(
        name=mine.name,
        line=here[0].first,
        code=_lines(mine, here),
        other_name=theirs.name,
        other_line=there[0].first,
        other_code=_lines(theirs, there),
    )


def _lines(text: Text, marks: list[Mark]) -> str:
    first, last = marks[0].first, max(mark.last for mark in marks)
    lines = text.code.split("\n")[first - 1 : last]
    more = [f"… {len(lines) - PASSAGE_LINES} more lines"] if len(lines) > PASSAGE_LINES else []
    return "\n".join([*(line[:200] for line in lines[:PASSAGE_LINES]), *more])
