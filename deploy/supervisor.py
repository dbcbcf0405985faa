"""Run several programs as one: merged, named log lines; restarts with a growing pause; one clean end.

Standard library only. A program that dies is started again after 0.5 s, 1 s, 2 s … up to 10 s; one that lived for a
minute starts afresh at 0.5 s. When this process dies, by whatever signal, the kernel ends the programs too (Linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
HEALTHY_SECONDS = 60.0
STOP_SECONDS = 12.0
COLOURS = (36, 33, 35, 32, 34, 31)


@dataclass
class Program:
    """One program: ``command`` with ``env`` in ``cwd``."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    process: asyncio.subprocess.Process | None = field(default=None, init=False)
    restarts: int = field(default=0, init=False)


def _die_with_parent() -> None:
    """In the child, before exec: be sent SIGTERM when the supervisor is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Keeps ``programs`` running until :meth:`stop`."""

    def __init__(self, programs: Sequence[Program], *, log_dir: Path) -> None:
        self.programs = programs
        self.log_dir = log_dir
        self.stopping = asyncio.Event()
        self.width = max(len(program.name) for program in programs)
        log_dir.mkdir(parents=True, exist_ok=True)

    async def run(self) -> None:
        """Start all and keep them running; returns when all have ended after :meth:`stop`."""
        await asyncio.gather(*(self._keep(program, index) for index, program in enumerate(self.programs)))

    def stop(self) -> None:
        """Ask every program to end; whatever is left after a while is killed."""
        self.stopping.set()

    async def _keep(self, program: Program, index: int) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self.stopping.is_set():
            began = time.monotonic()
            code = await self._run_once(program, index)
            if self.stopping.is_set():
                return
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - began > HEALTHY_SECONDS else pause
            program.restarts += 1
            self._line(program, index, f"ended with code {code}; starting it again in {pause:g} s")
            await self._sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run_once(self, program: Program, index: int) -> int:
        # A pipe of our own: waiting for a process whose pipe asyncio made would go on for as long as a child it left
        # behind, such as a notebook that runs without containers, holds its output open.
        read_end, write_end = os.pipe()
        output = asyncio.StreamReader(limit=1 << 20)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read_end, "rb")
        )
        program.process = process = await asyncio.create_subprocess_exec(
            *program.command,
            env=dict(program.env),
            cwd=program.cwd,
            stdout=write_end,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        os.close(write_end)
        reader = asyncio.create_task(self._copy_lines(program, index, output))
        waiter = asyncio.create_task(process.wait())
        stopper = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({waiter, stopper}, return_when=asyncio.FIRST_COMPLETED)
        if not waiter.done():
            await self._end(process, waiter)
        stopper.cancel()
        await asyncio.wait({reader}, timeout=1)
        reader.cancel()
        transport.close()
        return process.returncode if process.returncode is not None else -1

    async def _end(self, process: asyncio.subprocess.Process, waiter: asyncio.Task[int]) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself this very moment
            process.send_signal(signal.SIGTERM)
            done, _ = await asyncio.wait({waiter}, timeout=STOP_SECONDS)
            if not done:
                os.killpg(process.pid, signal.SIGKILL)
        await waiter

    async def _copy_lines(self, program: Program, index: int, output: asyncio.StreamReader) -> None:
        with (self.log_dir / f"{program.name}.log").open("a", encoding="utf-8") as log:
            while raw := await output.readline():
                text = raw.decode(errors="replace").rstrip()
                log.write(f"{text}\n")
                log.flush()
                self._line(program, index, text)

    def _line(self, program: Program, index: int, text: str) -> None:
        name = program.name.ljust(self.width)
        if sys.stdout.isatty():
            name = f"\033[{COLOURS[index % len(COLOURS)]}m{name}\033[0m"
        print(f"{time.strftime('%H:%M:%S')} {name} │ {text}", flush=True)

    async def _sleep(self, seconds: float) -> None:
        waiter = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({waiter}, timeout=seconds)
        waiter.cancel()
