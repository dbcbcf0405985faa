"""What binds several servers' engines together: swarm mode for membership and its overlay network, and nothing more of it.

No service is ever made: which container runs where is the lease's to say.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import docker
from docker.errors import ImageNotFound, NotFound
from docker.types import IPAMConfig, IPAMPool

from practicum.engine.authority import write
from practicum.engine.base import LABEL_INSTANCE, LABEL_MANAGED, Engine
from practicum.engine.docker import CALL_SECONDS, DockerEngine, translated
from practicum.errors import EngineRefused

OVERLAY = "overlay"
IMAGE_SECONDS = 1800
# The secret that lets a machine in holds no longer, whether one came or not.
OPEN_FOR = timedelta(hours=1)
# Below the site's data folder, the file that says that one is open.
WAY_IN = Path("authority") / "way-in.json"


def begin(
    network: str, *, advertise: str, instance: str, prefix: str, is_plain: bool = False, has_way_out: bool = False
) -> None:
    """This machine's engine leads a swarm that others reach at ``advertise``, with an overlay that containers may join.

    What passes between servers is encrypted, unless ``is_plain``: for kernels that can't, and wires that are private. There is
    no way out of it, unless ``has_way_out``. Its addresses are those of ``deploy/compose.yaml``: services at ``prefix``.0.2 and
    on, notebooks from ``prefix``.8.0 on.

    Raises:
        EngineRefused: there is a network of that name that does not span servers, or the swarm is led elsewhere.
        EngineUnavailable: the engine does not answer.
    """
    with translated():
        client = docker.from_env(timeout=CALL_SECONDS)
        try:
            swarm = client.info()["Swarm"]
            if swarm["LocalNodeState"] == "inactive":
                client.swarm.init(advertise_addr=advertise)
            elif not swarm["ControlAvailable"]:
                raise EngineRefused("This engine is a mere member of a swarm; the site's engine has to lead it.")
            _make_overlay(client, network, instance=instance, prefix=prefix, is_plain=is_plain, has_way_out=has_way_out)
        finally:
            client.close()


def _make_overlay(client: Any, network: str, *, instance: str, prefix: str, is_plain: bool, has_way_out: bool) -> None:
    try:
        found = client.networks.get(network)
    except NotFound:
        labels = {LABEL_MANAGED: "1", LABEL_INSTANCE: instance}
        options = {} if is_plain else {"encrypted": ""}
        pool = IPAMPool(subnet=f"{prefix}.0.0/20", gateway=f"{prefix}.0.1", iprange=f"{prefix}.8.0/21")
        client.networks.create(
            network, driver=OVERLAY, attachable=True, labels=labels, options=options, internal=not has_way_out,
            ipam=IPAMConfig(pool_configs=[pool]),
        )  # fmt: skip
        return
    if found.attrs["Driver"] != OVERLAY or not found.attrs.get("Attachable"):
        raise EngineRefused(
            f"The network {network} does not span servers. Set PRACTICUM_NETWORK to another name, and run this again."
        )


def open_way_in(note: Path, *, now: datetime) -> tuple[str, str]:
    """The secret that lets one more machine into the swarm, and where it is led. Secrets that were given before are void.

    ``note`` is a file that says it is open, until :func:`close_way_in` is called and finds that it need not be any more.

    Raises:
        EngineUnavailable: the engine does not answer.
    """
    with _alone(note), translated():
        client = docker.from_env(timeout=CALL_SECONDS)
        try:
            # Before the secret is there: a process that is killed in between leaves no way in that nobody knows of.
            write(note, json.dumps({"opened_at": now.isoformat(), "nodes": _node_ids(client)}).encode())
            client.swarm.update(rotate_worker_token=True)
            client.swarm.reload()
            return client.swarm.attrs["JoinTokens"]["Worker"], client.info()["Swarm"]["RemoteManagers"][0]["Addr"]
        finally:
            client.close()


def close_way_in(note: Path, *, now: datetime) -> bool:
    """The secret that was given last opens nothing any more, if a machine has come in or it is an hour old. True if it was.

    Raises:
        EngineUnavailable: the engine does not answer.
    """
    if not note.exists():
        return False
    with _alone(note), translated():
        said = json.loads(note.read_text())
        client = docker.from_env(timeout=CALL_SECONDS)
        try:
            is_late = now - datetime.fromisoformat(said["opened_at"]) >= OPEN_FOR
            if not is_late and set(_node_ids(client)) <= set(said["nodes"]):
                return False
            client.swarm.update(rotate_worker_token=True)
        finally:
            client.close()
        note.unlink()
        return True


def _node_ids(client: Any) -> list[str]:
    return [node.id for node in client.nodes.list()]


@contextmanager
def _alone(note: Path) -> Iterator[None]:
    """One process at a time changes the secret: what was just given is not taken for what was given before."""
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(note.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def push_images(names: Iterable[str], *, engine: Engine, server: str) -> Iterator[tuple[str, bool]]:
    """Copy images from this machine's engine to another server's, those that are not there; each name with whether it was.

    Raises:
        EngineUnavailable: one does not answer.
        EngineRefused: this machine has no such image.
    """
    target = engine.at(server)
    if target is engine or not isinstance(target, DockerEngine):
        raise EngineRefused(f"The server {server} has no engine of its own.")
    with translated():
        here = docker.from_env(timeout=IMAGE_SECONDS)
        there = target.connect(seconds=IMAGE_SECONDS)
        try:
            for name in names:
                image = here.images.get(name)
                is_there = _has(there, name, id=image.id)
                if not is_there:
                    there.api.load_image(image.save(named=name))  # type: ignore[no-untyped-call]
                yield name, not is_there
        finally:
            here.close()
            there.close()


def _has(client: docker.DockerClient, name: str, *, id: str | None) -> bool:
    try:
        return bool(client.images.get(name).id == id)
    except ImageNotFound:
        return False
