"""Asks the egress proxy from inside a notebook, by hand, so that nothing is left to a library. Standard library only.

``asking.py PROXY SECONDS LINE …`` prints, for each request line, ``[status, body]`` as a line of JSON.
"""

from __future__ import annotations

import json
import socket
import sys


def ask(proxy: str, line: str, *, seconds: float) -> list[object]:
    """The status, and what came: of a tunnel, what the other side says first."""
    host, _, port = proxy.rpartition(":")
    method, target = line.split()
    name = target.split("/")[2] if "//" in target else target
    with socket.create_connection((host, int(port)), timeout=seconds) as caller:
        caller.sendall(f"{method} {target} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        said = b""
        try:
            while piece := caller.recv(65536):
                said += piece
        except TimeoutError:
            said += b"\r\n\r\n(silence)"
    head, _, body = said.partition(b"\r\n\r\n")
    words = head.split()
    return [int(words[1]) if len(words) > 1 else 0, body.decode(errors="replace")]


if __name__ == "__main__":
    for request in sys.argv[3:]:
        try:
            print(json.dumps(ask(sys.argv[1], request, seconds=float(sys.argv[2]))))
        except OSError as fault:
            print(json.dumps([0, type(fault).__name__]))
