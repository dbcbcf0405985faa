"""Where this site's backups go, by its settings, and the lock that lets one program at a time work there."""

from __future__ import annotations

import fcntl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from practicum.config.env import Backups
from practicum.config.keeping.refusals import Busy, NotSet
from practicum.config.keeping.restic import Place, Restic
from practicum.lib import backups


def restic() -> Restic:
    """The repository of the settings.

    Raises:
        NotSet: there is none, or its password can't be read, or by everybody.
        NoProgram: restic is missing or too old.
    """
    said: Backups = settings.PRACTICUM_BACKUPS
    if not said.repository:
        raise NotSet(
            "Nothing says where backups go: set PRACTICUM_BACKUP_REPOSITORY (a folder, sftp:user@host:/path or "
            "s3:https://host/bucket) and PRACTICUM_BACKUP_PASSWORD_FILE."
        )
    _check_secret(said.password_file, "PRACTICUM_BACKUP_PASSWORD_FILE")
    is_sftp, is_s3 = said.repository.startswith("sftp:"), said.repository.startswith("s3:")
    if is_sftp and said.ssh_key_file:
        _check_secret(said.ssh_key_file, "PRACTICUM_BACKUP_SSH_KEY_FILE")
    if is_s3 and said.s3_credentials_file:
        _check_secret(said.s3_credentials_file, "PRACTICUM_BACKUP_S3_CREDENTIALS_FILE")
    opened = Restic(
        Place(
            said.repository,
            Path(said.password_file),
            backups.folder() / "cache",
            ssh_key_file=said.ssh_key_file,
            known_hosts_file=said.known_hosts_file,
            s3_credentials_file=said.s3_credentials_file if is_s3 else "",
        )
    )
    opened.version()
    return opened


def _check_secret(name: str, setting: str) -> None:
    file = Path(name) if name else None
    try:
        mode = file.stat().st_mode if file else 0
        is_empty = not (file and file.read_bytes().strip())
    except OSError as fault:
        raise NotSet(f"{setting}: the file is not there, or can't be read by this program.") from fault
    if is_empty:
        raise NotSet(
            f"{setting} must name a file with the secret in it: openssl rand -base64 32 > FILE; chmod 600 FILE"
        )
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NotSet(f"{setting}: others may read the file. chmod 600 it.")


@contextmanager
def alone() -> Iterator[Path]:
    """Nobody else makes, restores or tidies backups of this site meanwhile; a folder for scratch.

    Raises:
        Busy: somebody does.
    """
    folder = backups.folder()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise Busy(
                "Another backup or restoration of this site is under way. Try again when it has ended."
            ) from fault
        yield folder
