"""Whether a file is a notebook. Decided before it is taken, so that every notebook a mentor opens can be rendered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from practicum.lib.notebooks import validator
from practicum.submissions.errors import InvalidNotebook
from practicum.submissions.rules import megabytes, shown

FORMAT = 4
MAX_CELLS = 2_000
MAX_OUTPUTS = 20_000
SAVE_AGAIN = "Open it in JupyterLab, save it, and hand in again."


def check_notebook(file: Path, *, name: str, max_bytes: int) -> None:
    """``file`` is a notebook of the current format (nbformat 4) of a size that can be rendered.

    Raises:
        InvalidNotebook: it isn't; the message says what to do.
    """
    size = file.stat().st_size
    if size > max_bytes:
        what = f"has {megabytes(size)} MB; at most {megabytes(max_bytes)} MB can be reviewed"
        raise _bad(name, f"{what}. Clear its largest outputs, save it, and hand in again.")
    content = _read(file, name=name)
    if content.get("nbformat") != FORMAT:
        raise _bad(name, f"has an old or unknown notebook format. {SAVE_AGAIN}")
    cells = content.get("cells")
    if not isinstance(cells, list):
        raise _bad(name, f"has no cells. {SAVE_AGAIN}")
    if len(cells) > MAX_CELLS or _outputs(cells) > MAX_OUTPUTS:
        raise _bad(
            name, f"has more than {MAX_CELLS:,} cells or {MAX_OUTPUTS:,} outputs. Nobody can review that; shorten it."
        )
    _validate(content, name=name)


def _read(file: Path, *, name: str) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise _bad(name, f"can't be read: it is not JSON. {SAVE_AGAIN}") from None
    if not isinstance(content, dict):
        raise _bad(name, f"is JSON, but not a notebook. {SAVE_AGAIN}")
    return content


def _outputs(cells: list[Any]) -> int:
    held = (cell.get("outputs") for cell in cells if isinstance(cell, dict))
    return sum(len(outputs) for outputs in held if isinstance(outputs, list))


def _validate(content: dict[str, Any], *, name: str) -> None:
    minor = content.get("nbformat_minor")
    if not isinstance(minor, int) or isinstance(minor, bool) or not 0 <= minor <= 99:
        raise _bad(name, f"does not say its format. {SAVE_AGAIN}")
    try:
        schema: Any = validator.get_validator(FORMAT, minor)  # type: ignore[no-untyped-call]
        schema.validate(content)
    except validator.ValidationError as fault:
        raise _bad(name, f"is not a valid notebook ({shown(fault.message)}). {SAVE_AGAIN}") from None
    except RecursionError:
        raise _bad(name, f"is nested too deeply to be read. {SAVE_AGAIN}") from None


def _bad(name: str, what: str) -> InvalidNotebook:
    return InvalidNotebook(f"The notebook '{shown(name)}' {what}", member=shown(name))
