"""Runs a project's baseline: ``train.py --project DIR --public DIR --artifact DIR --budget SECONDS``.

A mentor's code on public data; any exception is a fault of the project and ends with a traceback and exit code 1.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Train within the budget; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("project", "public", "artifact"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--budget", type=float, required=True, help="seconds")
    options = parser.parse_args(argv)
    sys.path.insert(0, str(options.project.resolve()))
    baseline = importlib.import_module("baseline")
    options.artifact.mkdir(parents=True, exist_ok=True)
    baseline.train(options.public, options.artifact, options.budget)
    return 0


if __name__ == "__main__":
    sys.exit(main())
