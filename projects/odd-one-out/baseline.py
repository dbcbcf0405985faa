"""An autoencoder of windows, fitted to the whole fleet; a reading is as odd as it is badly redrawn.

Claim, toy data: VUS-PR 0.332 +- 0.037 (mean and standard deviation over n = 6 triples of toy seed, split secret and training
seed; 60 hidden series of 1,024 readings each), torch 2.13.0 for CPUs, 2026-11-29. On the same six, random scores reach
0.108 +- 0.008, deviations from a moving mean 0.147 +- 0.026, PCA of the one series 0.546 +- 0.051 and the distance to the third
nearest window of the same series 0.609 +- 0.036: ``METHOD`` names these too, to be measured and not to be handed in. Full data
(300 hidden series of 4,096): 0.191 +- 0.014 after 165 s of training on one Xeon core, n = 6 secrets and training seeds; PCA
0.462 +- 0.017, random scores 0.036 +- 0.001. All by tests/projects/measure.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

METHOD = "autoencoder"
SEED = 20
WINDOW = 64  # readings; a little more than the longest period
CODE, HIDDEN = 16, 128
EPOCHS = 12
BATCH, FULL_BATCH = 256, 4096
STRIDE = 4  # readings from one window that is learned from to the next
LEARNING_RATE = 2e-3
NEAREST = 3
COUNTS = 1000.0  # to one unit


def train(public: Path, artifact: Path, budget: float) -> None:
    """Write autoencoder.pt, fitted to unlabelled.npz for its epochs or 0.7 of ``budget`` seconds; other methods learn nothing."""
    stop_at = time.monotonic() + 0.7 * budget
    artifact.mkdir(parents=True, exist_ok=True)
    if METHOD != "autoencoder":
        return
    torch.manual_seed(SEED)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with np.load(public / "unlabelled.npz", allow_pickle=False) as held:
        readings = torch.from_numpy(held["x"]).to(device) / COUNTS  # (n, length)
    full = readings.shape[1] > 1024
    if not full:
        torch.set_num_threads(1)  # so small a network is no faster with two, and far slower on a busy machine
    x = readings.unfold(1, WINDOW, STRIDE).reshape(-1, WINDOW)  # (windows, WINDOW)
    model = network().to(device)
    batch = FULL_BATCH if full else BATCH
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=LEARNING_RATE, total_steps=EPOCHS * -(-len(x) // batch)
    )
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), device=device).split(batch):
            if time.monotonic() > stop_at:
                break
            wanted = centred(x[rows])
            loss = functional.mse_loss(model(wanted), wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    torch.save(model.cpu().state_dict(), artifact / "autoencoder.pt")


def network() -> nn.Sequential:
    """A window to a code of ``CODE`` numbers and back: (n, WINDOW) to (n, WINDOW)."""
    return nn.Sequential(
        nn.Linear(WINDOW, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, CODE),
        nn.Linear(CODE, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, WINDOW),
    )


def centred(x: torch.Tensor) -> torch.Tensor:
    """Each window (n, WINDOW) without its mean."""
    return x - x.mean(dim=1, keepdim=True)


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Write out/predictions.npz: ``id``, and ``score`` (n, length), higher where a reading is odder."""
    with np.load(inputs / "inputs.npz", allow_pickle=False) as held:
        x, ids = held["x"], held["id"]
    method = redrawn_by(artifact) if METHOD == "autoencoder" else METHODS[METHOD]
    score = np.stack([method(series / COUNTS) for series in x])
    np.savez(out / "predictions.npz", id=ids, score=score.astype(np.float32))


def redrawn_by(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The autoencoder's squared error at each reading, over all windows that hold it."""
    model = network()
    model.load_state_dict(torch.load(artifact / "autoencoder.pt", weights_only=True))

    def score(series: np.ndarray) -> np.ndarray:
        x = centred(torch.from_numpy(windows(series).astype(np.float32)))
        with torch.inference_mode():
            return per_reading((model(x) - x).square().double().numpy())

    return score


def windows(series: np.ndarray) -> np.ndarray:
    """Every window of a series: (length,) to (length - WINDOW + 1, WINDOW)."""
    return np.lib.stride_tricks.sliding_window_view(series, WINDOW)


def per_reading(error: np.ndarray) -> np.ndarray:
    """What windows say (n, WINDOW), as the mean for each reading (n + WINDOW - 1,) over the windows that hold it."""
    total, count = np.zeros((2, len(error) + WINDOW - 1))
    for place in range(WINDOW):
        total[place : place + len(error)] += error[:, place]
        count[place : place + len(error)] += 1
    return total / count


def of_windows(score: np.ndarray) -> np.ndarray:
    """One score a window (n,), as the mean for each reading over the windows that hold it."""
    return per_reading(np.repeat(score[:, None], WINDOW, axis=1))


def chance(series: np.ndarray) -> np.ndarray:
    """Random scores."""
    return np.random.default_rng(SEED).random(len(series))


def deviation(series: np.ndarray) -> np.ndarray:
    """How many deviations a reading lies from the mean of the window around it."""
    x = windows(np.pad(series, (WINDOW // 2, WINDOW - WINDOW // 2 - 1), mode="edge"))
    return np.abs(series - x.mean(axis=1)) / (x.std(axis=1) + 1e-9)


def components(series: np.ndarray) -> np.ndarray:
    """PCA of the series' own windows: the distance of a window from the mean, each component in units of its deviation."""
    x = windows(series)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    variance, directions = np.linalg.eigh(x.T @ x / len(x))
    return of_windows(np.sqrt(((x @ directions) ** 2 / (np.maximum(variance, 0.0) + 1e-9)).sum(axis=1)))


def neighbours(series: np.ndarray) -> np.ndarray:
    """The distance of a window from the ``NEAREST`` most similar one of the same series that doesn't overlap it."""
    x = windows(series)
    x = x - x.mean(axis=1, keepdims=True)
    size, place = (x**2).sum(axis=1), np.arange(len(x))
    apart = size[:, None] + size - 2 * x @ x.T
    apart[np.abs(place[:, None] - place) < WINDOW] = np.inf
    return of_windows(np.sqrt(np.maximum(np.partition(apart, NEAREST - 1, axis=1)[:, NEAREST - 1], 0.0)))


METHODS = {"chance": chance, "deviation": deviation, "components": components, "neighbours": neighbours}
