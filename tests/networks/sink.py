"""Answers at every address it is told, TCP and UDP, so that whoever gets through knows. Standard library only.

``sink.py TOKEN ADDRESS:PORT …``: each connection, and each datagram, is answered with the token. ``[::]:5432`` is IPv6 alone.
"""

from __future__ import annotations

import selectors
import socket
import sys

IP_FREEBIND = 15


def ear(kind: int, place: str) -> socket.socket:
    """A socket that listens there."""
    address, _, port = place.rpartition(":")
    address = address.strip("[]")
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((address, int(port)))
    if kind == socket.SOCK_STREAM:
        made.listen(64)
    return made


def main(token: str, *places: str) -> None:
    """Answer for ever."""
    waiting = selectors.DefaultSelector()
    for place in places:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            waiting.register(ear(kind, place), selectors.EVENT_READ, kind)
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            listening = key.fileobj
            assert isinstance(listening, socket.socket)
            if key.data == socket.SOCK_DGRAM:
                _, caller = listening.recvfrom(2048)
                listening.sendto(token.encode(), caller)
            else:
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(token.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
