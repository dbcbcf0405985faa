"""The four traces by which the rule of idleness is judged: what the GPU shows, what the notebook says, what is right.

Each is an hour, or 20 minutes where nothing changes in it, a step every 30 s: processes on the GPU with memory and work,
busy kernels, processor time as a share of one core. ``expected`` is the answer at the end, ``minutes_idle`` how long it
has been idle then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from practicum.gpus.idleness import ActivityState

STEP_SECONDS = 30
HOUR = 120
SHORT = 40
GB = 1 << 30


@dataclass(frozen=True)
class Step:
    """One step of a trace."""

    sm_percent: int = 0
    memory_bytes: int = 0
    busy_kernels: int = 0
    cpu_share: float = 0.005


@dataclass(frozen=True)
class Trace:
    """A trace with the right answer."""

    name: str
    step: Callable[[int], Step]
    expected: ActivityState
    minutes_idle: float = 0.0

    @property
    def steps(self) -> int:
        """How many there are."""
        return SHORT if self.expected == ActivityState.ACTIVE else HOUR


def _silent_fit(step: int) -> Step:
    """``model.fit()`` without a line of output, no browser open: the GPU works in every step."""
    return Step(sm_percent=60 + step % 30, memory_bytes=30 * GB, busy_kernels=1, cpu_share=1.0)


def _open_tab(step: int) -> Step:
    """A model was tried for 10 minutes; since then the tab is open, its kernel alive, and 40 GB are held."""
    return _silent_fit(step) if step < 20 else Step(memory_bytes=40 * GB)


def _terminal(step: int) -> Step:
    """``python train.py`` in a terminal: no kernel is busy, none even runs."""
    return Step(sm_percent=95, memory_bytes=20 * GB, busy_kernels=0, cpu_share=0.9)


def _stalled_loader(step: int) -> Step:
    """A data loader that can't keep up: 4 minutes of decoding on the processor for 30 s of GPU."""
    works = step % 9 == 8
    return Step(sm_percent=40 if works else 0, memory_bytes=12 * GB, busy_kernels=1, cpu_share=1.8)


def _slow_disk_loader(step: int) -> Step:
    """The same, but it waits for a slow disk: neither processor nor GPU work for 4 minutes at a time."""
    works = step % 9 == 8
    return Step(sm_percent=40 if works else 0, memory_bytes=12 * GB, busy_kernels=1, cpu_share=0.9 if works else 0.01)


def _dead_loader(step: int) -> Step:
    """A data loader whose workers wait for one another for ever, from minute 20 on; the cell never ends."""
    return _stalled_loader(step) if step < 43 else Step(memory_bytes=12 * GB, busy_kernels=1)


TRACES = [
    Trace("busy but silent fit()", _silent_fit, ActivityState.ACTIVE),
    Trace("open tab that holds 40 GB", _open_tab, ActivityState.IDLE_HELD, minutes_idle=50),
    Trace("training in a terminal", _terminal, ActivityState.ACTIVE),
    Trace("data loader that can't keep up", _stalled_loader, ActivityState.ACTIVE),
    Trace("data loader on a slow disk", _slow_disk_loader, ActivityState.ACTIVE),
    # 5 minutes after its last work, a busy kernel is believed no longer.
    Trace("data loader that waits for ever", _dead_loader, ActivityState.IDLE_HELD, minutes_idle=33),
]
