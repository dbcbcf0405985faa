"""A server for names (RFC 1035), and one for pages, as a public one would have them. Standard library only.

``names.py ADDRESS ZONE FOLDER WEB``: ``ZONE`` is JSON, name to addresses. Each question for a name is answered with the next
of its addresses and may be kept for no time at all: that is how a name is turned around. ``FOLDER`` is served at ``WEB:80``.
"""

from __future__ import annotations

import functools
import http.server
import json
import socket
import struct
import sys
import threading

A, NO_ERROR, NO_SUCH_NAME = 1, 0x8180, 0x8183


def answer(question: bytes, zone: dict[str, list[str]]) -> bytes:
    """The next address of the name that is asked for."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    asked = question[12 : at + 5]
    known = zone.get(".".join(labels).lower())
    kind = struct.unpack("!H", question[at + 1 : at + 3])[0]
    found = known[:1] if known and kind == A else []
    if known and kind == A:
        known.append(known.pop(0))
    head = question[:2] + struct.pack("!HHHHH", NO_SUCH_NAME if known is None else NO_ERROR, 1, len(found), 0, 0)
    records = [b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 0, 4) + socket.inet_aton(address) for address in found]
    return head + asked + b"".join(records)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main(address: str, zone_text: str, folder: str, web: str) -> None:
    """Answer for ever."""
    zone = json.loads(zone_text)
    pages = http.server.ThreadingHTTPServer((web, 80), functools.partial(Quiet, directory=folder))
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind((address, 53))
        print("ready", flush=True)
        while True:
            question, caller = ear.recvfrom(512)
            ear.sendto(answer(question, zone), caller)


if __name__ == "__main__":
    main(*sys.argv[1:])
