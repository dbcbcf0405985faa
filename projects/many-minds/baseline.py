"""One convolutional network, or several smaller ones whose probabilities are averaged.

Claim, toy data, one network of width 32: calibrated NLL 0.557 +- 0.053, accuracy 0.824 +- 0.019 (mean and standard deviation
over n = 6 pairs of split secret and training seed; about 600 hidden digits each), torch 2.13.0 for CPUs, 2026-11-29. On the same
six, by the constants below: four of width 16, as many multiplications, 0.475 +- 0.041; the same with ``BOOTSTRAP``
0.465 +- 0.023; sixteen of width 8 0.482 +- 0.034; with four times as many, one of width 64
0.473 +- 0.039 and four of width 32 0.460 +- 0.029. On MNIST's 10,000 test digits, 4 epochs, n = 6: one of
width 16 1.58 +- 0.26, four of width 8 1.18 +- 0.28. All by tests/projects/measure.py with a budget that no run used up. On the
full data it uses CUDA in bfloat16 where there is a GPU; it was not measured there.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

MEMBERS = 1
WIDTH = 32  # channels of the first layer on toy data; the work of a training step grows with its square
BOOTSTRAP = False  # True: each member learns from a sample of the images, as many, drawn with replacement (bagging)
EPOCHS = 20
FULL_WIDTH, FULL_EPOCHS = 96, 24  # for coloured images
BATCH = 64
LEARNING_RATE = 3e-3


def network(*, channels: int, width: int) -> nn.Sequential:
    """Four convolutions and one linear layer: (n, channels, side, side) to (n, 10), for any side of at least 8."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),  # (n, 8 * width)
        nn.Linear(8 * width, 10),
    )


def train(public: Path, artifact: Path, budget: float, seed: int = 0) -> None:
    """Write members.pt: each member is fitted to train.npz for its epochs, or its share of 0.7 of ``budget`` seconds."""
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with np.load(public / "train.npz", allow_pickle=False) as held:
        x = torch.from_numpy(held["x"]).permute(0, 3, 1, 2).contiguous().to(device)  # (n, channels, side, side) uint8
        y = torch.from_numpy(held["y"]).to(device)
    full = x.shape[1] == 3
    if not full:
        torch.set_num_threads(1)  # so small a network is hardly faster with two, and far slower on a busy machine
    width, epochs = (FULL_WIDTH, FULL_EPOCHS) if full else (WIDTH, EPOCHS)
    centre, scale = x.float().mean(), x[:10_000].float().std()
    started = time.monotonic()
    members = []
    for place in range(MEMBERS):
        model = network(channels=x.shape[1], width=width).to(device)
        rows = torch.arange(len(x), device=device)
        if BOOTSTRAP:
            rows = torch.randint(len(x), (len(x),), device=device)
        stop_at = started + 0.7 * budget * (place + 1) / MEMBERS
        fit(model, x[rows], y[rows], centre=centre, scale=scale, epochs=epochs, stop_at=stop_at)
        members.append(model.cpu().state_dict())
    artifact.mkdir(parents=True, exist_ok=True)
    facts = {"width": width, "channels": x.shape[1], "centre": centre.cpu(), "scale": scale.cpu()}
    torch.save({"members": members, **facts}, artifact / "members.pt")


def fit(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    centre: torch.Tensor,
    scale: torch.Tensor,
    epochs: int,
    stop_at: float,
) -> None:
    """Train the model by AdamW with a one-cycle rate until its epochs are over or ``stop_at`` has come."""
    batch = BATCH if x.shape[1] == 1 else 8 * BATCH
    steps = epochs * -(-len(x) // batch)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=LEARNING_RATE, total_steps=steps)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), device=x.device).split(batch):
            if time.monotonic() > stop_at:
                return
            with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=x.is_cuda):
                loss = functional.cross_entropy(model((x[rows].float() - centre) / scale), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def predict(artifact: Path, inputs: Path, out: Path) -> None:
    """Write out/predictions.npz: ``id``, and ``probability`` (n, 10), the mean of what the members say of each image."""
    kept = torch.load(artifact / "members.pt", weights_only=True)
    with np.load(inputs / "inputs.npz", allow_pickle=False) as held:
        x, ids = torch.from_numpy(held["x"]).permute(0, 3, 1, 2).float(), held["id"]
    x = (x - kept["centre"]) / kept["scale"]
    total = torch.zeros(len(x), 10)
    for weights in kept["members"]:
        model = network(channels=kept["channels"], width=kept["width"])
        model.load_state_dict(weights)
        model.eval()
        with torch.inference_mode():
            total += torch.cat([model(rows).softmax(dim=1) for rows in x.split(1024)])
    np.savez(out / "predictions.npz", id=ids, probability=(total / len(kept["members"])).numpy())
