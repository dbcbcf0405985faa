"""What a server's ``setup`` service runs: all a site needs before its processes start, in one start of Django."""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.check_deploy import SECRETS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_database_token_and_static_files_are_made_in_one_start_and_kept_by_the_next(tmp_path: Path) -> None:
    token = tmp_path / "var" / "agent" / "token"
    env = {
        "PATH": os.environ["PATH"],
        "PRACTICUM_ENV": "demo",
        "PRACTICUM_ENGINE": "local",
        "PRACTICUM_WORKSPACE_PYTHON": sys.executable,
        "PRACTICUM_DATA_DIR": str(tmp_path / "var"),
        **{f"PRACTICUM_{name}": secrets.token_hex(32) for name in SECRETS},
    }
    command = [sys.executable, "manage.py", "setup", "--agent", "gpu-1", str(token), "--static"]

    said = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout

    assert "hub registered" in said
    assert "The agent's token of gpu-1 is made" in said
    made = token.read_text()
    assert token.stat().st_mode & 0o777 == 0o600
    assert made not in said
    assert list((tmp_path / "var" / "static" / "practicum").glob("practicum.*css"))
    with sqlite3.connect(tmp_path / "var" / "practicum.sqlite3") as database:
        assert database.execute("select name from gpus_server").fetchall() == [("gpu-1",)]

    again = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
    assert "The agent's token of gpu-1 is kept" in again
    assert token.read_text() == made
