"""Runs an intern's notebook from clean: ``notebook.py --submission DIR --notebook NAME --public DIR --inputs DIR --out DIR``.

The cells run in a folder of their own that shows the submission's files, top to bottom, with three variables:
``PRACTICUM_DATA`` (the public data), ``PRACTICUM_INPUTS`` (the hidden inputs) and ``PRACTICUM_OUT`` (where predictions go).
What a cell printed when it was handed in is forgotten first. A line that begins with ``%practicum`` does nothing here.
The notebook as it ended is left in ``out`` as ``executed.ipynb``; its cells can write there too, so it is evidence for a
person and no proof.

Exit codes: 0 done; 4 it ended early, and the last line on stderr says at which cell and why. A cell can end the process
with any code or none, so what counts is only what the scorer makes of ``out``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENDED_EARLY = 4
EXECUTED = "executed.ipynb"
MOST_CELLS = 500
CELL_BYTES = 1_000_000
ALL_BYTES = 8_000_000
SAID = 300
LEFT_OUT = "pass  # left out here: {}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("submission", "public", "inputs", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--notebook", required=True)
    options = parser.parse_args(argv)
    folders = {name: getattr(options, name).resolve() for name in ("submission", "public", "inputs", "out")}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        place = Path(scratch)
        prepare_environment(place, public=folders["public"], inputs=folders["inputs"], out=folders["out"])
        work = place / "work"
        work.mkdir()
        for entry in sorted(folders["submission"].iterdir()):
            (work / entry.name).symlink_to(entry)
        return run(folders["submission"] / options.notebook, work=work, keep=folders["out"] / EXECUTED)


def prepare_environment(place: Path, *, public: Path, inputs: Path, out: Path) -> None:
    """Set what the kernel inherits; everything Jupyter writes goes below ``place``."""
    home = place / "home"
    home.mkdir()
    os.environ |= {
        "PRACTICUM_DATA": str(public),
        "PRACTICUM_INPUTS": str(inputs),
        "PRACTICUM_OUT": str(out),
        **dict.fromkeys(("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "MPLCONFIGDIR"), str(home)),
    }


def run(file: Path, *, work: Path, keep: Path) -> int:
    """Run the notebook in ``work``; leave it in ``keep`` as it ended, also where it ended early."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook = nbformat.read(file, as_version=4)
    clean(notebook)
    if len(notebook.cells) > MOST_CELLS:
        return end(f"The notebook has {len(notebook.cells)} cells; at most {MOST_CELLS} are run.")

    class Client(NotebookClient):  # type: ignore[misc, unused-ignore]
        """Counts what the cells put out, and ends where it is too much."""

        counted: dict[int, int] = {}
        at = 0

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] in ("stream", "display_data", "execute_result", "error", "update_display_data"):
                self.counted[cell_index] = self.counted.get(cell_index, 0) + size_of(msg["content"])
                too_much = excess(self.counted, at=cell_index)
                if too_much:
                    write(notebook, keep)
                    end(too_much)
                    os._exit(ENDED_EARLY)  # the cell may never end by itself
            return super().process_message(msg, cell, cell_index)

        async def async_execute_cell(self, cell: Any, cell_index: int, **more: Any) -> Any:
            self.at = cell_index + 1
            return await super().async_execute_cell(cell, cell_index, **more)

    client = Client(notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(work)}})
    try:
        # What the process itself prints beside its cells would come after the last line of ours.
        client.execute(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except CellExecutionError as failure:
        return end(f"Cell {client.at} raised {failure.ename}: {failure.evalue}")
    except DeadKernelError:
        return end(f"Cell {client.at} ended the notebook's process.")
    finally:
        write(notebook, keep)
    return 0


def clean(notebook: Any) -> None:
    """Forget outputs and counts; take the sting out of lines that would hand in again."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            lines = cell.source.split("\n")
            cell.source = "\n".join(
                LEFT_OUT.format(line.strip()) if line.startswith("%practicum") else line for line in lines
            )


def size_of(content: Any) -> int:
    """How much a message adds to the notebook."""
    return len(json.dumps(content, default=str))


def excess(counted: dict[int, int], *, at: int) -> str:
    """Why the outputs so far are too much, or nothing."""
    if counted[at] > CELL_BYTES:
        return f"Cell {at + 1} put out more than {CELL_BYTES // 1_000_000} MB. Print less."
    if sum(counted.values()) > ALL_BYTES:
        return f"The notebook's outputs were more than {ALL_BYTES // 1_000_000} MB at cell {at + 1}. Print less."
    return ""


def write(notebook: Any, file: Path) -> None:
    """Leave the notebook; a full volume is no reason to end otherwise."""
    try:
        file.unlink(missing_ok=True)
        file.write_text(json.dumps(notebook, ensure_ascii=True), encoding="utf-8")
    except OSError as failure:
        print(f"The executed notebook could not be kept: {failure}", file=sys.stderr)


def end(reason: str) -> int:
    """Say it as the last line."""
    line = " ".join(reason.split())
    print(line if len(line) <= SAID else line[: SAID - 1] + "…", file=sys.stderr, flush=True)
    return ENDED_EARLY


if __name__ == "__main__":
    sys.exit(main())
