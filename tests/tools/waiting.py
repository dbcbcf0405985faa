"""Waiting for what other programs do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class RanOut(AssertionError):
    """A wait that ran out: the only kind of failure that ``make test`` tries once more."""


def wait_for(
    find: Callable[[], Any],
    *,
    seconds: float = 60,
    what: str | Callable[[], object] = "it",
    not_yet: tuple[type[Exception], ...] = (),
    every: float = 0.05,
) -> Any:
    """The first truthy value of ``find``, asked every so many seconds.

    What it raises of the kinds ``not_yet`` counts as not yet; ``what`` says what is missing, as it is at the end.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if value := find():
                return value
        except not_yet:
            pass
        if time.monotonic() > deadline:
            raise RanOut(f"within {seconds:.0f} s did not come about: {what() if callable(what) else what}")
        time.sleep(every)
