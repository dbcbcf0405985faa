"""The agent of a server with eight GPUs, on a driver's twin: ``python -m tests.e2e.eight_gpus_agent [its options]``."""

from __future__ import annotations

import sys

from practicum_hub.agent import main
from practicum_hub.gpus import NvmlInventory
from tests.unit.hub.fake_nvml import Device, FakeNvml

GPUS = [f"GPU-00000000-0000-4000-8000-{n:012d}" for n in range(8)]

if __name__ == "__main__":
    sys.exit(main(inventory=NvmlInventory(FakeNvml(*(Device(uuid, utilization=42) for uuid in GPUS)))))
