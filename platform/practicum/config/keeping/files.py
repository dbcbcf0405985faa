"""The site's files: which of them are kept, what is in each, and their way back.

Nearly all of them never change once they are there: they are put in place by one rename, and most are named by their
digest. So they are read after the database: whatever a row names is there.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from practicum.config.keeping.manifest import Content
from practicum.lib.digest import digest_stream

# Pages made of other files, what the web server gives out, scratch of the local engine and of backups, the hub's own (its
# database is kept by itself) are no part of a backup; ``hub/workspaces`` is: people's homes where there is no engine.
FOLDERS = ("submissions", "catalog", "hidden", "executed", "bundles", "hub/workspaces")
SNAPSHOTS = "snapshots"
# What is being written, and what belongs to one running program.
LEFT_OUT = (".staging", "*.part", "*.new", "*.sqlite3-wal", "*.sqlite3-shm", ".cache")
PASSES = 3
MOMENT = re.compile(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def folders(data_dir: Path, *, with_snapshots: bool) -> list[str]:
    """Those of the kept folders that there are."""
    names = [*FOLDERS, *([SNAPSHOTS] if with_snapshots else [])]
    return [name for name in names if (data_dir / name).is_dir() and any((data_dir / name).iterdir())]


def regular_files(folder: Path) -> Iterator[Path]:
    """Every regular file below, sorted; links are not followed."""
    for parent, below, names in os.walk(folder):
        below.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def content_of(path: Path) -> Content:
    """What is in a file now."""
    with path.open("rb") as stream:
        return Content(os.fstat(stream.fileno()).st_size, digest_stream(stream))


def contents(folder: Path) -> dict[str, Content]:
    """What is in every regular file below, by its path from there."""
    return {path.relative_to(folder).as_posix(): content_of(path) for path in regular_files(folder)}


class Known:
    """Contents that were read once, by size and time of change: a file that stays as it is need not be read again."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int, Content]] = {}

    def content(self, path: Path) -> tuple[int, Content] | None:
        """The file's time of change in ns, and its content; None where it is gone or changes while it is read."""
        try:
            before = path.lstat()
            seen = self._seen.get(str(path))
            if seen is not None and seen[:2] == (before.st_size, before.st_mtime_ns):
                return seen[1], seen[2]
            content, after = content_of(path), path.lstat()
        except FileNotFoundError:
            return None
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or content.bytes != after.st_size:
            return None
        self._seen[str(path)] = (after.st_size, after.st_mtime_ns, content)
        return after.st_mtime_ns, content


def settle(
    data_dir: Path, *, take: Callable[[], str], listing: Callable[[str], Iterable[Mapping[str, Any]]]
) -> tuple[str, dict[str, Content]]:
    """A snapshot by ``take``, and the content of each file in it: a file that changed while it was taken is taken again.

    What changed in each of three passes is left out of the manifest, and so is what was gone meanwhile.
    """
    known, found = Known(), dict[str, Content]()
    for _ in range(PASSES):
        snapshot, is_still = take(), True
        found = {}
        for row in listing(snapshot):
            if row["type"] != "file":
                continue
            name = str(row["path"]).lstrip("/")
            seen = known.content(data_dir / name)
            if seen is not None and seen[1].bytes == row.get("size", 0) and _same_time(seen[0], str(row["mtime"])):
                found[name] = seen[1]
            elif (data_dir / name).exists():
                is_still = False
        if is_still:
            break
    return snapshot, found


def _same_time(nanoseconds: int, told: str) -> bool:
    """Whether restic saw the same time of change, which it tells with up to nine digits of a second."""
    found = MOMENT.fullmatch(told)
    if found is None:
        return False
    seconds = int(datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).timestamp())
    return seconds * 10**9 + int((found[2] or "0").ljust(9, "0")) == nanoseconds


def occupied(data_dir: Path) -> list[str]:
    """The kept folders in which there is something."""
    return folders(data_dir, with_snapshots=True)


def put_in_place(source: Path, *, data_dir: Path, aside: Path) -> None:
    """Move each kept folder of ``source`` to its place; what is there goes ``aside`` first."""
    for name in [*FOLDERS, SNAPSHOTS]:
        place, made = data_dir / name, source / name
        if place.exists() and any(place.iterdir()):
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            place.rename(aside / name)
        if made.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_dir():
                place.rmdir()
            made.rename(place)


def room_for(size: int, *, folder: Path) -> bool:
    """There is room for so many bytes, and a tenth more."""
    return shutil.disk_usage(folder).free > size * 1.1
