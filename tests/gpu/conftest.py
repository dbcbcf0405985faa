"""A real GPU, the agent's own eyes on it, and Python with torch for the programs that are looked at.

They run where ``nvidia-smi`` is; without a GPU they are skipped, or fail where ``PRACTICUM_REQUIRE_GPU=1``. The Python
with torch is named by ``PRACTICUM_TEST_TORCH_PYTHON``; else it is this one, if it has torch.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator

import pytest

from practicum_hub.gpus import NoDriver, NvmlInventory


@pytest.fixture(scope="session")
def data_dir() -> None:
    """These tests have no files of the platform."""


def _missing(what: str) -> None:
    if os.environ.get("PRACTICUM_REQUIRE_GPU") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture
def inventory() -> Iterator[NvmlInventory]:
    """The driver, with a first look taken so that the next tells what came since."""
    seam = NvmlInventory()
    try:
        gpus = seam.look().gpus
    except NoDriver as fault:
        _missing(f"no NVIDIA driver: {fault}")
    else:
        if not gpus:
            _missing("the driver lists no GPU")
    yield seam
    seam.close()


@pytest.fixture(scope="session")
def torch_python() -> str:
    """A Python that has torch."""
    named = os.environ.get("PRACTICUM_TEST_TORCH_PYTHON", "")
    if not named and importlib.util.find_spec("torch") is None:
        _missing("no torch here; name a Python that has it in PRACTICUM_TEST_TORCH_PYTHON")
    return named or sys.executable
