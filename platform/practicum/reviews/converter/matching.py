"""Which cell of a later notebook is which of an earlier one. Pure: lists of cells in, positions out.

First by id, where both notebooks have ids of their own; then by equal content; then, for what is left, by likeness of
the text. The same two notebooks always match the same way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

LIKE_ENOUGH = 0.5
MOST_COMPARED = 4_000
LOOKED_AT = 4_000


@dataclass(frozen=True)
class Part:
    """A cell as far as matching asks for it. ``own_id``: empty where the notebook gave none that can be used."""

    own_id: str
    kind: str
    source: str


def match(before: Sequence[Part], after: Sequence[Part]) -> dict[int, int]:
    """The position in ``before`` of each cell of ``after`` that was there."""
    found: dict[int, int] = {}
    by_id = {part.own_id: at for at, part in enumerate(before) if part.own_id}
    for at, part in enumerate(after):
        if part.own_id in by_id:
            found[at] = by_id[part.own_id]
    _match_equal(before, after, found=found)
    _match_alike(before, after, found=found)
    return found


def _left(before: Sequence[Part], after: Sequence[Part], *, found: dict[int, int]) -> tuple[list[int], list[int]]:
    taken = set(found.values())
    return [at for at in range(len(before)) if at not in taken], [at for at in range(len(after)) if at not in found]


def _match_equal(before: Sequence[Part], after: Sequence[Part], *, found: dict[int, int]) -> None:
    earlier, later = _left(before, after, found=found)
    same: dict[tuple[str, str], deque[int]] = defaultdict(deque)
    for at in earlier:
        same[before[at].kind, before[at].source].append(at)
    for at in later:
        if candidates := same.get((after[at].kind, after[at].source)):
            found[at] = candidates.popleft()


def _match_alike(before: Sequence[Part], after: Sequence[Part], *, found: dict[int, int]) -> None:
    earlier, later = _left(before, after, found=found)
    if len(earlier) * len(later) > MOST_COMPARED:
        return
    alike = sorted(
        ((likeness(before[old], after[new]), -abs(old - new), new, old) for new in later for old in earlier),
        key=lambda row: (-row[0], -row[1], row[2], row[3]),
    )
    taken = set(found.values())
    for share, _, new, old in alike:
        if share >= LIKE_ENOUGH and new not in found and old not in taken:
            found[new] = old
            taken.add(old)


def likeness(one: Part, other: Part) -> float:
    """How much of two texts is the same, from 0 to 1; 0 where it is less than enough or the kinds differ."""
    if one.kind != other.kind or not one.source.strip() or not other.source.strip():
        return 0.0
    compared = SequenceMatcher(None, one.source[:LOOKED_AT], other.source[:LOOKED_AT], autojunk=False)
    for bound in (compared.real_quick_ratio, compared.quick_ratio):
        if bound() < LIKE_ENOUGH:
            return 0.0
    return compared.ratio()


def moved(found: dict[int, int]) -> set[int]:
    """The positions in the later notebook of cells that stand in another order: as few of them as explain it.

    The others are the longest increasing subsequence (patience sorting, Fredman 1975).
    """
    order = sorted(found)
    ends: list[int] = []
    chains: list[int] = []
    for at in order:
        length = bisect_left(ends, found[at])
        ends[length : length + 1] = [found[at]]
        chains.append(length)
    kept, wanted = set(), len(ends) - 1
    for at, length in zip(reversed(order), reversed(chains), strict=True):
        if length == wanted:
            kept.add(at)
            wanted -= 1
    return set(order) - kept
