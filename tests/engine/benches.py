"""What the engine tests run on: an engine, with a way to start a small Python program in it."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from typing import Any

from practicum.engine import LABEL_INSTANCE, LABEL_KIND, ContainerSpec, Engine, Limits, Piped
from practicum.engine.docker import DockerEngine
from practicum.engine.memory import MemoryEngine, Script

PYTHON = "/opt/venv/bin/python"
MEBIBYTE = 1024**2


@dataclass
class Bench:
    """An engine whose containers of this test carry an instance of their own; :meth:`clear` leaves nothing behind."""

    engine: Engine
    image: str = "none"
    instance: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:12]}")

    @property
    def labels(self) -> dict[str, str]:
        """By which everything of this test is found."""
        return {LABEL_INSTANCE: self.instance}

    def spec(self, code: str, *, kind: str = "predict", **changes: Any) -> ContainerSpec:
        """A container that runs ``code``."""
        labels = self.labels | {LABEL_KIND: kind} | changes.pop("labels", {})
        limits = changes.pop("limits", Limits(memory_bytes=256 * MEBIBYTE, tmpfs_bytes=16 * MEBIBYTE))
        command = changes.pop("command", [PYTHON, "-I", "-c", code])
        return ContainerSpec(image=self.image, command=command, labels=labels, limits=limits, **changes)

    def start(self, code: str, *, told: Script | None = None, kind: str = "predict", **changes: Any) -> str:
        """Start ``code``; ``told`` says what it does, to the twin that can't run it."""
        if isinstance(self.engine, MemoryEngine):
            assert told is not None, "the twin was not told what this does"
            self.engine.will(kind, told)
        return self.engine.start(self.spec(code, kind=kind, **changes))

    def pipe(
        self, code: str, *, told: Script, max_bytes: int = 1 << 24, wall_seconds: float = 30, **streams: Any
    ) -> Piped:
        """Run ``code`` to its end with ``source`` and ``sink``."""
        if isinstance(self.engine, MemoryEngine):
            self.engine.will("predict", told)
        return self.engine.pipe(self.spec(code), max_bytes=max_bytes, wall_seconds=wall_seconds, **streams)

    def output(self, code: str, *, seconds: float = 30, **changes: Any) -> str:
        """What ``code`` prints, both streams; it is removed afterwards."""
        container_id = self.engine.start(self.spec(code, **changes))
        try:
            self.engine.wait(container_id, wall_seconds=seconds)
            return self.engine.log(container_id)
        finally:
            self.engine.remove(container_id)

    def clear(self) -> None:
        """Remove every container and volume of this test."""
        for container in self.engine.list(self.labels):
            self.engine.remove(container.id)
        for volume in self.engine.list_volumes(self.labels):
            self.engine.remove_volume(volume.name)
        if isinstance(self.engine, DockerEngine):
            self.engine.close()


def docker_bench(image: str = "PRACTICUM_SCORER_IMAGE") -> Bench:
    """The real engine, with the image that the variable names."""
    return Bench(DockerEngine(), image=os.environ[image])
