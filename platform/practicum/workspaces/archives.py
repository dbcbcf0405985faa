"""Where archives of homes lie, and the containers that make and unpack them.

Every home is packed and unpacked in a container of its own: no network, no rights, the home alone, and to be packed it is
read-only. The archive itself goes through the engine's connection; nothing on the site's side ever looks into it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.conf import settings

from practicum.engine.base import (
    LABEL_INSTANCE,
    LABEL_KIND,
    LABEL_RUN,
    LABEL_TOKEN,
    MEBIBYTE,
    Container,
    ContainerSpec,
    Engine,
    Inside,
    Labels,
    Limits,
    Mount,
    Program,
    VolumeMount,
    Word,
)
from practicum.engine.nodes import ask_all
from practicum.workspaces.models import (
    Home,
    HomeSize,
    Restoration,
    RestorationState,
    Snapshot,
    SnapshotState,
)

HOME = "/home/jovyan"
PACK, UNPACK = "snapshot", "restoration"
KINDS = (PACK, UNPACK)
PYTHON = ("/opt/venv/bin/python", "-I", "-B", "-u")
# Files compress; an archive that unpacks to more than so many times its size is refused.
MOST_EXPANSION = 8
LARGEST_FILE_BYTES = 1 << 50
KEPT_STAGING = timedelta(hours=1)


def home_volume(username: str) -> str:
    """The volume that is a person's home in their notebooks."""
    return f"practicum-{settings.PRACTICUM_INSTANCE}-home-{username}"


def server_of(user_id: int) -> str:
    """Where the person's files are; empty: where the site's own engine is."""
    return Home.objects.filter(user=user_id).values_list("server", flat=True).first() or ""


def forget_home(username: str, *, engine: Engine) -> None:
    """A person's home is gone for good. One that is gone already is no error.

    Raises:
        EngineError: the engine does not answer, or something still runs in it.
    """
    if settings.PRACTICUM_ENGINE == "local":
        shutil.rmtree(_local_home(username), ignore_errors=True)
    else:
        for one in engine.everywhere().values():
            one.remove_volume(home_volume(username))
    HomeSize.objects.filter(user__username=username).delete()


def _local_home(username: str) -> Path:
    """Without an engine the hub keeps homes as folders of its own."""
    return Path(settings.PRACTICUM_DATA_DIR) / "hub" / "workspaces" / username


def home_at(target: str, *, username: str, read_only: bool) -> Mount | VolumeMount:
    """A person's home in a container."""
    if settings.PRACTICUM_ENGINE == "local":
        return Mount(_local_home(username), target, read_only=read_only)
    return VolumeMount(home_volume(username), target, read_only=read_only)


def pack_spec(snapshot: Snapshot) -> ContainerSpec:
    """Prints the archive of the home."""
    return _spec(
        ["pack", "--home", Inside(HOME), "--max-bytes", str(most_data_bytes())],
        labels=labels_of(PACK, snapshot),
        username=snapshot.session.user.username,
        read_only=True,
    )


def unpack_spec(restoration: Restoration) -> ContainerSpec:
    """Reads an archive and puts it into a new folder of the home."""
    words: list[Word] = [
        "unpack",
        "--home",
        Inside(HOME),
        "--folder",
        restoration.folder,
        "--max-bytes",
        str(most_data_bytes()),
    ]
    return _spec(words, labels=labels_of(UNPACK, restoration), username=restoration.user.username, read_only=False)


def most_data_bytes() -> int:
    """The most data that is packed or unpacked."""
    return MOST_EXPANSION * int(settings.PRACTICUM_SNAPSHOT_MAX_BYTES)


def labels_of(kind: str, row: Snapshot | Restoration) -> dict[str, str]:
    """By which a container is found again, and the claim it works for."""
    instance = settings.PRACTICUM_INSTANCE
    return {LABEL_INSTANCE: instance, LABEL_KIND: kind, LABEL_RUN: str(row.pk), LABEL_TOKEN: str(row.token)}


def _spec(words: Sequence[Word], *, labels: Labels, username: str, read_only: bool) -> ContainerSpec:
    home = home_at(HOME, username=username, read_only=read_only)
    return ContainerSpec(
        image=settings.PRACTICUM_WORKSPACE_IMAGE,
        command=[*PYTHON, Program("workspace", "archive.py"), *words],
        labels=labels,
        mounts=[home] if isinstance(home, Mount) else [],
        volumes=[home] if isinstance(home, VolumeMount) else [],
        limits=Limits(
            memory_bytes=256 * MEBIBYTE, pids=32, tmpfs_bytes=16 * MEBIBYTE, file_size_bytes=LARGEST_FILE_BYTES
        ),
    )


class Counted:
    """A file that is being written: its bytes and digest so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, content: bytes) -> int:
        """Write it."""
        self._digest.update(content)
        self.bytes += len(content)
        return self._file.write(content)

    @property
    def digest(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()

    @property
    def sink(self) -> BinaryIO:
        """As the engine wants it; it only writes."""
        return cast("BinaryIO", self)


@contextmanager
def being_written(snapshot: Snapshot) -> Iterator[tuple[Path, Counted]]:
    """A file beside the archive's place; gone afterwards, unless it was put there."""
    staged = staged_path(snapshot)
    staged.parent.mkdir(parents=True, exist_ok=True)
    try:
        with staged.open("wb") as file:
            yield staged, Counted(file)
    finally:
        staged.unlink(missing_ok=True)


def staged_path(snapshot: Snapshot) -> Path:
    """Where it is written first; another claim has another."""
    return snapshot.path.with_name(f"{snapshot.pk}-{snapshot.token}.part")


def sweep(*, now: datetime) -> int:
    """Forget files that no snapshot knows, which a crash left, after an hour; returns how many."""
    kept = {f"{pk}.tar.gz" for pk in Snapshot.objects.filter(state=SnapshotState.KEPT).values_list("pk", flat=True)}
    swept = 0
    for file in (Path(settings.PRACTICUM_DATA_DIR) / "snapshots").glob("*"):
        if file.name not in kept and now.timestamp() - file.stat().st_mtime > KEPT_STAGING.total_seconds():
            file.unlink(missing_ok=True)
            swept += 1
    return swept


def clear_away(*, engine: Engine) -> int:
    """Remove containers that work for no claim (any more); returns how many. The engine is asked before the rows."""
    survey = ask_all(engine, _found)
    survey.check()
    if not any(survey.answers.values()):
        return 0
    taking = Snapshot.objects.filter(state=SnapshotState.TAKING).values_list("pk", "token")
    unpacking = Restoration.objects.filter(state=RestorationState.UNPACKING).values_list("pk", "token")
    claims: set[tuple[Any, ...]] = {(PACK, *row) for row in taking} | {(UNPACK, *row) for row in unpacking}
    removed = 0
    for server, found in survey.answers.items():
        stray = [container for kind, container in found if (kind, *_claim_of(container.labels)) not in claims]
        for container in stray:
            engine.at(server).remove(container.id)
        removed += len(stray)
    return removed


def _found(engine: Engine) -> list[tuple[str, Container]]:
    """What one engine has of these containers, with their kinds."""
    mine = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE}
    return [(kind, container) for kind in KINDS for container in engine.list(mine | {LABEL_KIND: kind})]


def _claim_of(labels: Labels) -> tuple[int, int]:
    row, token = labels.get(LABEL_RUN, ""), labels.get(LABEL_TOKEN, "")
    return (int(row), int(token)) if row.isdecimal() and token.isdecimal() else (0, 0)
