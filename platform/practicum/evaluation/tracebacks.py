"""When two runs ended the same way: by the exception and the place in the intern's own files where it was raised. Pure.

A line's number is left out, for it moves with every edit; the frames of libraries are left out, for they are nobody's here.
The intern reads the words, and code that ran on hidden inputs wrote the log: so the words say no more of it than the name of
the exception, which its intern reads in the reason already, and of a file that they handed in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

FRAME = re.compile(r'^  File "(?P<path>[^"\n]{1,500})", line \d+, in (?P<function>[^\n]{1,200})$')
RAISED = re.compile(r"^(?:[A-Za-z_]\w*\.)*(?P<name>[A-Za-z_]\w{0,59})(?::|$)")
BEGINS = "Traceback (most recent call last):"
FIGURES = re.compile(r"\d+(?:[.,]\d+)*")
CHARACTERS = 120


@dataclass(frozen=True)
class Ending:
    """``key`` is the same for runs that ended the same way; ``words`` say which way, for the middle of a sentence."""

    key: tuple[str, ...]
    words: str


def ending_of(log: str, *, reason: str, own: Collection[str]) -> Ending:
    """How a run without a score ended; ``own`` are the paths of the intern's files.

    Without a traceback through one of these it is the reason with its figures left out: of a limit, or of predictions that
    were refused.
    """
    found = _traceback(log.splitlines(), own=own)
    if found is None:
        said = FIGURES.sub("…", " ".join(reason.split()))[:CHARACTERS].rstrip(". ")
        return Ending(key=(said,), words=said)
    return Ending(key=found, words=f"{found[0]} in {found[1]}")


def same_in_a_row(endings: Iterable[Ending]) -> int:
    """How many of the endings, the newest first, are like the newest."""
    count, first = 0, None
    for ending in endings:
        if first is not None and ending.key != first:
            break
        first, count = ending.key, count + 1
    return count


def _traceback(lines: list[str], *, own: Collection[str]) -> tuple[str, str, str] | None:
    """Exception, file and function of the last traceback, where one of its frames is in the intern's files."""
    begins = max((place for place, line in enumerate(lines) if line == BEGINS), default=None)
    if begins is None:
        return None
    frame = None
    for line in lines[begins + 1 :]:
        if (match := FRAME.match(line)) is not None:
            path = _own_path(match["path"], own=own)
            frame = (path, match["function"]) if path else frame
        elif not line.startswith(" ") and (match := RAISED.match(line)) is not None:
            return None if frame is None else (match["name"], *frame)
    return None


def _own_path(path: str, *, own: Collection[str]) -> str:
    """Which of the intern's files this is, empty for none; a library's file may have the same name."""
    if "/site-packages/" in path or "/lib/python" in path:
        return ""
    return max((name for name in own if path == name or path.endswith(f"/{name}")), key=len, default="")
