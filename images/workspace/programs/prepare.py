"""Makes a project's data: ``prepare.py --project DIR --mode toy|full --seed N --raw DIR --public DIR --private DIR``.

The secret of the hidden split comes in on standard input, in hexadecimal, so that no process list and no engine's
record shows it. ``public`` gets what interns are given, ``private/inputs`` the hidden features, ``private/answers`` the
hidden labels. A mentor's code; any exception ends with a traceback and exit code 1.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

EXPECTED = ("public", "private/inputs", "private/answers")


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch (or invent) and split; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("project", "raw", "public", "private"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--mode", choices=["toy", "full"], required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    secret = bytes.fromhex(sys.stdin.readline().strip())
    if not secret:
        parser.error("the secret of the hidden split is missing on standard input")
    sys.path.insert(0, str(options.project.resolve()))
    data = importlib.import_module("data")
    for folder in (options.raw, options.public, options.private / "inputs", options.private / "answers"):
        folder.mkdir(parents=True, exist_ok=True)
    if options.mode == "toy":
        data.toy(options.raw, options.seed)
    else:
        data.fetch(options.raw)
    data.split(options.raw, options.public, options.private, secret)
    folders = (options.public, options.private / "inputs", options.private / "answers")
    empty = [name for name, folder in zip(EXPECTED, folders, strict=True) if not any(folder.iterdir())]
    if empty:
        print(f"data.split left {', '.join(empty)} empty", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
