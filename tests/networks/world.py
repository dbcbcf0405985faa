"""A small world of its own: a server with an engine in one network namespace, its LAN in another, and nothing beyond.

Neither namespace has a way to this machine's own network, so whatever is tried in there stays in there, and the machine's
own firewall is not touched. The LAN's one machine has addresses that stand for others: the metadata service of a cloud,
public servers (from networks that are kept for documentation), a server for names.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.own_engine import ROOT, OwnEngine
from tests.unit.engine.programs import load

CLONE_NEWNET = 0x40000000
SINK = Path(__file__).with_name("sink.py")
FIREWALL = ROOT / "deploy" / "firewall.py"
TOKEN, INSIDE_TOKEN = "reached-the-sink", "reached-the-lan"
# The server's own addresses on its LAN, and those of the machine beside it.
HOST, HOST6 = "10.77.0.1", "fd77::1"
LAN, LAN6 = "10.77.0.9", "fd77::9"
METADATA, METADATA6 = "169.254.169.254", "fd00:ec2::254"
PUBLIC, PUBLIC6 = "203.0.113.7", "2001:db8:7::7"
NAMES = "203.0.113.53"
BRIDGE, OUTSIDE, PLAIN = "nwt-nb", "nwt-out", "nwt-plain"
SUBNET, SUBNET6 = "172.30.0.0/20", "fd30::/64"
GATEWAY, GATEWAY6 = "172.30.0.1", "fd30::1"
WEB, HUB, PROXY, EGRESS = (f"172.30.0.{number}" for number in (2, 3, 4, 5))
WEB6, HUB6, PROXY6 = (f"fd30::{number}" for number in (2, 3, 4))
TABLE = "nwt"


def run(*command: str, check: bool = True, **options: Any) -> str:
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts, are in the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if libc.setns(descriptor, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns", path)
        finally:
            os.close(descriptor)

    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter(f"/run/netns/{namespace}")
        yield
    finally:
        enter(f"/proc/self/fd/{home}")
        os.close(home)


class EngineInside(OwnEngine):
    """An engine that was started in a namespace. It makes rules of its own for IPv4, as engines do, and none for IPv6: there,
    nothing but the project's rules can hold anything.
    """

    def start(self) -> None:
        """It answers. This machine's own engine and firewall know nothing of it."""
        options = ["--bip=172.29.0.1/24", f"--dns={NAMES}", "--ipv6", "--fixed-cidr-v6=fd29::/64"]
        self.private.start(hook_dir=ROOT / "tests" / "tools", options=options)


@dataclass
class World:
    """The names of both namespaces, the engine, what is to be ended; ``state`` is the folder of the egress proxy."""

    name: str
    stack: ExitStack
    engine: EngineInside | None = None
    state: Path = Path()

    @property
    def host(self) -> str:
        """``DOCKER_HOST`` of its engine."""
        assert self.engine is not None
        return self.engine.host

    def docker(self, *arguments: str, check: bool = True) -> str:
        """The docker command, told of this engine."""
        return run("docker", "-H", self.host, *arguments, check=check)

    def run_in(self, container: str, *command: str, stdin: str = "") -> str:
        """What a program prints that is run in a container."""
        return run("docker", "-H", self.host, "exec", "--interactive", container, *command, input=stdin)

    def firewall(self, verb: str, *arguments: str, check: bool = True) -> str:
        """The project's own script, as an operator runs it, inside the server."""
        command = [sys.executable, str(FIREWALL), verb, "--table", TABLE, "--bridge", BRIDGE, "--outside", OUTSIDE]
        with inside(f"{self.name}-server"):
            return run(*command, *arguments, check=check)

    def listen(self, where: str, *places: str) -> None:
        """A sink at these places of ``server`` or ``lan``, until the end."""
        self.serve(where, SINK, TOKEN, *places)

    def serve(self, where: str, program: Path, *arguments: str) -> None:
        """A program of ``server`` or ``lan`` that says ``ready`` once it serves, until the end."""
        with inside(f"{self.name}-{where}"):
            running = subprocess.Popen([sys.executable, str(program), *arguments], stdout=subprocess.PIPE)
        assert running.stdout is not None
        self.stack.callback(running.stdout.close)
        self.stack.callback(running.wait)
        self.stack.callback(running.kill)
        assert running.stdout.readline() == b"ready\n"

    def container(self, name: str, *places: str, networks: Sequence[Sequence[str]], image: str) -> None:
        """A container that is a sink at these places; each network with its options."""
        (first, *more) = networks
        sink = ["--mount", f"type=bind,source={SINK},target=/sink.py,readonly"]
        common = ["run", "--detach", "--name", name, "--network", *first, *sink, "--entrypoint", "/opt/venv/bin/python"]
        self.docker(*common, image, "-u", "/sink.py", TOKEN, *places)
        for network, *options in more:
            self.docker("network", "connect", *options, network, name)


def cable(stack: ExitStack, name: str) -> None:
    """Both namespaces, with a cable between them and their addresses."""
    server, lan = f"{name}-server", f"{name}-lan"
    for namespace in (server, lan):
        run("ip", "netns", "add", namespace)
        stack.callback(run, "ip", "netns", "delete", namespace, check=False)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
    run("ip", "-n", server, "link", "add", "lan0", "type", "veth", "peer", "name", "server0", "netns", lan)
    for namespace, link, addresses in (
        (server, "lan0", (f"{HOST}/24", f"{HOST6}/64")),
        (lan, "server0", (f"{LAN}/24", f"{LAN6}/64")),
        (lan, "lo", (METADATA, METADATA6, PUBLIC, PUBLIC6, NAMES)),
    ):
        for address in addresses:
            version = ["-6"] if ":" in address else []
            run(
                "ip", "-n", namespace, *version, "address", "add", address, "dev", link, *(["nodad"] if version else [])
            )
        run("ip", "-n", namespace, "link", "set", link, "up")
    # What isn't on the LAN is behind its machine; and that one answers to whoever asks through the server.
    for version, ours, theirs in (("-4", LAN, HOST), ("-6", LAN6, HOST6)):
        run("ip", "-n", server, version, "route", "add", "default", "via", ours)
        run("ip", "-n", lan, version, "route", "add", "default", "via", theirs)
    for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        run("ip", "netns", "exec", server, "sysctl", "-qw", f"{setting}=1")


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A server with an engine and nothing on it yet."""
    load("deploy/engine.py").need_programs()
    with ExitStack() as stack:
        made = World(f"nwt{os.getpid()}", stack)
        cable(stack, made.name)
        with inside(f"{made.name}-server"):
            made.engine = EngineInside.made(folder, more=[os.environ["PRACTICUM_TEST_EGRESS_IMAGE"]])
        stack.callback(made.engine.private.stop)
        yield made


def addresses_of(world_: World, container: str) -> list[str]:
    """All of a container's addresses, of both versions, without those of its own loopback."""
    said = world_.docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", container)
    networks = json.loads(said).values()
    return [n[key] for n in networks for key in ("IPAddress", "GlobalIPv6Address") if n[key]]
