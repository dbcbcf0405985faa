"""The idle traces on a real GPU: programs with torch, read by the agent's own eyes, judged by the site's rule.

A trace takes 30 s here in place of an hour: the lengths of the rule are shortened (8 s in place of 5 minutes for a
stalled kernel), nothing else is.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from practicum.gpus.idleness import Activity, ActivityState, KernelReport, Rule, Sample, classify
from practicum.lib.clock import utc_now
from practicum_hub.gpus import NvmlInventory

pytestmark = pytest.mark.gpu
PROGRAMS = Path(__file__).parent / "programs.py"
STEP_SECONDS = 1.0
STEPS = 30
RULE = Rule(stalled_after=timedelta(seconds=8), waiting_after=timedelta(seconds=20), lost_after=timedelta(seconds=6))
# name, whether a kernel would say that it is busy, the right answer
TRACES = [
    ("silent_fit", 1, ActivityState.ACTIVE),
    ("terminal", 0, ActivityState.ACTIVE),
    ("open_tab", 0, ActivityState.IDLE_HELD),
    ("stalled_loader", 1, ActivityState.ACTIVE),
    ("dead_loader", 1, ActivityState.IDLE_HELD),
]


@pytest.fixture
def start(torch_python: str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """``start(name)``: the program, once it says that its trace begins."""
    started: list[subprocess.Popen[str]] = []

    def do(name: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([torch_python, str(PROGRAMS), name], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield do
    for process in started:
        process.kill()
        process.communicate()


def observe(
    process: subprocess.Popen[str], *, inventory: NvmlInventory, busy_kernels: int
) -> tuple[list[Sample], list[KernelReport]]:
    """What agent and notebook would have said of the process, second by second."""
    samples, said = [], []
    inventory.look()
    before = _cpu_seconds(process.pid)
    for _ in range(STEPS):
        time.sleep(STEP_SECONDS)
        look = inventory.look()
        own = [seen for seen in look.processes if seen.pid == process.pid]
        uuids = {seen.gpu for seen in own}
        busy = [gpu.utilization_percent for gpu in look.gpus if gpu.uuid in uuids]
        percents = [seen.sm_percent for seen in own] + [percent for percent in busy if percent is not None]
        known = [percent for percent in percents if percent is not None]
        percent = max(known) if known else (None if own else 0.0)
        now, after = utc_now(), _cpu_seconds(process.pid)
        samples.append(Sample(now, percent, sum(seen.memory_bytes for seen in own), len(own)))
        said.append(KernelReport(now, busy_kernels, after - before, STEP_SECONDS))
        before = after
    return samples, said


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def judge(samples: list[Sample], said: list[KernelReport]) -> Activity:
    return classify(samples, said, now=utc_now(), active_within=timedelta(seconds=6), rule=RULE)


@pytest.mark.parametrize(("name", "busy_kernels", "expected"), TRACES)
def test_a_trace_on_a_real_gpu_is_classified_right(
    inventory: NvmlInventory,
    start: Callable[[str], subprocess.Popen[str]],
    name: str,
    busy_kernels: int,
    expected: ActivityState,
) -> None:
    process = start(name)
    samples, said = observe(process, inventory=inventory, busy_kernels=busy_kernels)
    assert samples[-1].memory_bytes > 0, "the driver does not show the process; run in the machine's process namespace"
    assert judge(samples, said).state == expected, samples


def test_a_real_gpu_is_listed_with_its_facts(inventory: NvmlInventory) -> None:
    look = inventory.look()
    assert len({gpu.uuid for gpu in look.gpus}) == len(look.gpus)
    for gpu in look.gpus:
        assert gpu.uuid.startswith("GPU-")
        assert gpu.model
        assert 0 <= gpu.memory_used_bytes <= gpu.memory_bytes
        for instance in gpu.instances or ():
            assert instance.uuid.startswith("MIG-")
            assert 0 < instance.memory_bytes <= gpu.memory_bytes
    assert inventory.versions()["nvidia-driver"]
