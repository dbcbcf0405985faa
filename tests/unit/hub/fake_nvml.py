"""A driver for tests: the functions of ``pynvml`` that the agent calls, over devices that a test writes down.

It refuses what it was not told: a function that is not here does not exist, and what a device does not support raises
the driver's own errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import pynvml

MICROSECONDS = 1_000_000
Value = TypeVar("Value")


def error(number: int) -> pynvml.NVMLError:
    """The driver's error of this number."""
    return pynvml.NVMLError(number)


@dataclass
class Process:
    """A process on a device: its memory, and how busy it keeps the device (0: not at all)."""

    pid: int
    memory_bytes: int | None
    sm_percent: int = 0


@dataclass
class Device:
    """A GPU, or a MIG instance where ``slices`` says how many compute and GPU slices it has."""

    uuid: str
    name: str = "NVIDIA H100 80GB HBM3"
    memory_bytes: int = 80 << 30
    utilization: int | None = 0
    processes: list[Process] = field(default_factory=list)
    ecc_errors: int | None = 0
    remapped: tuple[int, int, int, int] | None = (0, 0, 0, 0)
    retired_pending: int | None = None
    instances: list[Device | None] | None = None
    slices: tuple[int, int] = (0, 0)
    lost: int = 0

    @property
    def used_bytes(self) -> int:
        """What its processes hold."""
        return sum(process.memory_bytes or 0 for process in self.processes)


class FakeNvml:
    """A machine with these devices. ``absent``: its driver is gone. ``seconds`` is its clock."""

    def __init__(self, *devices: Device, absent: bool = False) -> None:
        self.devices = list(devices)
        self.absent = absent
        self.seconds = 1.0
        self.xids: list[tuple[Device, int]] = []
        self.opened = 0

    # The names are NVML's own.
    def nvmlInit(self) -> None:  # noqa: N802
        if self.absent:
            raise error(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
        self.opened += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.opened -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        self._ask()
        return "580.65.06"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        self._ask()
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:  # noqa: N802
        return self._alive(self.devices[index])

    def nvmlDeviceGetIndex(self, device: Device) -> int:  # noqa: N802
        return next(i for i, known in enumerate(self.devices) if known is device)

    def nvmlDeviceGetUUID(self, device: Device) -> str:  # noqa: N802
        return self._alive(device).uuid

    def nvmlDeviceGetName(self, device: Device) -> str:  # noqa: N802
        return self._alive(device).name

    def nvmlDeviceGetMemoryInfo(self, device: Device) -> Any:  # noqa: N802
        self._alive(device)
        return SimpleNamespace(total=device.memory_bytes, used=device.used_bytes)

    def nvmlDeviceGetMigMode(self, device: Device) -> list[int]:  # noqa: N802
        return [int(device.instances is not None)] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Device) -> int:  # noqa: N802
        return len(device.instances or [])

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Device, index: int) -> Device:  # noqa: N802
        found = (device.instances or [])[index]
        if found is None:
            raise error(pynvml.NVML_ERROR_NOT_FOUND)
        return found

    def nvmlDeviceGetAttributes_v2(self, device: Device) -> Any:  # noqa: N802
        return SimpleNamespace(
            computeInstanceSliceCount=device.slices[0],
            gpuInstanceSliceCount=device.slices[1],
            memorySizeMB=device.memory_bytes >> 20,
        )

    def nvmlDeviceGetUtilizationRates(self, device: Device) -> Any:  # noqa: N802
        if device.utilization is None:
            raise error(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=device.utilization)

    def nvmlDeviceGetSamples(self, device: Device, kind: int, since: int) -> tuple[int, list[Any]]:  # noqa: N802
        assert kind == pynvml.NVML_GPU_UTILIZATION_SAMPLES
        if device.utilization is None:
            raise error(pynvml.NVML_ERROR_NOT_SUPPORTED)
        stamp = int(self.seconds * MICROSECONDS)
        if stamp <= since:
            raise error(pynvml.NVML_ERROR_NOT_FOUND)
        return 1, [SimpleNamespace(timeStamp=stamp, sampleValue=SimpleNamespace(uiVal=device.utilization))]

    def nvmlDeviceGetProcessUtilization(self, device: Device, since: int) -> list[Any]:  # noqa: N802
        if device.utilization is None:
            raise error(pynvml.NVML_ERROR_NOT_SUPPORTED)
        stamp = int(self.seconds * MICROSECONDS)
        busy = [process for process in device.processes if process.sm_percent]
        if not busy or stamp <= since:
            raise error(pynvml.NVML_ERROR_NOT_FOUND)
        return [SimpleNamespace(pid=one.pid, timeStamp=stamp, smUtil=one.sm_percent) for one in busy]

    def nvmlDeviceGetComputeRunningProcesses(self, device: Device) -> list[Any]:  # noqa: N802
        return [SimpleNamespace(pid=one.pid, usedGpuMemory=one.memory_bytes) for one in device.processes]

    def nvmlDeviceGetRemappedRows(self, device: Device) -> tuple[int, int, int, int]:  # noqa: N802
        return self._supported(device.remapped)

    def nvmlDeviceGetRetiredPagesPendingStatus(self, device: Device) -> int:  # noqa: N802
        return self._supported(device.retired_pending)

    def nvmlDeviceGetTotalEccErrors(self, device: Device, kind: int, counter: int) -> int:  # noqa: N802
        assert (kind, counter) == (pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC)
        return self._supported(device.ecc_errors)

    def nvmlEventSetCreate(self) -> Any:  # noqa: N802
        return object()

    def nvmlDeviceRegisterEvents(self, device: Device, kinds: int, events: Any) -> None:  # noqa: N802
        assert kinds == pynvml.nvmlEventTypeXidCriticalError

    def nvmlEventSetWait_v2(self, events: Any, timeout_ms: int) -> Any:  # noqa: N802
        assert timeout_ms == 0, "the agent must not wait for events"
        if not self.xids:
            raise error(pynvml.NVML_ERROR_TIMEOUT)
        device, number = self.xids.pop(0)
        return SimpleNamespace(device=device, eventData=number)

    def _ask(self) -> None:
        if self.absent or self.opened < 1:
            raise error(pynvml.NVML_ERROR_UNINITIALIZED)

    def _alive(self, device: Device) -> Device:
        if device.lost:
            raise error(device.lost)
        return device

    def _supported(self, value: Value | None) -> Value:
        if value is None:
            raise error(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return value
