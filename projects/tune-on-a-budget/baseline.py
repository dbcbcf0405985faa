"""A Gaussian process whose lengths come from the public tasks: six random configurations, then where it hopes most.

Claim, toy data: regret ratio 0.652 +- 0.099 (mean and standard deviation over n = 24 triples of toy seed, split secret and
search seed; 36 hidden tasks each), so random search needs 2.8 +- 0.8 times the budget to come as far; NumPy 2.4.6, one Xeon
core, 2026-11-29. With the same length on every axis it reaches 0.855 +- 0.103, a hill climb with weighted axes
0.833 +- 0.099. On real trainings, networks on secret parts of MNIST, 0.297 +- 0.129 and 4.3 +- 1.9 budgets (n = 6 split
secrets, torch 2.13.0 on CPU, two minutes of ``split``); on Fashion-MNIST it was not measured. Opening the seals takes nearly
all of its time, about 5 ms each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

BUDGET, SQUARINGS, AROUND = 24, 4000, 6
NOISE, LENGTH = 0.1, 0.12
LOW = np.array([-4.0, 1.0, 1.0, 0.0, -6.0, 0.0])  # of the six hyperparameters, in the order of the brief
HIGH = np.array([0.5, 5.0, 5.0, 0.99, -1.0, 0.7])


def train(public: Path, artifact: Path, budget: float) -> None:
    """Write weights.json: how much each hyperparameter moves the error of the public tasks; ``budget`` isn't needed."""
    del budget
    with np.load(public / "tasks.npz", allow_pickle=False) as held:
        x, observed = (held["x"] - LOW) / (HIGH - LOW), held["observed"]  # (t, c, 6), (t, c)
    far = np.abs(x[:, ::2] - x[:, 1::2])  # of pairs of configurations
    moved = np.abs(observed[:, ::2] - observed[:, 1::2])
    weights = [float(np.corrcoef(axis.ravel(), moved.ravel())[0, 1]) for axis in far.transpose(2, 0, 1)]
    artifact.mkdir(parents=True, exist_ok=True)
    (artifact / "weights.json").write_text(json.dumps([max(weight, 0.1) for weight in weights]), encoding="utf-8")


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Write out/predictions.npz: for each task of inputs/inputs.npz its ``id`` and the ``proposals`` in order."""
    weights = np.array(json.loads((artifact / "weights.json").read_text(encoding="utf-8")))
    with np.load(inputs / "inputs.npz", allow_pickle=False) as held:
        ids, x, sealed, modulus = held["id"], held["x"], held["sealed"], int.from_bytes(held["modulus"][0].tobytes())
    proposals = np.zeros((len(ids), BUDGET), dtype=np.int64)
    for task, name in enumerate(ids.tolist()):

        def error_of(config: int, name: int = name, row: np.ndarray = sealed[task]) -> float:
            return opened(name, config, int(row[config]), modulus=modulus)

        scaled = (x[task] - LOW) / (HIGH - LOW) * weights / LENGTH
        proposals[task] = search(scaled, error_of, random=np.random.default_rng(name))
    np.savez(out / "predictions.npz", id=ids, proposals=proposals)


def search(x: np.ndarray, error_of: Callable[[int], float], *, random: np.random.Generator) -> list[int]:
    """``BUDGET`` rows of x (c, d), each chosen knowing the errors of those before it.

    After ``AROUND`` random ones, always the row whose error may be lowest by a Gaussian process on the logarithm of the
    errors: its mean less its deviation (a lower confidence bound; Rasmussen and Williams 2006, equations 2.23 and 2.24).
    """
    alike = np.exp(-0.5 * ((x[:, None] - x[None]) ** 2).sum(axis=2))  # (c, c)
    seen: dict[int, float] = {}
    for config in random.choice(len(x), size=AROUND, replace=False).tolist():
        seen[config] = error_of(config)
    while len(seen) < BUDGET:
        rows = list(seen)
        level = np.log(np.array(list(seen.values())) + 0.02)
        scaled = (level - level.mean()) / (level.std() + 1e-6)
        to_seen = alike[:, rows]  # (c, s)
        solved = np.linalg.solve(alike[np.ix_(rows, rows)] + NOISE * np.eye(len(rows)), to_seen.T)  # (s, c)
        bound = scaled @ solved - np.sqrt(np.maximum(1.0 - (to_seen * solved.T).sum(axis=1), 0.0))
        bound[rows] = np.inf
        config = int(bound.argmin())
        seen[config] = error_of(config)
    return list(seen)


def opened(name: int, config: int, sealed: int, *, modulus: int) -> float:
    """The observed error in a seal: ``SQUARINGS`` squarings, one after the other, and there is no shorter way."""
    square = int.from_bytes(hashlib.sha512(f"{name}/{config}".encode()).digest()) % modulus
    square = pow(square, 1 << SQUARINGS, modulus)
    mask = int.from_bytes(hashlib.sha256(str(square).encode()).digest()[:8])
    return float(np.array([sealed ^ mask], dtype=np.uint64).view(np.float64)[0])
