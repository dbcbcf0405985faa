"""``python -m practicum.config.probe URL|FILE``: what a container asks of its own process, for compose.

Ends with 0 where it is well, else with 1 and a sentence. Only the standard library, so that asking costs a tenth of a second.
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

LATE_SECONDS = 60.0
TIMEOUT_SECONDS = 5.0


def fault_of_address(url: str) -> str:
    """What is wrong with what answers there; empty where it says 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            return "" if answer.status == 200 else f"it answered {answer.status}"
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except OSError as error:
        return f"it does not answer ({type(error).__name__})"


def fault_of_file(file: Path, *, now: float) -> str:
    """What is wrong with a process that touches this file each second, or every few."""
    try:
        age = now - file.stat().st_mtime
    except OSError:
        return "it has given no sign of life yet"
    return "" if abs(age) < LATE_SECONDS else f"its last sign of life is {age:.0f} s old"


def main(argv: list[str]) -> int:
    """Look at one thing."""
    if len(argv) != 1:
        print("One address or file is wanted.", file=sys.stderr)
        return 2
    (target,) = argv
    fault = fault_of_address(target) if "://" in target else fault_of_file(Path(target), now=time.time())
    if fault:
        print(fault, file=sys.stderr)
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
