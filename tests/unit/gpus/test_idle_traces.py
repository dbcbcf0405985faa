"""Idle and busy sessions are told apart, from the driver's figures to the answer, through agent, HTTP and rows.

Nothing between is replaced: the driver's twin is read by the agent's own code, its report is taken by the site's own
view. Only the clocks are a test's.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from django.test import Client

from practicum.gpus import api, use
from practicum.gpus.idleness import ActivityState, KernelReport
from practicum.gpus.models import Lease, LeaseSample, Server, Slot
from practicum.gpus.tokens import make_token
from practicum_hub.agent import Agent
from practicum_hub.gpus import NvmlInventory
from tests.unit.gpus.conftest import lease_on
from tests.unit.gpus.idle_traces import STEP_SECONDS, TRACES, Step, Trace
from tests.unit.hub.fake_nvml import Device, FakeNvml, Process

UUID = "GPU-8d1a2f3c-0000-4000-8000-000000000001"


class Bench:
    """A GPU, its agent and the site, on one clock."""

    def __init__(self, *, token: str, began: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.seconds = began, 0.0
        self.device = Device(UUID)
        self.nvml = FakeNvml(self.device)
        self.said: list[KernelReport] = []
        monkeypatch.setattr(api, "utc_now", lambda: self.now)
        self.agent = Agent(
            httpx.Client(base_url="http://site", transport=httpx.MockTransport(self._to_site)),
            inventory=NvmlInventory(self.nvml),
            cpu_slots=0,
            find_container=lambda pid: "a" * 64,
            clock=lambda: self.seconds,
        )
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    @property
    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.seconds)

    def _to_site(self, request: httpx.Request) -> httpx.Response:
        answer = self.client.post(request.url.path, request.content, content_type="application/json")
        return httpx.Response(answer.status_code)

    def step(self, step: Step) -> None:
        """Half a minute in which this happens."""
        self.seconds += STEP_SECONDS
        self.nvml.seconds = self.seconds
        self.device.utilization = step.sm_percent
        self.device.processes = [Process(7, step.memory_bytes, step.sm_percent)] if step.memory_bytes else []
        self.said.append(KernelReport(self.now, step.busy_kernels, step.cpu_share * STEP_SECONDS, float(STEP_SECONDS)))
        self.agent.step(STEP_SECONDS)


@pytest.fixture
def bench(admin: Any, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Bench:
    server = Server.objects.create(name="gpu-1")
    made = Bench(token=make_token(server, actor=admin, now=now), began=now, monkeypatch=monkeypatch)
    made.agent.step(STEP_SECONDS)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.name)
def test_a_trace_is_classified_right(bench: Bench, intern: Any, trace: Trace) -> None:
    lease = lease_on(Slot.objects.get(), intern, now=bench.now)
    for number in range(trace.steps):
        bench.step(trace.step(number))
    activity = use.activity_of(lease, kernel_reports=bench.said, now=bench.now)
    assert activity.state == trace.expected
    if trace.minutes_idle:
        assert (bench.now - activity.since) / timedelta(minutes=1) == pytest.approx(trace.minutes_idle, abs=1.5)
    assert activity.counts_as_busy == (trace.expected == ActivityState.ACTIVE)


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.name)
def test_a_trace_of_which_nothing_is_heard_any_more_counts_as_busy(bench: Bench, intern: Any, trace: Trace) -> None:
    lease = lease_on(Slot.objects.get(), intern, now=bench.now)
    for number in range(10):
        bench.step(trace.step(number))
    bench.seconds += 600
    assert use.activity_of(lease, kernel_reports=bench.said, now=bench.now).counts_as_busy


@pytest.mark.slow
def test_waste_is_told_from_work_in_the_rows(bench: Bench, intern: Any) -> None:
    lease = lease_on(Slot.objects.get(), intern, now=bench.now)
    held = next(trace for trace in TRACES if "40 GB" in trace.name)
    for number in range(held.steps):
        bench.step(held.step(number))
    totals = use.totals_of(lease)
    assert (totals.seen, totals.busy, totals.idle_held) == (3600, 600, 3000)
    assert LeaseSample.objects.filter(lease=lease).count() == held.steps
    assert Lease.objects.get().is_live


def test_the_same_report_is_read_the_same_by_both_sides(bench: Bench) -> None:
    report = json.loads(json.dumps(bench.agent.report()))
    assert report["gpus"][0]["uuid"] == UUID
    assert Slot.objects.get().uuid == UUID
