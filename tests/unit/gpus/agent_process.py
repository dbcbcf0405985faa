"""An agent as a process of its own, on a driver's twin: ``python -m tests.unit.gpus.agent_process [its options]``."""

from __future__ import annotations

import sys

from practicum_hub.agent import main
from practicum_hub.gpus import NvmlInventory
from tests.unit.hub.fake_nvml import Device, FakeNvml, Process

UUID = "GPU-8d1a2f3c-0000-4000-8000-000000000001"
CONTAINER = "a" * 64

if __name__ == "__main__":
    driver = FakeNvml(Device(UUID, utilization=42, processes=[Process(7, 3 << 30, sm_percent=42)]))
    sys.exit(main(inventory=NvmlInventory(driver), find_container=lambda pid: CONTAINER))
