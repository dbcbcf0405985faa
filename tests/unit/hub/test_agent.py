"""The agent reports what is here now, and outlives a site that is away."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from practicum_hub import agent as agents
from practicum_hub.agent import KEPT_SAMPLES, LONGEST_WAIT_SECONDS, SAMPLES_A_REPORT, Agent, ReportFailed
from practicum_hub.gpus import FakeInventory, Gpu, Look, Process

HUB = Path(__file__).resolve().parents[3] / "hub"
H100 = Gpu(
    uuid="GPU-1",
    index=0,
    model="NVIDIA H100 80GB HBM3",
    memory_bytes=80 << 30,
    memory_used_bytes=1 << 30,
    utilization_percent=37,
)
A, B = "a" * 64, "b" * 64
Respond = Callable[[httpx.Request], httpx.Response]


class Time:
    """The agent's clock: it moves only when the agent waits."""

    def __init__(self, rounds: int = 10**9) -> None:
        self.seconds = 100.0
        self.left = rounds

    def __call__(self) -> float:
        return self.seconds

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds += timeout or 0
        self.left -= 1
        return self.left < 0


class Site:
    """A site that answers with ``statuses`` in turn, the last for ever, and keeps what it took."""

    def __init__(self, *statuses: int, time: Time | None = None) -> None:
        self.statuses = list(statuses) or [204]
        self.time = time
        self.taken: list[dict[str, Any]] = []
        self.asked_at: list[float] = []
        self.headers: dict[str, str] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/agent/report"
        self.asked_at.append(self.time.seconds if self.time else 0)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 204:
            self.taken.append(json.loads(request.content))
        return httpx.Response(status, headers=self.headers)

    @property
    def numbers(self) -> list[int]:
        """The samples it took, in the order in which they came."""
        return [sample["number"] for report in self.taken for sample in report["samples"]]


def make(
    respond: Respond,
    *looks: Look,
    fault: str = "",
    cpu_slots: int = 2,
    time: Time | None = None,
    find: Callable[[int], str] | None = lambda pid: "",
) -> Agent:
    """An agent whose site answers with ``respond``."""
    http = httpx.Client(base_url="http://site", transport=httpx.MockTransport(respond))
    return Agent(
        http,
        inventory=FakeInventory(*looks, fault=fault),
        cpu_slots=cpu_slots,
        find_container=find,
        clock=time or Time(),
    )


def test_a_report_is_what_the_contract_says() -> None:
    site = Site()
    processes = (Process("GPU-1", 7, 1 << 30, 30.0), Process("GPU-1", 8, 2 << 30, 80.0), Process("GPU-1", 9, 5, None))
    containers = {7: A, 8: A, 9: B}
    agent = make(site, Look((H100,), processes), find=containers.__getitem__)
    agent.look()
    agent.send()
    (report,) = site.taken
    assert set(report) == {"boot", "gpus", "cpu_slots", "versions", "figures", "samples"}
    assert report["cpu_slots"] == 2
    assert report["gpus"] == [
        {
            "uuid": "GPU-1",
            "index": 0,
            "model": "NVIDIA H100 80GB HBM3",
            "memory_bytes": 80 << 30,
            "memory_used_bytes": 1 << 30,
            "utilization_percent": 37,
            "fault": "",
            "instances": None,
        }
    ]
    assert report["versions"]["nvidia-driver"] == "fake"
    (sample,) = report["samples"]
    assert (sample["number"], sample["age_seconds"], sample["seconds"]) == (1, 0, 10)
    assert sample["gpus"] == [{"uuid": "GPU-1", "memory_used_bytes": 1 << 30, "utilization_percent": 37}]
    assert sample["uses"] == [
        {"container": A, "gpu": "GPU-1", "processes": 2, "memory_bytes": 3 << 30, "sm_percent": 100.0},
        {"container": B, "gpu": "GPU-1", "processes": 1, "memory_bytes": 5, "sm_percent": None},
    ]


def test_an_agent_that_cannot_see_processes_says_so() -> None:
    site = Site()
    agent = make(site, Look((H100,), (Process("GPU-1", 7, 1, 1.0),)), find=None)
    agent.look()
    agent.send()
    assert site.taken[0]["samples"][0]["uses"] is None


CPU_SLOTS = [((), "", 2), ((), "driver not loaded", 2), ((H100,), "", 2)]


@pytest.mark.parametrize(("gpus", "fault", "offered"), CPU_SLOTS)
def test_cpu_slots_are_offered_beside_gpus_and_alone(gpus: tuple[Gpu, ...], fault: str, offered: int) -> None:
    agent = make(Site(), Look(gpus), fault=fault)
    agent.look()
    report = agent.report()
    assert (len(report["gpus"]), report["cpu_slots"]) == (len(gpus), offered)


@pytest.mark.parametrize("status", [301, 401, 403, 500, 503])
def test_a_report_that_is_not_taken_is_a_failure_and_its_samples_are_kept(status: int) -> None:
    site = Site(status, 204)
    agent = make(site)
    agent.look()
    with pytest.raises(ReportFailed, match="token" if status == 401 else str(status)):
        agent.send()
    agent.send()
    assert site.numbers == [1]


def run(site: Site, *, rounds: int, time: Time, **more: Any) -> None:
    time.left = rounds
    make(site, time=time, **more).run(time, interval=10)


def test_while_the_site_is_away_it_looks_on_and_sends_all_it_kept_afterwards() -> None:
    time = Time()
    site = Site(*[503] * 3, 204, time=time)
    run(site, rounds=12, time=time)
    # Asked at once, after 10, after 20 more, after 40 more: four tries in eight rounds.
    assert site.asked_at[:4] == [100, 110, 130, 170]
    assert site.numbers == list(range(1, 13))
    first = site.taken[0]["samples"]
    assert [sample["age_seconds"] for sample in first] == [70, 60, 50, 40, 30, 20, 10, 0]


def test_a_site_that_is_away_is_asked_less_and_less_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    site = Site(*[503] * 7, 204, time=time)
    with caplog.at_level(logging.INFO, logger="practicum.agent"):
        run(site, rounds=60, time=time)
    waits = [after - before for before, after in zip(site.asked_at, site.asked_at[1:8], strict=False)]
    assert waits == [10, 20, 40, 80, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS]
    lines = [record.message for record in caplog.records if record.name == "practicum.agent"]
    assert lines == [
        "report not taken: the site answered 503; trying on",
        "reports are taken again, after 7 that were not",
    ]


def test_it_leaves_the_site_alone_for_as_long_as_the_site_asks() -> None:
    time = Time()
    site = Site(503, 204, time=time)
    site.headers = {"Retry-After": "60"}
    run(site, rounds=10, time=time)
    assert site.asked_at[:2] == [100, 160]


def test_a_token_that_opens_nothing_is_told_of_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    with caplog.at_level(logging.WARNING, logger="practicum.agent"):
        run(Site(401, time=time), rounds=3, time=time)
    assert "an admin makes a new one on the page of this server" in caplog.text


def test_a_day_of_samples_is_kept_and_the_oldest_are_dropped() -> None:
    time = Time()
    site = Site(503)
    agent = make(site, time=time)
    for _ in range(KEPT_SAMPLES + 5):
        agent.look()
        time.seconds += 10
    site.statuses = [204]
    while agent.report()["samples"]:
        agent.send()
    assert (len(site.numbers), site.numbers[0], site.numbers[-1]) == (KEPT_SAMPLES, 6, KEPT_SAMPLES + 5)
    assert max(len(report["samples"]) for report in site.taken) == SAMPLES_A_REPORT


def test_what_is_older_than_a_day_is_dropped_however_seldom_it_looks() -> None:
    time = Time()
    agent = make(Site(503), time=time)
    for _ in range(30):
        agent.look()
        time.seconds += 3600
    numbers = [sample["number"] for sample in agent.report()["samples"]]
    assert (numbers[0], numbers[-1]) == (6, 30)
    assert max(sample["seconds"] for sample in agent.report()["samples"]) <= 60


@pytest.mark.parametrize(("status", "sent_again"), [(400, False), (413, False), (409, True), (500, True)])
def test_samples_the_site_will_never_take_are_not_sent_for_ever(status: int, sent_again: bool) -> None:
    site = Site(status, 204)
    agent = make(site)
    agent.look()
    with pytest.raises(ReportFailed):
        agent.send()
    agent.look()
    agent.send()
    assert site.numbers == ([1, 2] if sent_again else [2])


def test_a_report_stays_small_however_much_there_is_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "REPORT_BYTES", 4000)
    processes = tuple(Process("GPU-1", pid, 1, 1.0) for pid in range(20))
    site = Site()
    agent = make(site, Look((H100,), processes), find=lambda pid: f"{pid:064x}")
    for _ in range(5):
        agent.look()
    while agent.report()["samples"]:
        agent.send()
    assert [len(report["samples"]) for report in site.taken] == [1, 1, 1, 1, 1]


def test_after_a_long_absence_what_was_kept_goes_out_in_bounded_rounds() -> None:
    time = Time()
    site = Site(503, 204, time=time)
    agent = make(site, time=time)
    agent.step(10)
    for _ in range(1000):
        time.seconds += 10
        agent.look()
    before = len(site.taken)
    agent.step(10)
    assert len(site.taken) - before == agents.REPORTS_A_ROUND


def test_two_runs_of_the_agent_have_different_names() -> None:
    assert make(Site()).report()["boot"] != make(Site()).report()["boot"]


TOKEN = "x" * 32


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PRACTICUM_SITE_URL": "http://site"},
        {"PRACTICUM_AGENT_TOKEN": TOKEN},
        {"PRACTICUM_SITE_URL": "site", "PRACTICUM_AGENT_TOKEN": TOKEN},
        {"PRACTICUM_SITE_URL": "http://site", "PRACTICUM_AGENT_TOKEN_FILE": "/nowhere/token"},
    ],
)
def test_it_does_not_start_without_address_and_token(environment: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "practicum_hub.agent", "--once"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HUB), **environment},
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert b"PRACTICUM_AGENT_TOKEN" in ended.stderr


def test_sigterm_ends_it_at_once_and_in_order(tmp_path: Path) -> None:
    reports: list[str] = []
    reported = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reports.append(self.headers["Authorization"])
            self.send_response(204)
            self.end_headers()
            reported.set()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    (tmp_path / "token").write_text("a" * 64 + "\n")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site = {
            "PRACTICUM_SITE_URL": f"http://127.0.0.1:{server.server_port}",
            "PRACTICUM_AGENT_TOKEN_FILE": str(tmp_path / "token"),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "practicum_hub.agent", "--cpu-slots", "2"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HUB), **site},
        )
        try:
            assert reported.wait(30)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=5) == 0
        finally:
            process.kill()
            process.wait()
            server.shutdown()
    assert reports == [f"Bearer {'a' * 64}"]


def test_an_agent_tells_what_became_of_its_reports_and_looks() -> None:
    time = Time()
    site = Site(500, 204, time=time)
    agent = make(site, Look((H100,)), Look((replace(H100, fault="It fell off the bus."),)), time=time)
    for _ in range(2):
        agent.look()
    with pytest.raises(ReportFailed):
        agent.send()
    time.seconds += 60
    agent.send()
    (first,) = site.taken
    assert first["figures"] == {"sent": 0, "refused": 1, "lost": 0, "faults": 1, "kept": 2, "uptime_seconds": 60}
    agent.look()
    agent.send()
    assert (site.taken[1]["figures"]["sent"], site.taken[1]["figures"]["kept"]) == (1, 1)


def test_what_is_dropped_counts_as_lost() -> None:
    time = Time()
    agent = make(Site(400, time=time), time=time)
    for _ in range(KEPT_SAMPLES + 3):
        agent.look()
    assert agent.report()["figures"]["lost"] == 3
    time.seconds += agents.KEPT_SECONDS + 1
    agent.look()
    assert agent.report()["figures"]["lost"] == 3 + KEPT_SAMPLES
    with pytest.raises(ReportFailed):
        agent.send()
    assert agent.report()["figures"]["lost"] == 4 + KEPT_SAMPLES, "the site will never take it"


def test_a_machine_without_a_driver_has_no_fault_and_one_that_lost_it_has() -> None:
    agent = make(Site(), fault="no driver")
    agent.look()
    assert agent.report()["figures"]["faults"] == 0
    inventory = FakeInventory(Look((H100,)))
    broken = Agent(httpx.Client(), inventory=inventory, cpu_slots=0, find_container=None, clock=Time())
    broken.look()
    inventory.fault = "driver gone"
    broken.look()
    assert broken.report()["figures"]["faults"] == 1
