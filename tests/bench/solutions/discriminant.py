"""Linear discriminant: one shared covariance, a score for each digit."""

from pathlib import Path

import numpy as np


def shared_covariance(x, y, mu):
    residual = x - mu[y]
    sigma = residual.T @ residual / (len(x) - 10)
    return 0.8 * sigma + 0.2 * np.trace(sigma) / len(sigma) * np.eye(len(sigma))


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    with np.load(artifact / "train.npz", allow_pickle=False) as npz:
        x, y = npz["x"].reshape(-1, 8 * 8).astype(np.float64), npz["y"].astype(int)
    mu = np.zeros((10, x.shape[1]))
    for k in range(10):
        mu[k] = x[y == k].mean(axis=0)
    inverse = np.linalg.inv(shared_covariance(x, y, mu))
    slope = mu @ inverse
    offset = -0.5 * np.einsum("kd,kd->k", slope, mu) + np.log(np.bincount(y, minlength=10) / len(y))
    with np.load(inputs / "inputs.npz", allow_pickle=False) as npz:
        z, names = npz["x"].reshape(-1, 8 * 8), npz["id"]
    np.savez(out / "predictions.npz", id=names, label=(z @ slope.T + offset).argmax(1).astype(np.int64))
