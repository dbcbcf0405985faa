"""The converter kept warm: a process of the site's own that has its libraries loaded (:mod:`.converter.server`).

It is started with the first conversion, which does not wait for it, has the same empty environment as any converter, and
ends with the site's process. It makes one page at a time; while it is busy, loading or gone, a cold converter is started.
"""

from __future__ import annotations

import atexit
import json
import select
import subprocess
import sys
import threading
from pathlib import Path


class Renderer:
    """The one warm converter of this process."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self._alone = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        atexit.register(self.stop)

    def convert(self, kind: str, *, content: bytes, folder: Path, seconds: float) -> int | str | None:
        """How a child ended that converted ``content`` in ``folder``: its exit status, or ``slow``; None: not now."""
        if not self._alone.acquire(blocking=False):
            return None
        try:
            if not self.is_ready():
                return None
            return self._ask(kind, content=content, folder=folder, seconds=seconds)
        except (OSError, ValueError):
            self.stop()
            return None
        finally:
            self._alone.release()

    def is_ready(self, *, wait_seconds: float = 0.0) -> bool:
        """It is there and has loaded; started if it isn't there."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        if not self._is_ready and self._process is not None and self._process.stdout is not None:
            readable, _, _ = select.select([self._process.stdout], [], [], wait_seconds)
            self._is_ready = bool(readable) and self._process.stdout.readline() == b"ready\n"
        return self._is_ready

    def stop(self) -> None:
        """End it; the next conversion starts another."""
        process, self._process, self._is_ready = self._process, None, False
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()

    def _start(self) -> None:
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(self.program), "serve"],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    def _ask(self, kind: str, *, content: bytes, folder: Path, seconds: float) -> int | str:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ValueError("it is not there")
        order = {"kind": kind, "folder": str(folder), "bytes": len(content), "seconds": seconds}
        unsent = memoryview(json.dumps(order).encode() + b"\n" + content)
        while unsent:
            unsent = unsent[process.stdin.write(unsent) or 0 :]
        # The server ends a child at its time; where it says nothing long after, it is broken itself.
        readable, _, _ = select.select([process.stdout], [], [], seconds + 5.0)
        answer = process.stdout.readline().strip() if readable else b""
        return "slow" if answer == b"slow" else int(answer)
