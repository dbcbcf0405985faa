"""``deploy/supervisor.py``: what ends is started again, and one word ends all of it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.programs import ROOT, load

supervisor = load("deploy/supervisor.py")

LEAVES_A_CHILD = (
    "import subprocess; print('begun', flush=True); subprocess.Popen(['sleep', '30'], start_new_session=True)"
)
IGNORES_THE_WORD = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun', flush=True); time.sleep(30)"
)


def supervised(tmp_path: Path, code: str) -> Any:
    """A supervisor of one Python program."""
    program = supervisor.Program("one", [sys.executable, "-c", code], dict(os.environ), ROOT)
    return supervisor.Supervisor([program], log_dir=tmp_path)


async def until_begun(made: Any, tmp_path: Path, *, times: int) -> None:
    """Wait until the program has begun so often."""
    log = tmp_path / "one.log"
    while not log.exists() or log.read_text().count("begun") < times:
        await asyncio.sleep(0.02)


def run(made: Any, tmp_path: Path, *, times: int = 1) -> None:
    """Run until the program has begun ``times`` times, then say stop and wait for the end."""

    async def whole() -> None:
        running = asyncio.create_task(made.run())
        await asyncio.wait_for(until_begun(made, tmp_path, times=times), timeout=20)
        made.stop()
        await asyncio.wait_for(running, timeout=20)

    asyncio.run(whole())


def test_a_program_that_ends_is_started_again_whatever_it_left_behind(tmp_path: Path) -> None:
    made = supervised(tmp_path, LEAVES_A_CHILD)
    run(made, tmp_path, times=2)
    assert made.programs[0].restarts == 1


def test_a_program_that_ignores_the_word_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    made = supervised(tmp_path, IGNORES_THE_WORD)
    run(made, tmp_path)
    assert made.programs[0].process.returncode == -9
