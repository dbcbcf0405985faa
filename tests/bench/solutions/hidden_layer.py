"""One hidden layer of ReLUs, trained by SGD with momentum in numpy."""

from pathlib import Path

import numpy as np

HIDDEN, RATE, MOMENTUM, EPOCHS, BATCH = 96, 0.1, 0.9, 40, 32


class Net:
    def __init__(self, inputs, hidden, outputs, rng):
        self.w1 = rng.normal(0, np.sqrt(2 / inputs), (inputs, hidden))
        self.b1 = np.zeros(hidden)
        self.w2 = rng.normal(0, np.sqrt(1 / hidden), (hidden, outputs))
        self.b2 = np.zeros(outputs)
        self.velocity = [np.zeros_like(p) for p in self.parameters()]

    def parameters(self):
        return [self.w1, self.b1, self.w2, self.b2]

    def forward(self, x):
        self.h = np.maximum(0, x @ self.w1 + self.b1)
        logits = self.h @ self.w2 + self.b2
        logits -= logits.max(1, keepdims=True)
        probabilities = np.exp(logits)
        return probabilities / probabilities.sum(1, keepdims=True)

    def step(self, x, y):
        delta = self.forward(x)
        delta[np.arange(len(y)), y] -= 1
        delta /= len(y)
        back = (delta @ self.w2.T) * (self.h > 0)
        gradients = [x.T @ back, back.sum(0), self.h.T @ delta, delta.sum(0)]
        for parameter, velocity, gradient in zip(self.parameters(), self.velocity, gradients, strict=True):
            velocity *= MOMENTUM
            velocity -= RATE * gradient
            parameter += velocity


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    rng = np.random.default_rng(1)
    with np.load(artifact / "train.npz") as data:
        images, digits = data["x"].reshape(-1, 64) / 16, data["y"]
    net = Net(64, HIDDEN, 10, rng)
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(len(images)), len(images) // BATCH):
            net.step(images[batch], digits[batch])
    with np.load(inputs / "inputs.npz") as data:
        unseen, ids = data["x"].reshape(-1, 64) / 16, data["id"]
    np.savez(out / "predictions.npz", id=ids, label=net.forward(unseen).argmax(1).astype(np.int64))
