"""The template of an untrusted container: what docker-py is told for a spec. Pure.

Every container started here has no network unless one is named, a read-only root, no capabilities, no way to gain
privileges, a filter of system calls of our own (:mod:`.seccomp`), a non-root user, and limits on memory (swap
included), processors, processes, files and log. A GPU is given by UUID or not at all; without one
``NVIDIA_VISIBLE_DEVICES`` is ``void``, whatever the image says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from docker.types import DeviceRequest, LogConfig, Ulimit
from docker.types import Mount as DockerMount

from practicum.engine import seccomp
from practicum.engine.base import LABEL_MANAGED, ContainerSpec, Inside, Labels, Mount, Program, Word

USER_ID = 1000
# Docker gives the site's own services 1024, and a notebook has 64 (hub/practicum_hub/claim.py): where processors are short, pages
# come first, then the evaluations, whose time is limited, and what they leave is the notebooks'.
CPU_SHARES = 128


@dataclass(frozen=True)
class Copy:
    """A folder of this machine in a volume of another server."""

    mount: Mount
    volume: str
    image: str
    labels: Labels


def options_of(spec: ContainerSpec, *, copies: Sequence[Copy] = ()) -> dict[str, Any]:
    """docker-py's arguments for a spec; a pure function, so that a test can hold it against the template."""
    limits = spec.limits
    return {
        "command": [_word(word) for word in spec.command],
        "labels": {LABEL_MANAGED: "1", **spec.labels},
        "environment": {"HOME": "/tmp", **spec.environment, "NVIDIA_VISIBLE_DEVICES": spec.gpu_uuid or "void"},  # noqa: S108
        "user": "0:0" if spec.reads_all else f"{USER_ID}:{USER_ID}",
        "working_dir": "/tmp",  # noqa: S108
        "entrypoint": [],
        "network_mode": spec.network or "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "cap_add": ["DAC_READ_SEARCH"] if spec.reads_all else [],
        "security_opt": ["no-new-privileges", f"seccomp={seccomp.profile()}"],
        "pids_limit": limits.pids,
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "nano_cpus": int(limits.cpus * 1e9),
        "cpu_shares": CPU_SHARES,
        "ulimits": [
            Ulimit(name="nofile", soft=1024, hard=1024),
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=limits.file_size_bytes, hard=limits.file_size_bytes),
        ],
        "tmpfs": {"/tmp": f"size={limits.tmpfs_bytes},mode=1777,nosuid,nodev"},  # noqa: S108
        "shm_size": limits.shm_bytes,
        "ipc_mode": "private",
        "init": True,
        "log_config": LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
        "device_requests": [_device_request(spec.gpu_uuid)] if spec.gpu_uuid else [],
        "mounts": _mounts(spec, copies=copies),
        "stdin_open": spec.stdin is not None,
    }


def _device_request(uuid: str) -> DeviceRequest:
    """Exactly this GPU; never a count, which would give every container the first one."""
    return DeviceRequest(driver="nvidia", device_ids=[uuid], capabilities=[["gpu", "compute", "utility"]])


def _mounts(spec: ContainerSpec, *, copies: Sequence[Copy]) -> list[DockerMount]:
    copied = {copy.mount.target: copy.volume for copy in copies}
    binds = [
        DockerMount(m.target, copied[m.target], type="volume", read_only=m.read_only, no_copy=True)
        if m.target in copied
        else DockerMount(m.target, str(m.source), type="bind", read_only=m.read_only)
        for m in spec.mounts
    ]
    volumes = [
        DockerMount(v.target, v.name, type="volume", read_only=v.read_only, no_copy=not v.is_filled)
        for v in spec.volumes
    ]
    return binds + volumes


def _word(word: Word) -> str:
    if isinstance(word, Program):
        return f"/opt/practicum/{word.name}"
    if isinstance(word, Inside):
        return f"{word.target}/{word.below}" if word.below else word.target
    return word
