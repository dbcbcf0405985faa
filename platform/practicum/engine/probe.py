"""Tries, from a container on the notebooks' network, what a notebook can reach, and says it of each.

The container is started as a notebook is: the same image, the same user, no capabilities; its network is the notebooks'.
What must not be reached is asked of the engine: every other container on any of its networks, every address this machine has
on them, the metadata services of clouds, and a second container that stands for another notebook. Nothing is sent beyond the
machine's own addresses and those of the link.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
from docker.errors import NotFound

from practicum.engine import reach
from practicum.engine.base import LABEL_INSTANCE, LABEL_KIND, LABEL_MANAGED
from practicum.engine.docker import translated
from practicum.errors import EngineRefused

SECONDS = 60
TRY_SECONDS = 1.5
PYTHON = ["/opt/venv/bin/python", "-I"]
OTHER_PORT = 8888
# Where the services listen that a server or a container of ours could have: SSH, names, web, metrics, databases, the engine,
# the site, the hub and both ports of its proxy.
PORTS = (22, 53, 80, 443, 2375, 2376, 5432, 6379, 8000, 8001, 8080, 8081, 8888, 9100)
METADATA = ("169.254.169.254", "fd00:ec2::254")
LISTENER = f"""
import socket
is_6 = socket.has_dualstack_ipv6()
where = dict(family=socket.AF_INET6, dualstack_ipv6=True) if is_6 else {{}}
socket.create_server(('::' if is_6 else '0.0.0.0', {OTHER_PORT}), **where).accept()
"""
Place = tuple[str, str, int]


@dataclass(frozen=True)
class Tried:
    """One place: what it is, and whether it was reached (see :mod:`.reach` for the words)."""

    what: str
    place: Place
    word: str
    said: str

    @property
    def is_reached(self) -> bool:
        """Something there answered, be it with a refusal."""
        return self.word in (reach.OPEN, reach.ANSWERED)


@dataclass(frozen=True)
class Reached:
    """What a notebook needs, what it must not reach, and whether its network has no way out of its own."""

    doors: tuple[Tried, ...]
    others: tuple[Tried, ...]
    is_internal: bool


def door(url: str) -> Place:
    """Host and port of an address."""
    parts = urlsplit(url)
    return ("tcp", parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def try_network(
    network: str, *, image: str, instance: str, doors: Sequence[str], extra: Sequence[Place] = ()
) -> Reached:
    """Start a container on the network and try; ``doors`` are addresses (urls) that must be reached, ``extra`` more that must
    not.

    Raises:
        EngineUnavailable: the engine does not answer.
        EngineRefused: there is no such network or image.
    """
    with translated():
        client = docker.from_env(timeout=SECONDS)
        try:
            return _Probe(client, network=network, image=image, instance=instance).run(doors, extra=extra)
        finally:
            client.close()


class _Probe:
    """One try; what it starts is gone afterwards."""

    def __init__(self, client: docker.DockerClient, *, network: str, image: str, instance: str) -> None:
        self.client = client
        self.image = image
        self.labels = {LABEL_MANAGED: "1", LABEL_INSTANCE: instance, LABEL_KIND: "probe"}
        try:
            self.network: dict[str, Any] = client.networks.get(network).attrs
        except NotFound:
            raise EngineRefused(f"There is no network {network} on this engine.") from None

    def run(self, doors: Sequence[str], *, extra: Sequence[Place]) -> Reached:
        """Try everything at once."""
        with self.container([*PYTHON, "-c", LISTENER]) as other, self.container(["sleep", str(SECONDS)]) as probe:
            wanted = [*self.places(other, own={other.id, probe.id}), *((f"{p[1]}:{p[2]}", p) for p in extra)]
            near = [door(url) for url in doors]
            asked = {"doors": near, "others": [place for _, place in wanted], "seconds": TRY_SECONDS}
            source = Path(reach.__file__).read_text(encoding="utf-8")
            status, output = probe.exec_run([*PYTHON, "-c", source, json.dumps(asked)], demux=True)
            if status:
                raise EngineRefused("The probe could not be run in the workspace's image.")
            answer = json.loads(output[0])
        # A door is named once, and met again at each address of the container behind it.
        called = zip(near, answer["called"], strict=True)
        open_doors = {(address, port) for (_, _, port), found in called for address in found}
        return Reached(
            doors=tuple(
                Tried(url, place, found[0], found[2])
                for url, place, found in zip(doors, near, answer["doors"], strict=True)
            ),
            others=tuple(
                Tried(what, place, found[0], found[2])
                for (what, place), found in zip(wanted, answer["others"], strict=True)
                if (place[1], place[2]) not in open_doors
            ),
            is_internal=bool(self.network.get("Internal")),
        )

    @contextmanager
    def container(self, command: Sequence[str]) -> Iterator[Any]:
        """One as a notebook is, on the network."""
        made = self.client.containers.run(
            self.image, entrypoint=list(command), detach=True, network=self.network["Name"], user="1000:1000",
            cap_drop=["ALL"], security_opt=["no-new-privileges"], pids_limit=256, mem_limit="512m", labels=self.labels,
            init=True,
        )  # fmt: skip
        try:
            made.reload()
            yield made
        finally:
            made.remove(force=True)

    def places(self, other: Any, *, own: set[str]) -> Iterator[tuple[str, Place]]:
        """What must not be reached, and how a person calls it."""
        for address in _addresses(other.attrs):
            yield "another notebook", ("tcp", address, OTHER_PORT)
        for address in METADATA:
            yield "the metadata service of a cloud", ("tcp", address, 80)
        seen: set[str] = set()
        for address in self.own_addresses():
            seen.add(address)
            for port in PORTS:
                yield "this server", ("tcp", address, port)
            yield "this server's names", ("udp", address, 53)
        for container in self.client.containers.list():
            if container.id not in own:
                for address in _addresses(container.attrs):
                    ports = {*PORTS, *_exposed(container.attrs)} if address not in seen else set()
                    seen.add(address)
                    yield from ((str(container.name), ("tcp", address, port)) for port in sorted(ports))

    def own_addresses(self) -> list[str]:
        """This machine's addresses on the engine's networks."""
        found = []
        for network in self.client.networks.list():
            for config in (network.attrs.get("IPAM") or {}).get("Config") or []:
                if network.attrs.get("Driver") != "bridge":
                    continue
                subnet = ipaddress.ip_network(config["Subnet"])
                found.append(str(config.get("Gateway", "")).split("/")[0] or str(subnet[1]))
        return list(dict.fromkeys(found))


def _addresses(attrs: dict[str, Any]) -> list[str]:
    networks = attrs["NetworkSettings"]["Networks"].values()
    return [n[key] for n in networks for key in ("IPAddress", "GlobalIPv6Address") if n.get(key)]


def _exposed(attrs: dict[str, Any]) -> list[int]:
    ports = attrs["NetworkSettings"].get("Ports") or {}
    return [int(name.split("/")[0]) for name in ports if name.endswith("/tcp")]
