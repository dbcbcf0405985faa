"""Where attacks try to send something: ears on this machine's own addresses, and nowhere else.

Everything heard is kept; an attack reached its goal when its token is among it.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker

DNS_PORT = 53
ETHER_TYPE = 0x88B5  # for local experiments (IEEE 802)


class Sinks:
    """Ears for every kind of network, open until :meth:`close`."""

    def __init__(self, folder: Path) -> None:
        client = docker.from_env(timeout=60)
        bridge = client.networks.get("bridge")
        config = bridge.attrs["IPAM"]["Config"][0]
        client.close()
        self.host: str = config.get("Gateway") or config["Subnet"].replace("0.0/16", "0.1")
        self.link: str = bridge.attrs["Options"].get("com.docker.network.bridge.name", "docker0")
        self.heard: list[bytes] = []
        self.changed = threading.Condition()
        self._open: list[socket.socket] = []
        self.engine_socket = folder / "docker.sock"

    def tcp(self) -> int:
        """A port at the bridge's own address."""
        return self._stream(socket.socket(socket.AF_INET), (self.host, 0))

    def tcp6(self) -> int:
        """A port of this machine's loopback, by IPv6."""
        return self._stream(socket.socket(socket.AF_INET6), ("::1", 0))

    def unix(self, name: str) -> str:
        """A name that is no file: it lives in the network of the machine."""
        self._stream(socket.socket(socket.AF_UNIX), f"\0{name}")
        return name

    def engine(self) -> Path:
        """What looks like a container engine's socket, and is none."""
        self._stream(socket.socket(socket.AF_UNIX), str(self.engine_socket))
        self.engine_socket.chmod(0o666)
        return self.engine_socket

    def udp(self, port: int = 0) -> int:
        """A port for datagrams."""
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.bind((self.host, port))
        self._listen(ear, lambda: self._keep(ear.recvfrom(2048)[0]))
        return int(ear.getsockname()[1])

    def icmp(self) -> None:
        """Whatever is pinged to this machine."""
        ear = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._listen(ear, lambda: self._keep(ear.recvfrom(2048)[0]))

    def frames(self) -> None:
        """Raw frames of our own kind on the engine's bridge."""
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHER_TYPE))
        ear.bind((self.link, ETHER_TYPE))
        self._listen(ear, lambda: self._keep(ear.recv(2048)))

    def hardware_address(self) -> str:
        """Of the engine's bridge: only who sees this machine's own network can know it."""
        return Path(f"/sys/class/net/{self.link}/address").read_text().strip()

    def heard_of(self, token: str, *, seconds: float) -> bool:
        """Whether the token arrived, or does within ``seconds``."""
        with self.changed:
            return self.changed.wait_for(lambda: any(token.encode() in said for said in self.heard), seconds)

    def close(self) -> None:
        """Stop listening."""
        for ear in self._open:
            ear.close()

    def _stream(self, ear: socket.socket, address: Any) -> int:
        ear.bind(address)
        ear.listen(16)
        self._listen(ear, lambda: self._take(ear.accept()[0]))
        name = ear.getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def _take(self, caller: socket.socket) -> None:
        with caller:
            caller.settimeout(3)
            self._keep(caller.recv(2048))

    def _keep(self, said: bytes) -> None:
        with self.changed:
            self.heard.append(said)
            self.changed.notify_all()

    def _listen(self, ear: socket.socket, once: Callable[[], None]) -> None:
        ear.settimeout(0.5)
        self._open.append(ear)

        def forever() -> None:
            while ear.fileno() >= 0:
                try:
                    once()
                except TimeoutError:
                    continue
                except (OSError, struct.error):
                    if ear.fileno() < 0:
                        return

        threading.Thread(target=forever, daemon=True).start()
