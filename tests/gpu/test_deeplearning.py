"""``import deeplearning`` on a real GPU: recorded steps, bfloat16 products, streamed images, and a model that leaves the GPU."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from practicum_hub.gpus import NvmlInventory

pytestmark = pytest.mark.gpu
LIBRARY = Path(__file__).resolve().parents[2] / "images" / "workspace" / "library"
PROGRAM = """
import sys, tempfile
sys.path.insert(0, sys.argv[1])
import numpy as np
import torch
import deeplearning

random = np.random.default_rng(0)
base = random.normal(size=(8, 16 * 16))
images = ((random.normal(size=(20_000, 8)) @ base) * 20 + 128).clip(0, 255).astype(np.uint8).reshape(-1, 16, 16)
file = tempfile.NamedTemporaryFile(suffix=".npy")
np.save(file, images)
file.flush()

def fitted(given, **changed):
    return deeplearning.SparseAutoencoder(layers=9, epochs=3, **changed).fit(given)

def flat(model):
    return torch.cat([one.detach().flatten() for one in model._network.parameters()])

resident = fitted(images)
assert resident._network.device.type == "cuda"
assert "graph" in resident._step.note, resident._step.note
assert {one.dtype for one in resident._network.parameters()} == {torch.float32}
assert resident.history_[-1]["unexplained"] < 0.5, resident.history_
plain = fitted(images, device="cpu", precision="float32")
assert abs(plain.history_[-1]["unexplained"] - resident.history_[-1]["unexplained"]) < 0.1
deeplearning.images.SHARE_OF_DEVICE = 0.0
streamed = fitted(np.load(file.name, mmap_mode="r"))
assert torch.allclose(flat(streamed), flat(resident), atol=1e-2)
with tempfile.TemporaryDirectory() as folder:
    resident.save(folder + "/model.npz")
    moved = deeplearning.SparseAutoencoder.load(folder + "/model.npz", device="cpu")
close = np.isclose(moved.reconstruct(images[:256]), resident.reconstruct(images[:256]), atol=2.0)
assert close.mean() > 0.99, close.mean()
compiled = fitted(images, compiled=True)
print(resident._step.note, "|", compiled._step.note)
"""


def test_nine_layers_are_fitted_on_a_gpu_and_read_without_one(inventory: NvmlInventory, torch_python: str) -> None:
    command = [torch_python, "-I", "-c", PROGRAM, str(LIBRARY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("bfloat16, graph |")
