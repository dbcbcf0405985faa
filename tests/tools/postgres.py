"""A PostgreSQL of the tests' own: made in a temporary folder, on a free port of 127.0.0.1, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

OWNER = "postgres"


def server_programs() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``; Debian keeps them off the PATH.

    Raises:
        FileNotFoundError: PostgreSQL's server is not installed.
    """
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists():
            return folder
    raise FileNotFoundError("PostgreSQL's server programs are missing: apt-get install postgresql")


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _as_owner(command: list[str | Path]) -> list[str]:
    """PostgreSQL refuses root: as root, run as its own user."""
    words = [str(word) for word in command]
    return ["runuser", "-u", OWNER, "--", *words] if os.geteuid() == 0 else words


@contextlib.contextmanager
def postgres(*, is_durable: bool = False) -> Iterator[str]:
    """A running server; yields its ``postgresql://`` address. ``is_durable``: it waits for the disk at each commit, as a real
    one does; tests have no need of that.
    """
    programs, folder = server_programs(), Path(tempfile.mkdtemp(prefix="practicum-postgres-"))
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(OWNER).pw_uid, -1)
    data, port = folder / "data", free_port()
    try:
        _run([programs / "initdb", "-D", data, "-U", "practicum", "-A", "trust", "--no-sync", "-E", "UTF8"], cwd=folder)
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c max_connections=120"
        options += "" if is_durable else " -c fsync=off"
        _run([programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"], cwd=folder)
        try:
            yield f"postgresql://practicum@127.0.0.1:{port}/postgres"
        finally:
            _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], cwd=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str | Path], *, cwd: Path) -> None:
    subprocess.run(_as_owner(command), cwd=cwd, check=True, stdout=subprocess.DEVNULL)
