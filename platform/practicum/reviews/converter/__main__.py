"""``python -I __main__.py notebook|changes|report``: stdin to ``page.html`` and ``outcome.json`` in the working folder.

``serve`` instead of these: one after the other, each in a child (:mod:`.server`).

The limits are set before anything of the input is read. Exit status 0: ``outcome.json`` says how it went; 3: out of
memory; anything else: a fault of ours.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

MEMORY_BYTES = 512 * 1024**2
CPU_SECONDS = 30
FILE_BYTES = 48 * 1024**2
OUT_OF_MEMORY = 3


def set_limits() -> None:
    """This process may use so much memory, processor time and file size, and leaves no core."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def convert(kind: str, content: bytes) -> int:
    """Convert into the working folder; the exit status."""
    set_limits()
    try:
        import practicum.lib.notebooks  # noqa: F401 - before nbconvert loads nbformat by itself
        from practicum.reviews.converter import changes, notebook, report

        made = {"notebook": notebook.convert, "changes": changes.convert, "report": report.convert}[kind]
        outcome, page = made(content)
        Path("page.html").write_text(page, encoding="utf-8")
        Path("outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def main(kind: str) -> int:
    """Convert stdin, or serve until it ends; the exit status."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    if kind == "serve":
        from practicum.reviews.converter import server

        server.main(convert)
        return 0
    set_limits()
    return convert(kind, sys.stdin.buffer.read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
