"""The cells of a submission's notebook as the side panel lists them, with what changed and what was said on each.

Words: a *stop* is a cell that ``j`` and ``k`` halt at: it changed, or something was said on it. In a first round every
cell is one. The others are gathered in *groups* that stand folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from practicum.reviews.rendering import Cell, Changes
from practicum.reviews.rounds import Carried
from practicum.reviews.threads import Thread

STATES = {"changed": "changed", "output": "output", "moved": "moved", "new": "new"}


@dataclass(frozen=True)
class CellLine:
    """A cell and its threads; ``differs`` says what came out otherwise when it was run from clean.

    ``state``: what became of it since the last round, empty for nothing or in a first round. ``fold``: the number of the
    fold on the notebook's page that it lies in, 0 for none.
    """

    cell: Cell
    threads: list[Thread] = field(default_factory=list)
    differs: str = ""
    state: str = ""
    fold: int = 0
    is_stop: bool = True

    @property
    def comments(self) -> int:
        """How many comments there are, replies too."""
        return sum(thread.size for thread in self.threads)

    @property
    def is_open(self) -> bool:
        """Something said here is not settled."""
        return any(not thread.is_resolved for thread in self.threads)


@dataclass(frozen=True)
class Group:
    """Cells one after the other: all of them stops, or all folded away."""

    is_folded: bool
    lines: list[CellLine]


@dataclass(frozen=True)
class Listing:
    """Every cell in its order; ``whole``: threads on no cell; ``elsewhere``: on a cell the page doesn't have."""

    lines: list[CellLine]
    whole: list[Thread]
    elsewhere: list[Thread]

    @property
    def groups(self) -> list[Group]:
        """The cells as they are listed."""
        return [Group(not stops, list(lines)) for stops, lines in groupby(self.lines, key=lambda line: line.is_stop)]


def list_cells(
    cells: Sequence[Cell],
    *,
    threads: Sequence[Thread],
    carried: Sequence[Carried] = (),
    changes: Changes | None = None,
    differing: Mapping[int, str] | None = None,
) -> Listing:
    """Put each thread, and what did not come out again (by number of cell), at its cell. Older threads come first."""
    known = {cell.id for cell in cells}
    placed = [(row.cell_id, row.thread) for row in carried] + [(thread.cell_id, thread) for thread in threads]
    said = [(cell_id, thread) for cell_id, thread in placed if cell_id in known]
    return Listing(
        lines=[
            _line(
                cell,
                threads=[thread for cell_id, thread in said if cell_id == cell.id],
                differs=(differing or {}).get(cell.number, ""),
                changes=changes,
            )
            for cell in cells
        ],
        whole=[thread for _, thread in placed if not thread.cell_id],
        elsewhere=[thread for cell_id, thread in placed if thread.cell_id and cell_id not in known],
    )


def _line(cell: Cell, *, threads: list[Thread], differs: str, changes: Changes | None) -> CellLine:
    if changes is None:
        return CellLine(cell, threads, differs)
    state = STATES.get(changes.states.get(cell.id, ""), "")
    fold = changes.folds.get(cell.id, 0)
    return CellLine(cell, threads, differs, state=state, fold=fold, is_stop=bool(state or threads))
