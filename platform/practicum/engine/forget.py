"""Forget one instance: ``python -m practicum.engine.forget INSTANCE`` removes its containers, homes and network.

What interns saved in their homes is gone afterwards. For ``make demo-reset``; nothing calls it in production.
"""

from __future__ import annotations

import sys

import docker

from practicum.engine.base import LABEL_INSTANCE


def forget(instance: str) -> tuple[int, int]:
    """Remove everything this instance has on the engine; how many containers and volumes that were."""
    client = docker.from_env()
    containers = client.containers.list(all=True, filters={"label": f"{LABEL_INSTANCE}={instance}"})
    for container in containers:
        container.remove(force=True, v=True)
    prefix = f"practicum-{instance}-home-"
    volumes = [volume for volume in client.volumes.list() if volume.name.startswith(prefix)]
    labelled = client.volumes.list(filters={"label": f"{LABEL_INSTANCE}={instance}"})
    for volume in {volume.name: volume for volume in [*volumes, *labelled]}.values():
        volume.remove(force=True)
    for network in client.networks.list(filters={"label": f"{LABEL_INSTANCE}={instance}"}):
        network.remove()
    return len(containers), len(volumes)


if __name__ == "__main__":
    gone, homes = forget(sys.argv[1])
    print(f"  {gone} containers and {homes} homes removed")
