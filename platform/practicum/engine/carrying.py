"""Carries folders and volumes to and from a server that does not see this machine's disk, by the engine's API alone.

A *carrier* is a container that is never started: the engine mounts its volume while files are put in or taken out. A copy
that is to be used again is whole once a second, empty volume says so; one that is not whole is made anew.
"""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import Mount as DockerMount

from practicum.engine.base import LABEL_KIND, LABEL_MANAGED, Labels
from practicum.engine.tars import AT, CHUNK_BYTES, tar_of
from practicum.errors import EngineRefused

CARRIER = "carrier"
MOST_BACK_BYTES = 256 << 20
WHOLE = ".whole"

_filling = threading.Lock()


def has_volume(client: Any, name: str) -> bool:
    """There is a volume of this name."""
    try:
        client.api.inspect_volume(name)
    except NotFound:
        return False
    return True


def provide(client: Any, name: str, folder: Path, *, image: str, labels: Labels) -> None:
    """A whole copy of ``folder`` lies in the volume; one at a time is made."""
    with _filling:
        if has_volume(client, name) and has_volume(client, name + WHOLE):
            return
        fill(client, name, tar_of(folder), image=image, labels=labels)
        client.volumes.create(name + WHOLE, labels={LABEL_MANAGED: "1", **labels})


def fill(client: Any, name: str, tar: Iterator[bytes], *, image: str, labels: Labels) -> None:
    """A volume of this name holds what is in ``tar``, and nothing that was in one of that name before."""
    for old in (name + WHOLE, name):
        with suppress(NotFound):
            client.api.remove_volume(old)
    client.volumes.create(name, labels={LABEL_MANAGED: "1", **labels})
    put(client, name, tar, image=image, labels=labels)


def put(client: Any, name: str, tar: Iterator[bytes], *, image: str, labels: Labels) -> None:
    """Unpack ``tar`` into a volume that is there."""
    with carrier(client, name, image=image, labels=labels) as container:
        # Of a folder that is unpacked as "." the engine leaves owner and rights as they were.
        client.api.put_archive(container, "/", tar)


def pack(client: Any, name: str, *, image: str, labels: Labels) -> Iterator[bytes]:
    """The volume's content as a tar in parts."""
    with carrier(client, name, image=image, labels=labels) as container:
        parts, _ = client.api.get_archive(container, AT, chunk_size=CHUNK_BYTES)
        yield from parts


@contextmanager
def carrier(client: Any, volume: str, *, image: str, labels: Labels) -> Iterator[str]:
    """A container that is never started, with the volume at :data:`AT`."""
    mount = DockerMount(AT, volume, type="volume", no_copy=True)
    made = client.api.create_container(
        image,
        command=["true"],
        labels={LABEL_MANAGED: "1", **labels, LABEL_KIND: CARRIER},
        host_config=client.api.create_host_config(mounts=[mount], network_mode="none"),
    )
    try:
        yield made["Id"]
    finally:
        with suppress(APIError):
            client.api.remove_container(made["Id"], force=True)


def bring_back(client: Any, container: str, target: str, *, into: Path) -> None:
    """What a container left at ``target``: plain files alone, no links, and no more than is reasonable.

    Raises:
        EngineRefused: it is more.
    """
    parts, _ = client.api.get_archive(container, f"{target}/.", chunk_size=CHUNK_BYTES)
    held = io.BytesIO()
    for part in parts:
        held.write(part)
        if held.tell() > MOST_BACK_BYTES:
            raise EngineRefused("A container left more than is taken from another server.")
    held.seek(0)
    with tarfile.open(fileobj=held) as tar:
        for member in tar:
            if member.isfile() or member.isdir():
                tar.extract(member, into, filter="data")
