"""``deploy/practicum upgrade`` and ``rollback``: another version runs, or the one before; nothing that was handed in is lost.

The way back lies in ``DATA_DIR/upgrades/TIME-VERSION`` before anything is changed: .env, the deploy folder's files, a dump of the
database and a copy of the hub's. Notebooks are no services of Compose and run on; evaluations that wait
are done by the new worker.
While the database is changed nothing writes to it, so an upgrade that fails goes back to exactly what was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from operations import bundling, envfile, pictures
from operations.installing import alone
from operations.stack import HEALTHY_SECONDS, WRITERS, Stack
from operations.telling import Failed, Stop, confirmed, headline, refuse, run, say

KEPT = 3
# What an evaluation that is about to be told its score needs to tell it; what is not done by then is taken up by the next worker.
STOP_SECONDS = 30
STATE, DUMP, HUB = "state.json", "database.dump", "jupyterhub.sqlite"
OWN = (".env", ".lock", "__pycache__")


class Record:
    """The way back of one upgrade: a folder that only root reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def state(self) -> Dict[str, Any]:
        """What was there before, and how far the upgrade came."""
        found: Dict[str, Any] = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        return found

    def note(self, **facts: Any) -> None:
        """Add to the state; whole or not at all."""
        there = self.state if (self.folder / STATE).is_file() else {}
        fresh = self.folder / f".{STATE}"
        fresh.write_text(json.dumps({**there, **facts}, indent=1) + "\n", encoding="utf-8")
        fresh.replace(self.folder / STATE)


class Upgrade:
    """A change of version on one server."""

    def __init__(self, deploy: Path, *, wait: float) -> None:
        self.deploy, self.wait = deploy, wait
        self.stack = Stack(deploy)
        self.settings = envfile.read(deploy / ".env")
        if not self.settings:
            raise Stop("There is no deploy/.env: nothing is installed here. deploy/install does it.")
        self.records = Path(self.settings["DATA_DIR"]) / "upgrades"

    def to(self, release: bundling.Bundle, *, images: Dict[str, str]) -> None:
        """``release`` runs, or what ran before does.

        Raises:
            Stop: it could not be done; the message says what runs now.
        """
        self.compare_databases(images["DATABASE_IMAGE"])
        record = self.begin(release.version)
        try:
            self.stand_still(record)
            headline(f"Version {release.version}")
            put_files(release.deploy, self.deploy)
            merged = {**self.settings, **images, "PRACTICUM_VERSION": release.version}
            template = self.deploy / "env.example"
            envfile.write(self.deploy / ".env", envfile.filled(merged, template=template), template=template)
            self.run_it()
        except (Stop, OSError, KeyboardInterrupt) as fault:
            why = "Stopped." if isinstance(fault, KeyboardInterrupt) else str(fault)
            headline(f"The upgrade failed; going back to {self.settings['PRACTICUM_VERSION']}")
            print(why, flush=True)
            self.back_to(record)
            record.note(state="failed")
            raise Stop(
                f"Version {self.settings['PRACTICUM_VERSION']} runs as before; nothing was lost. Why the upgrade failed is above."
            ) from fault
        record.note(state="done", at_end=self.stack.migrations())
        self.forget_old()

    def compare_databases(self, image: str) -> None:
        """PostgreSQL of another major version can't read what this one has written.

        Raises:
            Stop: it is one.
        """
        now = self.settings["DATABASE_IMAGE"]
        if image == now:
            return
        old, new = pictures.major_of_database(now), pictures.major_of_database(image)
        if old != new:
            raise Stop(
                f"The database is PostgreSQL {old} and this version brings {new}, which can't read its files. Nothing was "
                "changed. Make a backup, install the new version on an empty DATA_DIR and database volume, and restore the "
                "backup there."
            )

    def begin(self, version: str) -> Record:
        """The way back is begun: settings and files."""
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        self.records.mkdir(mode=0o700, exist_ok=True)
        self.records.chmod(0o700)
        record = Record(self.records / f"{now}-{self.settings['PRACTICUM_VERSION']}")
        record.folder.mkdir(mode=0o700)
        shutil.copytree(self.deploy, record.folder / "deploy", ignore=shutil.ignore_patterns(".lock", "__pycache__"))
        record.note(state="begun", before=self.settings["PRACTICUM_VERSION"], after=version)
        return record

    def stand_still(self, record: Record) -> None:
        """Nothing writes any more, and the database is in the record."""
        headline("Keep what is there")
        began = time.monotonic()
        self.stack.compose("stop", "-t", str(STOP_SECONDS), *WRITERS, what="Stopping the services that write")
        say("Site, worker and hub stand still; notebooks run on", since=began)
        began = time.monotonic()
        record.note(migrations=self.stack.migrations())
        self.stack.dump(record.folder / DUMP)
        say(f"The database is in {record.folder / DUMP}", since=began)
        hub = self.hub_file()
        if hub.is_file():
            copy_database(hub, record.folder / HUB)
            (record.folder / HUB).chmod(0o600)

    def hub_file(self) -> Path:
        """The hub's own database."""
        return Path(self.settings["DATA_DIR"]) / "hub" / HUB

    def run_it(self) -> None:
        """What .env and the files say runs and answers."""
        began = time.monotonic()
        self.stack = Stack(self.deploy)
        self.stack.up()
        say("Database brought up to date, services started", since=began)
        self.stack.wait_healthy(seconds=self.wait)

    def back_to(self, record: Record) -> None:
        """What ``record`` keeps runs again.

        Raises:
            Stop: not even that works; the message says where everything lies.
        """
        try:
            self.stack.compose("stop", "-t", "10", *WRITERS, what="Stopping the services that write")
            put_files(record.folder / "deploy", self.deploy)
            (record.folder / "deploy" / ".env").chmod(0o600)
            shutil.copy2(record.folder / "deploy" / ".env", self.deploy / ".env")
            self.stack = Stack(self.deploy)
            self.restore(record)
            self.run_it()
        except (Failed, OSError) as fault:
            raise Stop(
                f"{fault}\nThe way back failed too. Settings, files and database of before are in {record.folder}; nothing "
                "in it is deleted. Mend what is named above, then: deploy/practicum rollback --yes"
            ) from fault

    def restore(self, record: Record) -> None:
        """The databases are as the record has them, where the other version has changed their tables."""
        before = record.state.get("migrations")
        self.stack.compose("up", "-d", "database", what="Starting the database")
        self.await_database()
        if before is None or self.stack.migrations() == before:
            say("The tables are those of before: the database stays as it is")
        else:
            began = time.monotonic()
            self.stack.restore(record.folder / DUMP)
            say("The database is as it was", since=began)
        kept, hub = record.folder / HUB, self.hub_file()
        if kept.is_file() and hub.is_file() and revision_of(kept) != revision_of(hub):
            copy_database(kept, hub)
            say("The hub's database is as it was")

    def await_database(self) -> None:
        """It takes questions.

        Raises:
            Failed: it does not within a minute.
        """
        until = time.monotonic() + 60
        while True:
            try:
                self.stack.query("SELECT 1")
                return
            except Failed:
                if time.monotonic() > until:
                    raise
                time.sleep(1)

    def done(self) -> List[Record]:
        """Upgrades that can be taken back, the latest last. One that was cut off by force is among them."""
        folders = sorted(self.records.glob("*")) if self.records.is_dir() else []
        found = [Record(folder) for folder in folders if (folder / STATE).is_file()]
        return [record for record in found if record.state["state"] in ("done", "begun")]

    def forget_old(self) -> None:
        """Three ways back are enough."""
        for folder in sorted(each for each in self.records.glob("*") if (each / STATE).is_file())[:-KEPT]:
            shutil.rmtree(folder)

    def back(self, *, is_asked: bool) -> str:
        """The version before runs; which one that is.

        Raises:
            Stop: there is none, the operator said no, or it could not be done.
        """
        found = self.done()
        if not found:
            raise Stop("There is no upgrade to take back.")
        record = found[-1]
        before = str(record.state["before"])
        is_changed = record.state.get("migrations") not in (None, self.stack.migrations())
        if is_changed:
            when = record.folder.name.split("-")[0]
            say(
                f"The tables were changed since {when}: the database goes back to then, and what was written since is lost."
            )
            say("It is kept as before-rollback.dump beside the dump of then.")
        if is_asked and not confirmed(f"Go back to version {before}?"):
            raise Stop("Nothing was changed.")
        headline(f"Back to version {before}")
        self.stack.compose("stop", "-t", str(STOP_SECONDS), *WRITERS, what="Stopping the services that write")
        self.stack.dump(record.folder / "before-rollback.dump")
        self.back_to(record)
        record.note(state="taken back")
        return before


def copy_database(source: Path, target: Path) -> None:
    """``target`` holds what ``source`` does, as it is at one moment."""
    with closing(sqlite3.connect(str(source))) as read, closing(sqlite3.connect(str(target))) as written:
        read.backup(written)


def revision_of(hub: Path) -> str:
    """Which form the tables of a hub's database have."""
    with closing(sqlite3.connect(f"file:{hub}?mode=ro", uri=True)) as connection:
        try:
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchone())
        except sqlite3.Error:
            return ""


def put_files(source: Path, deploy: Path) -> None:
    """The files of ``deploy`` are those of ``source``; a server's own stay. Each is replaced at once, for one may be running."""
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and not is_own(path, source)}
    for name in sorted(wanted):
        target = deploy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        shutil.copy2(source / name, fresh)
        fresh.replace(target)
    for path in list(deploy.rglob("*")):
        if path.is_file() and not is_own(path, deploy) and path.relative_to(deploy) not in wanted:
            path.unlink()


def is_own(path: Path, folder: Path) -> bool:
    """A file that belongs to the server, not to a version."""
    return any(part in OWN for part in path.relative_to(folder).parts)


def release_from_git(
    version: str, *, deploy: Path, folder: Path, settings: Dict[str, str]
) -> "tuple[bundling.Bundle, Dict[str, str]]":
    """The tag or commit ``version`` of the clone that ``deploy`` is in, unpacked in ``folder``; its images are built.

    Raises:
        Stop: it is no clone, or has no such version.
    """
    root = deploy.parent
    if subprocess.run(
        ["git", "-C", str(root), "rev-parse", "-q", "--verify", f"{version}^{{commit}}"], capture_output=True
    ).returncode:
        raise Stop(
            f"{version} is neither a bundle nor a version of this clone. Get it first: git -C {root} fetch --tags   "
            "(or give the file that deploy/bundle made)"
        )
    with (folder / "source.tar").open("wb") as stream:
        run(["git", "-C", str(root), "archive", version], what="Reading the version", output_file=stream)
    source = folder / "source"
    source.mkdir()
    run(["tar", "-C", str(source), "-xf", str(folder / "source.tar")], what="Unpacking the version")
    name = bundling.version_of(source / "deploy")
    has_gpus = "compose.gpu.yaml" in settings.get("COMPOSE_FILE", "")
    images = pictures.built(source, version=name, socket=settings["DOCKER_SOCKET"], has_gpus=has_gpus)
    # A database that could be pulled newer is not pulled for that alone where its major version is another.
    return bundling.Bundle(source, {"version": name, "images": {}}), images


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="deploy/practicum")
    verbs = parser.add_subparsers(dest="verb", required=True)
    upgrade = verbs.add_parser("upgrade", help="run another version; goes back by itself if that fails")
    upgrade.add_argument(
        "target", metavar="VERSION|BUNDLE", help="a tag or commit of this clone, or a file that deploy/bundle made"
    )
    upgrade.add_argument("--sha256", default="", help="what the bundle's SHA-256 must be")
    back = verbs.add_parser("rollback", help="run what ran before the last upgrade")
    back.add_argument("--yes", action="store_true", help="ask nothing")
    for each in (upgrade, back):
        each.add_argument(
            "--wait", type=float, default=HEALTHY_SECONDS, help="seconds that it may take until all answer"
        )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str], *, deploy: Path) -> int:
    """One verb; the exit code."""
    options = parsed(arguments)
    try:
        upgrade = Upgrade(deploy, wait=options.wait)
        with alone(deploy):
            if options.verb == "rollback":
                headline(f"Version {upgrade.back(is_asked=not options.yes)} runs.")
                return 0
            return to_target(upgrade, options.target, sha256=options.sha256)
    except KeyboardInterrupt:
        return refuse("Stopped.")
    except (Stop, OSError) as stop:
        return refuse(str(stop))


def to_target(upgrade: Upgrade, target: str, *, sha256: str) -> int:
    """Images first, while everything runs; then the change."""
    headline("Images")
    with tempfile.TemporaryDirectory(prefix="practicum-upgrade-", dir=upgrade.settings["DATA_DIR"]) as name:
        folder = Path(name)
        release: Optional[bundling.Bundle] = None
        if Path(target).is_file():
            release = bundling.opened(Path(target), folder=folder, sha256=sha256)
            images = release.load()
        else:
            release, images = release_from_git(target, deploy=upgrade.deploy, folder=folder, settings=upgrade.settings)
        upgrade.to(release, images=images)
    headline(f"Version {release.version} runs. The way back: deploy/practicum rollback")
    return 0
