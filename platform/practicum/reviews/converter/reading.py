"""Reading a notebook that may be anything: a checked notebook whose cells all have an id, or a reason why not.

Words: a cell's *number* counts from 1; its *id* is the notebook's own where that is usable and unique, else
``at-<number>``, so that the same notebook always gets the same ids.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import json
import re
from typing import Any

from practicum.lib.notebooks import JSONReader, nbformat

MOST_CELLS = 2_000
LINE_LENGTH = 120
USABLE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class Unreadable(Exception):
    """It can't be shown. ``status`` is ``invalid`` or ``big``; the message is a sentence for the mentor."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_notebook(content: bytes) -> Any:
    """The notebook in the newest format, valid, every cell with its id.

    Raises:
        Unreadable: it is no notebook, or has too many cells.
    """
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreadable("invalid", "The file is not a notebook: it can't be read as JSON.") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("nbformat"), int):
        raise Unreadable("invalid", "The file is not a notebook: it does not say which notebook format it has.")
    try:
        notebook = _newest(raw)
        nbformat.validate(notebook)
    except MemoryError:
        raise
    except RecursionError as error:
        raise Unreadable("invalid", "The notebook is nested too deeply.") from error
    except nbformat.ValidationError as error:
        where = ".".join(str(part) for part in getattr(error, "absolute_path", ()))[:80]
        raise Unreadable(
            "invalid", f"The notebook breaks the notebook format{f', at {where}' if where else ''}."
        ) from error
    except Unreadable:
        raise
    # The format's own readers trip over wrong types in every way there is; whichever it was, the notebook is not valid.
    except Exception as error:
        raise Unreadable("invalid", "The notebook breaks the notebook format.") from error
    return notebook


def _newest(raw: dict[str, Any]) -> Any:
    if raw["nbformat"] == 4:
        cells = raw.get("cells")
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise Unreadable("invalid", "The notebook has no list of cells.")
        _limit(cells)
        _name_cells(cells)
        raw["nbformat_minor"] = 5
        return JSONReader().to_notebook(raw)
    notebook = nbformat.convert(nbformat.reads(json.dumps(raw), as_version=nbformat.NO_CONVERT), 4)
    _limit(notebook.cells)
    for cell in notebook.cells:
        cell.pop("id", None)
    _name_cells(notebook.cells)
    notebook.nbformat_minor = 5
    return notebook


def _limit(cells: list[Any]) -> None:
    if len(cells) > MOST_CELLS:
        raise Unreadable("big", f"The notebook has {len(cells):,} cells; up to {MOST_CELLS:,} are shown.")


def _name_cells(cells: list[Any]) -> None:
    seen: set[str] = set()
    for number, cell in enumerate(cells, start=1):
        own = cell.get("id")
        usable = isinstance(own, str) and USABLE_ID.match(own) and own not in seen and not own.startswith("at-")
        cell["id"] = own if usable else f"at-{number}"
        seen.add(cell["id"])


def cell_facts(notebook: Any) -> list[dict[str, object]]:
    """What the side panel says of each cell."""
    return [_facts(cell, number=number) for number, cell in enumerate(notebook.cells, start=1)]


def _facts(cell: Any, *, number: int) -> dict[str, object]:
    outputs = cell.get("outputs") or []
    lines = (line.strip(" #>*`\t\r") for line in str(cell.source)[:4_000].splitlines())
    return {
        "id": cell.id,
        "number": number,
        "kind": cell.cell_type,
        "line": next((line for line in lines if line), "")[:LINE_LENGTH],
        "has_output": bool(outputs),
        "has_error": any(output.output_type == "error" for output in outputs),
    }
