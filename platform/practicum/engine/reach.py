"""What can be reached from here: run inside a container, with nothing but Python's standard library.

``python -I -c <this file> '{"doors": [["tcp", "hub", 8081]], "others": [["udp", "10.0.0.1", 53]], "seconds": 2}'`` prints a
JSON object: for each of both, in order, how it went (see :func:`reach`); ``called``: all addresses of each door's name.

A port where nobody listens tells as much as one where somebody does: whose answer is "refused" was reached.
"""

from __future__ import annotations

import errno
import json
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

OPEN, ANSWERED, HELD, UNKNOWN = "open", "answered", "held", "unknown"
AT_ONCE = 128
# A door that is only slow must not be taken for one that is shut.
DOOR_TRIES = 4
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "icmp": socket.SOCK_DGRAM}


def reach(kind: str, host: str, port: int, *, seconds: float) -> list[str]:
    """``[word, address, said]``: ``open``: it was answered; ``answered``: the other side refused, so it was reached;
    ``held``: nothing came back, or word that there is no way; ``unknown``: the name leads nowhere.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as fault:
        return [UNKNOWN, "", str(fault)]
    answers = []
    for family, _, _, _, place in found:
        answers.append(call(kind, family, place, seconds=seconds))
        if answers[-1][0] != HELD:
            break
    return answers[-1]


def call(kind: str, family: int, place: tuple[object, ...], *, seconds: float) -> list[str]:
    """One address of it."""
    protocol = 0
    if kind == "icmp":
        protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    try:
        with socket.socket(family, KINDS[kind], protocol) as caller:
            caller.settimeout(seconds)
            caller.connect(place)
            if kind == "tcp":
                return [OPEN, str(place[0]), answer(caller)]
            caller.send(b"practicum" if kind == "udp" else echo(family))
            return [OPEN, str(place[0]), caller.recv(64).decode(errors="replace")]
    except ConnectionRefusedError:
        return [ANSWERED, str(place[0]), "refused"]
    except OSError as fault:
        said = errno.errorcode.get(fault.errno or 0, type(fault).__name__)
        return [HELD, str(place[0]), said]


def addresses(host: str) -> list[str]:
    """All that a name leads to, of both versions of IP."""
    with suppress(OSError):
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None)})
    return []


def answer(caller: socket.socket) -> str:
    """What it says first, if anything; being let in is enough."""
    caller.settimeout(0.3)
    with suppress(OSError):
        return caller.recv(64).decode(errors="replace")
    return ""


def echo(family: int) -> bytes:
    """A ping. The kernel fills in the checksum."""
    return struct.pack("!BBHHH", 128 if family == socket.AF_INET6 else 8, 0, 0, 0, 1)


def main(asked: str) -> None:
    """Try all of it at once and print what became of it."""
    wanted = json.loads(asked)
    seconds = float(wanted.get("seconds", 2))

    def each(target: list[object]) -> list[str]:
        kind, host, port = target
        return reach(str(kind), str(host), int(str(port)), seconds=seconds)

    def door(target: list[object]) -> list[str]:
        for _ in range(DOOR_TRIES):
            if (found := each(target))[0] != HELD:
                break
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        doors = list(pool.map(door, wanted["doors"]))
        others = list(pool.map(each, wanted["others"]))
    called = [addresses(str(host)) for _, host, _ in wanted["doors"]]
    print(json.dumps({"doors": doors, "called": called, "others": others}))


if __name__ == "__main__":
    main(sys.argv[1])
