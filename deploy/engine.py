#!/usr/bin/env python3
"""Find or start a container engine: ``engine.py ensure`` and ``engine.py stop``. Standard library only.

``ensure`` uses the engine that answers at ``DOCKER_HOST`` (default: the system's socket). Where none does, and we are
root, it starts a private one under ``~/.cache/practicum/engine``, installing Debian's ``docker.io`` and ``iptables``
first if they are missing. The last line it prints is JSON: ``{"docker_host": "unix:///…", "started": true}``;
``started`` says whether this call started it. ``stop`` ends the private engine and nothing else.

Exit codes: 0 done; 3 there is no engine and none can be started, with one sentence on stderr that says why.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

SYSTEM_SOCKET = "unix:///var/run/docker.sock"
PING_SECONDS = 5
START_SECONDS = 60
STOP_SECONDS = 30
INSTALL_SECONDS = 600
NO_ENGINE = 3
PACKAGES = ("docker.io", "iptables")


class NoEngineError(Exception):
    """There is no engine and none can be started; the message says why and what to do."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PING_SECONDS)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PING_SECONDS)
        self.sock.connect(self.path)


def answers(host: str) -> bool:
    """Whether an engine answers at ``host``, e.g. ``unix:///var/run/docker.sock``.

    Raises:
        NoEngineError: there is one, and this user may not talk to it.
    """
    parts = urlsplit(host)
    if parts.scheme not in ("unix", "tcp", "http") or os.environ.get("DOCKER_TLS_VERIFY"):
        return _docker_command_answers(host)
    unix = parts.scheme == "unix"
    connection = UnixConnection(parts.path) if unix else http.client.HTTPConnection(parts.netloc, timeout=PING_SECONDS)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except PermissionError:
        raise NoEngineError(
            f"A container engine is at {host}, but this user may not use it: join its group with "
            "`sudo usermod -aG docker $USER`, then sign in again."
        ) from None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _docker_command_answers(host: str) -> bool:
    """For TLS and SSH, which the ``docker`` command knows how to speak."""
    if not shutil.which("docker"):
        return False
    command = ["docker", "--host", host, "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=4 * PING_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class PrivateEngine:
    """An engine of our own: its files are in ``folder``; ``state.json`` says which process it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder / 'docker.sock'}"
        self.state = folder / "state.json"
        self.log = folder / "dockerd.log"
        self.process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Two calls at once do not start two engines."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def start(self, *, hook_dir: Path | None, options: Sequence[str] = (), inside: Sequence[str] = ()) -> None:
        """It answers; ``options`` are more of dockerd's own; ``inside``: a command that becomes dockerd, somewhere else.

        Raises:
            NoEngineError: it ended, or did not answer in time.
        """
        command = [
            *inside,
            "dockerd",
            f"--host={self.host}",
            f"--data-root={self.folder / 'data'}",
            f"--exec-root={self.folder / 'run'}",
            f"--pidfile={self.folder / 'dockerd.pid'}",
            *options,
        ]
        # Appended: a real NVIDIA hook on this machine comes first.
        path = os.environ["PATH"] + (f"{os.pathsep}{hook_dir.resolve()}" if hook_dir else "")
        # A lock inherited by a daemon would never be given back.
        with self.log.open("ab") as log:
            self.process = process = subprocess.Popen(
                command, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, close_fds=True,
            )  # fmt: skip
        self.state.write_text(json.dumps({"pid": process.pid, "born": born(process.pid)}))
        until = time.monotonic() + START_SECONDS
        while not answers(self.host):
            if process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise NoEngineError(f"A container engine was started but does not work here: {self.last_words()}")
            time.sleep(0.1)

    def last_words(self) -> str:
        """The last line of its log that says something."""
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        failed = [line for line in lines[-40:] if "failed to start daemon" in line.lower()]
        return (failed or lines)[-1].strip()

    def stop(self) -> bool:
        """The engine that :meth:`start` started has ended, with its containers; whether there was one."""
        try:
            state = json.loads(self.state.read_text())
        except (OSError, ValueError):
            return False
        pid, began = int(state["pid"]), time.monotonic()
        was_running = born(pid) == state["born"] != ""
        while born(pid) == state["born"] != "":
            late = time.monotonic() - began > STOP_SECONDS
            os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.2)
        if self.process is not None:
            self.process.wait()
            self.process = None
        self.unmount()
        self.state.unlink(missing_ok=True)
        return was_running

    def unmount(self) -> None:
        """Nothing is mounted in ``folder``: an engine killed by force leaves its data folder mounted on itself."""
        lines = Path("/proc/self/mounts").read_text().splitlines()
        left = [point for line in lines if Path(point := line.split()[1]).is_relative_to(self.folder.resolve())]
        for point in reversed(left):
            subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL, check=False)


def born(pid: int) -> str:
    """The kernel's start time of a living process, which tells it from a later one of the same number; else empty."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def need_programs() -> None:
    """``dockerd`` and ``iptables`` are there.

    Raises:
        NoEngineError: they are not and can't be installed.
    """
    if os.geteuid():
        raise NoEngineError(
            "No container engine answers, and only root can start one: install Docker, or run this as root."
        )
    # Debian keeps both where an ordinary PATH may not look.
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    if shutil.which("dockerd") and shutil.which("iptables"):
        return
    if not shutil.which("apt-get"):
        raise NoEngineError("No container engine answers, and there is no apt-get to install one with: install Docker.")
    print(f"  Installing {' and '.join(PACKAGES)}", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]):
        try:
            result = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise NoEngineError(f"`{' '.join(command)}` took longer than {INSTALL_SECONDS} s.") from None
        if result.returncode:
            said = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()[-1]
            raise NoEngineError(f"`{' '.join(command)}` failed: {said}")


def ensure(*, engine: PrivateEngine, hook_dir: Path | None) -> dict[str, object]:
    """An engine answers; where, and whether this call started it.

    Raises:
        NoEngineError: says why not.
    """
    named = os.environ.get("DOCKER_HOST", "")
    if answers(named or SYSTEM_SOCKET):
        return {"docker_host": named or SYSTEM_SOCKET, "started": False}
    if named and named != engine.host:
        raise NoEngineError(
            f"DOCKER_HOST is {named}, and no container engine answers there: start it, or unset DOCKER_HOST."
        )
    if answers(engine.host):
        return {"docker_host": engine.host, "started": False}
    need_programs()
    with engine.locked():
        # Installing may have started the system's own, and another call may have started ours meanwhile.
        for host in (SYSTEM_SOCKET, engine.host):
            if answers(host):
                return {"docker_host": host, "started": False}
        engine.start(hook_dir=hook_dir)
    return {"docker_host": engine.host, "started": True}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=["ensure", "stop"])
    parser.add_argument("--hook-dir", type=Path, help="a folder to add to the started engine's PATH")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "practicum" / "engine")
    options = parser.parse_args(argv)
    engine = PrivateEngine(options.folder.resolve())
    try:
        ensured = ensure(engine=engine, hook_dir=options.hook_dir) if options.verb == "ensure" else None
        print(json.dumps(ensured or {"stopped": engine.stop()}))
    except NoEngineError as error:
        print(error, file=sys.stderr)
        return NO_ENGINE
    return 0


if __name__ == "__main__":
    sys.exit(main())
