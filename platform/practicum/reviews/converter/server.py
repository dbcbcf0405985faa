"""A converter that has its libraries loaded: one child for each notebook, forked from a process that never reads one.

It says ``ready`` when all is loaded. Asked on stdin: a line of JSON (``kind``, ``folder``, ``bytes``, ``seconds``), then
the bytes. Answered on stdout: a line with how the child ended, as ``subprocess`` says it (below zero: the signal), or
``slow`` where its time ran out. It ends when stdin does. Every child sets the limits before it reads anything, and is
gone before the answer.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

PAUSE_SECONDS = 0.002
BROKEN = 70


def serve(asked: BinaryIO, answered: BinaryIO, *, convert: Callable[[str, bytes], int]) -> None:
    """Convert what is asked for, one after the other. ``convert`` works in the current folder and sets its own limits."""
    while line := asked.readline():
        order = json.loads(line)
        content = asked.read(order["bytes"])
        ended = _in_child(order, content=content, convert=convert)
        answered.write(f"{ended}\n".encode())
        answered.flush()


def _in_child(order: dict[str, str | int], *, content: bytes, convert: Callable[[str, bytes], int]) -> int | str:
    child = os.fork()
    if child == 0:
        _be_child(order, content=content, convert=convert)
    deadline = time.monotonic() + float(order["seconds"])
    while True:
        gone, status = os.waitpid(child, os.WNOHANG)
        if gone:
            _kill(child)  # whatever it may have started
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)  # it may have no group of its own yet
            _kill(child)
            os.waitpid(child, 0)
            return "slow"
        time.sleep(PAUSE_SECONDS)


def _be_child(order: dict[str, str | int], *, content: bytes, convert: Callable[[str, bytes], int]) -> None:
    """Convert in a session of its own, without the pipes, and end; never returns."""
    status = BROKEN
    try:
        os.setsid()
        os.chdir(str(order["folder"]))
        os.environ["HOME"] = str(order["folder"])
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        status = convert(str(order["kind"]), content)
    finally:
        os._exit(status)


def _kill(child: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def load() -> None:
    """Load what conversions need, and draw an empty notebook with it, so that no child has to."""
    from practicum.reviews.converter import changes, notebook, report

    empty = b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"id": "a", "cell_type": "code", '
    empty += b'"metadata": {}, "source": "a = 1", "outputs": [], "execution_count": null}]}'
    notebook.convert(empty)
    changes.convert(b"%d\n" % len(empty) + empty + empty)
    report.convert(b"# a")


def main(convert: Callable[[str, bytes], int]) -> None:
    """Load, say so, then serve stdin."""
    load()
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer, convert=convert)
