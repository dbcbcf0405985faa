"""``%practicum submit`` and ``%practicum status`` in a cell.

Loaded at the start of each kernel by ``etc/ipython_config.py``; touches neither the network nor the disk until it is
used, so a kernel starts whether or not the site answers.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from practicum_hub.workspace import errors, views
from practicum_hub.workspace.answers import Submission
from practicum_hub.workspace.client import Environment, SiteClient
from practicum_hub.workspace.handin import hand_in
from practicum_hub.workspace.waiting import follow

USAGE = (
    "%practicum submit [--wait] [--notebook FILE] [FOLDER]   hand in this notebook and your predict.py\n"
    "%practicum status                                       where you stand"
)


class CellClock:
    """When the last cell before the current one ran, so that a notebook not saved since can be told."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.previous: float | None = None
        self._current: float | None = None

    def pre_run_cell(self, _info: object = None) -> None:
        """A cell begins."""
        self.previous, self._current = self._current, self._now()


def notebook_path(environ: os._Environ[str] | dict[str, str] | None = None) -> Path | None:
    """The notebook of this kernel as Jupyter Server names it, if the file is there."""
    name = (os.environ if environ is None else environ).get("JPY_SESSION_NAME", "")
    path = Path(name)
    return path if path.suffix == ".ipynb" and path.is_file() else None


def stale_note(notebook: Path, *, last_cell_at: float | None) -> str:
    """Says that the file is older than the last executed cell; empty when it is not."""
    saved = notebook.stat().st_mtime
    if last_cell_at is None or saved >= last_cell_at:
        return ""
    at = datetime.fromtimestamp(saved, tz=UTC).astimezone().strftime("%H:%M:%S")
    return (
        f"{notebook.name} was last saved at {at}, before your last cell ran: your mentor sees it as it was then. "
        "To hand in what is on your screen, save (Ctrl+S) and submit again."
    )


def practicum(line: str, *, clock: CellClock) -> None:
    """Run one ``%practicum`` line and show its result in the cell."""
    from IPython.display import display

    words = shlex.split(line)
    try:
        client = SiteClient(Environment.read(os.environ))
        match words:
            case ["status"]:
                display(views.StatusView(client.status(), now=datetime.now(UTC)))
            case ["submit", *rest]:
                _submit(client, rest=rest, clock=clock, display=display)
            case _:
                print(USAGE)
    except errors.WorkspaceError as failure:
        display(views.ErrorView(failure))
    except KeyboardInterrupt:
        print("Stopped waiting. What was handed in stays handed in.", file=sys.stderr)


def _submit(client: SiteClient, *, rest: list[str], clock: CellClock, display: Any) -> None:
    wait = "--wait" in rest
    rest = [word for word in rest if word != "--wait"]
    notebook = notebook_path()
    if "--notebook" in rest:
        at = rest.index("--notebook")
        notebook = Path(rest[at + 1]).resolve() if at + 1 < len(rest) else notebook
        del rest[at : at + 2]
    if len(rest) > 1 or any(word.startswith("-") for word in rest):
        print(USAGE)
        return
    note = stale_note(notebook, last_cell_at=clock.previous) if notebook and notebook.is_file() else ""
    folder = Path(rest[0]).resolve() if rest else None
    handed = hand_in(client, source="cell", folder=folder, notebook=notebook)
    notes = (note, *handed.package.notes) if note else handed.package.notes
    metric = client.status().metric

    def view(submission: Submission) -> views.SubmissionView:
        return views.SubmissionView(submission, metric=metric, summary=handed.package.summary(), notes=notes)

    shown = display(view(handed.submission), display_id=True)
    if wait:
        follow(client, first=handed.submission, show=lambda submission: shown.update(view(submission)))


def load_ipython_extension(shell: Any) -> None:
    """What IPython calls: registers the magic and the clock."""
    clock = CellClock()
    shell.events.register("pre_run_cell", clock.pre_run_cell)
    shell.register_magic_function(lambda line: practicum(line, clock=clock), "line", "practicum")
