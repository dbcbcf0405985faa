"""A loop of the worker: what it does between two pieces of work."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from practicum.config.management.commands import worker


class Waits(threading.Event):
    """An event that notes how long it was waited for and never waits; it is set after so many."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.waits = most, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(round(timeout or 0.0, 3))
        if len(self.waits) == self.most:
            self.set()
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moment it is; who works moves it on."""
    moment = [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: moment[0])
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    return moment


@pytest.mark.parametrize(
    ("rest", "finds", "waits"),
    [
        (4.0, [True, True, False], [0.8, 0.8, 5.0]),  # four times as long as each piece took; then the pause
        (0.0, [True, True, False], [5.0]),  # one piece after the other
    ],
)
def test_what_is_nobodys_hurry_leaves_time_to_the_others(
    rest: float, finds: list[bool], waits: list[float], clock: list[float]
) -> None:
    told = iter(finds)

    def work() -> bool:
        clock[0] += 0.2
        return next(told)

    stopping: Any = Waits(len(waits))
    worker.Loop("likenesses", work, pause=5.0, stopping=stopping, rest=rest).run()

    assert stopping.waits == waits
