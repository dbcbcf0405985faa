"""What ``autoencoder.py`` times, inside the interns' Python: ``python autoencoder_steps.py <library> [rounds]``.

Prints one JSON object. In each round short blocks follow one another: a matrix product, a copy, ``partial_fit`` of the library,
the same network as a plain PyTorch loop, and the library compiled where a compiler is. A round's floor is taken from its own
product and copy, so that whatever else the machine does falls on both. On a CPU one thread is used and its processor time is
what counts: on a shared machine the clock says more about the others. Random bytes throughout, never zeros.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SMALL = (512, 512, 256, 256, 1024)
FULL = (4096, 4096, 2048, 2048, 8192)
PIXELS = 3072
ADAMW_BYTES = 28  # read weight, gradient, both moments; write weight and both moments: seven float32 a weight


def main(library: str, rounds: int) -> None:
    """Measure and print."""
    sys.path.insert(0, library)
    from deeplearning import SparseAutoencoder
    from deeplearning.network import has_compiler

    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    if not cuda:
        torch.set_num_threads(1)
    widths, batch, steps = (FULL, 16384, 8) if cuda else (SMALL, 1024, 2)
    kind = torch.bfloat16 if cuda else torch.float32
    images = np.random.default_rng(0).integers(0, 256, size=(batch * steps, 32, 32, 3), dtype=np.uint8)

    def library_fit(**changed: object) -> Callable[[], object]:
        model = SparseAutoencoder(layers=9, widths=widths, batch=batch, progress=False, **changed)
        return lambda: model.partial_fit(images)

    fits = {
        "library": library_fit(),
        "plain loop": plain_loop(images, widths=widths, batch=batch, device=device, kind=kind),
    }
    if not cuda and has_compiler(device):
        fits["library, compiled"] = library_fit(compiled=True)
    product, copied = matrix_product(device, kind, 16384 if cuda else 1024), copy(device, 2000 if cuda else 64)
    flop, weights = flop_an_image(widths), sum(a * b for a, b in pairwise(sizes(widths)))
    for run in (product.run, copied.run, *fits.values(), *fits.values()):
        run()  # compiled and recorded steps are made here
    ratios: dict[str, list[float]] = {name: [] for name in fits}
    rates: dict[str, list[float]] = {name: [] for name in fits}
    peaks, bandwidths = [], []
    for _ in range(rounds):
        for name, fit in fits.items():
            before = 0.5 * seconds_of(product.run, device)
            moved = seconds_of(copied.run, device)
            took = seconds_of(fit, device)
            peak = product.amount / (before + 0.5 * seconds_of(product.run, device))
            bandwidth = copied.amount / moved
            floor = steps * (batch * flop / peak + weights * ADAMW_BYTES / bandwidth)
            peaks.append(peak)
            bandwidths.append(bandwidth)
            ratios[name].append(took / floor)
            rates[name].append(batch * steps / took)
    found = {
        "device": torch.cuda.get_device_name() if cuda else "one core, by processor time",
        "cuda": cuda,
        "torch": torch.__version__,
        "widths": sizes(widths),
        "batch": batch,
        "precision": str(kind).removeprefix("torch."),
        "weights": weights,
        "flop": flop,
        "peak": statistics.median(peaks),
        "bandwidth": statistics.median(bandwidths),
        "ratios": ratios,
        "rates": rates,
    }
    json.dump(found, sys.stdout)


def sizes(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Units of input, nine hidden layers and output."""
    inwards = (PIXELS, *widths)
    return inwards + inwards[-2::-1]


def flop_an_image(widths: tuple[int, ...]) -> int:
    """Two a weight forward, two for its gradient, two for that of its input, which the first layer needs not."""
    whole = sizes(widths)
    return 6 * sum(a * b for a, b in pairwise(whole)) - 2 * whole[0] * whole[1]


class Timed:
    """Something to run, and how much of it (operations or bytes) one run is."""

    def __init__(self, run: Callable[[], object], amount: float) -> None:
        self.run, self.amount = run, amount


def matrix_product(device: torch.device, kind: torch.dtype, side: int) -> Timed:
    """Products of square matrices of random numbers."""
    a, b = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    out = torch.empty_like(a)

    def run() -> None:
        for _ in range(4):
            torch.mm(a, b, out=out)

    return Timed(run, 4 * 2 * side**3)


def copy(device: torch.device, megabytes: int) -> Timed:
    """Copies from memory to memory."""
    source = torch.randn(megabytes * 250_000, device=device)
    target = torch.empty_like(source)

    def run() -> None:
        for _ in range(4):
            target.copy_(source)

    return Timed(run, 4 * 2 * source.numel() * 4)


def plain_loop(
    images: np.ndarray, *, widths: tuple[int, ...], batch: int, device: torch.device, kind: torch.dtype
) -> Callable[[], object]:
    """What one would write by hand: modules, an optimiser, a loop; the same network, sparsity and order of work."""
    torch.manual_seed(0)
    layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes(widths))).to(device)
    optimiser = torch.optim.AdamW(layers.parameters(), lr=1e-3)
    data = torch.from_numpy(images).flatten(1).to(device)  # (n, pixels) uint8
    centre, scale = data[:4096].float().mean(dim=0), data[:4096].float().std()
    kept = round(0.1 * widths[-1])

    def run() -> None:
        for rows in torch.randperm(len(data), device=device).split(batch):
            wanted = (data[rows].float() - centre) / scale
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=kind == torch.bfloat16):
                x = wanted
                for place, layer in enumerate(layers):
                    x = layer(x)
                    if place < len(layers) - 1:
                        x = functional.relu(x)
                    if place == len(widths) - 1:
                        x = torch.where(x >= x.topk(kept, dim=1).values[:, -1:], x, 0.0)
                loss = functional.mse_loss(x.float(), wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return run


def seconds_of(run: Callable[[], object], device: torch.device) -> float:
    """Of processor time on a CPU; on a GPU by the clock, until its work is done."""
    if device.type == "cpu":
        began = time.process_time()
        run()
        return time.process_time() - began
    torch.cuda.synchronize()
    began = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 9)
