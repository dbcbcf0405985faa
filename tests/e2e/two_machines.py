"""Two machines on one: an engine each in a network namespace of its own, and a wire between them that can be cut.

The kernel's own virtual Ethernet and VXLAN, Docker's own swarm mode: only the machine is one. Site, worker, hub and proxy run in
the network of a container on the overlay, as they do behind ``deploy/compose.yaml``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.own_engine import ROOT, OwnEngine
from tests.tools.waiting import wait_for

SUBNET = "10.77.0"
RENAMED = 'hostname "$0"; exec "$@"'


@dataclass
class Machine:
    """One of the two: its network, its address on the wire, its engine once it has one."""

    number: int
    namespace: str
    folder: Path
    engine: OwnEngine | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return f"gpu-server-{self.number}"

    @property
    def address(self) -> str:
        """Its address on the wire."""
        return f"{SUBNET}.{self.number}"

    @property
    def inside(self) -> list[str]:
        """A command that becomes another on this machine. Not ``ip netns exec``, which would hide the control groups."""
        into = ["nsenter", f"--net=/var/run/netns/{self.namespace}"]
        return [*into, "unshare", "--uts", "sh", "-c", RENAMED, self.name]

    @property
    def docker(self) -> list[str]:
        """The command that asks its engine."""
        assert self.engine is not None
        return ["docker", "-H", self.engine.host]

    def boot(self, *, images: Sequence[str] = ()) -> None:
        """Its engine runs. Bridges of the two get addresses that differ."""
        options = [f"--default-address-pool=base=172.{27 + self.number}.0.0/16,size=24"]
        self.engine = OwnEngine.made(self.folder, options=options, inside=self.inside, images=images)

    def restart(self, options: Sequence[str]) -> None:
        """The engine runs with further options, which it keeps."""
        assert self.engine is not None
        self.engine.private.stop()
        self.engine.options = [*self.engine.options, *options]
        self.engine.start()

    def ask(self, *words: str) -> str:
        """What its engine answers."""
        return subprocess.run([*self.docker, *words], capture_output=True, text=True, check=True).stdout.strip()

    def stand_in(self, name: str, *, network: str, image: str) -> tuple[int, str]:
        """A container that only has a place on the network: a process of it, and its address there."""
        self.ask("run", "-d", "--name", name, "--network", network, "--entrypoint", "sleep", image, "3600")
        shown = f'{{{{.State.Pid}}}} {{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
        pid, address = self.ask("inspect", "-f", shown, name).split()
        return int(pid), address


@dataclass
class Pair:
    """Both, and the wire."""

    first: Machine
    second: Machine

    def cut(self) -> None:
        """Nothing passes any more."""
        ip("-n", self.first.namespace, "link", "set", "wire", "down")

    def mend(self) -> None:
        """It does again."""
        ip("-n", self.first.namespace, "link", "set", "wire", "up")
        ip("-n", self.first.namespace, "route", "replace", "default", "dev", "wire")


def ip(*words: str) -> None:
    """Tell the kernel."""
    subprocess.run(["ip", *words], check=True)


@contextmanager
def two_machines(folder: Path) -> Iterator[Pair]:
    """They are wired up; at the end nothing of them is left."""
    machines = [Machine(n, f"practicum-{os.getpid()}-{n}", folder / str(n)) for n in (1, 2)]
    pair = Pair(*machines)
    try:
        for machine in machines:
            machine.folder.mkdir(parents=True)
            ip("netns", "add", machine.namespace)
            ip("-n", machine.namespace, "link", "set", "lo", "up")
        first, second = (machine.namespace for machine in machines)
        ip("link", "add", "wire", "netns", first, "type", "veth", "peer", "name", "wire", "netns", second)
        for machine in machines:
            ip("-n", machine.namespace, "addr", "add", f"{machine.address}/24", "dev", "wire")
            ip("-n", machine.namespace, "link", "set", "wire", "up")
            # Swarm asks for a way out before it uses an address.
            ip("-n", machine.namespace, "route", "add", "default", "dev", "wire")
        yield pair
    finally:
        for machine in machines:
            if machine.engine is not None:
                machine.engine.private.stop()
            subprocess.run(["ip", "netns", "del", machine.namespace], check=False)


def local(words: list[str]) -> list[str]:
    """The guide's addresses, as they are here."""
    return [word.replace("192.0.2.", f"{SUBNET}.") for word in words]


def operate(machine: Machine, data: Path, network: str, *words: str) -> str:
    """What one of the operator's commands prints; the site's data lie in ``data``, and it need not run."""
    assert machine.engine is not None
    env = {k: v for k, v in os.environ.items() if not k.startswith("PRACTICUM_")}
    env |= {"DOCKER_HOST": machine.engine.host, "PRACTICUM_DATA_DIR": str(data), "PRACTICUM_NETWORK": network}
    env |= {"DJANGO_SETTINGS_MODULE": "practicum.config.settings", "PYTHONPATH": str(ROOT / "platform")}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout


def join(machine: Machine, printed: str, *, folder: Path) -> None:
    """Run the command that ``server add`` printed on the new machine; what systemd would do is done here."""
    asked, done = folder / "asked", folder / "done"
    restart = f'echo "$1 $2 $3" > {asked}; for i in $(seq 600); do test -e {done} && exit 0; sleep 0.1; done; exit 1'
    assert machine.engine is not None
    env = {"PATH": os.environ["PATH"], "DOCKER_HOST": machine.engine.host, "PRACTICUM_FOLDER": str(folder / "etc")}
    env |= {"PRACTICUM_RESTART_ENGINE": restart, "PRACTICUM_START_AGENT": "true"}
    assert printed.startswith("sudo -E sh")
    command = [*machine.inside, "sh", "-c", printed.removeprefix("sudo -E ")]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = wait_for(lambda: asked.exists() and asked.read_text().strip(), what="the engine is to restart")
    address, port, tls = said.split(" ", 2)
    machine.restart([f"--host=tcp://{address}:{port}", *tls.split()])
    done.touch()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert {file.stat().st_mode & 0o077 for file in (folder / "etc").iterdir()} == {0}
