"""Where submissions lie: folders named by the digest of their files.

What comes in is unpacked in a *staging* folder beside the store and put in its place by one rename, so a crash at any
point leaves either the whole submission or nothing. What a crash left in staging is swept after an hour.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from practicum.errors import Fault
from practicum.lib.digest import digest_tree

STAGING = ".staging"
KEPT_STAGING = timedelta(hours=1)
FOLDER_MODE = 0o755


@dataclass(frozen=True)
class Parcel:
    """An unpacked submission that nobody has taken yet. ``files`` are (path, bytes), sorted by path."""

    folder: Path
    digest: str
    files: list[tuple[str, int]]
    notebook: str

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(size for _, size in self.files)


def root() -> Path:
    """The store."""
    return Path(settings.PRACTICUM_DATA_DIR) / "submissions"


@contextmanager
def staging() -> Iterator[Path]:
    """An empty folder on the store's own disk; what is still in it afterwards is gone.

    Raises:
        Fault: the disk is full or can't be written.
    """
    try:
        (root() / STAGING).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=root() / STAGING))
    except OSError as error:
        raise Fault("The site's disk can't be written just now. Nothing was taken; try again later.") from error
    try:
        folder.chmod(FOLDER_MODE)
        yield folder
    except OSError as error:
        raise Fault("The site's disk can't be written just now. Nothing was taken; try again later.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path, *, digest: str) -> Path:
    """Put a staged folder in its place by one rename. The same files, handed in by somebody else, are there already."""
    place = root() / digest[:2] / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        os.utime(place)
    return place


def forget(digest: str) -> None:
    """The files of this digest are gone; the caller knows that nobody's submission needs them. Gone already is no error."""
    shutil.rmtree(root() / digest[:2] / digest, ignore_errors=True)


def digest_of(folder: Path) -> str:
    """The name a folder's files give it."""
    return digest_tree(folder)


def sweep_staging(*, now: datetime) -> int:
    """Forget what a crash left in staging more than an hour ago; returns how many folders."""
    swept = 0
    for folder in (root() / STAGING).glob("*"):
        try:
            age = now.timestamp() - folder.stat().st_mtime
        except FileNotFoundError:
            continue
        if age > KEPT_STAGING.total_seconds():
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept
