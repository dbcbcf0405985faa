"""How the benchmarks print: the machine, one table, one line that is the result."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime


def heading(title: str) -> None:
    """The title with what a reader needs to place the figures."""
    machine = f"{os.cpu_count()} cores · {platform.system()} · Python {platform.python_version()}"
    print(f"\n{title}\n{datetime.now(UTC):%Y-%m-%d} · {machine}")


def spread(values: Sequence[float]) -> str:
    """Median with the quartiles and the number of values: ``2.41 s (2.30 to 2.60, n = 12)``."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} s ({low:.3f} to {high:.3f}, n = {len(values)})"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of them lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def verdict(name: str, ratio: float, *, limit: float) -> bool:
    """Print the ratio against its limit; whether it holds."""
    print(f"{name}: ratio {ratio:.3f}, limit {limit:.2f}: {'holds' if ratio <= limit else 'DOES NOT HOLD'}")
    return ratio <= limit
