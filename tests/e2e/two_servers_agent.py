"""The agent of a server with four GPUs, on a driver's twin: ``python -m tests.e2e.two_servers_agent NUMBER [its options]``."""

from __future__ import annotations

import sys

from practicum_hub.agent import main
from practicum_hub.gpus import NvmlInventory
from tests.unit.hub.fake_nvml import Device, FakeNvml


def gpus_of(number: int) -> list[str]:
    """The uuids of a server's GPUs."""
    return [f"GPU-0000000{number}-0000-4000-8000-{n:012d}" for n in range(4)]


if __name__ == "__main__":
    devices = [Device(uuid, utilization=42) for uuid in gpus_of(int(sys.argv.pop(1)))]
    sys.exit(main(inventory=NvmlInventory(FakeNvml(*devices))))
