"""How near ``import deeplearning`` comes to what the device could do: its nine-layer step against the floor, in one run.

The floor is arithmetic at the speed of this device's own matrix products, plus the optimiser's bytes at the speed of its own
copies. What counts against it is ``partial_fit`` whole: order, gathering, conversion from uint8, sparsity, loss and optimiser.
On one core of a CPU in float32, 3072-512-512-256-256-1024 mirrored; on CUDA in bfloat16, 3072-4096-4096-2048-2048-8192 mirrored.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from tests.bench.report import heading, verdict

ROOT = Path(__file__).resolve().parents[2]
STEPS = Path(__file__).with_name("autoencoder_steps.py")
LIBRARY = ROOT / "images" / "workspace" / "library"
EPOCH = 10_000_000
LIMIT = 1.25


def main() -> bool:
    """Measure in the interns' Python and compare with the limit."""
    python = os.environ.get("PRACTICUM_WORKSPACE_PYTHON", "")
    if not python:
        sys.exit("Set PRACTICUM_WORKSPACE_PYTHON to an interpreter with images/workspace/requirements.txt installed.")
    heading("import deeplearning: nine layers against this device's floor")
    command = [python, "-I", "-B", str(STEPS), str(LIBRARY), os.environ.get("ROUNDS", "9")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    floor = 1 / (found["flop"] / found["peak"] + found["weights"] * 28 / found["bandwidth"] / found["batch"])
    print(f"  {found['device']}, torch {found['torch']}, {found['precision']}, {found['batch']} images a step")
    print(f"  {'-'.join(map(str, found['widths']))}: {found['weights'] / 1e6:.1f} million weights, "
          f"{found['flop'] / 1e6:.1f} MFLOP an image")  # fmt: skip
    print(f"  matrix product {found['peak'] / 1e9:,.0f} GFLOP/s, copy {found['bandwidth'] / 1e9:.0f} GB/s: "
          f"floor {floor:,.0f} images/s, {EPOCH / floor:,.1f} s for ten million")  # fmt: skip
    for name, rates in found["rates"].items():
        low, middle, high = statistics.quantiles(found["ratios"][name], n=4)
        rate = statistics.median(rates)
        print(f"  {name:20} {rate:9,.0f} images/s, ten million in {EPOCH / rate:8,.1f} s; "
              f"{middle:.2f} of the floor's time ({low:.2f} to {high:.2f}, n = {len(rates)})")  # fmt: skip
    return verdict("library", statistics.median(found["ratios"]["library"]), limit=LIMIT)
