"""The connection to a running container: its standard input goes in, both of its outputs come out, in frames.

A frame is one byte that says which output, three of nothing, four for the length (big-endian), then the content:
https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from practicum.engine.base import LOG_TAIL_BYTES

CHUNK_BYTES = 1 << 16
POLL_SECONDS = 0.5
HEADER_BYTES = 8
STDERR = 2


class Wire:
    """One attached connection. ``beside``: the end of what came on standard error."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._socket: socket.socket = getattr(stream, "_sock", stream)
        self._socket.settimeout(POLL_SECONDS)
        self.beside = b""

    def send(self, source: BinaryIO, *, until: float, goes_on: Callable[[], bool]) -> None:
        """Send all of ``source`` and say that there is no more. ``goes_on`` is asked while nobody listens: one that has
        ended reads nothing any more, and the connection does not say so.
        """
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while chunk := source.read(CHUNK_BYTES):
                view = memoryview(chunk)
                while view:
                    try:
                        view = view[self._socket.send(view) :]
                    except TimeoutError:
                        if time.monotonic() > until or not goes_on():
                            return
            self._socket.shutdown(socket.SHUT_WR)

    def receive(self, sink: BinaryIO | None, *, max_bytes: int, until: float) -> bool:
        """Put what it prints into ``sink`` until it ends or ``until``; False where it printed more than ``max_bytes``."""
        held, kind, left, taken = bytearray(), 0, 0, 0
        while time.monotonic() < until:
            try:
                chunk = self._socket.recv(CHUNK_BYTES)
            except TimeoutError:
                continue
            except OSError:
                break
            if not chunk:
                break
            held += chunk
            while held:
                if not left:
                    if len(held) < HEADER_BYTES:
                        break
                    kind, left = held[0], int.from_bytes(held[4:HEADER_BYTES])
                    del held[:HEADER_BYTES]
                    continue
                part = bytes(held[:left])
                del held[:left]
                left -= len(part)
                if kind == STDERR:
                    self.beside = (self.beside + part)[-LOG_TAIL_BYTES:]
                    continue
                if taken + len(part) > max_bytes:
                    return False
                taken += len(part)
                if sink is not None:
                    sink.write(part)
        return True

    def close(self) -> None:
        """Let go of the container; it goes on."""
        with contextlib.suppress(OSError):
            self._stream._response.close()
        self._stream.close()
