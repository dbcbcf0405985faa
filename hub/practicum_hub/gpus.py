"""What GPUs this server has, what is wrong with them, and what runs on them, through one seam: :class:`Inventory`.

``NvmlInventory`` asks the NVIDIA driver (nvidia-ml-py); ``FakeInventory`` is its twin for tests. Memory is in bytes,
utilization in percent of the time since the last look. ``None`` in place of a figure: the driver can't tell.

A *fault* is a sentence about what is broken. XID numbers that a program causes by its own mistakes are no faults of the
GPU; which those are is NVIDIA's list in its device plugin for Kubernetes (internal/rm/health.go).

The driver is kept open between looks, so that no XID is missed: end the agent before you reload the driver or switch
MIG on or off.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import pynvml

LOST = "The driver has lost this GPU. Restart the machine."
RESET = "The driver asks for a reset of this GPU. Reset it, or restart the machine."
UNREADABLE = "The driver can't read this GPU ({reason}). Restart the machine."
ECC = "{count} uncorrected memory error{s} since the driver started. Reset the GPU, and watch whether they come again."
REMAP_PENDING = "Broken memory waits to be mapped out. Reset the GPU, or restart the machine."
REMAP_FAILED = "Broken memory could not be mapped out. Replace the GPU."
XID = "The driver reported XID {number}. Look at the kernel's log, then reset the GPU or restart the machine."
XIDS_OF_PROGRAMS = frozenset({13, 31, 43, 45, 68, 109})
MOST_EVENTS = 64


@dataclass(frozen=True)
class Instance:
    """A MIG instance. ``index`` counts within its GPU and may have gaps; ``profile`` is like ``1g.10gb``."""

    uuid: str
    index: int
    profile: str
    memory_bytes: int
    memory_used_bytes: int


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver sees it. ``instances`` is None where MIG is off; where it is on, they are what can be used."""

    uuid: str
    index: int
    model: str
    memory_bytes: int
    memory_used_bytes: int
    utilization_percent: float | None
    fault: str = ""
    instances: tuple[Instance, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """As the site takes it."""
        return asdict(self)


@dataclass(frozen=True)
class Process:
    """A process that holds memory on a GPU or MIG instance. ``sm_percent``: how busy it kept it; None: can't be told."""

    gpu: str
    pid: int
    memory_bytes: int
    sm_percent: float | None


@dataclass(frozen=True)
class Look:
    """What there was at one moment."""

    gpus: tuple[Gpu, ...] = ()
    processes: tuple[Process, ...] = ()


class NoDriver(Exception):
    """There is no NVIDIA driver here, or it does not answer."""


class Inventory(Protocol):
    """Where the agent learns about GPUs."""

    def look(self) -> Look:
        """All GPUs now, by index, and what ran on them since the last look.

        Raises:
            NoDriver: the driver does not answer.
        """

    def versions(self) -> dict[str, str]:
        """Versions worth reporting, by name."""


class FakeInventory:
    """A server that shows the looks it was given, one after the other, the last for ever.

    ``fault`` makes it one whose driver is gone.
    """

    def __init__(self, *looks: Look, fault: str = "") -> None:
        self._looks = list(looks) or [Look()]
        self.fault = fault

    def look(self) -> Look:
        """The next look."""
        if self.fault:
            raise NoDriver(self.fault)
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def versions(self) -> dict[str, str]:
        """A made-up driver."""
        return {} if self.fault else {"nvidia-driver": "fake"}


@dataclass
class _Memory:
    """What is remembered of one GPU from look to look. Moments are the driver's, in microseconds."""

    gpu: Gpu | None = None
    processes_seen_us: int = 0
    samples_seen_us: int = 0
    xid: int = 0


@dataclass
class _Session:
    """An open driver: its event set (None where it has none) and what is remembered, by the GPU's index."""

    events: Any = None
    memories: dict[int, _Memory] = field(default_factory=dict)


class NvmlInventory:
    """The GPUs of this machine, by NVML. ``nvml`` is the module ``pynvml``, or a test's twin of it."""

    def __init__(self, nvml: Any = pynvml) -> None:
        self._nvml = nvml
        self._session: _Session | None = None

    def look(self) -> Look:
        """All GPUs that were ever seen since the driver was opened; a lost one with its fault."""
        session = self._open()
        try:
            count = int(self._nvml.nvmlDeviceGetCount())
        except pynvml.NVMLError as fault:
            self.close()
            raise NoDriver(str(fault)) from fault
        self._take_events(session)
        looks = [self._look_at(index, memory=session.memories.setdefault(index, _Memory())) for index in range(count)]
        return Look(
            gpus=tuple(gpu for gpu, _ in looks if gpu is not None),
            processes=tuple(process for _, processes in looks for process in processes),
        )

    def versions(self) -> dict[str, str]:
        """The driver's version, where there is one."""
        try:
            self._open()
            return {"nvidia-driver": str(self._nvml.nvmlSystemGetDriverVersion())}
        except (NoDriver, pynvml.NVMLError):
            return {}

    def _open(self) -> _Session:
        if self._session is None:
            try:
                self._nvml.nvmlInit()
            except pynvml.NVMLError as fault:
                raise NoDriver(str(fault)) from fault
            self._session = _Session(events=self._make_events())
        return self._session

    def close(self) -> None:
        """Let go of the driver; the next look opens it again."""
        self._session = None
        with suppress(pynvml.NVMLError):
            self._nvml.nvmlShutdown()

    def _make_events(self) -> Any:
        """An event set that hears of XIDs, or None where the driver has none."""
        with suppress(pynvml.NVMLError):
            events = self._nvml.nvmlEventSetCreate()
            for index in range(self._nvml.nvmlDeviceGetCount()):
                with suppress(pynvml.NVMLError):
                    handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                    self._nvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, events)
            return events
        return None

    def _take_events(self, session: _Session) -> None:
        """Note the XIDs that came since the last look; nothing is waited for."""
        if session.events is None:
            return
        for _ in range(MOST_EVENTS):
            try:
                event = self._nvml.nvmlEventSetWait_v2(session.events, 0)
                number, index = int(event.eventData), int(self._nvml.nvmlDeviceGetIndex(event.device))
            except pynvml.NVMLError:
                return
            if number not in XIDS_OF_PROGRAMS:
                session.memories.setdefault(index, _Memory()).xid = number

    def _look_at(self, index: int, *, memory: _Memory) -> tuple[Gpu | None, list[Process]]:
        """One GPU with what runs on it; one that fails is what it was, with its fault."""
        try:
            handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
            gpu = self._gpu(handle, index=index, memory=memory)
        except pynvml.NVMLError as fault:
            known = memory.gpu
            return (replace(known, fault=_sentence(fault), utilization_percent=None) if known else None), []
        memory.gpu = gpu
        if gpu.instances is None:
            return gpu, self._processes(handle, gpu=gpu, memory=memory)
        handles = self._mig_handles(handle)
        listed = [(handles[one.index], one.uuid) for one in gpu.instances if one.index in handles]
        return gpu, [process for mig, uuid in listed for process in self._running(mig, uuid=uuid, busy=None)]

    def _gpu(self, handle: Any, *, index: int, memory: _Memory) -> Gpu:
        size = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        model = str(self._nvml.nvmlDeviceGetName(handle))
        has_mig = self._has_mig(handle)
        return Gpu(
            uuid=str(self._nvml.nvmlDeviceGetUUID(handle)),
            index=index,
            model=model,
            memory_bytes=int(size.total),
            memory_used_bytes=int(size.used),
            utilization_percent=None if has_mig else self._utilization(handle, memory=memory),
            fault=self._fault(handle, memory=memory),
            instances=self._instances(handle, model=model) if has_mig else None,
        )

    # --- MIG ---------------------------------------------------------------------------------------------------------

    def _has_mig(self, handle: Any) -> bool:
        try:
            current, _ = self._nvml.nvmlDeviceGetMigMode(handle)
        except pynvml.NVMLError:
            return False
        return bool(current)

    def _mig_handles(self, handle: Any) -> dict[int, Any]:
        """The instances by their index; the driver's numbers have gaps."""
        found = {}
        for index in range(self._nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            with suppress(pynvml.NVMLError_NotFound):
                found[index] = self._nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        return found

    def _instances(self, handle: Any, *, model: str) -> tuple[Instance, ...]:
        return tuple(self._instance(mig, index=i, model=model) for i, mig in self._mig_handles(handle).items())

    def _instance(self, mig: Any, *, index: int, model: str) -> Instance:
        size = self._nvml.nvmlDeviceGetMemoryInfo(mig)
        return Instance(
            uuid=str(self._nvml.nvmlDeviceGetUUID(mig)),
            index=index,
            profile=self._profile(mig, model=model),
            memory_bytes=int(size.total),
            memory_used_bytes=int(size.used),
        )

    def _profile(self, mig: Any, *, model: str) -> str:
        """``1g.10gb``: the driver puts it into the instance's name; else it is made from slices and memory."""
        name = str(self._nvml.nvmlDeviceGetName(mig))
        if name.startswith(model) and " MIG " in name:
            return name.rsplit(" MIG ", 1)[1]
        facts = self._nvml.nvmlDeviceGetAttributes_v2(mig)
        gigabytes = round(int(facts.memorySizeMB) / 1024)
        parts, whole = int(facts.computeInstanceSliceCount), int(facts.gpuInstanceSliceCount)
        return (f"{parts}c." if parts != whole else "") + f"{whole}g.{gigabytes}gb"

    # --- What is broken ----------------------------------------------------------------------------------------------

    def _fault(self, handle: Any, *, memory: _Memory) -> str:
        """What is wrong, the worst first; empty for nothing. What the driver does not count is taken as well."""
        with suppress(pynvml.NVMLError):
            _, _, is_pending, has_failed = self._nvml.nvmlDeviceGetRemappedRows(handle)
            if has_failed or is_pending:
                return REMAP_FAILED if has_failed else REMAP_PENDING
        with suppress(pynvml.NVMLError):
            if self._nvml.nvmlDeviceGetRetiredPagesPendingStatus(handle) == pynvml.NVML_FEATURE_ENABLED:
                return REMAP_PENDING
        with suppress(pynvml.NVMLError):
            count = int(
                self._nvml.nvmlDeviceGetTotalEccErrors(
                    handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC
                )
            )
            if count:
                return ECC.format(count=count, s="" if count == 1 else "s")
        return XID.format(number=memory.xid) if memory.xid else ""

    # --- What runs ---------------------------------------------------------------------------------------------------

    def _utilization(self, handle: Any, *, memory: _Memory) -> float | None:
        """The mean of all the driver sampled since the last look; where it keeps no samples, its last window."""
        try:
            _, samples = self._nvml.nvmlDeviceGetSamples(
                handle, pynvml.NVML_GPU_UTILIZATION_SAMPLES, memory.samples_seen_us
            )
        except pynvml.NVMLError:
            samples = []
        if samples:
            memory.samples_seen_us = max(int(sample.timeStamp) for sample in samples)
            return min(100.0, sum(float(sample.sampleValue.uiVal) for sample in samples) / len(samples))
        try:
            return float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        except pynvml.NVMLError:
            return None

    def _processes(self, handle: Any, *, gpu: Gpu, memory: _Memory) -> list[Process]:
        return self._running(handle, uuid=gpu.uuid, busy=self._busy(handle, memory=memory))

    def _busy(self, handle: Any, *, memory: _Memory) -> dict[int, float] | None:
        """How busy each process kept the GPU since the last look; None where the driver can't tell."""
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(handle, memory.processes_seen_us)
        except pynvml.NVMLError_NotFound:  # nothing ran
            return {}
        except pynvml.NVMLError:
            return None
        busy: dict[int, float] = {}
        for sample in samples:
            memory.processes_seen_us = max(memory.processes_seen_us, int(sample.timeStamp))
            busy[int(sample.pid)] = max(busy.get(int(sample.pid), 0.0), min(100.0, float(sample.smUtil)))
        return busy

    def _running(self, handle: Any, *, uuid: str, busy: dict[int, float] | None) -> list[Process]:
        try:
            rows = self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        except pynvml.NVMLError:
            return []
        return [
            Process(
                gpu=uuid,
                pid=int(row.pid),
                memory_bytes=int(row.usedGpuMemory or 0),
                sm_percent=None if busy is None else busy.get(int(row.pid), 0.0),
            )
            for row in rows
        ]


def _sentence(fault: pynvml.NVMLError) -> str:
    if isinstance(fault, pynvml.NVMLError_GpuIsLost):
        return LOST
    return RESET if fault.value == pynvml.NVML_ERROR_RESET_REQUIRED else UNREADABLE.format(reason=fault)
