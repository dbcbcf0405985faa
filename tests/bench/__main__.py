"""``python -m tests.bench [name …]``: run the benchmarks named, or all."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "platform"))

NAMES = (
    "pages", "launch", "submit", "decide", "replay", "race", "estimates", "idle", "choosing", "nudged", "verdict",
    "leaderboard", "similarity", "evaluate", "review", "paint", "attention", "load", "convnet", "autoencoder",
)  # fmt: skip


def main(names: list[str]) -> int:
    """Run them one after the other; 1 if a limit does not hold."""
    unknown = set(names) - set(NAMES)
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.")
    held = [importlib.import_module(f"tests.bench.{name}").main() for name in names or NAMES]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
