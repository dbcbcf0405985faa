"""Which container a process belongs to, from the kernel's own word: ``/proc/<pid>/cgroup``.

No process can change what stands there, and everybody may read it: neither the engine's socket nor a right of root is
needed. A variable of the process would be easier to read and could be forged.

Engines name a container's control group after its id, 64 hexadecimal digits: ``/docker/<id>`` (cgroupfs driver),
``/system.slice/docker-<id>.scope`` (systemd driver). Groups inside the container lie below that, so the outermost id
counts; ids of the agent's own path are those of machines that are containers themselves, and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

ID = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?=/|$)")

# The kernel's fixed number of the machine's own process namespace (PROC_PID_INIT_INO in its proc_ns.h).
ALL_PROCESSES = "pid:[4026531836]"


def sees_all_processes(proc: Path = Path("/proc")) -> bool:
    """We are in the machine's own process namespace; in one of our own, the driver hides who uses a GPU."""
    try:
        return str((proc / "self" / "ns" / "pid").readlink()) == ALL_PROCESSES
    except OSError:
        return False


def ids_in(cgroup: str) -> list[str]:
    """The ids of containers in a ``/proc/<pid>/cgroup``, from the outermost in, each once.

    Version 2 has one line, ``0::<path>``; version 1 has one a controller. The line that names most is taken.
    """
    paths = (line.split(":", 2)[2] for line in cgroup.splitlines() if line.count(":") >= 2)
    found = (list(dict.fromkeys(ID.findall(path))) for path in paths)
    return max(found, key=len, default=[])


def container_of(cgroup: str, *, own: Iterable[str] = ()) -> str:
    """The id of the container a process is in, or an empty string; ``own``: ids that only say where the agent is."""
    passed_over = set(own)
    return next((name for name in ids_in(cgroup) if name not in passed_over), "")


def finder(proc: Path = Path("/proc")) -> Callable[[int], str]:
    """``find(pid)``: the container of a process of this machine; empty for none, and for one that ended."""
    own = ids_in(_read(proc / "self" / "cgroup"))

    def find(pid: int) -> str:
        return container_of(_read(proc / str(pid) / "cgroup"), own=own)

    return find


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
