"""Counting atoms and their neighbours, and a line through the counts.

Claim: on toy data RMSE 0.386 +- 0.054 (mean and standard deviation over n = 10 pairs of toy seed and split secret, some 180
hidden molecules each); on ESOL 1.068 +- 0.054 (n = 10 split secrets, some 225 hidden molecules each). NumPy 2.4.6, one Xeon core,
two seconds, 2026-11-29. It draws nothing at random. Judged on molecules kept apart one by one the same line gets 0.82 +- 0.08 on
ESOL (n = 8).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

PENALTY = 3.0
SEEN_IN = 3  # molecules that must have an environment for it to count


def train(public: Path, artifact: Path, budget: float) -> None:
    """Write line.json: a weight for each environment, by ridge regression; ``budget`` isn't needed."""
    del budget
    with np.load(public / "train.npz", allow_pickle=False) as held:
        counted = [environments(*pair) for pair in zip(held["atoms"], held["bonds"], strict=True)]
        value = held["value"].astype(np.float64)
    often = Counter(name for counts in counted for name in counts)
    names = sorted(name for name, count in often.items() if count >= SEEN_IN)
    x = table(counted, names)  # (n, names)
    centre = x.mean(axis=0)
    gram = (x - centre).T @ (x - centre) + PENALTY * np.eye(len(names))
    weights = np.linalg.solve(gram, (x - centre).T @ (value - value.mean()))
    line = {"names": names, "weights": weights.tolist(), "level": float(value.mean() - centre @ weights)}
    artifact.mkdir(parents=True, exist_ok=True)
    (artifact / "line.json").write_text(json.dumps(line), encoding="utf-8")


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Write out/predictions.npz with the ``id`` and the ``value`` of every molecule in inputs/inputs.npz."""
    line = json.loads((artifact / "line.json").read_text(encoding="utf-8"))
    with np.load(inputs / "inputs.npz", allow_pickle=False) as held:
        counted = [environments(*pair) for pair in zip(held["atoms"], held["bonds"], strict=True)]
        ids = held["id"]
    value = table(counted, line["names"]) @ np.array(line["weights"]) + line["level"]
    np.savez(out / "predictions.npz", id=ids, value=value.astype(np.float32))


def environments(atoms: np.ndarray, bonds: np.ndarray) -> Counter[str]:
    """How often each atom occurs (element, hydrogens, charge, aromatic), alone and with its bonds and neighbours."""
    names = {int(atom): ".".join(map(str, atoms[atom])) for atom in np.flatnonzero(atoms[:, 0])}
    counts = Counter(names.values())
    for atom, name in names.items():
        around = sorted(f"{bonds[atom, other]}-{names[int(other)]}" for other in np.flatnonzero(bonds[atom]))
        counts[f"{name} {' '.join(around)}"] += 1
    return counts


def table(counted: list[Counter[str]], names: list[str]) -> np.ndarray:
    """The counts of these environments, (molecules, names)."""
    return np.array([[counts[name] for name in names] for counts in counted], dtype=np.float64)
