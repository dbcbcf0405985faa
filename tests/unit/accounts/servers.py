"""Servers of the tests' own on 127.0.0.1: one that takes mail, one that takes webhooks."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator


class MailSink(socketserver.StreamRequestHandler):
    """Speaks enough SMTP (RFC 5321) to take a mail; ``server.taken`` keeps each as text."""

    def handle(self) -> None:
        """One connection."""
        self.say("220 sink ready")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self.say("354 go on")
                lines = []
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(text)
                self.server.taken.append("\n".join(lines))  # type: ignore[attr-defined]
                self.say("250 taken")
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 sink" if word in ("EHLO", "HELO", "MAIL", "RCPT", "RSET") else "502 no")

    def say(self, line: str) -> None:
        """One line of an answer."""
        self.wfile.write(f"{line}\r\n".encode())


class HookSink(socketserver.StreamRequestHandler):
    """Takes one request, keeps it in ``server.taken`` and answers with ``server.answer``, or never."""

    def handle(self) -> None:
        """One connection."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = self.rfile.readline()
            if not piece:
                return
            head += piece
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = self.rfile.read(int(headers["content-length"]))
        self.server.taken.append((first, headers, body))  # type: ignore[attr-defined]
        answer = self.server.answer  # type: ignore[attr-defined]
        if answer is None:
            self.server.closing.wait(10)  # type: ignore[attr-defined]
        else:
            self.wfile.write(answer)


@contextlib.contextmanager
def serving(
    handler: type[socketserver.BaseRequestHandler], *, answer: bytes | None = b""
) -> Iterator[tuple[int, list]]:  # type: ignore[type-arg]
    """A running server; yields its port and what it has taken so far."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.taken = []  # type: ignore[attr-defined]
        server.answer = answer  # type: ignore[attr-defined]
        server.closing = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1], server.taken  # type: ignore[attr-defined]
        finally:
            server.closing.set()  # type: ignore[attr-defined]
            server.shutdown()
            thread.join()
