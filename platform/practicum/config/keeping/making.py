"""Making a backup: the state first, then the files that its rows name, then homes, and the manifest last."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from subprocess import SubprocessError

from django.conf import settings
from django.db import DatabaseError

from practicum.config.keeping import databases, files, volumes
from practicum.config.keeping.manifest import Content, Manifest, VolumeKept
from practicum.config.keeping.refusals import KeepFault
from practicum.config.keeping.restic import Restic
from practicum.config.settings import ENVIRONMENT
from practicum.credentials.keys import key_file as issuer_key_file
from practicum.engine import Engine
from practicum.errors import EngineError, PracticumError
from practicum.lib import backups
from practicum.workspaces import homes

log = logging.getLogger("practicum.backup")

TAG, STATE, FILES, VOLUME, MANIFEST = "practicum", "part-state", "part-files", "part-volume", "part-manifest"
MANIFEST_FILE = "manifest.json"
HUB_FILE = "hub/jupyterhub.sqlite"
ENVIRONMENT_FILE = "environment"
PROGRESS_SECONDS = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Means:
    """What a backup is made with."""

    restic: Restic
    engine: Engine
    say: Say
    now: datetime


def make(means: Means, *, stage: Path) -> Manifest:
    """A whole backup is in the repository; how it went is noted either way.

    Raises:
        PracticumError: it failed; what was put in so far counts for nothing and is tidied away later.
    """
    try:
        made = _make(means, stage=stage)
    except (PracticumError, OSError, DatabaseError, SubprocessError) as fault:
        backups.note(backups.Outcome(means.now, "", str(fault)[:300]))
        raise
    backups.note_homes({home.username: home.content.bytes for home in made.volumes})
    said = "; ".join(made.warnings) or f"{len(made.files):,} files, {len(made.volumes)} homes, {made.rows:,} rows"
    backups.note(backups.Outcome(made.made_at, made.id, said[:300]))
    log.info("backup %s is made: %s", made.id, said)
    return made


def _make(means: Means, *, stage: Path) -> Manifest:
    restic, say = means.restic, means.say
    restic.unlock()
    restic.snapshots("none")  # the repository is there, and the password opens it, before there is any work
    identity = f"{means.now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    tags, host = [TAG, f"backup-{identity}"], f"practicum-{settings.PRACTICUM_INSTANCE}"
    warnings: list[str] = []
    with _staged(stage) as folder:
        began = time.monotonic()
        tables = databases.dump(folder / "database")
        _stage_keys_and_hub(folder)
        state = files.contents(folder)
        names = sorted({name.split("/", 1)[0] for name in state})
        taken = restic.backup(
            names, folder=folder, tags=[*tags, STATE], leave_out=(), host=host, on_progress=lambda _: None
        )
        rows = sum(table.rows for table in tables.values())
        say(f"  database: {rows:,} rows in {len(tables)} tables, {_size(state.values())} ({_since(began)})")
    files_snapshot, kept = _keep_files(means, tags=[*tags, FILES], host=host)
    homes = _keep_homes(means, tags=[*tags, VOLUME], host=host, warnings=warnings)
    manifest = Manifest(
        id=identity,
        made_at=means.now,
        version=version(),
        instance=settings.PRACTICUM_INSTANCE,
        site_url=settings.PRACTICUM_SITE_URL,
        vendor="postgresql" if databases.is_postgresql() else "sqlite",
        migrations=databases.migrations(),
        tables=tables,
        state_snapshot=taken,
        state=state,
        files_snapshot=files_snapshot,
        files=kept,
        volumes=tuple(homes),
        warnings=tuple(warnings),
        programs={"restic": restic.version(), "database": databases.server_version()},
    )
    facts = [f"bytes-{manifest.bytes}", f"files-{len(kept)}", f"homes-{len(homes)}", f"version-{manifest.version}"]
    with restic.stream_in(MANIFEST_FILE, tags=[*tags, MANIFEST, *facts], host=host) as stream:
        stream.write(manifest.as_json().encode())
        stream.finish()
    return manifest


def version() -> str:
    """Of this Practicum."""
    try:
        return version_of("practicum")
    except PackageNotFoundError:
        return _version_of_the_source()


def _version_of_the_source() -> str:
    import tomllib

    from practicum.config.settings import ROOT

    try:
        return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
    except (OSError, KeyError, ValueError):
        return "unknown"


@contextmanager
def _staged(stage: Path) -> Iterator[Path]:
    """A folder that only this program reads, always of the same name, so that restic knows what it saw before."""
    folder = stage / "state"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage_keys_and_hub(folder: Path) -> None:
    """The private keys, the variables the site was started with, and the hub's database."""
    for name, file in (("oidc.pem", ENVIRONMENT.oidc_key_file), ("issuer.pem", issuer_key_file())):
        if file.is_file():
            (folder / "keys").mkdir(mode=0o700, exist_ok=True)
            shutil.copyfile(file, folder / "keys" / name)
    lines = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("PRACTICUM_")]
    (folder / ENVIRONMENT_FILE).write_text("\n".join(lines) + "\n")
    hub = Path(settings.PRACTICUM_DATA_DIR) / HUB_FILE
    if hub.is_file():
        (folder / "hub").mkdir(exist_ok=True)
        databases.copy_sqlite(hub, folder / HUB_FILE)


def _keep_files(means: Means, *, tags: list[str], host: str) -> tuple[str, dict[str, Content]]:
    data_dir, began = Path(settings.PRACTICUM_DATA_DIR), time.monotonic()
    names = files.folders(data_dir, with_snapshots=settings.PRACTICUM_BACKUPS.with_snapshots)
    if not names:
        means.say("  files: there are none")
        return "", {}
    told = [began]

    def progress(part: float) -> None:
        if time.monotonic() - told[0] > PROGRESS_SECONDS:
            told[0] = time.monotonic()
            means.say(f"  files: {part:.0%}")

    def take() -> str:
        return means.restic.backup(
            names, folder=data_dir, tags=tags, leave_out=files.LEFT_OUT, host=host, on_progress=progress
        )

    snapshot, kept = files.settle(data_dir, take=take, listing=means.restic.listing)
    means.say(f"  files: {len(kept):,} in {', '.join(names)}, {_size(kept.values())} ({_since(began)})")
    return snapshot, kept


def _keep_homes(means: Means, *, tags: list[str], host: str, warnings: list[str]) -> list[VolumeKept]:
    """Every home there is. One that can't be read is a warning, and does not keep the others from being kept."""
    if settings.PRACTICUM_ENGINE == "local":
        return []
    kept, present = [], _homes_everywhere(means, warnings=warnings)
    for number, (username, engine) in enumerate(sorted(present.items()), start=1):
        began = time.monotonic()
        try:
            home = volumes.keep(username, engine=engine, restic=means.restic, tags=tags, host=host)
        except (EngineError, KeepFault) as fault:
            warnings.append(f"home of {username}: {fault}")
            means.say(f"  home {number} of {len(present)}: {username} FAILED: {fault}")
            continue
        kept.append(home)
        if home.left_out:
            warnings.append(f"home of {username}: {home.left_out} files could not be read")
        means.say(f"  home {number} of {len(present)}: {username}, {_size([home.content])} ({_since(began)})")
    return kept


def _homes_everywhere(means: Means, *, warnings: list[str]) -> dict[str, Engine]:
    """Each home there is, by its username, and the engine of the server where it is worked in.

    Another server that does not answer is a warning; the site's own engine has to.
    """
    found: dict[str, Engine] = {}
    where = homes.servers_by_username()
    for server, engine in means.engine.everywhere().items():
        try:
            present = volumes.present(engine)
        except EngineError as fault:
            if not server:
                raise
            warnings.append(f"homes on {server}: {fault}")
            means.say(f"  homes on {server} FAILED: {fault}")
            continue
        # What was left behind on a server when a home moved on is not it. On a shared driver each server names the same.
        is_it = {name for name in present if settings.PRACTICUM_VOLUME_DRIVER or where.get(name, "") == server}
        found |= {name: engine for name in is_it if name not in found}
    return found


def _size(contents: object) -> str:
    return size(sum(content.bytes for content in contents))  # type: ignore[attr-defined]


def size(count: int) -> str:
    """Bytes for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
