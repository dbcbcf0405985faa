"""The network that spans servers, made by ``swarm.begin`` on a real engine of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest

from practicum.engine import swarm
from practicum.errors import EngineRefused
from tests.e2e.own_engine import OwnEngine

pytestmark = pytest.mark.engine
HERE = {"advertise": "127.0.0.1", "instance": "spanning", "prefix": "172.30"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    """Asks an engine that is no member of anything yet."""
    engine = OwnEngine.made(tmp_path_factory.mktemp("spanning"), images=[os.environ["PRACTICUM_SCORER_IMAGE"]])
    before = os.environ["DOCKER_HOST"]
    os.environ["DOCKER_HOST"] = engine.host
    asking = docker.DockerClient(base_url=engine.host)
    yield asking
    asking.close()
    os.environ["DOCKER_HOST"] = before
    engine.private.stop()


def test_it_has_no_way_out_and_the_addresses_that_compose_and_the_rules_know(client: docker.DockerClient) -> None:
    for _ in range(2):  # the second time it is there
        swarm.begin("spanning", **HERE)
    made = client.networks.get("spanning").attrs
    assert (made["Driver"], made["Attachable"], made["Internal"]) == ("overlay", True, True)
    assert made["Options"].get("encrypted") == ""
    (addresses,) = made["IPAM"]["Config"]
    assert addresses == {"Subnet": "172.30.0.0/20", "IPRange": "172.30.8.0/21", "Gateway": "172.30.0.1"}


def test_a_plain_one_with_a_way_out_is_one_by_its_options(client: docker.DockerClient) -> None:
    swarm.begin("open", **HERE | {"prefix": "172.31"}, is_plain=True, has_way_out=True)
    made = client.networks.get("open").attrs
    assert made["Internal"] is False
    assert "encrypted" not in (made["Options"] or {})  # none until a container joins it


def test_a_network_of_one_server_is_not_taken_for_it(client: docker.DockerClient) -> None:
    client.networks.create("narrow", driver="bridge")
    with pytest.raises(EngineRefused, match="Set PRACTICUM_NETWORK to another name"):
        swarm.begin("narrow", **HERE)
