"""``deploy/engine.py``: it uses what answers, says in one sentence why it can't, and ends only what it started."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.programs import ROOT, load

engine = load("deploy/engine.py")


class Pong(BaseHTTPRequestHandler):
    """Answers as an engine does to a ping."""

    def do_GET(self) -> None:
        """OK."""
        self.send_response(200)
        self.end_headers()

    def address_string(self) -> str:
        """A Unix socket's client has no address."""
        return "unix"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[str]:
    """The address of something that answers like an engine."""
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "s"), Pong) as server:
        server.block_on_close = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"unix://{tmp_path}/s"
        server.shutdown()
        thread.join()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody's process."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def ensure(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as the demo does."""
    command = [sys.executable, str(ROOT / "deploy/engine.py"), "ensure", "--folder", str(tmp_path / "private")]
    path = {"PATH": "/nonexistent"}
    return subprocess.run(command, env=path | environment, capture_output=True, text=True, timeout=30, check=False)


def test_an_engine_that_answers_is_used(answering: str, tmp_path: Path) -> None:
    result = ensure(tmp_path, DOCKER_HOST=answering)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == {"docker_host": answering, "started": False}


def test_an_engine_that_is_named_but_silent_is_no_reason_to_start_another(tmp_path: Path) -> None:
    result = ensure(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/nothing")
    assert result.returncode == 3
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "no container engine answers there" in result.stderr


def test_without_root_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "SYSTEM_SOCKET", f"unix://{tmp_path}/nothing")
    monkeypatch.setattr(engine.os, "geteuid", lambda: 1000)
    with pytest.raises(engine.NoEngineError, match="install Docker, or run this as root"):
        engine.ensure(engine=engine.PrivateEngine(tmp_path / "private"), hook_dir=None)


def test_an_engine_we_started_before_is_used_again(
    answering: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "SYSTEM_SOCKET", f"unix://{tmp_path}/nothing")
    private = engine.PrivateEngine(tmp_path / "private")
    private.host = answering
    assert engine.ensure(engine=private, hook_dir=None) == {"docker_host": answering, "started": False}


def test_stop_ends_the_process_it_wrote_down(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    private = engine.PrivateEngine(tmp_path)
    private.state.write_text(json.dumps({"pid": sleeper.pid, "born": engine.born(sleeper.pid)}))
    assert private.stop()
    assert engine.born(sleeper.pid) == ""
    assert not private.stop()


def test_stop_leaves_a_later_process_of_the_same_number_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    private = engine.PrivateEngine(tmp_path)
    private.state.write_text(json.dumps({"pid": sleeper.pid, "born": "1"}))
    assert not private.stop()
    assert sleeper.poll() is None


def test_stop_without_a_start_ends_nothing(tmp_path: Path) -> None:
    assert not engine.PrivateEngine(tmp_path).stop()


def test_the_stand_in_for_nvidia_s_hook_does_nothing_and_succeeds() -> None:
    hook = ROOT / "tests/tools/nvidia-container-runtime-hook"
    assert subprocess.run([str(hook), "prestart"], capture_output=True, check=False).returncode == 0
