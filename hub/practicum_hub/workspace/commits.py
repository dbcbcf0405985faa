"""When the person last committed in git, by the repository's own record of it.

Nothing is executed and no object is read: ``.git/logs/HEAD`` has a line for each move of HEAD, with the moment at which it
was made and what made it. Only its end is read, only in the project folder and in folders one level below it, and no link is
followed below the project folder. Whatever is malformed is passed over.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

ENTRIES = 1000
TAIL_BYTES = 64 * 1024
LOG = (".git", "logs", "HEAD")
# "old new Name <address> seconds zone<tab>what was done"; of these only a commit is work: a clone or a checkout is none.
COMMIT = re.compile(rb"> (\d{1,11}) [+-]\d{4}\tcommit\b")
# O_NONBLOCK: a pipe in place of the file keeps nobody waiting.
READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def last_commit_at(project: Path) -> datetime | None:
    """The last commit in the project folder or in a folder in it; None where there is none to be seen."""
    try:
        root = os.open(project, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = [at for name in _folders(root) if (at := _last_in(root, name)) is not None]
        finally:
            os.close(root)
    except OSError:
        return None
    return max(found, default=None)


def _folders(root: int) -> Iterator[str]:
    """The folder itself, and those among the first entries in it."""
    yield "."
    with os.scandir(root) as entries:
        yield from (entry.name for entry in islice(entries, ENTRIES) if entry.is_dir(follow_symlinks=False))


def _last_in(root: int, folder: str) -> datetime | None:
    """The last commit that the record of one folder's repository names."""
    try:
        return _last_of(_tail(root, (folder, *LOG)))
    except OSError:
        return None


def _tail(root: int, path: tuple[str, ...]) -> bytes:
    """The end of a regular file, each step to it a real folder.

    Raises:
        OSError: there is none, or a link or something else lies in its place.
    """
    held = os.dup(root)
    try:
        for name in path:
            step = os.open(name, READ_ONLY, dir_fd=held)
            os.close(held)
            held = step
        found = os.fstat(held)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path[-1]} is not a file.")
        return os.pread(held, TAIL_BYTES, max(0, found.st_size - TAIL_BYTES))
    finally:
        os.close(held)


def _last_of(lines: bytes) -> datetime | None:
    """The moment of the last line that tells of a commit."""
    for line in reversed(lines.splitlines()):
        told = COMMIT.search(line)
        if told:
            return datetime.fromtimestamp(int(told[1]), UTC)
    return None
