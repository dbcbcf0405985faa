"""One world for the tests of this folder, with a notebook in it that a real hub started."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from practicum.engine import reach
from tests.hub.conftest import IMPATIENT
from tests.hub.fake_site import FakeSite
from tests.hub.harness import Hub, running
from tests.networks import matrix
from tests.networks import world as places
from tests.networks.world import World, inside, world

IMAGE = os.environ.get("PRACTICUM_WORKSPACE_IMAGE", "practicum/workspace")
SCORER = os.environ.get("PRACTICUM_SCORER_IMAGE", "practicum/scorer")
EGRESS_IMAGE = os.environ.get("PRACTICUM_TEST_EGRESS_IMAGE", "practicum/egress")
# Names that are on the list: of the index, of a machine inside, of one that is turned around, of the metadata service.
ZONE = {
    "pypi.test": [places.PUBLIC],
    "inside.test": [places.LAN],
    "turned.test": [places.PUBLIC, places.LAN],
    "cloud.test": [places.METADATA],
    "elsewhere.test": [places.PUBLIC],
}
LISTED = [name for name in ZONE if name != "elsewhere.test"]
SITE_PORT, HUB_PORT = 18000, 18081
HUB_PORTS = (18080, 18001, HUB_PORT)
DOORS = [
    *(f"{address}:{port}" for port in (SITE_PORT, HUB_PORT) for address in (places.GATEWAY, f"[{places.GATEWAY6}]")),
    f"{places.WEB}:8000", f"[{places.WEB6}]:8000", f"{places.HUB}:8081", f"[{places.HUB6}]:8081", f"{places.EGRESS}:3128",
]  # fmt: skip
RULES = [f"--door={door}" for door in DOORS]
RULES += [f"--service={address}" for address in (places.HUB, places.HUB6, places.PROXY, places.PROXY6)]
PYTHON = "/opt/venv/bin/python"
# Runs what it is given in a kernel, as a cell does, and prints what the cell prints.
IN_A_KERNEL = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
said = []
try:
    client.execute_interactive(sys.stdin.read(), timeout=120, output_hook=lambda message: said.append(message["content"]))
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print("".join(content.get("text", "") or "\\n".join(content.get("traceback", [])) for content in said))
"""


@dataclass
class Notebook:
    """The intern's, in its world."""

    world: World
    container: str

    def reach(self, others: list[matrix.Target], *, doors: list[tuple[str, str, int]] | None = None) -> dict[str, Any]:
        """What its kernel can reach."""
        asked = json.dumps(
            {"doors": doors or [], "others": [[t.kind, t.address, t.port] for t in others], "seconds": 2}
        )
        source = Path(reach.__file__).read_text()
        cell = f"scope = {{'__name__': 'reach'}}\nexec({source!r}, scope)\nscope['main']({asked!r})"
        said = self.world.run_in(self.container, PYTHON, "-c", IN_A_KERNEL, stdin=cell)
        answer: dict[str, Any] = json.loads(said)
        return answer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world, with everything in it that must not be reached, the egress proxy, and the project's rules."""
    with world(tmp_path_factory.mktemp("engine")) as made:
        matrix.build(made, image=SCORER)
        pages = tmp_path_factory.mktemp("pages")
        make_index(pages / "simple" / "nwt-thing")
        made.serve(
            "lan", Path(__file__).with_name("names.py"), places.NAMES, json.dumps(ZONE), str(pages), places.PUBLIC
        )
        start_egress(made, state=tmp_path_factory.mktemp("egress"))
        made.firewall("install", "--no-unit", *RULES)
        yield made


def make_index(folder: Path) -> None:
    """A package index with one package in it."""
    folder.mkdir(parents=True)
    name = "nwt_thing-1.0-py3-none-any.whl"
    info = "nwt_thing-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("nwt_thing.py", "ANSWER = 42\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nwt-thing\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"nwt_thing.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    (folder / "index.html").write_text(f'<a href="{name}">{name}</a>')


def start_egress(world_: World, *, state: Path) -> None:
    """The proxy as ``deploy/compose.yaml`` has it, on the notebooks' network and on one of its own."""
    state.chmod(0o777)
    world_.state = state
    bridge = f"com.docker.network.bridge.name={places.OUTSIDE}"
    # Of two networks with a way out, engines take the first by its name; in production the notebooks' has none.
    world_.docker(
        "network", "create", "--ipv6", "--subnet", "172.31.2.0/24", "--subnet", "fd33::/64", "-o", bridge, "beyond"
    )
    world_.docker(
        "create", "--name", "egress", "--network", "beyond", "--read-only", "--cap-drop", "ALL",
        "--security-opt", "no-new-privileges", "--tmpfs", "/run/egress:uid=1000", "--volume", f"{state}:/var/lib/egress",
        "--env", f"EGRESS_HOSTS={' '.join(LISTED)}", "--env", "EGRESS_ASK=ada@practicum.example", "--env", "EGRESS_ALARM=400",
        EGRESS_IMAGE,
    )  # fmt: skip
    world_.docker("network", "connect", "--ip", places.EGRESS, "notebooks", "egress")
    world_.docker("start", "egress")


@pytest.fixture(scope="session")
def hub(server: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A real hub on the server, at the gateway of the notebooks' network."""
    settings = {
        "DOCKER_HOST": server.host,
        "PRACTICUM_ENGINE": "docker",
        "PRACTICUM_INSTANCE": "nwt",
        "PRACTICUM_NETWORK": "notebooks",
        "PRACTICUM_HUB_CONNECT_HOST": places.GATEWAY,
        "PRACTICUM_EGRESS_PROXY": f"http://{places.EGRESS}:3128",
    }
    site = FakeSite(SITE_PORT)
    with inside(f"{server.name}-server"):
        site.start()
        made = Hub(tmp_path_factory.mktemp("hub"), SITE_PORT, settings, options=IMPATIENT, ports=HUB_PORTS)
        made.site = site  # type: ignore[attr-defined]
        with running(made):
            yield made
        site.stop()


def open_notebook(server: World, hub: Hub, username: str, *, project: Path) -> Notebook:
    """The person's notebook, as the hub starts it."""
    (project / "start.ipynb").write_text("{}")
    labels = {"managed": "1", "instance": "nwt", "kind": "session", "lease": "l-1", "token": "7"}
    hub.site.leases[username] = {  # type: ignore[attr-defined]
        "session": f"session-of-{username}",
        "lease": {"id": "l-1", "token": 7, "until": "2026-12-02T12:00:00Z"},
        "slot": {"kind": "cpu", "uuid": None, "label": "CPU 1"},
        "image": IMAGE,
        "volume": f"nwt-home-{username}",
        "mounts": [{"source": str(project), "target": "/data", "read_only": True}],
        "environment": {
            "PRACTICUM_PROJECT": "digits",
            "PRACTICUM_TOKEN": "w" * 40,
            "PRACTICUM_API_URL": f"http://{places.GATEWAY}:{SITE_PORT}",
            "NVIDIA_VISIBLE_DEVICES": "all",
        },
        "limits": {"cpus": 1.5, "memory_bytes": 1 << 30, "pids": 256, "shm_bytes": 1 << 26},
        "labels": {f"org.practicum.{name}": value for name, value in labels.items()},
        "project_dir": str(project),
    }
    hub.launch(username)
    return Notebook(server, f"nwt-{username}")


@pytest.fixture(scope="session")
def notebook(server: World, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """The notebook of the intern."""
    return open_notebook(server, hub, "ines", project=tmp_path_factory.mktemp("project"))
