"""Two notebooks to one page: the later one, with what changed since the earlier open and the rest folded.

Words: a cell's *state* is ``same``, ``changed`` (its source), ``output`` (only what came out), ``moved`` or ``new``. A
*fold* is a run of cells that are the same, numbered from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from practicum.reviews.converter.matching import Part, match, moved
from practicum.reviews.converter.notebook import PAGE_BYTES, PICTURES, PageExporter
from practicum.reviews.converter.reading import Unreadable, cell_facts, read_notebook
from practicum.reviews.converter.values import values_of

# Where an object lies in memory is another place each time.
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
MOST_VALUES = 40


@dataclass(frozen=True)
class Changed:
    """A cell of the later notebook with the one it was; ``number`` is its own, from 1."""

    cell: Any
    number: int
    state: str
    before: Any = None

    @property
    def is_source_changed(self) -> bool:
        """Its text is another."""
        return self.before is not None and self.before.source != self.cell.source

    @property
    def is_output_changed(self) -> bool:
        """Something else came out; of a new cell, something did."""
        return _came_out(self.cell) != (_came_out(self.before) if self.before is not None else [])


@dataclass(frozen=True)
class Item:
    """A piece of the page: a run of cells that are the same (``fold``: its number), one that changed, or one that is gone."""

    kind: str
    cells: list[Changed] = field(default_factory=list)
    fold: int = 0


def convert(content: bytes) -> tuple[dict[str, object], str]:
    """The outcome and the page. ``content``: the bytes of the earlier notebook in decimal, a line end, it, the later one."""
    length, _, both = content.partition(b"\n")
    try:
        before, after = read_notebook(both[: int(length)]), read_notebook(both[int(length) :])
        cells, gone = compare(before, after)
        items = list(arrange(cells, gone=gone))
        page = PageExporter(template_file="changes.html.j2").page(after, items=items)
    except Unreadable as error:
        return {"status": error.status, "message": str(error), "cells": []}, ""
    except RecursionError:
        return {"status": "invalid", "message": "The notebook is nested too deeply.", "cells": []}, ""
    if len(page) > PAGE_BYTES:
        return {"status": "big", "message": "The page would be larger than 40 MB.", "cells": []}, ""
    told = {"status": "ok", "message": "", "cells": cell_facts(after)}
    return told | {"changes": _facts(cells, gone=gone, items=items)}, page


def compare(before: Any, after: Any) -> tuple[list[Changed], list[tuple[int, Any]]]:
    """The later cells with their states, and the ones that are gone, each with the position it would stand at."""
    found = match([_part(cell) for cell in before.cells], [_part(cell) for cell in after.cells])
    elsewhere = moved(found)
    cells = [
        _changed(cell, number=at + 1, before=before.cells[found[at]] if at in found else None, is_moved=at in elsewhere)
        for at, cell in enumerate(after.cells)
    ]
    place = {old: new for new, old in found.items()}
    gone, at = [], 0
    for old, cell in enumerate(before.cells):
        if old in place:
            at = place[old] + 1
        else:
            gone.append((at, cell))
    return cells, gone


def _part(cell: Any) -> Part:
    return Part("" if cell.id.startswith("at-") else cell.id, cell.cell_type, cell.source)


def _changed(cell: Any, *, number: int, before: Any, is_moved: bool) -> Changed:
    if before is None:
        return Changed(cell, number, "new")
    held = Changed(cell, number, "same", before)
    if held.is_source_changed or cell.cell_type != before.cell_type:
        return Changed(cell, number, "changed", before)
    if held.is_output_changed:
        return Changed(cell, number, "output", before)
    return Changed(cell, number, "moved" if is_moved else "same", before)


def _came_out(cell: Any) -> list[tuple[str, str]]:
    """The outputs as a reader sees them: counters, metadata and addresses do not count, pieces of a stream are one."""
    seen: list[tuple[str, str]] = []
    for output in cell.get("outputs") or []:
        if output.output_type == "stream":
            if seen and seen[-1][0] == output.name:
                seen[-1] = (output.name, seen[-1][1] + output.text)
            else:
                seen.append((output.name, output.text))
        elif output.output_type == "error":
            seen.append(("error", f"{output.ename}: {output.evalue}"))
        else:
            mimes = (*PICTURES, "image/svg+xml", "text/html", "text/markdown", "text/latex", "text/plain")
            mime = next((mime for mime in mimes if mime in output.data), "")
            seen.append((mime, str(output.data.get(mime, ""))))
    return [(kind, text if kind.startswith("image/") else ADDRESS.sub("0x", text)) for kind, text in seen]


def arrange(cells: list[Changed], *, gone: list[tuple[int, Any]]) -> Iterator[Item]:
    """The page's pieces in order."""
    waiting = list(gone)
    run: list[Changed] = []
    fold = 0
    for at, cell in enumerate(cells):
        here = [old for place, old in waiting if place == at]
        waiting = [(place, old) for place, old in waiting if place != at]
        if run and (here or cell.state != "same"):
            fold += 1
            yield Item("fold", run, fold)
            run = []
        for old in here:
            yield Item("gone", [Changed(old, 0, "gone")])
        if cell.state == "same":
            run.append(cell)
        else:
            yield Item("cell", [cell])
    if run:
        yield Item("fold", run, fold + 1)
    for _, old in waiting:
        yield Item("gone", [Changed(old, 0, "gone")])


def _facts(cells: list[Changed], *, gone: list[tuple[int, Any]], items: list[Item]) -> dict[str, object]:
    """What the site is told beside the page."""
    return {
        "states": {row.cell.id: row.state for row in cells},
        "folds": {row.cell.id: item.fold for item in items if item.kind == "fold" for row in item.cells},
        "outputs": [row.cell.id for row in cells if row.is_output_changed],
        "pairs": {row.before.id: row.cell.id for row in cells if row.before is not None},
        "gone": [cell.id for _, cell in gone],
        "values": list(_values(cells, gone=[cell for _, cell in gone]))[:MOST_VALUES],
    }


def _values(cells: list[Changed], *, gone: list[Any]) -> Iterator[dict[str, object]]:
    """Names that are set to another literal than before, in the same cell or in one that took a gone one's place."""
    left = {name: value for cell in gone if cell.cell_type == "code" for name, value in values_of(cell.source).items()}
    for row in cells:
        if row.state not in ("changed", "new") or row.cell.cell_type != "code":
            continue
        was = values_of(row.before.source) if row.before is not None else left
        for name, value in values_of(row.cell.source).items():
            if name in was and was[name] != value:
                yield {
                    "name": name[:80],
                    "before": was[name],
                    "after": value,
                    "cell": row.cell.id,
                    "number": row.number,
                }
