"""A database that is away for two minutes costs no evaluation: what a worker has to write is written when it is back.

Writing again is safe because every write of a run is one transaction on its fencing token: one that was committed just
before the connection broke finds its row moved, and one whose run was given to another worker meanwhile writes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Longer than a claim holds without a sign of life: while the database is away nobody else can claim the run either, and for
# ``SETTLE_SECONDS`` after an outage nobody is taken for silent, so that those who went through it come first.
OUTAGE_SECONDS = 120.0
PAUSE_SECONDS = 0.5
SETTLE_SECONDS = 10.0
_met_at = float("-inf")
_asking: set[int] = set()


def is_settling() -> bool:
    """A write of this worker meets an outage, or met one just now: no sign of life may be missed yet."""
    return bool(_asking) or time.monotonic() - _met_at < SETTLE_SECONDS


def forget() -> None:
    """No outage was met."""
    global _met_at
    _met_at = float("-inf")
    _asking.clear()


def through_outage(write: Callable[[], Result]) -> Result:
    """What ``write`` returns; where the connection breaks, it is called again on a new one, for two minutes.

    Raises:
        OperationalError, InterfaceError: the database stayed away, or the caller is in a transaction, which is lost.
    """
    global _met_at
    until, is_told, me = time.monotonic() + OUTAGE_SECONDS, False, threading.get_ident()
    try:
        while True:
            try:
                return write()
            except (OperationalError, InterfaceError) as fault:
                if connection.in_atomic_block or time.monotonic() > until:
                    raise
                _asking.add(me)
                if not is_told:
                    log.warning("the database does not answer; it is asked again: %s", " ".join(str(fault).split()))
                    is_told = True
                _met_at = time.monotonic()
                connection.close()
                time.sleep(PAUSE_SECONDS)
    finally:
        _asking.discard(me)
