"""The port to whatever runs containers: what can be asked of it, and the words it is asked in.

Three adapters answer it: ``docker`` (the real thing), ``local`` (ordinary processes, no isolation, for machines without
an engine) and ``memory`` (for unit tests). One contract test runs against all three.

Commands name paths by :class:`Inside`: ``Inside("/submission", "predict.py")`` is ``/submission/predict.py`` in a
container; the local adapter puts the mount's host path there instead, so the same spec runs on both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, cast

LABEL_MANAGED = "org.practicum.managed"
LABEL_INSTANCE = "org.practicum.instance"
LABEL_KIND = "org.practicum.kind"
LABEL_LEASE = "org.practicum.lease"
LABEL_TOKEN = "org.practicum.token"  # noqa: S105
LABEL_RUN = "org.practicum.run"

HERE = ""
FILES = "files"
MEBIBYTE = 1024**2
LOG_TAIL_BYTES = 64 * 1024

Labels = Mapping[str, str]
OnLog = Callable[[str], None]
OnMemory = Callable[[int], None]


@dataclass(frozen=True)
class Program:
    """A program that comes with an image: ``predict.py`` of ``workspace`` is ``/opt/practicum/predict.py`` in it."""

    image: str
    name: str


@dataclass(frozen=True)
class Inside:
    """A path at or below the target of a mount or volume: ``Inside("/out")``, ``Inside("/project", "evaluate.py")``."""

    target: str
    below: str = ""


Word = str | Program | Inside


@dataclass(frozen=True)
class Mount:
    """A folder of the site's host at ``target``; read-only unless said otherwise.

    On another server it is a copy, made for this container alone: of what lies there when it is started and, if it
    ``comes_later``, again when it is signalled. What a container wrote is copied back when it has ended. A folder that
    never changes may stay on the server for the next one (``stays``); hidden data must not.
    """

    source: Path
    target: str
    read_only: bool = True
    comes_later: bool = False
    stays: bool = False


@dataclass(frozen=True)
class VolumeMount:
    """A volume at ``target``. ``is_filled``: an empty one is first given what the image has there, and its owner."""

    name: str
    target: str
    read_only: bool = False
    is_filled: bool = False


@dataclass(frozen=True)
class Limits:
    """What one container may take. ``wall_seconds`` is enforced by :meth:`Engine.wait`."""

    memory_bytes: int = 2 * 1024 * MEBIBYTE
    cpus: float = 1.0
    pids: int = 256
    shm_bytes: int = 64 * MEBIBYTE
    tmpfs_bytes: int = 256 * MEBIBYTE
    file_size_bytes: int = 1024 * MEBIBYTE
    wall_seconds: float = 600.0


@dataclass(frozen=True)
class ContainerSpec:
    """One container to start: ``command`` (argv) in ``image``, never with a network unless ``network`` is named.

    ``reads_all``: it may read files and look into folders whoever they belong to, and has no other right. For programs of ours.
    """

    image: str
    command: Sequence[Word]
    labels: Labels
    mounts: Sequence[Mount] = ()
    volumes: Sequence[VolumeMount] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    gpu_uuid: str | None = None
    network: str | None = None
    stdin: str | None = None
    reads_all: bool = False


@dataclass(frozen=True)
class Exit:
    """How a container ended. ``timed_out``: it was killed at its wall limit; ``oom_killed``: at its memory limit."""

    exit_code: int
    oom_killed: bool
    timed_out: bool
    seconds: float
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class Piped:
    """How a container ended whose output was carried off. ``is_cut``: it printed more than was taken, and was killed.

    ``stderr``: the end of what it printed beside.
    """

    exit: Exit
    is_cut: bool
    stderr: str


@dataclass(frozen=True)
class Container:
    """A container the engine knows of, running or not; ``addresses``: those it has on its networks, of both versions of IP."""

    id: str
    labels: Labels
    running: bool
    started_at: datetime | None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Volume:
    """An output volume the engine knows of."""

    name: str
    labels: Labels


class Engine(Protocol):
    """What Practicum asks of the container engine of one server. Every call is bounded in time.

    Each raises ``EngineUnavailable`` when the engine does not answer and ``EngineRefused`` when it says no.
    """

    def at(self, server: str) -> Engine:
        """The engine of the server of this name: its own, where that has an address; else this machine's."""

    def everywhere(self) -> Mapping[str, Engine]:
        """Every engine there is, by the name of its server; this machine's under an empty name."""

    def ping(self) -> None:
        """The engine answers, or this raises."""

    def start(self, spec: ContainerSpec) -> str:
        """Start a container; its id."""

    def wait(
        self,
        container_id: str,
        *,
        wall_seconds: float,
        on_tick: Callable[[], None] | None = None,
        on_memory: OnMemory | None = None,
    ) -> Exit:
        """Wait until it ended by itself, or kill it after ``wall_seconds``. ``on_tick`` is called about once a second.

        ``on_memory`` is called just before with the bytes of memory it holds, where the engine knows. What ``on_tick``
        raises is raised here; the container is left as it is.
        """

    def wait_for_line(self, container_id: str, line: str, *, seconds: float) -> bool:
        """Wait until the container printed exactly ``line``; False if it ended or the time did first."""

    def pipe(
        self,
        spec: ContainerSpec,
        *,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
        max_bytes: int,
        wall_seconds: float,
    ) -> Piped:
        """Run a container to its end, with ``source`` as its standard input and its standard output put into ``sink``.

        It is killed after ``wall_seconds``, or when it printed more than ``max_bytes``; it is gone when this returns. The
        bytes go through the engine's own connection, so the engine may be on another machine. It must have read all of its
        input before it prints more than a few lines.
        """

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal, e.g. ``SIGUSR1``, to its main process."""

    def log(self, container_id: str, *, stream: str = "both", max_bytes: int = LOG_TAIL_BYTES) -> str:
        """The end of what it printed on ``stdout``, ``stderr`` or ``both``, at most ``max_bytes``, as text."""

    def stop(self, container_id: str) -> None:
        """Make it end now, if it has not. A container that is gone is no error."""

    def remove(self, container_id: str) -> None:
        """Forget a container, ending it first. A container that is gone is no error."""

    def list(self, labels: Labels) -> Sequence[Container]:
        """All containers, running or not, that carry every label given."""

    def create_output_volume(self, name: str, *, size_bytes: int, inodes: int, labels: Labels) -> str:
        """A volume in memory of at most this size; it lives while a container that mounts it runs. Its name."""

    def create_volume(self, name: str, *, labels: Labels) -> str:
        """A volume on the engine's disk that stays until it is removed; one that is there already is left as it is."""

    def remove_volume(self, name: str) -> None:
        """Forget a volume. One that is gone is no error."""

    def list_volumes(self, labels: Labels) -> Sequence[Volume]:
        """All volumes that carry every label given."""

    def provide(self, folder: Path, *, image: str, labels: Labels) -> None:
        """A folder that never changes can be mounted here as :func:`files_volume` of it: copied where it is not there yet.

        On this machine, where folders are mounted as they are, there is nothing to do. ``image``: one that the engine has.
        """

    def has_volume(self, name: str) -> bool:
        """There is a volume of this name."""

    def pack_volume(self, name: str, *, image: str, labels: Labels) -> Iterator[bytes]:
        """All that lies in a volume, as a tar in parts, with owners and rights; no program runs for it."""

    def fill_volume(self, name: str, tar: Iterator[bytes], *, image: str, labels: Labels) -> None:
        """A lasting volume of this name that holds what is in ``tar``; one that was there is replaced."""


def files_volume(folder: Path, *, labels: Labels) -> str:
    """The volume that holds a copy of ``folder`` on another server. A folder made anew at the same place has another."""
    about = f"{folder} {folder.stat().st_mtime_ns}"
    return f"practicum-{labels.get(LABEL_INSTANCE, '')}-files-{hashlib.sha256(about.encode()).hexdigest()[:20]}"


class Alone:
    """An engine that knows of no other server."""

    def at(self, server: str) -> Engine:
        """It is every server's."""
        del server
        return cast("Engine", self)

    def everywhere(self) -> Mapping[str, Engine]:
        """It is the only one."""
        return {HERE: cast("Engine", self)}
