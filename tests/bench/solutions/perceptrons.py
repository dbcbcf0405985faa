"""Ten averaged perceptrons, one against the rest."""

import random
from pathlib import Path

import numpy as np

PASSES = 15


def averaged_perceptron(samples, targets, seed):
    rng = random.Random(seed)
    weight = np.zeros((10, samples.shape[1]))
    total = np.zeros_like(weight)
    order = list(range(len(samples)))
    for _ in range(PASSES):
        rng.shuffle(order)
        for i in order:
            guess = int(np.argmax(weight @ samples[i]))
            if guess != targets[i]:
                weight[targets[i]] += samples[i]
                weight[guess] -= samples[i]
            total += weight
    return total / (PASSES * len(samples))


def with_bias(images):
    return np.hstack([images.reshape(len(images), -1) / 16.0, np.ones((len(images), 1))])


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    store = np.load(artifact / "train.npz")
    weight = averaged_perceptron(with_bias(store["x"]), store["y"], seed=4)
    store = np.load(inputs / "inputs.npz")
    chosen = np.argmax(with_bias(store["x"]) @ weight.T, axis=1)
    np.savez(out / "predictions.npz", id=store["id"], label=np.asarray(chosen, dtype=np.int64))
