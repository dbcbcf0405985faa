"""The container engine: its version, what it can limit, its images, NVIDIA's runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from practicum.config.doctor import findings as rules
from practicum.config.doctor.findings import Finding, State, of_version, ok, to_mend
from practicum.config.doctor.machine import disks
from practicum.engine.facts import EngineFacts
from practicum.errors import EngineError

IMAGES = "make images   (or: docker load -i the bundle's images)"


def engine(ask: Callable[[], EngineFacts], *, has_gpus: bool) -> list[Finding]:
    """Everything of the engine that evaluations and notebooks stand on."""
    try:
        facts = ask()
    except EngineError as fault:
        mend = "systemctl start docker\nDOCKER_GROUP_ID in .env must be what this prints: getent group docker | cut -d: -f3"
        return [to_mend("container engine", str(fault), mend)]
    mend = "Upgrade Docker Engine from Docker's own packages: https://docs.docker.com/engine/install/"
    return [
        of_version("container engine", facts.version, floor=rules.DOCKER, mend=mend),
        _limits(facts),
        _system_calls(facts),
        *_survival(facts),
        *(_image(name, is_there) for name, is_there in facts.images.items()),
        *_nvidia(facts, has_gpus=has_gpus),
        *disks([("the engine", Path(facts.root))]),
    ]


def _limits(facts: EngineFacts) -> Finding:
    if not facts.missing_limits:
        return ok("limits", "memory, swap and processes are limited")
    said = f"the engine can't limit {', '.join(facts.missing_limits)}: one intern's code can take the machine"
    return to_mend(
        "limits", said, "Boot with cgroup v2: systemd.unified_cgroup_hierarchy=1 on the kernel's command line."
    )


def _system_calls(facts: EngineFacts) -> Finding:
    if facts.filters_system_calls:
        return ok("seccomp", "on")
    return to_mend(
        "seccomp", "the engine filters no system calls", "Install a kernel and an engine built with seccomp."
    )


def _survival(facts: EngineFacts) -> list[Finding]:
    """Whether notebooks go on while the engine is restarted for an upgrade."""
    if facts.keeps_containers:
        return [ok("live restore", "notebooks outlive a restart of the engine")]
    said = "off: a restart of the engine ends every notebook"
    mend = 'Add "live-restore": true to /etc/docker/daemon.json, then: systemctl reload docker'
    return [Finding("live restore", State.LOOK, said, mend)]


def _image(name: str, is_there: bool) -> Finding:
    return ok(f"image {name}", "is there") if is_there else to_mend(f"image {name}", "is not on this engine", IMAGES)


def _nvidia(facts: EngineFacts, *, has_gpus: bool) -> list[Finding]:
    if not has_gpus:
        return [Finding("GPUs", State.LOOK, "no server lists any: notebooks run on processors")]
    if "nvidia" in facts.runtimes or facts.devices:
        return [
            ok("GPUs in containers", f"{len(facts.devices)} devices by name" if facts.devices else "NVIDIA's runtime")
        ]
    mend = "nvidia-ctk runtime configure --runtime=docker\nsystemctl restart docker"
    return [to_mend("GPUs in containers", "the engine knows no NVIDIA runtime and no device by name", mend)]
