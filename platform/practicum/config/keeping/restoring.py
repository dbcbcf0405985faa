"""A site made from a backup, and the drill that shows that it could be.

Everything is brought and compared with the manifest first, beside what is there; only then is it put in its place, by
renames: files, then the database. Whatever fails before leaves the site as it was.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from practicum.config.keeping import databases, files, making, settling, volumes
from practicum.config.keeping.manifest import Manifest, differences
from practicum.config.keeping.refusals import Damaged, KeepFault, NotNow
from practicum.config.keeping.restic import Restic
from practicum.config.management.commands.setup import register_hub
from practicum.config.settings import ENVIRONMENT
from practicum.credentials.keys import key_file as issuer_key_file
from practicum.engine import LABEL_INSTANCE, Engine
from practicum.errors import EngineError
from practicum.portal.health import worker_seen_at

WORKER_GONE = timedelta(seconds=30)
# What makes another site of it when it is not the same: checked by its name, never told by its value.
SAME_SECRETS = ("PRACTICUM_SPLIT_SECRET", "PRACTICUM_SECRET_KEY")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Restoration:
    """A backup that is to be made a site, and what that is done with. ``replaces``: what is there may go aside."""

    manifest: Manifest
    restic: Restic
    engine: Engine
    say: Say
    now: datetime
    replaces: bool = False
    data_dir: Path = field(default_factory=lambda: Path(settings.PRACTICUM_DATA_DIR))

    @property
    def has_engine(self) -> bool:
        """Homes are volumes of an engine."""
        return bool(settings.PRACTICUM_ENGINE != "local")


def obstacles(restoration: Restoration) -> list[str]:
    """Why it can't be restored here and now, a sentence each with what to do; empty where nothing is in the way."""
    manifest, found = restoration.manifest, []
    vendor = "postgresql" if databases.is_postgresql() else "sqlite"
    if manifest.vendor != vendor:
        found.append(
            f"The backup is of a site on {manifest.vendor}, this one is on {vendor}: set PRACTICUM_DATABASE_URL."
        )
    if newer := databases.unknown(manifest.migrations):
        found.append(
            f"The backup was made by Practicum {manifest.version}, which is newer than this {making.version()} "
            f"({newer[0]} is not known here): install {manifest.version} or later first."
        )
    beat = worker_seen_at()
    if beat is not None and restoration.now - beat < WORKER_GONE:
        found.append("The worker is running. Stop the site first: deploy/practicum stop web worker hub agent")
    found += _still_running(restoration)
    if not restoration.replaces:
        found += [f"This site is not empty: {what}." for what in occupied(restoration)]
        if found and "not empty" in found[-1]:
            found.append("With --replace what is here is put aside, and nothing of it is deleted but homes.")
    if not files.room_for(manifest.brought_bytes, folder=_existing(restoration.data_dir)):
        found.append(f"There is no room for {making.size(manifest.brought_bytes)} on the disk of the site's files.")
    return found


def _still_running(restoration: Restoration) -> list[str]:
    if not restoration.has_engine:
        return []
    try:
        held = restoration.engine.list({LABEL_INSTANCE: settings.PRACTICUM_INSTANCE})
    except EngineError as fault:
        return [f"{fault} Homes are restored through it."] if restoration.manifest.volumes else []
    if held:
        return [f"{len(held)} containers of this site still run here: python manage.py stop_containers"]
    return []


def occupied(restoration: Restoration) -> list[str]:
    """What is here already, of that which a backup holds."""
    found = ["there are people in its database"] if databases.is_occupied() else []
    found += [f"there are files in {name}" for name in files.occupied(restoration.data_dir)]
    if restoration.has_engine and restoration.manifest.volumes:
        there = set(volumes.present(restoration.engine)) & {each.username for each in restoration.manifest.volumes}
        found += [f"there is a home of {username}" for username in sorted(there)[:5]]
    return found


def other_secrets(state: Path) -> list[str]:
    """Settings whose values are not those of the backup, by name."""
    kept = dict(
        line.split("=", 1) for line in (state / making.ENVIRONMENT_FILE).read_text().splitlines() if "=" in line
    )
    return [name for name in SAME_SECRETS if name in kept and kept[name] != os.environ.get(name, "")]


def verify(restoration: Restoration, *, stage: Path) -> None:
    """The drill: all of it is brought to scratch, compared, and forgotten again. The site goes on meanwhile.

    Raises:
        Damaged: something is not what was kept.
    """
    with _brought(restoration, stage=stage) as brought:
        with databases.scratch(brought / "database"):
            _load(restoration, brought=brought)
        for number, kept in enumerate(restoration.manifest.volumes, start=1):
            volumes.verify(kept, restic=restoration.restic)
            restoration.say(f"  home {number} of {len(restoration.manifest.volumes)}: {kept.username}, as it was kept")


def restore(restoration: Restoration, *, stage: Path) -> settling.Settled:
    """This is the site of the backup.

    Raises:
        NotNow: something is in the way.
        Damaged: something is not what was kept; nothing was changed, but homes that were brought already.
    """
    if found := obstacles(restoration):
        raise NotNow("\n".join(found))
    manifest, say, suffix = restoration.manifest, restoration.say, f"{restoration.now:%Y%m%d%H%M%S}"
    with _brought(restoration, stage=stage) as brought:
        keeps_what_was = databases.is_occupied()
        with databases.scratch(brought / "database") as site:
            _load(restoration, brought=brought)
            databases.migrate_on()
            settled = settling.settle(manifest, now=restoration.now)
            register_hub()
            for number, kept in enumerate(manifest.volumes, start=1):
                volumes.put_back(kept, engine=restoration.engine, restic=restoration.restic)
                say(f"  home {number} of {len(manifest.volumes)}: {kept.username}, as it was kept")
            aside = restoration.data_dir / f"before-{suffix}"
            files.put_in_place(brought / "files", data_dir=restoration.data_dir, aside=aside)
            _put_keys(brought / "state" / "keys")
            _put_hub(brought / "state" / making.HUB_FILE, data_dir=restoration.data_dir, aside=aside)
            (restoration.data_dir / "agent" / "token").unlink(missing_ok=True)  # it opens nothing; the set-up makes one
            before = databases.put_in_place(brought / "database", site=site, suffix=suffix, keeps=keeps_what_was)
        other = other_secrets(brought / "state")
    if aside.exists():
        say(f"  The files that were here are in {aside.name}, beside the site's files.")
    if before:
        say(f"  The database that was here is kept as {Path(before).name}.")
    for name in other:
        say(
            f"  {name} is not that of the backup: practicum restore {manifest.id} --environment FILE writes the old ones."
        )
    return settled


@contextmanager
def _brought(restoration: Restoration, *, stage: Path) -> Iterator[Path]:
    """A folder with the state and the files of the backup, each compared with the manifest.

    Raises:
        Damaged: they are not what was kept.
    """
    manifest, restic, say = restoration.manifest, restoration.restic, restoration.say
    folder = stage / f"bring-{secrets.token_hex(4)}"
    if not files.room_for(manifest.brought_bytes, folder=stage):
        raise KeepFault(f"There is no room for {making.size(manifest.brought_bytes)} beside the site's files.")
    folder.mkdir(mode=0o700)
    try:
        for name, snapshot, expected in (
            ("state", manifest.state_snapshot, manifest.state),
            ("files", manifest.files_snapshot, manifest.files),
        ):
            began = time.monotonic()
            (folder / name).mkdir()
            if snapshot:
                restic.restore(snapshot, target=folder / name)
            found = files.contents(folder / name)
            _drop_what_is_not_told(folder / name, told=set(expected), found=set(found), is_files=name == "files")
            wrong = differences(expected, {path: found[path] for path in found if path in expected})
            if wrong:
                raise Damaged(f"{len(wrong)} of {len(expected)} {name} are not what was kept: {'; '.join(wrong[:3])}.")
            say(f"  {name}: {len(expected):,} files, as they were kept ({time.monotonic() - began:.1f} s)")
        (folder / "database").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _drop_what_is_not_told(folder: Path, *, told: set[str], found: set[str], is_files: bool) -> None:
    """Files that changed while they were kept are in the repository, but nobody can say whether they are whole."""
    if not is_files and found - told:
        raise Damaged(f"The backup's state has files that its manifest does not name: {sorted(found - told)[0]}.")
    for name in found - told:
        (folder / name).unlink()


def _load(restoration: Restoration, *, brought: Path) -> None:
    manifest, began = restoration.manifest, time.monotonic()
    databases.load(brought / "state" / "database", tables=dict(manifest.tables), applied=manifest.migrations)
    said = f"{manifest.rows:,} rows in {len(manifest.tables)} tables"
    restoration.say(f"  database: {said}, as they were kept ({time.monotonic() - began:.1f} s)")


def _put_keys(source: Path) -> None:
    """The private keys; what was signed with them stays valid."""
    for name, place in (("oidc.pem", ENVIRONMENT.oidc_key_file), ("issuer.pem", issuer_key_file())):
        if (source / name).is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            fresh = place.with_name(f"{place.name}.new")
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write((source / name).read_bytes())
            fresh.replace(place)


def _put_hub(source: Path, *, data_dir: Path, aside: Path) -> None:
    """The hub's database, in which no token opens anything; and no secret by which its cookies were signed."""
    place = data_dir / making.HUB_FILE
    if not source.is_file():
        return
    databases.check_whole(source)
    settling.settle_hub(source)
    place.parent.mkdir(parents=True, exist_ok=True)
    for name in (place.name, f"{place.name}-wal", f"{place.name}-shm", "cookie_secret"):
        if (place.parent / name).exists():
            (aside / "hub").mkdir(parents=True, exist_ok=True)
            (place.parent / name).rename(aside / "hub" / name)
    shutil.move(source, place)


def write_environment(restoration: Restoration, *, file: Path) -> None:
    """The variables that the site of the backup was started with, in a file that only its owner reads.

    Raises:
        NotNow: there is such a file.
    """
    name = f"/{making.ENVIRONMENT_FILE}"
    with restoration.restic.stream_out(restoration.manifest.state_snapshot, name) as stream:
        text = stream.read()
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as fault:
        raise NotNow(f"There is a file {file.name} already; it was left as it is.") from fault
    with os.fdopen(opened, "wb") as written:
        written.write(text)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
