"""Nearest neighbour among the public digits, on pixels as they are."""

from pathlib import Path

import numpy as np


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    with np.load(artifact / "train.npz", allow_pickle=False) as held:
        x, y = held["x"].reshape(len(held["x"]), -1), held["y"]
    with np.load(inputs / "inputs.npz", allow_pickle=False) as held:
        unseen, ids = held["x"].reshape(len(held["x"]), -1), held["id"]
    distance = ((unseen[:, None, :] - x[None, :, :]) ** 2).sum(axis=2)  # (hidden, public)
    np.savez(out / "predictions.npz", id=ids, label=y[distance.argmin(axis=1)].astype(np.int64))
