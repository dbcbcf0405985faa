"""How much room a person's files may take, and whose notebook is ended for it. Pure.

Nobody is kept from opening a home that is too large, and nothing in it is deleted but by its owner: a notebook is ended only
where its files grow further. Where a server's disk is about to be full, the one whose files grew most is ended, so that
not all of them fail. Sizes are what files take of the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

# Of the quota: from where it is said, from where a notebook is ended, and by how much more a large home may grow meanwhile.
NEARLY, ENDED, SLACK = 0.9, 1.1, 0.01
# A disk is low with less than a twentieth free, or than so much where it is large.
LOW_SHARE, LOW_BYTES = 0.05, 10e9
FULL = "Your files take {size}, more than the {quota} you have, and grew: delete some before you go on."
TOLD = {
    "nearly": "Your files take more than nine tenths of the {quota} you have. The notebook's page says which.",
    "over": "Your files take more than the {quota} you have. Delete some now: the notebook ends if they grow further.",
}
DISK_LOW = (
    "The server's disk was nearly full, and your files grew the most. They are kept: delete some before you go on."
)
Key = TypeVar("Key")


@dataclass(frozen=True)
class Room:
    """What somebody's files took when they were measured; ``used`` is None where there were too many to measure."""

    used: int | None
    quota: int
    largest: list[tuple[str, int]]
    measured_at: datetime

    @property
    def percent(self) -> int:
        """Of the quota, at most 100."""
        return min(100, round(100 * (self.used or 0) / self.quota))

    @property
    def standing(self) -> str:
        """``over``, ``nearly``, or empty: there is room."""
        return standing(self.used, quota=self.quota)

    @property
    def warning(self) -> str | None:
        """The standing as a sentence that does not change while it holds, or None where there is room."""
        said = TOLD.get(self.standing)
        return said and said.format(quota=written(self.quota))


def standing(used: int | None, *, quota: int) -> str:
    """``over``, ``nearly``, or empty: there is room, as far as we know."""
    if used is None or used <= NEARLY * quota:
        return ""
    return "over" if used > quota else "nearly"


def must_end(used: int | None, *, lowest: int | None, quota: int) -> bool:
    """The files are too large and grew in this notebook; ``lowest``: the least they were seen to take in it."""
    if used is None or lowest is None:
        return False
    return used > ENDED * quota and used > lowest + SLACK * quota


def is_low(free: int, *, size: int) -> bool:
    """A disk has so little room that those who fill it are ended."""
    return free < min(LOW_SHARE * size, LOW_BYTES)


def most_grown(growth: Mapping[Key, float]) -> Key | None:
    """Who is ended where the disk is low; None where nobody's files grew."""
    return max((key for key in growth if growth[key] > 0), key=lambda key: growth[key], default=None)


def written(count: float) -> str:
    """A size, for a sentence."""
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
