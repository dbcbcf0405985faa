"""Ordinary processes behind the port, for a machine without a container engine. THERE IS NO ISOLATION.

For trying out alone: the same specs run, paths inside a container become paths of the host, the wall limit and a few
resource limits hold, and that is all. Processes are found again after a restart by the labels in their environment.
What ends under ``init`` here is remembered in ``state_dir`` as long as its container would be.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from practicum.engine.base import (
    LABEL_MANAGED,
    LOG_TAIL_BYTES,
    Alone,
    Container,
    ContainerSpec,
    Exit,
    Inside,
    Labels,
    OnMemory,
    Piped,
    Program,
    Volume,
    Word,
)
from practicum.errors import EngineRefused

LABELS_VARIABLE = "PRACTICUM_LABELS"
ID_VARIABLE = "PRACTICUM_CONTAINER"
PROGRAMS = Path(__file__).resolve().parents[3] / "images"
INTERPRETER = "/opt/venv/bin/python"
TICK_SECONDS = 1.0
POLL_SECONDS = 0.02
STOP_SECONDS = 3.0
NICE = 5
CHUNK_BYTES = 1 << 20


class LocalEngine(Alone):
    """An :class:`~practicum.engine.base.Engine` of processes; ``python`` is the interns' interpreter."""

    def __init__(self, *, python: str, state_dir: Path) -> None:
        self.python = python or sys.executable
        self.state_dir = state_dir
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (state_dir / "containers").mkdir(parents=True, exist_ok=True)
        (state_dir / "volumes").mkdir(parents=True, exist_ok=True)

    def provide(self, folder: Path, *, image: str, labels: Labels) -> None:
        """Folders are used as they are."""
        del folder, image, labels

    def has_volume(self, name: str) -> bool:
        """There is a folder for it."""
        return (self.state_dir / "volumes" / name).is_dir()

    def pack_volume(self, name: str, *, image: str, labels: Labels) -> Iterator[bytes]:
        """There is nowhere to take it to."""
        del image, labels
        raise EngineRefused(f"Without a container engine the volume {name} stays where it is.")

    def fill_volume(self, name: str, tar: Iterator[bytes], *, image: str, labels: Labels) -> None:
        """There is nowhere to take it from."""
        del tar, image, labels
        raise EngineRefused(f"Without a container engine the volume {name} is not filled.")

    def ping(self) -> None:
        """This machine answers."""

    def start(self, spec: ContainerSpec) -> str:
        """Start a process; its id."""
        container_id = self._spawn(spec, stdin=subprocess.PIPE if spec.stdin is not None else subprocess.DEVNULL)
        if spec.stdin is not None:
            stdin = self._processes[container_id].stdin
            assert stdin is not None
            stdin.write(spec.stdin.encode())
            stdin.close()
        return container_id

    def _spawn(self, spec: ContainerSpec, *, stdin: int | BinaryIO) -> str:
        container_id = f"local-{uuid.uuid4().hex}"
        folder = self._folder(container_id)
        (folder / "tmp").mkdir(parents=True)
        labels = {LABEL_MANAGED: "1", **spec.labels}
        command = [self._word(word, spec=spec) for word in spec.command]
        (folder / "labels.json").write_text(json.dumps({"labels": labels, "started_at": time.time()}))
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=out,
                stderr=err,
                cwd=folder / "tmp",
                env=self._environment(spec, labels=labels, container_id=container_id),
                start_new_session=True,
                preexec_fn=lambda: _limit(spec),
            )
        self._processes[container_id] = process
        return container_id

    def _environment(self, spec: ContainerSpec, *, labels: Labels, container_id: str) -> dict[str, str]:
        gpu = {"CUDA_VISIBLE_DEVICES": spec.gpu_uuid or ""}
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        home = str(self._folder(container_id) / "tmp")
        return (
            kept
            | {"HOME": home, "TMPDIR": home}
            | dict(spec.environment)
            | gpu
            | {LABELS_VARIABLE: json.dumps(labels), ID_VARIABLE: container_id}
        )

    def _word(self, word: Word, *, spec: ContainerSpec) -> str:
        if isinstance(word, Program):
            return str(PROGRAMS / word.image / "programs" / word.name)
        if isinstance(word, Inside):
            return str(self._host_path(word.target, spec=spec) / word.below)
        return self.python if word == INTERPRETER else word

    def _host_path(self, target: str, *, spec: ContainerSpec) -> Path:
        for mount in spec.mounts:
            if mount.target == target:
                return mount.source
        for volume in spec.volumes:
            if volume.target == target:
                return self.state_dir / "volumes" / volume.name / "files"
        raise EngineRefused(f"The container engine refused: nothing is mounted at {target}.")

    def wait(
        self,
        container_id: str,
        *,
        wall_seconds: float,
        on_tick: Callable[[], None] | None = None,
        on_memory: OnMemory | None = None,
    ) -> Exit:
        """Wait for the end, or kill the whole process group at the wall limit."""
        process, began, ticked = self._process(container_id), time.monotonic(), time.monotonic()
        peak, timed_out = 0, False
        while process.poll() is None:
            held = _resident_bytes(process.pid)
            peak = max(peak, held)
            if time.monotonic() - ticked > TICK_SECONDS:
                ticked = time.monotonic()
                if on_memory and held:
                    on_memory(held)
                if on_tick:
                    on_tick()
            if time.monotonic() - began > wall_seconds:
                timed_out = True
                _kill_group(process.pid, signal.SIGKILL)
                process.wait()
            time.sleep(POLL_SECONDS)
        _kill_group(process.pid, signal.SIGKILL)
        code = process.returncode
        return Exit(
            exit_code=128 - code if code < 0 else code,
            oom_killed="MemoryError" in self.log(container_id, stream="stderr")[-400:],
            timed_out=timed_out,
            seconds=time.monotonic() - began,
            peak_memory_bytes=peak or None,
        )

    def pipe(
        self,
        spec: ContainerSpec,
        *,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
        max_bytes: int,
        wall_seconds: float,
    ) -> Piped:
        """Its output goes to a file of ours first; it is killed where that grows beyond ``max_bytes``."""
        container_id = self._spawn(spec, stdin=source or subprocess.DEVNULL)
        printed = self._folder(container_id) / "stdout"
        is_cut = False

        def look() -> None:
            nonlocal is_cut
            is_cut = is_cut or printed.stat().st_size > max_bytes
            if is_cut:
                _kill_group(self._process(container_id).pid, signal.SIGKILL)

        try:
            ended = self.wait(container_id, wall_seconds=wall_seconds, on_tick=look)
            look()
            if sink is not None:
                with printed.open("rb") as stream:
                    _copy(stream, sink, max_bytes=max_bytes)
            return Piped(ended, is_cut=is_cut, stderr=self.log(container_id, stream="stderr"))
        finally:
            self.remove(container_id)

    def wait_for_line(self, container_id: str, line: str, *, seconds: float) -> bool:
        """Wait until the process printed exactly ``line``."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if line in self.log(container_id, stream="stdout").splitlines():
                return True
            if self._process(container_id).poll() is not None:
                return line in self.log(container_id, stream="stdout").splitlines()
            time.sleep(POLL_SECONDS)
        return False

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal to the main process."""
        for process in self._living(container_id)[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.Signals[name])

    def log(self, container_id: str, *, stream: str = "both", max_bytes: int = LOG_TAIL_BYTES) -> str:
        """The end of its output."""
        names = [name for name in ("stdout", "stderr") if stream in (name, "both")]
        folder = self._folder(container_id)
        if not folder.exists():
            raise EngineRefused("The container engine refused: no such container.")
        return b"".join(_tail(folder / name, max_bytes=max_bytes) for name in names)[-max_bytes:].decode(
            errors="replace"
        )

    def stop(self, container_id: str) -> None:
        """Ask its processes to end, then make them."""
        processes = self._living(container_id)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, left = psutil.wait_procs(processes, timeout=STOP_SECONDS)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=STOP_SECONDS)

    def remove(self, container_id: str) -> None:
        """Forget it, ending it first."""
        self.stop(container_id)
        if started := self._processes.pop(container_id, None):
            started.wait()
        shutil.rmtree(self._folder(container_id), ignore_errors=True)

    def list(self, labels: Labels) -> Sequence[Container]:
        """Ours by their folders; the hub's notebooks by the labels in their environment."""
        found = {container.id: container for container in self._kept()} | self._notebooks()
        return [container for container in found.values() if labels.items() <= dict(container.labels).items()]

    def _kept(self) -> Sequence[Container]:
        return [
            Container(
                id=file.parent.name,
                labels=held["labels"],
                running=bool(self._living(file.parent.name)),
                started_at=datetime.fromtimestamp(held["started_at"], UTC),
            )
            for file in (self.state_dir / "containers").glob("*/labels.json")
            if (held := _read_json(file)) is not None
        ]

    def _notebooks(self) -> dict[str, Container]:
        """Processes with our labels that this port did not start; one id for all that share the same labels."""
        found: dict[str, Container] = {}
        for process in psutil.process_iter():
            environment = _environment_of(process)
            if LABELS_VARIABLE in environment and ID_VARIABLE not in environment:
                with contextlib.suppress(json.JSONDecodeError, psutil.NoSuchProcess):
                    labels = json.loads(environment[LABELS_VARIABLE])
                    container_id = f"process-{labels.get('org.practicum.lease', process.pid)}"
                    started = datetime.fromtimestamp(process.create_time(), UTC)
                    found.setdefault(container_id, Container(container_id, labels, running=True, started_at=started))
        return found

    def _living(self, container_id: str) -> Sequence[psutil.Process]:
        """Every process of it that still runs, the oldest first."""
        living = []
        for process in psutil.process_iter():
            environment = _environment_of(process)
            mine = environment.get(ID_VARIABLE) == container_id
            if not mine and container_id.startswith("process-") and LABELS_VARIABLE in environment:
                mine = (
                    f'"org.practicum.lease": "{container_id.removeprefix("process-")}"' in environment[LABELS_VARIABLE]
                )
            if mine:
                living.append(process)
        return sorted(living, key=lambda process: process.pid)

    def create_output_volume(self, name: str, *, size_bytes: int, inodes: int, labels: Labels) -> str:
        """A folder; its size is not limited here."""
        del size_bytes, inodes
        return self.create_volume(name, labels=labels)

    def create_volume(self, name: str, *, labels: Labels) -> str:
        """A folder."""
        (self.state_dir / "volumes" / name / "files").mkdir(parents=True, exist_ok=True)
        (self.state_dir / "volumes" / name / "labels.json").write_text(json.dumps({LABEL_MANAGED: "1", **labels}))
        return name

    def remove_volume(self, name: str) -> None:
        """Forget a folder."""
        shutil.rmtree(self.state_dir / "volumes" / name, ignore_errors=True)

    def list_volumes(self, labels: Labels) -> Sequence[Volume]:
        """All folders with these labels."""
        kept = [(f.parent.name, _read_json(f)) for f in (self.state_dir / "volumes").glob("*/labels.json")]
        return [Volume(name=name, labels=held) for name, held in kept if held and labels.items() <= held.items()]

    def _folder(self, container_id: str) -> Path:
        return self.state_dir / "containers" / container_id

    def _process(self, container_id: str) -> subprocess.Popen[bytes]:
        try:
            return self._processes[container_id]
        except KeyError:
            raise EngineRefused("The container engine refused: this process is not a child of this worker.") from None


def _limit(spec: ContainerSpec) -> None:
    """In the child, before exec: the limits that a plain process can have; the site comes before it on the processors."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    size = spec.limits.file_size_bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _kill_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _environment_of(process: psutil.Process) -> dict[str, str]:
    with contextlib.suppress(psutil.Error, OSError):
        if process.status() != psutil.STATUS_ZOMBIE:
            return dict(process.environ())
    return {}


def _tail(file: Path, *, max_bytes: int) -> bytes:
    with file.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - max_bytes))
        return stream.read()


def _copy(source: BinaryIO, sink: BinaryIO, *, max_bytes: int) -> None:
    left = max_bytes
    while left > 0 and (chunk := source.read(min(left, CHUNK_BYTES))):
        sink.write(chunk)
        left -= len(chunk)


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, json.JSONDecodeError):
        return None
