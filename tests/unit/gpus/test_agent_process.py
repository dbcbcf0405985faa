"""A real agent in a process of its own talks HTTP to a real site, is cut off, comes back, and is refused."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from practicum.gpus.models import AgentToken, LeaseSample, LeaseUse, Server, Slot
from practicum.gpus.tokens import make_token, revoke_token
from practicum.lib.clock import utc_now
from tests.tools.waiting import wait_for
from tests.unit.gpus.agent_process import CONTAINER, UUID
from tests.unit.gpus.conftest import lease_on

# A live site of tests has no folder of collected files.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")
ROOT = Path(__file__).resolve().parents[3]
SECONDS = 30.0


class Line:
    """A line to the site that can be cut, as a network is: connections break, new ones are refused."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or 0)
        self.ends: set[socket.socket] = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._serve()

    @property
    def url(self) -> str:
        """Where the agent calls."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break it."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in list(self.ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let it through again."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near, socket.create_connection(self.target) as far:
            self.ends |= {near, far}
            answers = threading.Thread(target=self._copy, args=(far, near), daemon=True)
            answers.start()
            self._copy(near, far)
            answers.join()
            self.ends -= {near, far}

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def line(live_server: Any) -> Iterator[Line]:
    """The way from the agent to the live site."""
    made = Line(live_server.url)
    yield made
    made.cut()


@pytest.fixture
def start(line: Line) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """``start(token)``: an agent that looks five times a second."""
    started: list[subprocess.Popen[str]] = []

    def do(token: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.gpus.agent_process", "--interval", "0.2"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hub'}",
                "PRACTICUM_SITE_URL": line.url,
                "PRACTICUM_AGENT_TOKEN": token,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield do
    for process in started:
        process.kill()
        process.communicate()


def last_sample() -> int:
    return Server.objects.get().last_sample


def test_an_agent_reports_is_cut_off_catches_up_and_is_refused_when_its_token_is_revoked(
    line: Line, start: Callable[[str], subprocess.Popen[str]], admin: Any, intern: Any
) -> None:
    server = Server.objects.create(name="gpu-1")
    process = start(make_token(server, actor=admin, now=utc_now()))
    wait_for(Slot.objects.exists, what="the first report", seconds=SECONDS)
    slot = Slot.objects.get()
    assert (slot.uuid, slot.utilization_percent) == (UUID, 42)
    granted_at = utc_now()
    lease = lease_on(slot, intern, now=granted_at)
    type(lease).objects.update(container=CONTAINER)
    wait_for(LeaseSample.objects.exists, what="use by the lease's container", seconds=SECONDS)
    row = LeaseSample.objects.first()
    assert row is not None
    assert (row.gpu_percent, row.memory_bytes, row.processes) == (42, 3 << 30, 1)

    line.cut()
    time.sleep(0.3)  # what was under way when the line was cut may still arrive
    before, cut_at = last_sample(), time.monotonic()
    time.sleep(2.0)
    assert last_sample() == before
    line.mend()
    wait_for(lambda: last_sample() > before + 8, what="what was kept while it was cut off", seconds=SECONDS)
    away = time.monotonic() - cut_at
    seen = LeaseUse.objects.get(lease=lease) if LeaseUse.objects.count() == 1 else None
    if seen is not None:  # unless the ten minutes turned meanwhile
        assert seen.held_seconds == pytest.approx((utc_now() - granted_at).total_seconds(), abs=2.5)
        assert seen.held_seconds > away - 2.5
    numbers = LeaseSample.objects.filter(lease=lease)
    assert numbers.count() == numbers.values("at").distinct().count()

    revoke_token(server, token_id=AgentToken.objects.get().pk, actor=admin, now=utc_now())
    time.sleep(0.5)
    revoked_at = Server.objects.get().seen_at
    time.sleep(1.0)
    assert Server.objects.get().seen_at == revoked_at
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "report not taken: the site does not answer" in said
    assert "reports are taken again" in said
    assert "an admin makes a new one" in said


def test_an_agent_with_a_token_of_nobody_ends_at_once_when_it_is_to_report_once(line: Line, db: None) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.unit.gpus.agent_process", "--once"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hub'}",
            "PRACTICUM_SITE_URL": line.url,
            "PRACTICUM_AGENT_TOKEN": "b" * 64,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "does not take this token" in ended.stderr
    assert not Slot.objects.exists()
