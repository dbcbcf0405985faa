"""A pixel is water if a line through its two bands and those around it says so: logistic regression on decibel.

Claim, toy data: water IoU 0.641 +- 0.056, worst event 0.464 +- 0.118 (mean and standard deviation over n = 12 pairs of toy seed
and split secret, 45 hidden chips of five events each) after 0.6 s on one Xeon core, NumPy 2.4.6, 2026-11-29. It draws the
same pixels each time. On electron micrographs in place of floods, where the lines are cell membranes, 0.365 +- 0.102 (n = 6 split
secrets): the chain runs on real pictures, no more. It was not measured on Sen1Floods11.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

AROUND = (3, 9)  # pixels a side of the windows whose means are features too
PIXELS = 600  # of each chip learned from
STEPS = 12
PENALTY = 1.0
DRY = -30.0  # decibel; what stands in for no data


def train(public: Path, artifact: Path, budget: float) -> None:
    """Write line.npz, fitted by Newton's method to ``PIXELS`` pixels of each public chip; ``budget`` isn't needed."""
    del budget
    with np.load(public / "chips.npz", allow_pickle=False) as held:
        bands, label = held["bands"], held["label"]
    random, drawn = np.random.default_rng(0), []
    for chip, drawing in zip(bands, label, strict=True):
        known = np.flatnonzero((drawing >= 0) & np.isfinite(chip).all(axis=2))
        places = random.permutation(known)[:PIXELS]
        drawn.append((features(chip).reshape(drawing.size, -1)[places], drawing.reshape(-1)[places]))
    x, y = (np.concatenate(part).astype(np.float64) for part in zip(*drawn, strict=True))
    centre, scale = x.mean(axis=0), x.std(axis=0)
    x = np.hstack([(x - centre) / scale, np.ones((len(x), 1))])
    weights = np.zeros(x.shape[1])
    for _ in range(STEPS):
        said = 1.0 / (1.0 + np.exp(-x @ weights))
        curvature = (x * (said * (1.0 - said))[:, None]).T @ x + PENALTY * np.eye(len(weights))
        weights -= np.linalg.solve(curvature, x.T @ (said - y) + PENALTY * weights)
    artifact.mkdir(parents=True, exist_ok=True)
    np.savez(artifact / "line.npz", weights=weights, centre=centre, scale=scale)


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Write out/predictions.npz with the ``id`` and the bits of the ``water`` of every chip in inputs/inputs.npz."""
    with np.load(artifact / "line.npz", allow_pickle=False) as held:
        weights, centre, scale = held["weights"], held["centre"], held["scale"]
    with np.load(inputs / "inputs.npz", allow_pickle=False) as held:
        ids, bands = held["id"], held["bands"]
    masks = [(features(chip) - centre) / scale @ weights[:-1] + weights[-1] > 0.0 for chip in bands]
    np.savez(out / "predictions.npz", id=ids, water=np.stack([np.packbits(mask.reshape(-1)) for mask in masks]))


def features(bands: np.ndarray) -> np.ndarray:
    """Both bands of a chip (side, side, 2), and their means over the windows: (side, side, 2 + 2 * windows)."""
    filled = np.where(np.isfinite(bands), bands, DRY)
    return np.concatenate([filled, *(means(filled, size) for size in AROUND)], axis=2)


def means(bands: np.ndarray, size: int) -> np.ndarray:
    """The mean over ``size`` x ``size`` pixels around each, mirrored at the edges."""
    edge = size // 2
    padded = np.pad(bands, ((edge, edge), (edge, edge), (0, 0)), mode="reflect").cumsum(axis=0).cumsum(axis=1)
    sums = np.pad(padded, ((1, 0), (1, 0), (0, 0)))
    return (sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]) / size**2
