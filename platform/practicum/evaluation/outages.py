"""A database that is away for a moment costs no evaluation: what a worker has to write is written when it is back.

Writing again is safe because every write of a run is one transaction on its fencing token: one that was committed just
before the connection broke finds its row moved, and one whose run was given to another worker meanwhile writes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Shorter than a claim holds without a sign of life (``rules.CLAIM_HOLDS``): it is still this worker's afterwards.
OUTAGE_SECONDS = 30.0
PAUSE_SECONDS = 0.5


def through_outage(write: Callable[[], Result]) -> Result:
    """What ``write`` returns; where the connection breaks, it is called again on a new one, for 30 seconds.

    Raises:
        OperationalError, InterfaceError: the database stayed away, or the caller is in a transaction, which is lost.
    """
    until = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as fault:
            if connection.in_atomic_block or time.monotonic() > until:
                raise
            log.warning("the database does not answer; it is asked again: %s", str(fault).strip())
            connection.close()
            time.sleep(PAUSE_SECONDS)
