"""The cells of a submission's notebook as the side panel lists them, with what was said on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from practicum.reviews.rendering import Cell
from practicum.reviews.threads import Thread


@dataclass(frozen=True)
class CellLine:
    """A cell and its threads; ``differs`` says what came out otherwise when it was run from clean."""

    cell: Cell
    threads: list[Thread] = field(default_factory=list)
    differs: str = ""

    @property
    def comments(self) -> int:
        """How many comments there are, replies too."""
        return sum(thread.size for thread in self.threads)

    @property
    def is_open(self) -> bool:
        """Something said here is not settled."""
        return any(not thread.is_resolved for thread in self.threads)


@dataclass(frozen=True)
class Listing:
    """Every cell in its order; ``whole``: threads on no cell; ``elsewhere``: on a cell the page doesn't have."""

    lines: list[CellLine]
    whole: list[Thread]
    elsewhere: list[Thread]


def list_cells(
    cells: Sequence[Cell], *, threads: Sequence[Thread], differing: Mapping[int, str] | None = None
) -> Listing:
    """Put each thread, and what did not come out again (by number of cell), at its cell."""
    known = {cell.id for cell in cells}
    return Listing(
        lines=[
            CellLine(
                cell,
                [thread for thread in threads if thread.cell_id == cell.id],
                differs=(differing or {}).get(cell.number, ""),
            )
            for cell in cells
        ],
        whole=[thread for thread in threads if not thread.cell_id],
        elsewhere=[thread for thread in threads if thread.cell_id and thread.cell_id not in known],
    )
