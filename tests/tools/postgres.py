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

import psutil

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


class Postgres:
    """A server on a data folder of its own in ``folder``. ``is_durable``: it waits for the disk at each commit, as a real one
    does; tests have no need of that.
    """

    def __init__(self, folder: Path, *, is_durable: bool = False) -> None:
        self.programs, self.folder, self.data, self.port = server_programs(), folder, folder / "data", free_port()
        self.options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {folder} -c max_connections=120"
        self.options += "" if is_durable else " -c fsync=off"
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam(OWNER).pw_uid, -1)
        how = ["-U", "practicum", "-A", "trust", "--no-sync", "-E", "UTF8"]
        self._run([self.programs / "initdb", "-D", self.data, *how])

    @property
    def address(self) -> str:
        """What connects to it."""
        return f"postgresql://practicum@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """It answers; what was committed before is there."""
        log = self.folder / "log"
        self._run([self.programs / "pg_ctl", "-D", self.data, "-o", self.options, "-l", log, "-w", "start"])

    def stop(self) -> None:
        """It has ended."""
        self._run([self.programs / "pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop"])

    def kill(self) -> None:
        """kill -9 of the server and of every process that serves a connection."""
        server = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _, alive = psutil.wait_procs(processes, timeout=20)
        assert not alive

    def _run(self, command: list[str | Path]) -> None:
        subprocess.run(_as_owner(command), cwd=self.folder, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def postgres_server(*, is_durable: bool = False) -> Iterator[Postgres]:
    """A running server in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="practicum-postgres-"))
    try:
        server = Postgres(folder, is_durable=is_durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def postgres(*, is_durable: bool = False) -> Iterator[str]:
    """A running server; yields its ``postgresql://`` address."""
    with postgres_server(is_durable=is_durable) as server:
        yield server.address
