"""A store that speaks S3, on loopback and in memory. It lives in an environment of its own, which is made at first use: it needs
an older python-dateutil than the hub.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tools.postgres import free_port
from tests.tools.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
FOLDER, LOCK = ROOT / ".venv-s3", ROOT / "requirements" / "s3.txt"
ACCESS = "[default]\naws_access_key_id = testing\naws_secret_access_key = not-a-secret-of-anybody\n"


def python() -> str:
    """The interpreter of an environment that holds what the lock file says."""
    wanted, mark, made = hashlib.sha256(LOCK.read_bytes()).hexdigest(), FOLDER / ".lock", FOLDER / "bin" / "python"
    uv = [str(Path(sys.executable).with_name("uv"))]
    with FOLDER.with_name(".venv-s3-lock").open("a") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not (mark.is_file() and mark.read_text() == wanted):
            subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(FOLDER)], check=True)
            install = [*uv, "pip", "install", "-q", "--python", str(made), "--require-hashes", "-r", str(LOCK)]
            subprocess.run(install, check=True)
            mark.write_text(wanted)
    return str(made)


@contextmanager
def s3_server(folder: Path) -> Iterator[int]:
    """Its port; what it says goes to a file in ``folder``."""
    port, told = free_port(), folder / "s3.log"
    with told.open("wb") as log:
        command = [python(), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: b"Running on" in told.read_bytes(), what=lambda: told.read_text())
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)
