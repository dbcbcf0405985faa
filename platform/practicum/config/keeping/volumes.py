"""People's homes: each read out of its volume, and put back, by a container that has nothing but that volume.

The archive goes through the engine's own connection, never its archive interface; nothing on the site's side looks into it.
Without an engine homes are folders, and are kept with the site's files.
"""

from __future__ import annotations

import hashlib
from typing import IO, BinaryIO, cast

from django.conf import settings

from practicum.config.keeping.manifest import Content, VolumeKept
from practicum.config.keeping.refusals import Damaged, KeepFault
from practicum.config.keeping.restic import Restic, Stream
from practicum.engine import (
    LABEL_INSTANCE,
    LABEL_KIND,
    ContainerSpec,
    Engine,
    Inside,
    Limits,
    VolumeMount,
    Word,
)
from practicum.engine.base import MEBIBYTE
from practicum.lib.digest import CHUNK_BYTES
from practicum.workspaces.archives import HOME, LARGEST_FILE_BYTES, home_volume

KIND = "keeping"
WALL_SECONDS = 12 * 3600
# What can be had again, such as pip's cache, is left out. The archive of the same files is the same, byte by byte: no number
# of a process is in its headers, which tar would put there, nor times at which files were read.
PACK = (
    "/bin/tar", "--create", "--file=-", "--format=posix", "--sort=name", "--numeric-owner",
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
    "--sparse", "--sparse-version=0.0", "--hole-detection=raw", "--ignore-failed-read", "--exclude=./.cache",
)  # fmt: skip
# What is in the volume goes first: what the image puts into a new one, or what a restoration is to replace.
UNPACK = (
    "/bin/sh",
    "-c",
    'find "$1" -mindepth 1 -delete && exec tar --extract --file=- --same-permissions -C "$1"',
    "-",
)
# 1: a file changed while it was read, as a notebook that is saved does. The archive is whole.
CHANGED = 1


class Counting:
    """Passes on what is written, or read, and knows its bytes and digest."""

    def __init__(self, stream: Stream | IO[bytes] | None) -> None:
        self._stream, self._digest, self._bytes = stream, hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        """Pass it on; to nowhere where there is no stream."""
        self._note(content)
        if isinstance(self._stream, Stream):
            self._stream.write(content)
        return len(content)

    def read(self, size: int = -1) -> bytes:
        """Pass it on."""
        content: bytes = cast(IO[bytes], self._stream).read(size)
        self._note(content)
        return content

    def _note(self, content: bytes) -> None:
        self._digest.update(content)
        self._bytes += len(content)

    @property
    def content(self) -> Content:
        """Of all that passed."""
        return Content(self._bytes, self._digest.hexdigest())


def present(engine: Engine) -> dict[str, str]:
    """The homes there are: username to the name of the volume."""
    prefix = home_volume("")
    names = [volume.name for volume in engine.list_volumes({LABEL_INSTANCE: settings.PRACTICUM_INSTANCE})]
    return {name.removeprefix(prefix): name for name in sorted(names) if name.startswith(prefix)}


def keep(username: str, *, engine: Engine, restic: Restic, tags: list[str], host: str) -> VolumeKept:
    """A home is in the repository.

    Raises:
        EngineError: the engine failed us.
        KeepFault: it could not be read to its end; nothing of it is in the repository.
    """
    with restic.stream_in(f"{username}.tar", tags=tags, host=host) as stream:
        content, left_out = read(username, engine=engine, into=stream)
        return VolumeKept(username, stream.finish(), content, left_out)


def read(username: str, *, engine: Engine, into: Stream | None) -> tuple[Content, int]:
    """The home's archive goes ``into`` the stream, or nowhere; what was in it, and how many entries could not be read.

    Raises:
        KeepFault: it could not be read to its end.
    """
    sink = Counting(into)
    spec = _spec([*PACK, "-C", Inside(HOME), "."], username=username, read_only=True)
    piped = engine.pipe(spec, sink=cast(BinaryIO, sink), max_bytes=LARGEST_FILE_BYTES, wall_seconds=WALL_SECONDS)
    if piped.exit.timed_out or piped.is_cut or piped.exit.exit_code not in (0, CHANGED):
        raise KeepFault(f"The home of {username} could not be read: {piped.stderr.strip()[-200:] or 'no reason given'}")
    return sink.content, piped.stderr.count("Cannot open") + piped.stderr.count("Cannot savedir")


def put_back(kept: VolumeKept, *, engine: Engine, restic: Restic) -> None:
    """A home is in its volume again, as it was kept; the volume is made where it is missing.

    Raises:
        Damaged: the archive is not what was kept, or what was unpacked is not.
        KeepFault: it could not be unpacked.
    """
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: "session"}
    engine.create_volume(home_volume(kept.username), labels=labels)
    with restic.stream_out(kept.snapshot, f"{kept.username}.tar") as stream:
        source = Counting(stream)
        spec = _spec([*UNPACK, Inside(HOME)], username=kept.username, read_only=False)
        piped = engine.pipe(spec, source=cast(BinaryIO, source), max_bytes=1 << 16, wall_seconds=WALL_SECONDS)
        if piped.exit.exit_code:
            said = piped.stderr.strip()[-200:] or f"exit code {piped.exit.exit_code}"
            raise KeepFault(f"The home of {kept.username} could not be unpacked: {said}")
        while source.read(CHUNK_BYTES):  # tar stops at its own end of the archive
            pass
    _compare(kept, source.content)
    _compare(kept, read(kept.username, engine=engine, into=None)[0])


def verify(kept: VolumeKept, *, restic: Restic) -> None:
    """The archive of a home is in the repository as it was kept.

    Raises:
        Damaged: it is not.
    """
    with restic.stream_out(kept.snapshot, f"{kept.username}.tar") as stream:
        source = Counting(stream)
        while source.read(CHUNK_BYTES):
            pass
    _compare(kept, source.content)


def _compare(kept: VolumeKept, found: Content) -> None:
    if found != kept.content:
        raise Damaged(f"The home of {kept.username} is not what was kept.")


def _spec(words: list[Word], *, username: str, read_only: bool) -> ContainerSpec:
    return ContainerSpec(
        image=settings.PRACTICUM_WORKSPACE_IMAGE,
        command=words,
        labels={LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: KIND},
        volumes=[VolumeMount(home_volume(username), HOME, read_only=read_only, is_filled=not read_only)],
        limits=Limits(
            memory_bytes=256 * MEBIBYTE, pids=32, tmpfs_bytes=16 * MEBIBYTE, file_size_bytes=LARGEST_FILE_BYTES
        ),
    )
