"""How often a process that lives for long looks for garbage."""

from __future__ import annotations

import gc

COLLECT_AFTER = (20_000, 20, 20)  # objects, then so many lesser collections; Python says 700, 10, 10


def spare_what_is_loaded() -> None:
    """What is loaded by now is looked at no more, which takes 50 ms each time; what comes is once there is much of it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
