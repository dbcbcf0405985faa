"""The rules on an overlay that two servers share: made, joined and kept by the operator guide's own lines.

Two engines in network namespaces of their own, joined as ``practicum server add`` joins them. On the first stand programs at
the addresses that ``deploy/compose.yaml`` gives the site's services, and the egress proxy itself; on both there are notebooks.
What is tried is tried without the rules too, or on a network with a way out, where it succeeds. (The overlay is plain: what is
encrypted needs a kernel that can.)
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from practicum.engine import reach
from tests.e2e.own_engine import ROOT
from tests.e2e.two_machines import Machine, Pair, ip, join, local, operate, two_machines
from tests.networks.conftest import EGRESS_IMAGE, PYTHON, SCORER
from tests.networks.world import METADATA, SINK, TOKEN
from tests.tools import guide
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.engine

NETWORK, OPEN_NETWORK = "practicum-servers", "practicum-open"
WEB, HUB, PROXY, EGRESS = (f"172.30.0.{number}" for number in (2, 3, 4, 5))
DOORS = [("tcp", WEB, 8000), ("tcp", HUB, 8081), ("tcp", EGRESS, 3128)]
PORT, HOST_PORT = 8888, 22
TENTATIVE = 0x40  # linux/if_addr.h
# A link-local address is there wherever an engine lets containers have IPv6 at all; this one does not by itself.
IPV6 = ("--sysctl", "net.ipv6.conf.all.disable_ipv6=0")
# Says a word on a connection that it opened before, when it is told to.
ON_AN_OLD_CONNECTION = """
import socket, sys
caller = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
caller.settimeout(3)
print("open", flush=True)
sys.stdin.readline()
try:
    caller.send(b"still here")
    print(caller.recv(64).decode())
except OSError as fault:
    print(type(fault).__name__)
"""
ECHO = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.request.recv(64))
socketserver.ThreadingTCPServer(("", 7777), Echo).serve_forever()
"""
Target = tuple[str, str, int]


@dataclass
class Lab:
    """Both machines and the notebooks' network that spans them."""

    pair: Pair

    def container(self, machine: Machine, name: str, *places: str, options: Sequence[str] = ()) -> None:
        """A container on the network that is a sink at these places."""
        sink = ["--mount", f"type=bind,source={SINK},target=/sink.py,readonly", "--entrypoint", PYTHON]
        network = [] if "--network" in options else ["--network", NETWORK]
        machine.ask(
            "run", "-d", "--name", name, *network, *IPV6, *options, *sink, SCORER, "-u", "/sink.py", TOKEN, *places
        )

    def notebook(self, machine: Machine, name: str) -> None:
        """A container as a notebook is, at an address that the engine gives it."""
        self.container(machine, name, f"0.0.0.0:{PORT}", f"[::]:{PORT}", options=["--cap-drop", "ALL"])

    def addresses(self, machine: Machine, name: str) -> tuple[str, str]:
        """A container's, of both versions of IP; that of IPv6 as its neighbours write it."""
        shown = f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}'
        (bare,) = (line[0] for line in interfaces(machine, name) if line[-1] == "eth0")
        return machine.ask("inspect", "-f", shown, name), ":".join(bare[n : n + 4] for n in range(0, 32, 4)) + "%eth0"

    def introduce(self, one: tuple[Machine, str], other: tuple[Machine, str]) -> None:
        """Containers on two servers find one another by IPv6, as they would if engines passed on who is where for it, too."""
        for (machine, name), (there, named) in ((one, other), (other, one)):
            _, address = self.addresses(there, named)
            hardware = there.ask("exec", named, "cat", "/sys/class/net/eth0/address")
            pid = machine.ask("inspect", "-f", "{{.State.Pid}}", name)
            ask = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-6", "neigh", "replace"]
            subprocess.run([*ask, address.removesuffix("%eth0"), "lladdr", hardware, "dev", "eth0"], check=True)

    def words(self, machine: Machine, name: str, targets: list[Target], *, are_doors: bool = False) -> list[str]:
        """How it went with each, from inside a container."""
        asked = {"doors": targets if are_doors else [], "others": [] if are_doors else targets, "seconds": 1}
        source = Path(reach.__file__).read_text()
        said = json.loads(machine.ask("exec", name, PYTHON, "-I", "-c", source, json.dumps(asked)))
        return [word for word, *_ in said["doors"] or said["others"]]

    def firewall(self, machine: Machine, line: str, *more: str) -> str:
        """A line of the guide, run on a machine."""
        sudo, program, *words = shlex.split(line)
        assert (sudo, program.rpartition("/")[0]) == ("sudo", "deploy")
        assert machine.engine is not None
        if program.endswith("firewall_overlay.py"):
            more = (*more, "--namespaces", str(machine.engine.private.folder / "run" / "netns"))
        command = [*machine.inside, "env", f"DOCKER_HOST={machine.engine.host}", sys.executable, str(ROOT / program)]
        done = subprocess.run([*command, *words, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def once(self, machine: Machine, verb: str = "once") -> str:
        """The rules inside the overlay, by the guide's line."""
        _, line = guide.block("servers", "The rules on each server")
        return self.firewall(machine, line.replace(" once ", f" {verb} "))

    def forbidden(self) -> list[Target]:
        """What a notebook on the second server must not reach on the network, at the addresses that it has."""
        found = [("tcp", WEB, 9000), ("tcp", HUB, 8080), ("tcp", PROXY, 8001), ("tcp", PROXY, 8080), ("udp", HUB, 8081)]
        for machine, name in ((self.pair.first, "notebook-1"), (self.pair.second, "notebook-3")):
            for address in self.addresses(machine, name):
                found += [("tcp", address, PORT), ("udp", address, PORT), ("icmp", address, 0), ("tcp", address, 9999)]
        # The engines' own end of it, in the namespace of each.
        return [*found, ("tcp", "172.30.0.1", HOST_PORT), ("icmp", "172.30.0.1", 0)]


def interfaces(machine: Machine, name: str) -> list[list[str]]:
    """The IPv6 addresses of a container, as the kernel has them: the last three words are scope, flags and device."""
    return [line.split() for line in machine.ask("exec", name, "cat", "/proc/net/if_inet6").splitlines()]


def is_settled(machine: Machine, name: str) -> bool:
    """No address of it is still being looked for a second holder, which takes two seconds."""
    return all(not int(line[4], 16) & TENTATIVE for line in interfaces(machine, name))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The second machine has joined; services and notebooks run; there are no rules yet."""
    folder, stack = tmp_path_factory.mktemp("two"), ExitStack()
    with two_machines(folder / "machines") as pair, stack:
        pair.first.boot(images=[SCORER, EGRESS_IMAGE])
        pair.second.boot(images=[SCORER])
        for machine in (pair.first, pair.second):
            give_targets(machine, stack)
        data = folder / "site"
        data.mkdir()
        (network,) = guide.block("servers", "Before the first one")
        add, _ = guide.block("servers", "Adding one")
        operate(pair.first, data, NETWORK, "migrate", "-v0")
        make = "from practicum.accounts.models import User; User.objects.create(username='ada', email='a@b.cc', role='admin')"
        operate(pair.first, data, NETWORK, "shell", "-v0", "-c", make)
        operate(pair.first, data, NETWORK, *local(shlex.split(network)[1:]), "--plain")
        more = ["--plain", "--way-out", "--prefix", "172.31"]
        operate(pair.first, data, OPEN_NETWORK, *local(shlex.split(network)[1:]), *more)
        join(pair.second, operate(pair.first, data, NETWORK, *local(shlex.split(add)[1:])), folder=folder)
        made = Lab(pair)
        for name, address, ports in (
            ("web", WEB, (8000, 9000)),
            ("hub", HUB, (8081, 8080)),
            ("proxy", PROXY, (8080, 8001)),
        ):
            places = [f"{address}:{port}" for port in ports]
            made.container(pair.first, name, *places, options=["--ip", address])
        start_egress(pair.first)
        yield made


def give_targets(machine: Machine, stack: ExitStack) -> None:
    """The machine has what must not be reached: a port at each of its addresses, and metadata as of a cloud."""
    ip("-n", machine.namespace, "-6", "addr", "add", f"fd77::{machine.number}/64", "dev", "wire", "nodad")
    ip("-n", machine.namespace, "addr", "add", f"{METADATA}/32", "dev", "lo")
    places = [f"0.0.0.0:{HOST_PORT}", f"[::]:{HOST_PORT}", f"{METADATA}:80"]
    running = subprocess.Popen([*machine.inside, sys.executable, str(SINK), TOKEN, *places], stdout=subprocess.PIPE)
    assert running.stdout is not None
    stack.callback(running.stdout.close)
    stack.callback(running.wait)
    stack.callback(running.kill)
    assert running.stdout.readline() == b"ready\n"


def start_egress(machine: Machine) -> None:
    """The proxy as ``deploy/compose.yaml`` has it: on the notebooks' network, and on a bridge of its own."""
    bridge = "com.docker.network.bridge.name=practicum-out"
    machine.ask("network", "create", "--subnet", "172.28.200.0/24", "-o", bridge, "practicum-beyond")
    common = [
        "--read-only",
        "--cap-drop",
        "ALL",
        "--tmpfs",
        "/run/egress:uid=1000",
        "--tmpfs",
        "/var/lib/egress:uid=1000",
    ]
    machine.ask("create", "--name", "egress", "--network", "practicum-beyond", *common, EGRESS_IMAGE)
    machine.ask("network", "connect", "--ip", EGRESS, NETWORK, "egress")
    machine.ask("start", "egress")


@pytest.fixture
def notebooks(lab: Lab) -> Iterator[Lab]:
    """One on the first server, two on the second; the second is the one that tries. There are no rules inside the overlay."""
    lab.once(lab.pair.first, "remove")
    placed = [(lab.pair.first, "notebook-1"), (lab.pair.second, "notebook-2"), (lab.pair.second, "notebook-3")]
    for machine, name in placed:
        lab.notebook(machine, name)
    for machine, name in placed:
        wait_for(
            lambda machine=machine, name=name: is_settled(machine, name), seconds=10, what=f"{name} has its addresses"
        )
    lab.introduce(placed[0], placed[1])
    yield lab
    for machine, name in placed:
        machine.ask("rm", "--force", name)


def test_a_notebook_on_the_second_server_reaches_its_doors_alone(notebooks: Lab) -> None:
    lab, first, second = notebooks, notebooks.pair.first, notebooks.pair.second
    forbidden = lab.forbidden()
    assert lab.words(second, "notebook-2", DOORS, are_doors=True) == [reach.OPEN] * 3
    without = dict(zip(forbidden, lab.words(second, "notebook-2", forbidden), strict=True))
    assert reach.HELD not in without.values(), f"without the rules, all of it: {without}"

    (install, check) = (guide.block("networks", heading)[0] for heading in ("Install the rules", "See that they hold"))
    assert "The rules are in the kernel" in lab.firewall(first, install, "--no-unit")
    assert "as they should be" in lab.firewall(first, check)
    for machine in (first, second):
        assert "were loaded in practicum-servers" in lab.once(machine)
        assert "hold in practicum-servers" in lab.once(machine)

    assert lab.words(second, "notebook-2", DOORS, are_doors=True) == [reach.OPEN] * 3
    answer = second.ask("exec", "notebook-2", PYTHON, "-c", THROUGH_THE_PROXY)
    assert "403" in answer.splitlines()[0], "the proxy itself answers, across servers"
    within = dict(zip(forbidden, lab.words(second, "notebook-2", forbidden), strict=True))
    assert set(within.values()) == {reach.HELD}, within
    for machine, name, others in ((first, "notebook-1", "notebook-2"), (second, "notebook-3", "notebook-2")):
        targets: list[Target] = [("tcp", address, PORT) for address in lab.addresses(second, others)]
        assert lab.words(machine, name, targets) == [reach.HELD] * 2


THROUGH_THE_PROXY = f"""
import socket
caller = socket.create_connection(("{EGRESS}", 3128), timeout=10)
caller.sendall(b"CONNECT elsewhere.test:443 HTTP/1.1\\r\\nHost: elsewhere.test:443\\r\\n\\r\\n")
print(caller.recv(4096).decode(errors="replace"))
"""


def test_the_services_reach_notebooks_and_nobody_else_does(notebooks: Lab) -> None:
    lab, first, second = notebooks, notebooks.pair.first, notebooks.pair.second
    address, _ = lab.addresses(second, "notebook-2")
    targets: list[Target] = [("tcp", address, PORT)]
    assert lab.words(first, "web", targets) == [reach.OPEN], "without the rules, the site too"
    for machine in (first, second):
        lab.once(machine)
    assert [lab.words(first, name, targets) for name in ("hub", "proxy", "web")] == [
        [reach.OPEN],
        [reach.OPEN],
        [reach.HELD],
    ]


def test_nobody_reaches_a_host_its_network_or_a_clouds_metadata(notebooks: Lab) -> None:
    lab, first, second = notebooks, notebooks.pair.first, notebooks.pair.second
    targets: list[Target] = [("tcp", METADATA, 80)]
    targets += [("tcp", machine.address, HOST_PORT) for machine in (first, second)]
    targets += [("icmp", machine.address, 0) for machine in (first, second)]
    by_v6: list[Target] = [("tcp", f"fd77::{machine.number}", HOST_PORT) for machine in (first, second)]
    lab.container(second, "with-a-way-out", options=["--network", OPEN_NETWORK])
    try:
        assert lab.words(second, "with-a-way-out", targets) == [reach.OPEN] * 5, (
            "on a network with a way out, all of it"
        )
    finally:
        second.ask("rm", "--force", "with-a-way-out")
    for machine in (first, second):
        lab.once(machine)
    for machine, name in ((second, "notebook-2"), (first, "notebook-1")):
        assert lab.words(machine, name, [*targets, *by_v6]) == [reach.HELD] * 7


def test_each_server_keeps_its_own_though_the_other_keeps_none(notebooks: Lab) -> None:
    lab, first, second = notebooks, notebooks.pair.first, notebooks.pair.second
    for machine in (first, second):
        lab.once(machine)
    lab.once(second, "remove")
    at_first: list[Target] = [("tcp", address, PORT) for address in lab.addresses(first, "notebook-1")]
    at_second: list[Target] = [("tcp", address, PORT) for address in lab.addresses(second, "notebook-3")]
    assert lab.words(second, "notebook-2", [*at_first, ("tcp", HUB, 8080)]) == [reach.HELD] * 3
    assert lab.words(second, "notebook-2", at_second) == [reach.OPEN] * 2
    lab.once(first, "remove")
    assert lab.words(second, "notebook-2", at_first) == [reach.OPEN] * 2


def test_what_was_opened_before_the_rules_came_is_cut_and_a_switch_that_went_off_is_seen(notebooks: Lab) -> None:
    lab, first, second = notebooks, notebooks.pair.first, notebooks.pair.second
    for machine in (first, second):
        lab.once(machine, "remove")
    first.ask("exec", "-d", "notebook-1", PYTHON, "-c", ECHO)
    address, _ = lab.addresses(first, "notebook-1")
    wait_for(lambda: lab.words(second, "notebook-2", [("tcp", address, 7777)]) == [reach.OPEN], what="it echoes")
    for is_kept in (False, True):
        command = [
            *second.docker,
            "exec",
            "-i",
            "notebook-2",
            PYTHON,
            "-u",
            "-c",
            ON_AN_OLD_CONNECTION,
            address,
            "7777",
        ]
        caller = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert caller.stdout is not None
        assert caller.stdout.readline() == "open\n"
        if is_kept:
            lab.once(second)
        said, _ = caller.communicate("go\n", timeout=30)
        assert ("still here" in said) is not is_kept, said
    (namespace,) = namespaces(second)
    switch = ["nsenter", f"--net={namespace}", "sysctl", "-q", "net.bridge.bridge-nf-call-iptables=0"]
    subprocess.run(switch, check=True)
    near, _ = lab.addresses(second, "notebook-3")
    assert lab.words(second, "notebook-2", [("tcp", near, PORT)]) == [reach.OPEN], "with the switch off"
    assert "were loaded" in lab.once(second)
    assert lab.words(second, "notebook-2", [("tcp", near, PORT)]) == [reach.HELD]


def namespaces(machine: Machine) -> list[Path]:
    """Of the network, on a machine: of those with a bridge, the one with its addresses."""
    assert machine.engine is not None
    found = (machine.engine.private.folder / "run" / "netns").glob("[0-9]*-*")
    said = {
        path: subprocess.run(["nsenter", f"--net={path}", "ip", "-4", "addr"], capture_output=True, text=True)
        for path in found
    }
    return [path for path, done in said.items() if "172.30.0.1/20" in done.stdout]


def test_the_rules_come_by_themselves_with_the_first_notebook_of_a_server(lab: Lab, tmp_path: Path) -> None:
    second = lab.pair.second
    wait_for(lambda: not namespaces(second), seconds=20, what="the network goes with the last of an earlier test")
    assert "No container of this server is on practicum-servers yet." in lab.once(second), (
        "it does not even know it yet"
    )
    assert second.engine is not None
    install, _ = guide.block("servers", "The rules on each server")
    _, program, verb, *words = shlex.split(install)
    assert verb == "install"  # which makes a unit that follows
    words = ["follow", *words]
    more = ["--namespaces", str(second.engine.private.folder / "run" / "netns")]
    start = [
        *second.inside,
        "env",
        f"DOCKER_HOST={second.engine.host}",
        sys.executable,
        str(ROOT / program),
        *words,
        *more,
    ]
    told = tmp_path / "told"
    with told.open("wb") as output:
        following = subprocess.Popen(start, stdout=output, stderr=subprocess.STDOUT)
    none_yet, loaded = (
        "No container of this server is on practicum-servers yet.",
        "The rules were loaded in practicum-servers.",
    )

    def say_none(times: int) -> None:
        """It looks every so many seconds, and has now said so many times that there is none."""
        wait_for(lambda: told.read_text().splitlines().count(none_yet) == times, seconds=20, what=told.read_text)

    try:
        say_none(1)
        for n in (2, 3):  # the network goes from the server with its last container, and comes anew
            for name in ("notebook-2", "notebook-3"):
                lab.notebook(second, name)
            near, _ = lab.addresses(second, "notebook-3")
            wait_for(lambda n=n: told.read_text().splitlines().count(loaded) == n - 1, seconds=20, what=told.read_text)
            assert lab.words(second, "notebook-2", [("tcp", near, PORT)]) == [reach.HELD]
            doors = lambda: lab.words(second, "notebook-2", DOORS, are_doors=True)  # noqa: E731
            wait_for(lambda doors=doors: doors() == [reach.OPEN] * 3, seconds=20, what=doors)
            second.ask("rm", "--force", "notebook-2", "notebook-3")
            wait_for(lambda: not namespaces(second), seconds=20, what="the network goes")
            say_none(n)
    finally:
        following.terminate()
        following.wait(timeout=20)
    lines = told.read_text().splitlines()
    assert lines[0] == none_yet
    assert lines.count(loaded) == 2, lines
