"""A socket in front of the container engine that can be cut: the engine is away, its containers go on.

This is what a restart of the engine with ``live-restore`` looks like to Practicum; the tests never kill an engine that
others may be using.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

CHUNK = 1 << 16


class Relay:
    """Forwards connections on ``path`` to ``target`` until :meth:`cut`; :meth:`mend` goes on."""

    def __init__(self, *, path: Path, target: str) -> None:
        self.path = path
        self.target = target
        self.listener: socket.socket | None = None
        self.open: set[socket.socket] = set()
        self.mend()

    @property
    def docker_host(self) -> str:
        """What ``DOCKER_HOST`` must say."""
        return f"unix://{self.path}"

    def mend(self) -> None:
        """Listen (again)."""
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections and break those that are open, in the middle of whatever they say."""
        assert self.listener is not None
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in list(self.open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        """Copy both ways until both sides have said their last."""
        with near, socket.socket(socket.AF_UNIX) as far, contextlib.suppress(OSError):
            far.connect(self.target)
            self.open |= {near, far}
            answers = threading.Thread(target=self._copy, args=(far, near), daemon=True)
            answers.start()
            self._copy(near, far)
            answers.join()
            self.open -= {near, far}

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
