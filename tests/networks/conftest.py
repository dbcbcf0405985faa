"""One world for the tests of this folder, with a notebook in it that a real hub started."""

from __future__ import annotations

import json
import os
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
    """The world, with everything in it that must not be reached, and the project's rules."""
    with world(tmp_path_factory.mktemp("engine")) as made:
        matrix.build(made, image=SCORER)
        made.firewall("install", "--no-unit", *RULES)
        yield made


@pytest.fixture(scope="session")
def hub(server: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A real hub on the server, at the gateway of the notebooks' network."""
    settings = {
        "DOCKER_HOST": server.host,
        "PRACTICUM_ENGINE": "docker",
        "PRACTICUM_INSTANCE": "nwt",
        "PRACTICUM_NETWORK": "notebooks",
        "PRACTICUM_HUB_CONNECT_HOST": places.GATEWAY,
    }
    site = FakeSite(SITE_PORT)
    with inside(f"{server.name}-server"):
        site.start()
        made = Hub(tmp_path_factory.mktemp("hub"), SITE_PORT, settings, options=IMPATIENT, ports=HUB_PORTS)
        made.site = site  # type: ignore[attr-defined]
        with running(made):
            yield made
        site.stop()


@pytest.fixture(scope="session")
def notebook(server: World, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """The notebook of the intern, as the hub starts it."""
    project = tmp_path_factory.mktemp("project")
    (project / "start.ipynb").write_text("{}")
    labels = {"managed": "1", "instance": "nwt", "kind": "session", "lease": "l-1", "token": "7"}
    hub.site.leases["ines"] = {  # type: ignore[attr-defined]
        "session": "session-of-ines",
        "lease": {"id": "l-1", "token": 7, "until": "2026-12-02T12:00:00Z"},
        "slot": {"kind": "cpu", "uuid": None, "label": "CPU 1"},
        "image": IMAGE,
        "volume": "nwt-home-ines",
        "mounts": [{"source": str(project), "target": "/data", "read_only": True}],
        "environment": {"PRACTICUM_PROJECT": "digits", "PRACTICUM_TOKEN": "w" * 40},
        "limits": {"cpus": 1.5, "memory_bytes": 1 << 30, "pids": 256, "shm_bytes": 1 << 26},
        "labels": {f"org.practicum.{name}": value for name, value in labels.items()},
        "project_dir": str(project),
    }
    hub.launch("ines")
    return Notebook(server, "nwt-ines")
