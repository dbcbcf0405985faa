"""A folder as a tar in parts, as a carrier takes it (:mod:`.carrying`)."""

from __future__ import annotations

import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

AT = "/carried"
CHUNK_BYTES = 1 << 18
USER_ID = 1000


def tar_of(folder: Path) -> Iterator[bytes]:
    """What lies in ``folder``, as a tar in parts, for the user of containers.

    Raises:
        OSError: a file can't be read; what was given until then is no whole tar.
    """
    reading, writing = os.pipe()
    faults: list[OSError] = []

    def write() -> None:
        try:
            with os.fdopen(writing, "wb") as sink, tarfile.open(fileobj=sink, mode="w|") as tar:
                tar.add(folder, arcname=AT.strip("/"), filter=_of_user)
        except BrokenPipeError:
            return
        except OSError as fault:
            faults.append(fault)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with os.fdopen(reading, "rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk
    writer.join()
    if faults:
        raise faults[0]


def _of_user(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = USER_ID
    member.uname = member.gname = ""
    return member
