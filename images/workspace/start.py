"""First process of a notebook: puts the project's starter files in place, then becomes the command it is given.

What the intern has is never overwritten, and a starter file the intern deleted does not come back: the names of all
files ever placed are kept in ``~/.practicum/placed/<project folder>``. A file that a later version of the project adds
is placed at the next start. Trouble here (a full disk) is said and does not keep the notebook from starting.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

STARTER_FILES = Path("/opt/project")
NOT_PLACED = ("__pycache__", ".ipynb_checkpoints")


def place_starter_files(*, source: Path, target: Path, ledger: Path) -> list[str]:
    """Every regular file of ``source`` that was never placed and is not there is copied; returns their names."""
    known = set(ledger.read_text(encoding="utf-8").splitlines()) if ledger.is_file() else set()
    placed = []
    for file in sorted(source.rglob("*")):
        name = file.relative_to(source).as_posix()
        unwanted = any(part in NOT_PLACED for part in file.parts)
        if name in known or unwanted or file.is_symlink() or not file.is_file():
            continue
        wanted = target / name
        if not os.path.lexists(wanted):
            wanted.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, wanted)
            placed.append(name)
        known.add(name)
    target.mkdir(parents=True, exist_ok=True)
    ledger.parent.mkdir(parents=True, exist_ok=True)
    ledger.write_text("".join(f"{name}\n" for name in sorted(known)), encoding="utf-8")
    return placed


def main() -> None:
    """Place the files, then run the command."""
    target = os.environ.get("PRACTICUM_PROJECT_DIR", "")
    if target and STARTER_FILES.is_dir():
        ledger = Path.home() / ".practicum" / "placed" / Path(target).name
        try:
            place_starter_files(source=STARTER_FILES, target=Path(target), ledger=ledger)
        except OSError as error:
            print(f"The project's starter files could not be put in place: {error}", file=sys.stderr, flush=True)
    command = sys.argv[1:] or ["jupyterhub-singleuser"]
    os.execvp(command[0], command)  # noqa: S606 - this process becomes the command


if __name__ == "__main__":
    main()
