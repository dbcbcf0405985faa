"""Every training image votes for its digit, with a weight that falls with distance; the width is chosen by leave-one-out."""

from pathlib import Path

import numpy as np

WIDTHS = [4.0, 6.0, 8.0, 11.0, 15.0]


def squared_distances(a, b):
    return (a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * a @ b.T


def votes(distances, onehot, width):
    nearest = distances.min(axis=1, keepdims=True)
    kernel = np.exp(-(distances - nearest) / (2 * width**2))
    return kernel @ onehot


def best_width(x, y):
    distances = squared_distances(x, x)
    np.fill_diagonal(distances, np.inf)
    onehot = np.eye(10)[y]
    accuracy = {width: np.mean(votes(distances, onehot, width).argmax(1) == y) for width in WIDTHS}
    return max(accuracy, key=accuracy.get)


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    with np.load(artifact / "train.npz") as loaded:
        x, y = loaded["x"].reshape(-1, 64).astype(np.float64), loaded["y"]
    width = best_width(x, y)
    with np.load(inputs / "inputs.npz") as loaded:
        q, ids = loaded["x"].reshape(-1, 64).astype(np.float64), loaded["id"]
    label = votes(squared_distances(q, x), np.eye(10)[y], width).argmax(axis=1)
    np.savez(out / "predictions.npz", id=ids, label=label.astype(np.int64))
