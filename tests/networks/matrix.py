"""What a notebook must not reach, and where the sinks are that would tell if it did."""

from __future__ import annotations

from dataclasses import dataclass

from tests.networks import world as places
from tests.networks.world import World


@dataclass(frozen=True)
class Target:
    """One thing in one version of IP."""

    what: str
    kind: str
    address: str
    port: int

    @property
    def name(self) -> str:
        """As it is told when it was reached."""
        version = 6 if ":" in self.address else 4
        return f"{self.what} by IPv{version} ({self.kind} {self.address} {self.port})"


# What, how, port, and the sinks' places in World.listen or World.container: server, lan, or a container's name.
KNOCKS = [
    ("the server's SSH", "tcp", "gateway", 22),
    ("the server's SSH at its address on the LAN", "tcp", "host", 22),
    ("the server's SSH at its other bridge", "tcp", "other-bridge", 22),
    ("the engine without TLS", "tcp", "gateway", 2375),
    ("the engine with TLS, at the LAN's address", "tcp", "host", 2376),
    ("a database on the server", "tcp", "gateway", 5432),
    ("the server's metrics", "tcp", "other-bridge", 9100),
    ("a port that a container of the server publishes", "tcp", "host", 8443),
    ("the server's names", "udp", "gateway", 53),
    ("the server's log", "udp", "host", 514),
    ("the server, by ping", "icmp", "gateway", 0),
    ("the database's container", "tcp", "database", 5432),
    ("the proxy's API", "tcp", "proxy", 8001),
    ("the proxy's API, inside", "tcp", "proxy-inside", 8001),
    ("the proxy", "tcp", "proxy", 8080),
    ("another port of the hub", "tcp", "hub", 8080),
    ("another port of the site", "tcp", "web", 5555),
    ("another notebook", "tcp", "other", 8888),
    ("a kernel's port of another notebook", "tcp", "other", 45678),
    ("another notebook, by datagram", "udp", "other", 45678),
    ("another notebook, by ping", "icmp", "other", 0),
    ("the cloud's metadata", "tcp", "metadata", 80),
    ("SSH of a machine on the LAN", "tcp", "lan", 22),
    ("files of the LAN", "tcp", "lan", 2049),
    ("a page on the LAN", "tcp", "lan", 443),
    ("the LAN's log", "udp", "lan", 514),
    ("a machine on the LAN, by ping", "icmp", "lan", 0),
    ("a public page", "tcp", "public", 443),
    ("public mail", "tcp", "public", 25),
    ("public names, past the engine's", "udp", "public", 53),
]
# A datagram is answered from the address it came to only by a socket that is bound to that one.
LISTENING = {
    "server": [
        *(f"{every}:{port}" for port in (22, 53, 2375, 2376, 5432, 9100) for every in ("0.0.0.0", "[::]")),
        f"{places.HOST}:514", f"[{places.HOST6}]:514",
    ],
    "lan": [
        *(f"{every}:{port}" for port in (22, 25, 514, 2049) for every in ("0.0.0.0", "[::]")),
        f"{places.PUBLIC}:443", f"[{places.PUBLIC6}]:443", f"{places.METADATA}:80", f"[{places.METADATA6}]:80",
        f"{places.PUBLIC}:53", f"[{places.PUBLIC6}]:53",
    ],
}  # fmt: skip
CONTAINERS = {
    "web": (8000, 5555),
    "hub": (8081, 8080),
    "proxy": (8001, 8080),
    "database": (5432, 8443),
    "other": (8888, 45678),
}


def build(world: World, *, image: str) -> None:
    """The networks that ``deploy/compose.yaml`` has, a plain one beside them, and every sink. The notebooks' is not internal
    here, as it is there: the rules must hold alone.
    """
    both = ("--ipv6", "--subnet")
    world.docker(
        "network", "create", *both, places.SUBNET, "--ip-range", "172.30.8.0/21", "--gateway", places.GATEWAY,
        "--subnet", places.SUBNET6, "--gateway", places.GATEWAY6, "-o", f"com.docker.network.bridge.name={places.BRIDGE}",
        "notebooks",
    )  # fmt: skip
    world.docker("network", "create", *both, "172.31.0.0/24", "--subnet", "fd31::/64", "inside")
    world.docker(
        "network", "create", *both, "172.31.1.0/24", "--subnet", "fd32::/64",
        "-o", f"com.docker.network.bridge.name={places.PLAIN}", "plain",
    )  # fmt: skip
    fixed = {
        "web": (places.WEB, places.WEB6),
        "hub": (places.HUB, places.HUB6),
        "proxy": (places.PROXY, places.PROXY6),
    }
    for name, ports in CONTAINERS.items():
        wanted = [f"{every}:{port}" for port in ports for every in ("0.0.0.0", "[::]")]
        notebooks = ["notebooks", *(["--ip", fixed[name][0], "--ip6", fixed[name][1]] if name in fixed else [])]
        networks = {
            "database": [["inside", "--publish", "8443:8443"]],
            "other": [["notebooks"]],
        }.get(name, [["inside"], notebooks])
        world.container(name, *wanted, networks=networks, image=image)
    for where, listening in LISTENING.items():
        world.listen(where, *listening)
    world.serve("lan", places.SINK, places.INSIDE_TOKEN, f"{places.LAN}:443", f"[{places.LAN6}]:443")


def targets(world: World) -> list[Target]:
    """Every knock, in both versions of IP."""

    def of(container: str, network: str) -> tuple[str, str]:
        form = f"{{{{with index .NetworkSettings.Networks {network!r}}}}}{{{{.IPAddress}}}} {{{{.GlobalIPv6Address}}}}{{{{end}}}}"
        first, second = world.docker("inspect", "--format", form.replace("'", '"'), container).split()
        return first, second

    known = {
        "gateway": (places.GATEWAY, places.GATEWAY6),
        "host": (places.HOST, places.HOST6),
        "other-bridge": ("172.31.0.1", "fd31::1"),
        "lan": (places.LAN, places.LAN6),
        "metadata": (places.METADATA, places.METADATA6),
        "public": (places.PUBLIC, places.PUBLIC6),
        "database": of("database", "inside"),
        "proxy-inside": of("proxy", "inside"),
        **{name: of(name, "notebooks") for name in ("web", "hub", "proxy", "other")},
    }
    return [Target(what, kind, address, port) for what, kind, where, port in KNOCKS for address in known[where]]
