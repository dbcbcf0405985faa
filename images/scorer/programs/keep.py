"""Copies one file out of what an intern's code left behind: ``keep.py --from DIR --name NAME --into DIR --bytes N``.

Nothing of the intern runs any more. Only a plain file of at most N bytes is taken, no link is followed, and its bytes are
not looked at. Exit codes: 0 copied; 6 there is no such file, it is no plain file, or it is too large.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

NOTHING = 6


def main(argv: Sequence[str] | None = None) -> int:
    """Copy it; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--bytes", type=int, required=True)
    options = parser.parse_args(argv)
    content = read_plain(options.source / options.name, most=options.bytes)
    if content is None:
        return NOTHING
    (options.into / options.name).write_bytes(content)
    return 0


def read_plain(file: Path, *, most: int) -> bytes | None:
    """The bytes of a plain file, or None."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(opened, "rb") as stream:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return None
        content = stream.read(most + 1)
    return content if len(content) <= most else None


if __name__ == "__main__":
    sys.exit(main())
