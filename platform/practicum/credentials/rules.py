"""What of a certificate is told, and what two of them differ in. Pure: facts come in, an answer comes out.

Words: *facts* are what was frozen when the certificate was issued; a *part* is a piece of them that its intern may leave
out. Who did what, when, and on which project is in every certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from practicum.errors import Invalid

# part: what it is called on the page, and the facts it holds
PARTS: dict[str, str] = {
    "score": "Score, baseline and verdict",
    "rubric": "Points of the rubric",
    "mentor": "My mentor’s name",
    "code": "My code, as a bundle that can be run again",
    "report": "My report",
}
FACTS_OF_PARTS: dict[str, tuple[str, ...]] = {
    "score": ("score",),
    "rubric": ("rubric",),
    "mentor": ("mentor",),
    "code": ("submission", "replay"),
    "report": ("report",),
}
LONGEST_DIFFERENCE = 120
MOST_DIFFERENCES = 20
Facts = Mapping[str, Any]


def check_parts(chosen: Iterable[str]) -> list[str]:
    """The chosen parts in their order.

    Raises:
        Invalid: there is no such part.
    """
    names = set(chosen)
    if unknown := sorted(names - set(PARTS)):
        raise Invalid(f"A certificate has no part “{unknown[0][:40]}”.", field="parts")
    return [name for name in PARTS if name in names]


def told(facts: Facts, *, parts: Iterable[str]) -> dict[str, Any]:
    """The facts without the parts that were not chosen, and without the remarks on what is missing in those."""
    chosen = set(parts)
    hidden = {fact for part, held in FACTS_OF_PARTS.items() if part not in chosen for fact in held}
    kept = {name: value for name, value in facts.items() if name not in hidden}
    remarks = kept.get("missing") or {}
    kept["missing"] = {part: words for part, words in remarks.items() if part in chosen or part not in PARTS}
    return kept


def differences(given: Any, original: Any) -> list[tuple[str, str, str]]:
    """Where a document says something else than the original: place, what it says, what was signed; a few of them.

    Of what the original does not have, only that it is there is said.
    """
    found = []
    mine, theirs = dict(_leaves(given)), dict(_leaves(original))
    for place in sorted(mine.keys() | theirs.keys()):
        if mine.get(place) != theirs.get(place) or (place in mine) != (place in theirs):
            found.append((place, _written(mine, place), _written(theirs, place)))
        if len(found) == MOST_DIFFERENCES:
            break
    return found


def _leaves(value: Any, *, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no object or list, with its place; read from a stack, for a hostile file may be deep."""
    left = [(place, value)]
    while left:
        where, held = left.pop()
        if isinstance(held, dict):
            left += [(f"{where}.{name}" if where else str(name), inner) for name, inner in held.items()]
        elif isinstance(held, list):
            left += [(f"{where}[{number}]", inner) for number, inner in enumerate(held, start=1)]
        else:
            yield where, held


def _written(values: Mapping[str, Any], place: str) -> str:
    return str(values[place])[:LONGEST_DIFFERENCE] if place in values else "(nothing)"
