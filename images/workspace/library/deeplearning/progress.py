"""Around a fit: one line that says how it goes, Ctrl-C that ends it between two steps, and how many threads it takes."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

import torch

EVERY_SECONDS = 0.5
FLOP_FOR_THREADS = 5e8  # a step of 5 ms on one core
BAR = 20


class Progress:
    """``epoch 3/10 ████░░ 31 % · 4,210 images/s · unexplained 0.41 · 0:02:10 left``; nothing where it isn't shown.

    ``total`` is the number of batches of all epochs, None where a stream has not ended yet.
    """

    def __init__(self, *, shown: bool | None, epochs: int) -> None:
        self.shown = at_a_prompt() if shown is None else shown
        self.epochs, self.where = epochs, ""
        self.began = self.drawn = time.monotonic()
        self.images = self.length = 0
        self.batches = 0
        self.handle: Any = None

    def due(self) -> bool:
        """Whether a line is to be drawn; asked at every step, so that a device is waited for only then."""
        return self.shown and time.monotonic() - self.drawn >= EVERY_SECONDS

    def draw(self, *, epoch: int, done: int, total: int | None, unexplained: float) -> None:
        """Write over the line. ``done`` of ``total`` batches are over, those of earlier calls included."""
        self.drawn = time.monotonic()
        spent = max(self.drawn - self.began, 1e-9)
        parts = [f"epoch {min(epoch + 1, self.epochs)}/{self.epochs}"]
        if total:
            full = round(BAR * min(done / total, 1.0))
            parts[0] += f" {'█' * full}{'░' * (BAR - full)} {min(done / total, 1.0):.0%}"
        parts += [f"{self.images / spent:,.0f} images/s", f"unexplained {unexplained:.3f}"]
        if total and self.batches:
            parts.append(f"{_clock((total - done) * spent / self.batches)} left")
        self._write(" · ".join([*parts, self.where]))

    def end(self, said: str) -> None:
        """Write the last line, which stays."""
        if self.shown:
            spent = time.monotonic() - self.began
            self._write(f"{said} · {self.images:,} images in {_clock(spent)} · {self.where}")
            if self.handle is None:
                sys.stderr.write("\n")
                sys.stderr.flush()

    def _write(self, line: str) -> None:
        if "ipykernel" in sys.modules:  # a notebook keeps one output, not one for each time it was drawn
            self._show(line)
            return
        sys.stderr.write("\r" + line.ljust(self.length))
        sys.stderr.flush()
        self.length = len(line)

    def _show(self, line: str) -> None:
        from IPython.display import display

        if self.handle is None:
            self.handle = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self.handle.update({"text/plain": line}, raw=True)


def at_a_prompt() -> bool:
    """A person looks: a terminal or a notebook."""
    return "ipykernel" in sys.modules or sys.stderr.isatty()


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


class Interrupt:
    """While it is entered, the first Ctrl-C sets ``asked`` and the second one raises KeyboardInterrupt.

    A step is never cut in two, so what was fitted is whole. In a thread that isn't the main one nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Interrupt:
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)


@contextlib.contextmanager
def threads_for(flop: float) -> Iterator[None]:
    """One thread for steps of less work than ``FLOP_FOR_THREADS``: more would wait for each other, on a busy machine for long."""
    before = torch.get_num_threads()
    few = flop < FLOP_FOR_THREADS and before > 1
    if few:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if few:
            torch.set_num_threads(before)
