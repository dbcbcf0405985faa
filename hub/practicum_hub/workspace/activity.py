"""What a notebook server did since it last told the site: kernels, terminals, processor time of the person's processes.

Idle means that nothing computes. An open browser tab is no activity, and closing it ends none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True)
class ProcessTimes:
    """Processor seconds of one process. ``reaped`` are those of children that have ended."""

    pid: int
    own: float
    reaped: float


@dataclass
class ProcessorMeter:
    """Turns running totals into seconds used between two readings.

    A child that ends moves its seconds into its parent's ``reaped``, so the sum over all processes is continuous; the
    server's own work is left out, that of its ended children is not.
    """

    server_pid: int = field(default_factory=os.getpid)
    _before: float | None = None

    def used_since_last(self, processes: Iterable[ProcessTimes]) -> float:
        """Seconds used since the reading before; 0 at the first."""
        total = sum(each.reaped + (0.0 if each.pid == self.server_pid else each.own) for each in processes)
        before, self._before = self._before, total
        return 0.0 if before is None else max(0.0, total - before)


def session_processes(token: str) -> list[ProcessTimes]:
    """The processes of this session: those that carry its token in their environment.

    Holds inside a container and, without one, on a shared machine. A process that clears its environment is not seen.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PRACTICUM_TOKEN") != token:
                continue
            times = process.cpu_times()
        except (psutil.Error, OSError):
            continue
        reaped = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        found.append(ProcessTimes(pid=process.pid, own=times.user + times.system, reaped=reaped))
    return found
