"""The first 64 principal components of the unlabelled images, whitened."""

from pathlib import Path

import numpy as np

COMPONENTS = 64


def images_in(folder: Path) -> dict[str, np.ndarray]:
    """Every array of every .npz file in ``folder``."""
    found: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.npz")):
        with np.load(file, allow_pickle=False) as held:
            found.update({name: held[name] for name in held.files})
    return found


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    known, unseen = images_in(artifact), images_in(inputs)
    x = known["x"].reshape(len(known["x"]), -1).astype(np.float64)
    mean = x.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(x - mean, rowvar=False))
    whiten = vectors[:, -COMPONENTS:] / np.sqrt(values[-COMPONENTS:] + 1e-3)
    code = (unseen["x"].reshape(len(unseen["x"]), -1) - mean) @ whiten
    np.savez(out / "predictions.npz", id=unseen["id"], code=code.astype(np.float32))
