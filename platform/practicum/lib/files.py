"""Reading files that somebody else put there."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_regular(folder: Path, name: str, *, most: int) -> bytes | None:
    """Up to ``most`` bytes of a regular file inside ``folder``; None where there is none. Follows no symbolic link."""
    parts = Path(name).parts
    above = [folder.joinpath(*parts[:depth]) for depth in range(1, len(parts))]
    if Path(name).is_absolute() or ".." in parts or any(path.is_symlink() for path in above):
        return None
    try:
        opened = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        return None
    with os.fdopen(opened, "rb") as stream:
        return stream.read(most)
