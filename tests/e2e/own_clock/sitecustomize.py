"""For programs whose clock the drills set: ``time.sleep`` by ``select``.

Python 3.11 sleeps until a moment of the clock that never jumps; libfaketime 0.9.10 takes that moment for one of the clock it
sets, and the kernel refuses it.
"""

import select
import time


def sleep(seconds: float) -> None:
    """Wait so long."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep
