"""A notebook on another server: the hub gives its orders to that server's engine, and a silent one is not taken for gone.

The other server's engine is this machine's behind a socket that can be cut, and nothing of the site's disk is mounted there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.e2e.relay import Relay
from tests.hub.conftest import IMPATIENT, Lease
from tests.hub.engines import tidied
from tests.hub.fake_site import FakeSite
from tests.hub.harness import Hub, running, session_of
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.engine

IMAGE = os.environ.get("PRACTICUM_WORKSPACE_IMAGE", "practicum/workspace")
PREFIX = "hubservers"
SESSION = session_of("ines")
COPIES = {"/data": f"{PREFIX}-copy-data", "/opt/project": f"{PREFIX}-copy-project"}


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.APIClient]:
    """The engine, with a network that is there already and copies of the site's folders; all is removed at the end."""
    with tidied(PREFIX) as client:
        labels = {"org.practicum.instance": PREFIX}
        pool = docker.types.IPAMPool(subnet="172.31.242.0/24")
        client.create_network(
            f"{PREFIX}-net", driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels=labels
        )
        for name in COPIES.values():
            client.create_volume(name, labels=labels)
        yield client


@pytest.fixture(scope="module")
def wire(engine: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Relay:
    """The way to the other server's engine."""
    target = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    return Relay(path=tmp_path_factory.mktemp("wire") / "docker.sock", target=target)


@pytest.fixture(scope="module")
def lasting(wire: Relay, tmp_path_factory: pytest.TempPathFactory, lasting_site: FakeSite) -> Iterator[Hub]:
    """A hub that knows the address of another server's engine."""
    servers = tmp_path_factory.mktemp("servers")
    (servers / "gpu-2").mkdir()
    (servers / "gpu-2" / "address").write_text(wire.docker_host)
    settings = {
        "PRACTICUM_ENGINE": "docker",
        "PRACTICUM_INSTANCE": PREFIX,
        "PRACTICUM_NETWORK": f"{PREFIX}-net",
        "PRACTICUM_HUB_CONNECT_HOST": "172.31.242.1",
        "PRACTICUM_HUB_SERVERS_DIR": str(servers),
    }
    with running(Hub(tmp_path_factory.mktemp("hub"), lasting_site.port, settings, options=IMPATIENT)) as hub:
        yield hub


@pytest.fixture
def hub(lasting: Hub, wire: Relay, site: FakeSite) -> Iterator[Hub]:
    """The hub with nobody in it, and the wire whole."""
    yield lasting
    site.forget()
    if not Path(wire.path).exists():
        wire.mend()
    time.sleep(0.1)
    lasting.forget("ines")


@pytest.fixture
def elsewhere(lease: Lease) -> dict[str, Any]:
    """The intern's lease is on the other server."""
    mounts = [{"source": "/nowhere", "volume": copy, "target": target} for target, copy in COPIES.items()]
    labels = {"managed": "1", "instance": PREFIX, "kind": "session", "lease": "l-1", "token": "7"}
    named = {f"org.practicum.{name}": value for name, value in labels.items()}
    return lease("ines", server="gpu-2", image=IMAGE, mounts=mounts, labels=named, volume=f"{PREFIX}-home-ines")


def runs(engine: docker.APIClient) -> bool:
    """The person's container is there and runs."""
    found = engine.containers(filters={"name": f"{PREFIX}-ines"})
    return bool(found)


def test_nothing_of_the_sites_disk_is_mounted_there_and_a_restarted_hub_finds_it_again(
    hub: Hub, site: FakeSite, wire: Relay, engine: docker.APIClient, elsewhere: dict[str, Any]
) -> None:
    site.leases["ines"] = elsewhere
    hub.launch("ines")
    made = engine.inspect_container(f"{PREFIX}-ines")
    mounts = {m["Destination"]: (m["Type"], m["Name"], m["RW"]) for m in made["Mounts"]}
    assert mounts == {
        "/home/jovyan": ("volume", f"{PREFIX}-home-ines", True),
        "/data": ("volume", COPIES["/data"], False),
        "/opt/project": ("volume", COPIES["/opt/project"], False),
    }
    hub.kill("hub")
    wire.cut()  # were it asked for elsewhere, it would be found, or found gone
    hub.start_hub()
    time.sleep(2)
    assert hub.server("ines").get("ready")
    wire.mend()
    assert hub.api("DELETE", "/users/ines/server").status_code in (202, 204)
    wait_for(lambda: not runs(engine), seconds=30, what="its container is gone")
    wait_for(lambda: site.states(SESSION)[-1:] == ["stopped"], seconds=30, what="the site is told")


def test_a_notebook_on_a_silent_server_counts_as_running_and_is_never_said_to_have_stopped(
    hub: Hub, site: FakeSite, wire: Relay, engine: docker.APIClient, elsewhere: dict[str, Any]
) -> None:
    site.leases["ines"] = elsewhere
    hub.launch("ines")
    wire.cut()
    time.sleep(2.5)  # it is polled every second
    assert hub.server("ines").get("ready")
    hub.api("DELETE", "/users/ines/server")
    wait_for(lambda: not hub.server("ines"), seconds=30, what="the hub has nothing of it any more")
    assert runs(engine)
    assert "stopped" not in site.states(SESSION)
    engine.remove_container(f"{PREFIX}-ines", force=True)


def test_a_claim_without_copies_is_refused_there_with_a_sentence(
    hub: Hub, site: FakeSite, engine: docker.APIClient, elsewhere: dict[str, Any]
) -> None:
    site.leases["ines"] = elsewhere | {"mounts": [{"source": "/nowhere", "target": "/data"}]}
    hub.api("POST", "/users/ines")
    answer = hub.api("POST", "/users/ines/server")
    assert answer.status_code == 500
    assert "not on this GPU server" in answer.text
    assert not runs(engine)
