"""What the agent reads from the driver: GPUs, MIG instances, faults, and what runs on them."""

from __future__ import annotations

from typing import Any

import pynvml
import pytest

from practicum_hub.gpus import LOST, RESET, Instance, NoDriver, NvmlInventory
from practicum_hub.gpus import Process as Seen
from tests.unit.hub.fake_nvml import Device, FakeNvml, Process

GB = 1 << 30


def instance(uuid: str, *, slices: tuple[int, int], gigabytes: int, name: str = "", **more: Any) -> Device:
    name = name or "NVIDIA H100 80GB HBM3"
    return Device(uuid=uuid, name=name, memory_bytes=gigabytes * GB, slices=slices, utilization=None, **more)


def test_a_whole_gpu_is_reported_with_its_use() -> None:
    nvml = FakeNvml(Device("GPU-1", utilization=37, processes=[Process(7, 3 * GB, sm_percent=36)]))
    look = NvmlInventory(nvml).look()
    (gpu,) = look.gpus
    assert (gpu.uuid, gpu.index, gpu.model) == ("GPU-1", 0, "NVIDIA H100 80GB HBM3")
    assert (gpu.memory_bytes, gpu.memory_used_bytes, gpu.utilization_percent) == (80 * GB, 3 * GB, 37)
    assert (gpu.fault, gpu.instances) == ("", None)
    assert look.processes == (Seen("GPU-1", 7, 3 * GB, 36.0),)


def test_mig_instances_stand_in_for_their_gpu_and_gaps_are_passed_over() -> None:
    holder = Process(7, 5 * GB, sm_percent=90)
    first = instance("MIG-a", slices=(1, 1), gigabytes=10, processes=[holder])
    named = instance("MIG-b", slices=(3, 3), gigabytes=40, name="NVIDIA H100 80GB HBM3 MIG 3g.40gb")
    part = instance("MIG-c", slices=(1, 2), gigabytes=20)
    nvml = FakeNvml(Device("GPU-1", utilization=None, instances=[first, None, named, None, part]))
    look = NvmlInventory(nvml).look()
    (gpu,) = look.gpus
    assert gpu.utilization_percent is None
    assert gpu.instances == (
        Instance("MIG-a", 0, "1g.10gb", 10 * GB, 5 * GB),
        Instance("MIG-b", 2, "3g.40gb", 40 * GB, 0),
        Instance("MIG-c", 4, "1c.2g.20gb", 20 * GB, 0),
    )
    # Who holds memory is known; how busy they are, the driver doesn't say.
    assert look.processes == (Seen("MIG-a", 7, 5 * GB, None),)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"ecc_errors": None, "remapped": None}, ""),
    ({"ecc_errors": 1}, "1 uncorrected memory error since"),
    ({"ecc_errors": 3}, "3 uncorrected memory errors since"),
    ({"remapped": (4, 0, 0, 0)}, ""),
    ({"remapped": (0, 1, 1, 0), "ecc_errors": 1}, "waits to be mapped out"),
    ({"remapped": (0, 1, 1, 1)}, "Replace the GPU"),
    ({"remapped": None, "retired_pending": pynvml.NVML_FEATURE_ENABLED}, "waits to be mapped out"),
    ({"remapped": None, "retired_pending": pynvml.NVML_FEATURE_DISABLED}, ""),
]


@pytest.mark.parametrize(("facts", "said"), FAULTS)
def test_what_is_broken_is_a_sentence(facts: dict[str, Any], said: str) -> None:
    (gpu,) = NvmlInventory(FakeNvml(Device("GPU-1", **facts))).look().gpus
    assert said in gpu.fault
    assert bool(gpu.fault) == bool(said)


@pytest.mark.parametrize(("number", "is_fault"), [(79, True), (48, True), (13, False), (31, False), (43, False)])
def test_an_xid_is_a_fault_of_the_gpu_unless_programs_cause_it(number: int, is_fault: bool) -> None:
    well, hit = Device("GPU-1"), Device("GPU-2")
    nvml = FakeNvml(well, hit)
    seam = NvmlInventory(nvml)
    seam.look()
    nvml.xids = [(hit, number)]
    for _ in range(2):  # it stays until the driver is opened again
        faults = [gpu.fault for gpu in seam.look().gpus]
        assert faults[0] == ""
        assert (f"XID {number}." in faults[1]) == is_fault
        assert bool(faults[1]) == is_fault


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (pynvml.NVML_ERROR_GPU_IS_LOST, LOST),
        (pynvml.NVML_ERROR_RESET_REQUIRED, RESET),
        (pynvml.NVML_ERROR_UNKNOWN, "can't read this GPU"),
    ],
)
def test_a_gpu_that_is_lost_is_still_listed_with_its_fault(lost: int, said: str) -> None:
    device = Device("GPU-1", processes=[Process(7, GB, sm_percent=5)], utilization=5)
    nvml = FakeNvml(device)
    seam = NvmlInventory(nvml)
    seam.look()
    device.lost = lost
    look = seam.look()
    assert look.gpus[0].uuid == "GPU-1"
    assert said in look.gpus[0].fault
    assert (look.gpus[0].utilization_percent, look.processes) == (None, ())


def test_a_gpu_that_was_lost_before_it_was_ever_seen_has_no_name_and_is_left_out() -> None:
    nvml = FakeNvml(Device("GPU-1", lost=pynvml.NVML_ERROR_GPU_IS_LOST), Device("GPU-2"))
    assert [gpu.uuid for gpu in NvmlInventory(nvml).look().gpus] == ["GPU-2"]


def test_use_is_asked_for_since_the_last_look_and_what_does_nothing_is_at_0() -> None:
    process = Process(7, GB, sm_percent=50)
    device = Device("GPU-1", utilization=50, processes=[process, Process(8, None)])
    nvml = FakeNvml(device)
    seam = NvmlInventory(nvml)
    assert seam.look().processes == (Seen("GPU-1", 7, GB, 50.0), Seen("GPU-1", 8, 0, 0.0))
    process.sm_percent, device.utilization, nvml.seconds = 0, 0, 11.0
    look = seam.look()
    assert look.processes[0] == Seen("GPU-1", 7, GB, 0.0)
    assert look.gpus[0].utilization_percent == 0


def test_without_a_driver_there_are_no_gpus_and_it_is_asked_for_again_each_time() -> None:
    nvml = FakeNvml(Device("GPU-1"), absent=True)
    seam = NvmlInventory(nvml)
    with pytest.raises(NoDriver):
        seam.look()
    assert seam.versions() == {}
    nvml.absent = False
    assert len(seam.look().gpus) == 1
    assert seam.versions() == {"nvidia-driver": "580.65.06"}
    nvml.absent = True
    with pytest.raises(NoDriver):
        seam.look()
    assert nvml.opened == 0


def test_the_twin_has_every_function_the_agent_calls() -> None:
    import inspect
    import re

    import practicum_hub.gpus as module

    called = set(re.findall(r"self\._nvml\.(nvml\w+)", inspect.getsource(module)))
    assert called == {name for name in vars(FakeNvml) if name.startswith("nvml")}
    assert all(hasattr(pynvml, name) for name in called)
