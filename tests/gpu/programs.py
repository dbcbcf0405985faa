"""The programs of the idle traces, as interns write them: ``python programs.py NAME``. They print ``ready`` and go on.

Only torch and the standard library are imported: they run in whatever Python has torch.
"""

from __future__ import annotations

import sys
import time

import torch

GIGABYTE = 1 << 30


def hold(gigabytes: float) -> torch.Tensor:
    """A tensor of this size on the GPU."""
    return torch.zeros(int(gigabytes * GIGABYTE), dtype=torch.uint8, device="cuda")


def multiply(seconds: float) -> None:
    """Keep the GPU at work for so long."""
    left = torch.randn(2048, 2048, device="cuda")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        left = (left @ left) / 2048**0.5  # [2048, 2048]
        torch.cuda.synchronize()


def ready() -> None:
    """Say that the trace begins."""
    torch.cuda.synchronize()
    print("ready", flush=True)


def silent_fit() -> None:
    """Works all the time and prints nothing."""
    ready()
    multiply(3600)


def open_tab() -> None:
    """Tried something once; holds what fits of 40 GB since."""
    free, _ = torch.cuda.mem_get_info()
    kept = hold(min(40.0, 0.5 * free / GIGABYTE))
    multiply(0.5)
    ready()
    time.sleep(3600)
    del kept


def stalled_loader() -> None:
    """Decodes on the processor, and works a moment on the GPU every few seconds."""
    kept = hold(0.25)
    ready()
    while True:
        until = time.monotonic() + 4
        while time.monotonic() < until:
            sum(range(10_000))
        multiply(0.5)
        del kept
        kept = hold(0.25)


def dead_loader() -> None:
    """Holds memory and waits for something that never comes, in the middle of a cell."""
    kept = hold(0.25)
    multiply(0.5)
    ready()
    time.sleep(3600)
    del kept


if __name__ == "__main__":
    {
        "silent_fit": silent_fit,
        "terminal": silent_fit,
        "open_tab": open_tab,
        "stalled_loader": stalled_loader,
        "dead_loader": dead_loader,
    }[sys.argv[1]]()
