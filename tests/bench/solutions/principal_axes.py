"""Principal components of the training images, then three nearest neighbours in them."""

from collections import Counter
from pathlib import Path

import numpy as np

COMPONENTS = 24
K = 3


def load(path):
    with np.load(path) as archive:
        return {key: archive[key] for key in archive.files}


def principal_components(matrix, count):
    centre = matrix.mean(axis=0)
    _, _, rows = np.linalg.svd(matrix - centre, full_matrices=False)
    return centre, rows[:count]


def knn(points, labels, query):
    order = np.argsort(((points - query) ** 2).sum(axis=1))[:K]
    return Counter(labels[order].tolist()).most_common(1)[0][0]


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    training, hidden = load(artifact / "train.npz"), load(inputs / "inputs.npz")
    raw = training["x"].reshape(len(training["x"]), 64)
    centre, axes = principal_components(raw, COMPONENTS)
    points = (raw - centre) @ axes.T
    queries = (hidden["x"].reshape(len(hidden["x"]), 64) - centre) @ axes.T
    answer = [knn(points, training["y"], query) for query in queries]
    np.savez(out / "predictions.npz", id=hidden["id"], label=np.array(answer, dtype=np.int64))
