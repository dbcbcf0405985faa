"""What an engine says of itself, for whoever looks after the machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import ImageNotFound

from practicum.engine.docker import translated

SECONDS = 10
# By the engine's own names: a container without these limits can take the whole machine.
LIMITS = {"MemoryLimit": "memory", "SwapLimit": "swap", "PidsLimit": "processes"}


@dataclass(frozen=True)
class EngineFacts:
    """``devices`` are those it finds by name (CDI); ``images``: which of those asked for are there; ``root`` is its folder."""

    version: str
    root: str
    runtimes: tuple[str, ...]
    devices: tuple[str, ...]
    missing_limits: tuple[str, ...]
    filters_system_calls: bool
    keeps_containers: bool
    images: Mapping[str, bool]


def engine_facts(images: Iterable[str]) -> EngineFacts:
    """Ask the engine of ``DOCKER_HOST``.

    Raises:
        EngineUnavailable: it does not answer.
    """
    with translated():
        client = docker.from_env(timeout=SECONDS)
        try:
            said: dict[str, Any] = client.info()
            return read(said, images={name: _has(client, name) for name in images})
        finally:
            client.close()


def read(said: Mapping[str, Any], *, images: Mapping[str, bool]) -> EngineFacts:
    """The answer of ``GET /info``; older engines leave fields out."""
    return EngineFacts(
        version=str(said.get("ServerVersion", "")),
        root=str(said.get("DockerRootDir", "")),
        runtimes=tuple(sorted(said.get("Runtimes") or {})),
        devices=tuple(str(device.get("ID", "")) for device in said.get("DiscoveredDevices") or []),
        missing_limits=tuple(word for key, word in LIMITS.items() if not said.get(key)),
        filters_system_calls=any("seccomp" in option for option in said.get("SecurityOptions") or []),
        keeps_containers=bool(said.get("LiveRestoreEnabled")),
        images=dict(images),
    )


def _has(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True
