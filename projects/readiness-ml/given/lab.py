"""What the tasks of this check are done with: one trial of two hyperparameters, and one weak learner."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

STEPS, BATCH = 300, 10
RATE, DECAY = (-4.0, 0.0), (-3.0, 2.0)  # the logarithms, to the base of ten, that may be tried
TRIALS = 20


def train(x: np.ndarray, y: np.ndarray, log_rate: np.ndarray, log_decay: np.ndarray) -> np.ndarray:
    """Weights (settings, d) of linear models after 300 steps of SGD, one for each pair of hyperparameters."""
    random = np.random.default_rng(0)
    rate, decay = 10.0 ** log_rate[:, None], 10.0 ** log_decay[:, None]
    weights = np.zeros((len(rate), x.shape[1]))
    for _ in range(STEPS):
        rows = random.integers(0, len(x), BATCH)
        error = weights @ x[rows].T - y[rows]  # (settings, batch)
        weights = np.clip(weights - rate * (error @ x[rows] / BATCH + decay * weights), -1e6, 1e6)
    return weights


def errors(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The root mean square error of each of the models (settings, d)."""
    return np.sqrt(((weights @ x.T - y) ** 2).mean(axis=1))


class Trials:
    """Twenty trials and no more, kept in ``log``. ``done`` lists [log_rate, log_decay, validation error] of each."""

    def __init__(
        self, x: np.ndarray, y: np.ndarray, valid_x: np.ndarray, valid_y: np.ndarray, log: Path | None = None
    ) -> None:
        self.data = x, y, valid_x, valid_y
        self.log = log
        self.done: list[list[float]] = json.loads(log.read_text(encoding="utf-8")) if log and log.exists() else []

    def __call__(self, log_rate: float, log_decay: float) -> float:
        """Train with these hyperparameters; the error on the validation part."""
        for value, (low, high) in ((log_rate, RATE), (log_decay, DECAY)):
            if not low <= value <= high:
                raise ValueError(f"{value} is outside {low} to {high}")
        if len(self.done) >= TRIALS:
            raise RuntimeError(f"All {TRIALS} trials are spent. Choose from what you have seen.")
        x, y, valid_x, valid_y = self.data
        weights = train(x, y, np.array([log_rate]), np.array([log_decay]))
        error = float(errors(weights, valid_x, valid_y)[0])
        self.done.append([float(log_rate), float(log_decay), error])
        if self.log:
            self.log.write_text(json.dumps(self.done), encoding="utf-8")
        return error


def tree(x: np.ndarray, y: np.ndarray):
    """One decision tree, grown on x (n, d) and labels y (n,) until it fits them all. Ask it with ``.predict(x)``."""
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=0).fit(x, y)
