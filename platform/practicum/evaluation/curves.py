"""The use of memory and GPU over the time of a run, kept short however long it takes. Pure.

Seconds count from the start of the run. Sizes are rounded to 8 MB, so that how much memory was held says little of what
was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_POINTS = 120
ROUNDED_TO = 8 * 1024**2


@dataclass
class MemoryCurve:
    """The most that was held in each step of time. The step doubles when there are too many."""

    step: int = 1
    most: dict[int, int] = field(default_factory=dict)

    def add(self, second: float, held: int) -> None:
        """``held`` bytes at that second."""
        self._keep(int(second) // self.step * self.step, -(-held // ROUNDED_TO) * ROUNDED_TO)
        while len(self.most) > MOST_POINTS:
            before, self.step, self.most = self.most, 2 * self.step, {}
            for at, size in before.items():
                self._keep(at // self.step * self.step, size)

    def _keep(self, at: int, size: int) -> None:
        self.most[at] = max(size, self.most.get(at, 0))

    def points(self) -> list[list[int]]:
        """Second and bytes, in order."""
        return [[at, size] for at, size in sorted(self.most.items())]


def thinned(samples: Iterable[tuple[float, float | None, int]]) -> list[list[float | None]]:
    """Samples of a GPU (second, percent of its time at work, bytes), of many only every second, fourth, eighth…"""
    rows: list[list[float | None]] = [
        [float(int(second)), None if percent is None else round(percent), size] for second, percent, size in samples
    ]
    while len(rows) > MOST_POINTS:
        rows = rows[::2]
    return rows
