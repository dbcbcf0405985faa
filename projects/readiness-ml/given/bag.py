"""Many weak learners, one vote. The skeleton stands; the two ideas that make it work are missing."""

from __future__ import annotations

import numpy as np
from lab import tree


def bag(x: np.ndarray, y: np.ndarray, *, count: int, seed: int) -> list:
    """``count`` trees. Each should be grown on a sample of its own, drawn with replacement, as large as the data."""
    random = np.random.default_rng(seed)
    rows = random.permutation(len(x))
    return [tree(x[rows], y[rows]) for _ in range(count)]


def vote(trees: list, x: np.ndarray) -> np.ndarray:
    """The label, 0 or 1, that most of the trees give to each row of x."""
    return trees[0].predict(x)
