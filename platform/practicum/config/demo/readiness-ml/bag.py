"""Each tree is grown on a sample of its own, and the majority decides."""

from __future__ import annotations

from typing import Any

import numpy as np
from lab import tree  # type: ignore[import-not-found]


def bag(x: Any, y: Any, *, count: int, seed: int) -> list[Any]:
    """``count`` trees, each on as many rows as there are, drawn with replacement."""
    random = np.random.default_rng(seed)
    samples = [random.integers(0, len(x), size=len(x)) for _ in range(count)]
    return [tree(x[rows], y[rows]) for rows in samples]


def vote(trees: list[Any], x: Any) -> Any:
    """The label, 0 or 1, that most of the trees give to each row of x."""
    return (np.mean([one.predict(x) for one in trees], axis=0) > 0.5).astype(int)
