"""The container engine for the hub's tests, which leave nothing on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import pytest
from docker.errors import DockerException


@contextmanager
def tidied(instance: str) -> Iterator[docker.APIClient]:
    """The engine; what carries the label of this instance is removed at the end."""
    try:
        client = docker.from_env().api
        client.ping()
    except DockerException:
        if os.environ.get("PRACTICUM_REQUIRE_ENGINE") == "1":
            raise
        pytest.skip("no container engine answers")
    yield client
    mine = {"label": f"org.practicum.instance={instance}"}
    for container in client.containers(all=True, filters=mine):
        client.remove_container(container["Id"], force=True)
    for volume in client.volumes(filters=mine)["Volumes"] or []:
        client.remove_volume(volume["Name"], force=True)
    for network in client.networks(filters=mine):
        client.remove_network(network["Id"])
    client.close()
