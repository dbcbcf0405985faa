"""An engine for unit tests: nothing runs. It does what a test scripted, keeps the same promises, and refuses the rest.

Script it with :meth:`MemoryEngine.will`: for each kind of container, what it prints and how it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from practicum.engine.base import (
    HERE,
    LABEL_KIND,
    LABEL_MANAGED,
    LOG_TAIL_BYTES,
    Container,
    ContainerSpec,
    Engine,
    Exit,
    Labels,
    OnMemory,
    Piped,
    Volume,
)
from practicum.errors import EngineRefused, EngineUnavailable

CLEAN_EXIT = Exit(exit_code=0, oom_killed=False, timed_out=False, seconds=1.0, peak_memory_bytes=None)


@dataclass
class Script:
    """What a container of one kind does: its output, its end, and what else happens when it starts or is signalled."""

    exit: Exit = CLEAN_EXIT
    stdout: str = ""
    stderr: str = ""
    prints_on_signal: str = ""
    on_start: Callable[[ContainerSpec], None] | None = None
    ticks: int = 0
    memory: Sequence[int] = ()
    output: bytes = b""
    runs_forever: bool = False


@dataclass
class _Held:
    spec: ContainerSpec
    script: Script
    container: Container
    stdout: str = ""
    signals: list[str] = field(default_factory=list)


class MemoryEngine:
    """The twin. ``is_away`` makes every call raise ``EngineUnavailable``; ``others``: the engines of further servers.

    ``contents``: what lies in volumes that were filled; ``provided``: the folders that were copied.
    """

    def __init__(self) -> None:
        self.is_away = False
        self.made = 0
        self.scripts: dict[str, Script] = {}
        self.held: dict[str, _Held] = {}
        self.volumes: dict[str, Volume] = {}
        self.started: list[ContainerSpec] = []
        self.given: list[bytes] = []
        self.others: dict[str, MemoryEngine] = {}
        self.contents: dict[str, bytes] = {}
        self.provided: list[Path] = []

    def at(self, server: str) -> MemoryEngine:
        """The other one of that name, or this."""
        return self.others.get(server, self)

    def everywhere(self) -> Mapping[str, Engine]:
        """This and the others."""
        return {HERE: self, **self.others}

    def provide(self, folder: Path, *, image: str, labels: Labels) -> None:
        """Note it."""
        del image, labels
        self.ping()
        self.provided.append(folder)

    def has_volume(self, name: str) -> bool:
        """It was made."""
        self.ping()
        return name in self.volumes

    def pack_volume(self, name: str, *, image: str, labels: Labels) -> Iterator[bytes]:
        """What it was filled with."""
        del image, labels
        self.ping()
        yield self.contents.get(name, b"")

    def fill_volume(self, name: str, tar: Iterator[bytes], *, image: str, labels: Labels) -> None:
        """Note the volume and what it holds."""
        del image
        self.ping()
        self.contents[name] = b"".join(tar)
        self.volumes[name] = Volume(name=name, labels={LABEL_MANAGED: "1", **labels})

    def will(self, kind: str, script: Script) -> None:
        """Containers labelled ``kind`` behave as ``script`` says."""
        self.scripts[kind] = script

    def hold(self, labels: Labels) -> str:
        """A container that runs already, such as the hub's; its id."""
        spec = ContainerSpec(image="given", command=[], labels=labels)
        return self._keep(spec, script=Script(runs_forever=True))

    def ping(self) -> None:
        """The engine answers, or this raises."""
        if self.is_away:
            raise EngineUnavailable("The container engine does not answer.")

    def start(self, spec: ContainerSpec) -> str:
        """Start as scripted; a kind without a script is refused."""
        self.ping()
        kind = spec.labels.get(LABEL_KIND, "")
        if kind not in self.scripts:
            raise EngineRefused(f"The container engine refused: no script for a {kind!r} container.")
        missing = [v.name for v in spec.volumes if v.name not in self.volumes]
        if missing:
            raise EngineRefused(f"The container engine refused: there is no volume {missing[0]}.")
        script = self.scripts[kind]
        self.started.append(spec)
        if script.on_start:
            script.on_start(spec)
        return self._keep(spec, script=script)

    def _keep(self, spec: ContainerSpec, *, script: Script) -> str:
        self.made += 1
        container_id = f"memory-{self.made}"
        labels = {LABEL_MANAGED: "1", **spec.labels}
        container = Container(id=container_id, labels=labels, running=True, started_at=datetime.now(UTC))
        self.held[container_id] = _Held(spec, script, container, stdout=script.stdout)
        return container_id

    def wait(
        self,
        container_id: str,
        *,
        wall_seconds: float,
        on_tick: Callable[[], None] | None = None,
        on_memory: OnMemory | None = None,
    ) -> Exit:
        """The scripted end, after the scripted ticks."""
        held = self._find(container_id)
        for tick in range(held.script.ticks):
            if on_memory and tick < len(held.script.memory):
                on_memory(held.script.memory[tick])
            if on_tick:
                on_tick()
        held.container = replace(held.container, running=False)
        ended = held.script.exit
        if held.script.runs_forever:
            return Exit(exit_code=137, oom_killed=False, timed_out=True, seconds=wall_seconds, peak_memory_bytes=None)
        return ended

    def pipe(
        self,
        spec: ContainerSpec,
        *,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
        max_bytes: int,
        wall_seconds: float,
    ) -> Piped:
        """The scripted output and end; what it was given is kept in ``given``."""
        container_id = self.start(spec)
        try:
            script = self._find(container_id).script
            self.given.append(source.read() if source else b"")
            if sink is not None:
                sink.write(script.output[:max_bytes])
            ended = self.wait(container_id, wall_seconds=wall_seconds)
            return Piped(ended, is_cut=len(script.output) > max_bytes, stderr=script.stderr)
        finally:
            self.remove(container_id)

    def wait_for_line(self, container_id: str, line: str, *, seconds: float) -> bool:
        """Whether the script printed it."""
        del seconds
        return line in self._find(container_id).stdout.splitlines()

    def signal(self, container_id: str, name: str) -> None:
        """Note the signal; print what the script prints then."""
        self.ping()
        if held := self.held.get(container_id):
            held.signals.append(name)
            held.stdout += held.script.prints_on_signal

    def log(self, container_id: str, *, stream: str = "both", max_bytes: int = LOG_TAIL_BYTES) -> str:
        """The end of the scripted output."""
        held = self._find(container_id)
        out = held.stdout if stream in ("stdout", "both") else ""
        err = held.script.stderr if stream in ("stderr", "both") else ""
        return (out + err).encode()[-max_bytes:].decode(errors="replace")

    def stop(self, container_id: str) -> None:
        """Make it end."""
        self.ping()
        if held := self.held.get(container_id):
            held.container = replace(held.container, running=False)

    def remove(self, container_id: str) -> None:
        """Forget it."""
        self.ping()
        self.held.pop(container_id, None)

    def list(self, labels: Labels) -> Sequence[Container]:
        """All held containers with these labels."""
        self.ping()
        return [h.container for h in self.held.values() if labels.items() <= dict(h.container.labels).items()]

    def create_output_volume(self, name: str, *, size_bytes: int, inodes: int, labels: Labels) -> str:
        """Note the volume."""
        del size_bytes, inodes
        return self.create_volume(name, labels=labels)

    def create_volume(self, name: str, *, labels: Labels) -> str:
        """Note the volume."""
        self.ping()
        self.volumes[name] = Volume(name=name, labels={LABEL_MANAGED: "1", **labels})
        return name

    def remove_volume(self, name: str) -> None:
        """Forget it; one in use is refused, as the real engine does."""
        self.ping()
        if any(name in {v.name for v in h.spec.volumes} for h in self.held.values()):
            raise EngineRefused("The container engine refused: volume is in use")
        self.volumes.pop(name, None)

    def list_volumes(self, labels: Labels) -> Sequence[Volume]:
        """All volumes with these labels."""
        self.ping()
        return [v for v in self.volumes.values() if labels.items() <= dict(v.labels).items()]

    def _find(self, container_id: str) -> _Held:
        self.ping()
        try:
            return self.held[container_id]
        except KeyError:
            raise EngineRefused(f"The container engine refused: no such container {container_id}") from None
