"""The agent of one GPU server: looks every 10 s which GPUs are here and what uses them, and tells the site.

``python -m practicum_hub.agent [--once] [--cpu-slots N] [--interval SECONDS]``; where to comes from
``PRACTICUM_SITE_INTERNAL_URL`` (or ``PRACTICUM_SITE_URL``), the token that an admin made for this server from
``PRACTICUM_AGENT_TOKEN`` or the file that ``PRACTICUM_AGENT_TOKEN_FILE`` names. The token says which server this is.

It calls the site and is never called. While the site is away it goes on looking, keeps a day of samples (the oldest
are dropped), asks less and less often, and sends what it kept when the site is back. A sample has a number and its age
by a clock that never jumps: the site counts each once, however often it is sent, and needs no agreement on the time.

Where ``PRACTICUM_AGENT_LIFE_FILE`` names a file, it is touched at each look, for whoever watches the process.

It sees the processes of the whole machine (container → GPU) but not the container engine: the site knows which lease a
container belongs to. It also offers ``--cpu-slots`` slots without a GPU: beside the GPUs, or alone where there are none.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import secrets
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from practicum_hub import __version__, containers
from practicum_hub.gpus import Gpu, Inventory, Look, NoDriver, NvmlInventory, Process
from practicum_hub.logs import log_to_stderr

log = logging.getLogger("practicum.agent")

INTERVAL_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 120.0
MIN_TOKEN_LENGTH = 32
KEPT_SECONDS = 24 * 3600.0
KEPT_SAMPLES = 24 * 360
SAMPLES_A_REPORT = 30
REPORT_BYTES = 256 * 1024
REPORTS_A_ROUND = 10
LONGEST_SAMPLE_SECONDS = 60.0
# What the site does not understand now, it will not understand later.
NEVER_TAKEN = (400, 413)

FindContainer = Callable[[int], str]


class Clock(Protocol):
    """What the agent waits with; a ``threading.Event`` that a signal sets."""

    def wait(self, timeout: float | None = None) -> bool:
        """True when it is time to end."""


class ReportFailed(Exception):
    """The site did not take a report; ``retry_after``: the seconds it asked to be left alone, 0 if it didn't."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass
class Figures:
    """What this agent did since it began; the site tells it to whoever watches, for the agent is never called."""

    sent: int = 0
    refused: int = 0
    lost: int = 0
    faults: int = 0


@dataclass(frozen=True)
class Sample:
    """What was seen at ``taken_at`` (of the agent's own clock), for the ``seconds`` before it.

    ``uses`` is None where the agent can't see the machine's processes.
    """

    number: int
    taken_at: float
    seconds: float
    gpus: list[dict[str, Any]]
    uses: list[dict[str, Any]] | None

    def as_json(self, *, now: float) -> dict[str, Any]:
        """As the site takes it."""
        return {
            "number": self.number,
            "age_seconds": round(max(0.0, now - self.taken_at), 3),
            "seconds": round(self.seconds, 3),
            "gpus": self.gpus,
            "uses": self.uses,
        }


class Agent:
    """Looks at ``inventory`` and reports to the site, again and again."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        inventory: Inventory,
        cpu_slots: int,
        find_container: FindContainer | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._inventory = inventory
        self._cpu_slots = cpu_slots
        self._find_container = find_container
        self._clock = clock
        self._boot = secrets.token_hex(8)
        self._kept: deque[Sample] = deque(maxlen=KEPT_SAMPLES)
        self._gpus: tuple[Gpu, ...] = ()
        self._numbers = 0
        self._looked_at: float | None = None
        self._failures = 0
        self._next_try = 0.0
        self._began = clock()
        self._figures = Figures()

    def look(self) -> None:
        """Take one sample, and keep it until the site has it."""
        try:
            look = self._inventory.look()
        except NoDriver as fault:
            log.debug("no NVIDIA driver: %s", fault)
            look = Look()
            # Where there never was one, its absence is no fault.
            self._figures.faults += bool(self._gpus)
        else:
            self._figures.faults += any(gpu.fault for gpu in look.gpus)
        now = self._clock()
        seconds = INTERVAL_SECONDS if self._looked_at is None else min(now - self._looked_at, LONGEST_SAMPLE_SECONDS)
        self._gpus, self._looked_at = look.gpus, now
        while self._kept and now - self._kept[0].taken_at > KEPT_SECONDS:
            self._kept.popleft()
            self._figures.lost += 1
        self._figures.lost += len(self._kept) == self._kept.maxlen
        self._numbers += 1
        self._kept.append(
            Sample(
                number=self._numbers,
                taken_at=now,
                seconds=seconds,
                gpus=[_use_of(gpu) for gpu in look.gpus],
                uses=uses_of(look.processes, find_container=self._find_container) if self._find_container else None,
            )
        )

    def report(self) -> dict[str, Any]:
        """The report to send next: what is here now, and the oldest samples."""
        return {
            "boot": self._boot,
            "gpus": [gpu.as_json() for gpu in self._gpus],
            "cpu_slots": self._cpu_slots,
            "versions": {"agent": __version__, "python": platform.python_version(), **self._inventory.versions()},
            "figures": {
                **asdict(self._figures),
                "kept": len(self._kept),
                "uptime_seconds": round(self._clock() - self._began, 3),
            },
            "samples": self._oldest(),
        }

    def _oldest(self) -> list[dict[str, Any]]:
        """As many of the oldest samples as a report may hold; at least one, where there is one."""
        chosen: list[dict[str, Any]] = []
        left, now = REPORT_BYTES, self._clock()
        for sample in list(self._kept)[:SAMPLES_A_REPORT]:
            entry = sample.as_json(now=now)
            left -= len(json.dumps(entry))
            if chosen and left < 0:
                break
            chosen.append(entry)
        return chosen

    def send(self) -> None:
        """Send one report; what it told is kept no longer.

        Raises:
            ReportFailed: the site is away or refuses it; all is kept, but for what it will never take.
        """
        report = self.report()
        try:
            answer = self._http.post("/api/agent/report", json=report)
            answer.raise_for_status()
        except httpx.HTTPStatusError as fault:
            self._figures.refused += 1
            if fault.response.status_code in NEVER_TAKEN:
                self._forget(report["samples"])
                self._figures.lost += len(report["samples"])
            raise _failure(fault.response) from fault
        except httpx.HTTPError as fault:
            self._figures.refused += 1
            raise ReportFailed(f"the site does not answer ({type(fault).__name__})") from fault
        self._figures.sent += 1
        self._forget(report["samples"])

    def _forget(self, sent: Sequence[Any]) -> None:
        for _ in sent:
            self._kept.popleft()

    def step(self, interval: float) -> None:
        """Look once, then send what is kept unless the site is to be left alone."""
        self.look()
        if self._clock() < self._next_try:
            return
        try:
            for _ in range(REPORTS_A_ROUND):
                self.send()
                if not self._kept:
                    break
        except ReportFailed as fault:
            self._wait_on(fault, interval=interval)
            return
        if self._failures:
            log.info("reports are taken again, after %d that were not", self._failures)
        self._failures = 0

    def _wait_on(self, fault: ReportFailed, *, interval: float) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("report not taken: %s; trying on", fault)
        pause = min(interval * 2.0 ** min(self._failures - 1, 16), LONGEST_WAIT_SECONDS)
        # A moment less than the pause: the round that falls on its end shall send.
        self._next_try = self._clock() + max(pause, fault.retry_after) - interval / 2

    def run(self, ended: Clock, *, interval: float) -> None:
        """Look and report until ``ended`` says it is time to end."""
        wait = 0.0
        life = os.environ.get("PRACTICUM_AGENT_LIFE_FILE", "")
        while not ended.wait(wait):
            began = self._clock()
            self.step(interval)
            if life:
                Path(life).touch()
            wait = max(0.0, interval - (self._clock() - began))


def uses_of(processes: Sequence[Process], *, find_container: FindContainer) -> list[dict[str, Any]]:
    """The processes added up by container and GPU; those of no container together, with an empty id."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for process in processes:
        key = (find_container(process.pid), process.gpu)
        use = sums.setdefault(
            key, {"container": key[0], "gpu": key[1], "processes": 0, "memory_bytes": 0, "sm_percent": 0.0}
        )
        use["processes"] += 1
        use["memory_bytes"] += process.memory_bytes
        known = use["sm_percent"] is not None and process.sm_percent is not None
        use["sm_percent"] = min(100.0, use["sm_percent"] + process.sm_percent) if known else None
    return list(sums.values())


def _use_of(gpu: Gpu) -> dict[str, Any]:
    used, percent = gpu.memory_used_bytes, gpu.utilization_percent
    return {"uuid": gpu.uuid, "memory_used_bytes": used, "utilization_percent": percent}


def _failure(answer: httpx.Response) -> ReportFailed:
    asked = answer.headers.get("Retry-After", "")
    retry_after = min(float(asked), LONGEST_WAIT_SECONDS) if asked.isdecimal() else 0.0
    if answer.status_code == 401:
        advice = "the site does not take this token; an admin makes a new one on the page of this server"
        return ReportFailed(advice, retry_after=LONGEST_WAIT_SECONDS)
    return ReportFailed(f"the site answered {answer.status_code}", retry_after=retry_after)


def main(
    argv: Sequence[str] | None = None,
    *,
    inventory: Inventory | None = None,
    find_container: FindContainer | None = None,
) -> int:
    """Run the agent; returns the exit status: 0, 1 when ``--once`` failed, 2 when it can't start."""
    options = _parser().parse_args(argv)
    log_to_stderr(os.environ.get("PRACTICUM_LOG_FORMAT", ""))
    url = os.environ.get("PRACTICUM_SITE_INTERNAL_URL") or os.environ.get("PRACTICUM_SITE_URL", "")
    token = _token()
    if not url.startswith(("http://", "https://")) or len(token) < MIN_TOKEN_LENGTH:
        log.error(
            "set PRACTICUM_SITE_INTERNAL_URL (or PRACTICUM_SITE_URL), and PRACTICUM_AGENT_TOKEN or "
            "PRACTICUM_AGENT_TOKEN_FILE: an admin makes the token on the site's Servers page"
        )
        return 2
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False) as http:
        agent = Agent(
            http,
            inventory=inventory or NvmlInventory(),
            cpu_slots=options.cpu_slots,
            find_container=find_container or _finder(),
        )
        return _once(agent) if options.once else _forever(agent, interval=options.interval)


def _finder() -> FindContainer | None:
    if containers.sees_all_processes():
        return containers.finder()
    log.warning("this machine's processes can't be seen: shared GPUs and MIG instances count as busy (--pid host)")
    return None


def _token() -> str:
    """The token, from its file where one is named."""
    file = os.environ.get("PRACTICUM_AGENT_TOKEN_FILE", "")
    if not file:
        return os.environ.get("PRACTICUM_AGENT_TOKEN", "")
    try:
        return Path(file).read_text().strip()
    except OSError as fault:
        log.error("the token's file can't be read (%s)", fault.strerror)
        return ""


def _once(agent: Agent) -> int:
    agent.look()
    try:
        agent.send()
    except ReportFailed as fault:
        log.error("report not taken: %s", fault)
        return 1
    return 0


def _forever(agent: Agent, *, interval: float) -> int:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    agent.run(ended, interval=interval)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="practicum-agent", description="Reports this server's GPUs to the site.")
    parser.add_argument("--once", action="store_true", help="send one report and end")
    parser.add_argument(
        "--cpu-slots",
        type=int,
        default=0,
        help="slots without a GPU to offer, for work meanwhile or where there are no GPUs",
    )
    parser.add_argument("--interval", type=float, default=INTERVAL_SECONDS, help="seconds between looks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
