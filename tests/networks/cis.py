"""The container runtime part of the CIS Docker Benchmark (1.6.0, section 5) as measurements of a live container.

Of its 32 recommendations, 26 can be seen of one container; the other six are about the host (5.1), the other of two security
modules (5.3), how people use ``docker exec`` (5.23, 5.24), a health check for an orchestrator (5.27) and when images are
built (5.28). Each is measured by what the engine says and by what the kernel says of the container's first process.
https://www.cisecurity.org/benchmark/docker
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

SENSITIVE = {"/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"}
SOCKETS = ("docker.sock", "containerd.sock")
NO_CAPABILITY = "0000000000000000"


@dataclass(frozen=True)
class Live:
    """A running container: as the engine describes it, and its first process as the kernel does, beside the engine's own."""

    said: dict[str, Any]
    engine_pid: int

    @property
    def host(self) -> dict[str, Any]:
        """What was asked of the engine."""
        asked: dict[str, Any] = self.said["HostConfig"]
        return asked

    @property
    def proc(self) -> Path:
        """Of its first process."""
        return Path("/proc") / str(self.said["State"]["Pid"])

    def status(self, name: str) -> str:
        """A line of its status."""
        lines = (self.proc / "status").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{name}:"))

    def shares(self, namespace: str) -> bool:
        """It is in the one that the engine is in: the machine's."""
        return (self.proc / "ns" / namespace).readlink() == Path(f"/proc/{self.engine_pid}/ns", namespace).readlink()

    def ports(self) -> list[dict[str, str]]:
        """Those of the machine that lead to it."""
        return [each for places in (self.host["PortBindings"] or {}).values() for each in places]

    def processes(self) -> list[str]:
        """The names of what runs in it."""
        first = psutil.Process(self.said["State"]["Pid"])
        return [word for each in (first, *first.children(recursive=True)) for word in each.cmdline()[:1]]

    def confinement(self) -> str:
        """AppArmor's profile of it."""
        try:
            return (self.proc / "attr" / "apparmor" / "current").read_text().strip("\0\n ")
        except OSError:
            return ""


def _mounts(live: Live) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = live.said["Mounts"]
    return found


CHECKS: dict[str, tuple[str, Callable[[Live], bool]]] = {
    "5.2": ("an AppArmor profile", lambda live: live.confinement() not in ("", "unconfined")),
    "5.4": (
        "no capabilities",
        lambda live: live.status("CapEff") == live.status("CapBnd") == NO_CAPABILITY and live.host["CapAdd"] in (None, []),
    ),
    "5.5": ("not privileged", lambda live: live.host["Privileged"] is False),
    "5.6": ("no sensitive folder of the host", lambda live: not {m.get("Source") for m in _mounts(live)} & SENSITIVE),
    "5.7": ("no SSH server", lambda live: not [name for name in live.processes() if name.rpartition("/")[2] == "sshd"]),
    "5.8": ("no port below 1024", lambda live: all(int(p["HostPort"] or 1024) >= 1024 for p in live.ports())),
    "5.9": ("no port published", lambda live: not live.ports() and not live.host["PublishAllPorts"]),
    "5.10": ("a network namespace of its own", lambda live: not live.shares("net")),
    "5.11": ("memory is limited", lambda live: live.host["Memory"] > 0 and live.host["MemorySwap"] == live.host["Memory"]),
    "5.12": (
        "processors are limited",
        lambda live: any(live.host[name] for name in ("CpuQuota", "NanoCpus", "CpuShares")),
    ),
    "5.13": ("a read-only root", lambda live: live.host["ReadonlyRootfs"] is True),
    "5.14": ("no port on every address", lambda live: all(p["HostIp"] not in ("", "0.0.0.0", "::") for p in live.ports())),
    "5.15": (
        "restarted at most five times",
        lambda live: live.host["RestartPolicy"]["Name"] in ("", "no") or 0 < live.host["RestartPolicy"]["MaximumRetryCount"] <= 5,
    ),
    "5.16": ("a process namespace of its own", lambda live: not live.shares("pid")),
    "5.17": ("an IPC namespace of its own", lambda live: not live.shares("ipc")),
    "5.18": ("no device of the host", lambda live: not live.host["Devices"]),
    "5.19": ("limits of its own (ulimit)", lambda live: bool(live.host["Ulimits"])),
    "5.20": (
        "no shared mount",
        lambda live: not [m for m in _mounts(live) if m.get("Propagation") in ("shared", "rshared")],
    ),
    "5.21": ("a UTS namespace of its own", lambda live: not live.shares("uts")),
    "5.22": ("a filter of system calls", lambda live: live.status("Seccomp") == "2"),
    "5.25": ("the engine's own cgroup", lambda live: live.host["CgroupParent"] == ""),
    "5.26": ("no new privileges", lambda live: live.status("NoNewPrivs") == "1"),
    "5.29": ("processes are limited", lambda live: (live.host["PidsLimit"] or 0) > 0),
    "5.30": ("not on docker0", lambda live: "bridge" not in live.said["NetworkSettings"]["Networks"]),
    "5.31": ("a user namespace of its own", lambda live: not live.shares("user")),
    "5.32": (
        "no engine's socket",
        lambda live: not [m for m in _mounts(live) if str(m.get("Source", "")).endswith(SOCKETS)],
    ),
}  # fmt: skip


def failing(live: Live) -> set[str]:
    """The recommendations that don't hold of it."""
    return {number for number, (_, holds) in CHECKS.items() if not holds(live)}
