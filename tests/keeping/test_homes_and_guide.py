"""The guide, line by line, on a site whose interns' homes are volumes of the real engine; and what homes hold."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from practicum.config.keeping import volumes
from practicum.config.keeping.manifest import VolumeKept
from practicum.config.keeping.refusals import Damaged
from practicum.config.keeping.restic import Place, Restic
from practicum.engine import LABEL_INSTANCE
from practicum.engine.docker import DockerEngine
from practicum.workspaces.archives import home_volume
from tests.keeping.sites import ROOT, Site, repository
from tests.tools import guide
from tests.tools.waiting import wait_for

pytestmark = [pytest.mark.keeping, pytest.mark.engine]

FILL = r"""
import os
os.makedirs("work/deep"), os.makedirs(".cache/pip")
open("work/deep/a.py", "w").write("x = 1\n"), os.chmod("work/deep/a.py", 0o750)
open("work/noise", "wb").write(os.urandom(2_000_000))
open("work/été.txt", "w").write("é"), open(".cache/pip/x", "w").write("again")
open("shut", "w").write("nobody reads it"), os.chmod("shut", 0)
os.symlink("/etc/passwd", "outside"), os.mkfifo("pipe"), os.link("work/deep/a.py", "again.py")
with open("sparse", "wb") as file:
    file.seek(1 << 30), file.write(b"end")
"""
LOOK = r"""
import hashlib, os
assert oct(os.stat("work/deep/a.py").st_mode)[-3:] == "750" and os.stat("work").st_uid == 1000
assert os.readlink("outside") == "/etc/passwd" and os.stat("again.py").st_nlink == 2
found = os.stat("sparse")
assert found.st_size == (1 << 30) + 3 and found.st_blocks * 512 < 1 << 20, found
print(hashlib.sha256(open("work/noise", "rb").read() + open("work/été.txt", "rb").read()).hexdigest(), sorted(os.listdir(".")))
"""


@dataclass
class Homes:
    """The real engine's volumes of one or two instances of the test's own."""

    client: Any

    def run(self, volume: str, code: str) -> str:
        """What a program in the interns' image prints in the volume."""
        command = ["/opt/venv/bin/python", "-I", "-c", code]
        output: bytes = self.client.containers.run(
            os.environ["PRACTICUM_WORKSPACE_IMAGE"], command, entrypoint="", remove=True, working_dir="/home/jovyan",
            stderr=True, network_mode="none", volumes={volume: {"bind": "/home/jovyan"}},
        )  # fmt: skip
        return output.decode()

    def make(self, instance: str, username: str) -> str:
        """A filled home as the hub makes it."""
        name = f"practicum-{instance}-home-{username}"
        self.client.volumes.create(name, labels={LABEL_INSTANCE: instance})
        self.run(name, FILL)
        return name


@pytest.fixture(scope="module")
def instances() -> tuple[str, str]:
    """Two hosts on one engine: what belongs to which is told by the instance."""
    mark = uuid.uuid4().hex[:8]
    return f"keep-{mark}-old", f"keep-{mark}-new"


@pytest.fixture(scope="module")
def homes(instances: tuple[str, str]) -> Iterator[Homes]:
    """Nothing of both instances is left behind."""
    client = docker.from_env(timeout=60)
    yield Homes(client)
    for instance in instances:
        for volume in client.volumes.list(filters={"label": f"{LABEL_INSTANCE}={instance}"}):
            volume.remove(force=True)
    client.close()


@pytest.fixture
def kept_home(homes: Homes, instances: tuple[str, str], settings: Any, tmp_path: Path) -> Iterator[Any]:
    """A home in a repository, with what it was kept by."""
    settings.PRACTICUM_INSTANCE, settings.PRACTICUM_ENGINE = instances[0], "docker"
    settings.PRACTICUM_WORKSPACE_IMAGE = os.environ["PRACTICUM_WORKSPACE_IMAGE"]
    said = repository(tmp_path / "keys", str(tmp_path / "repository"))
    restic = Restic(
        Place(str(tmp_path / "repository"), Path(said["PRACTICUM_BACKUP_PASSWORD_FILE"]), tmp_path / "cache")
    )
    restic.init()
    name, engine = homes.make(instances[0], "noor"), DockerEngine()
    kept = volumes.keep("noor", engine=engine, restic=restic, tags=["practicum"], host="test")
    yield SimpleNamespace(name=name, engine=engine, restic=restic, kept=kept)
    engine.close()
    homes.client.volumes.get(name).remove(force=True)


def test_a_home_is_as_it_was_byte_by_byte(kept_home: Any, homes: Homes) -> None:
    before = homes.run(kept_home.name, LOOK)
    homes.client.volumes.get(kept_home.name).remove()
    volumes.put_back(kept_home.kept, engine=kept_home.engine, restic=kept_home.restic)
    after = homes.run(kept_home.name, LOOK)
    assert after == before.replace("'.cache', ", "").replace("'shut', ", "")
    assert "'.cache'" not in after
    assert kept_home.kept.left_out == 1, "the file that nobody reads is told of"
    assert volumes.present(kept_home.engine)["noor"] == home_volume("noor"), "it is found by the next backup"
    assert volumes.read("noor", engine=kept_home.engine, into=None)[0] == kept_home.kept.content


def test_the_archive_is_a_plain_tar_and_the_container_can_write_nothing(kept_home: Any, homes: Homes) -> None:
    with kept_home.restic.stream_out(kept_home.kept.snapshot, "noor.tar") as stream:
        content = stream.read()
    assert hashlib.sha256(content).hexdigest() == kept_home.kept.content.sha256
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        names = archive.getnames()
    assert "./work/été.txt" in names
    assert not [name for name in names if ".cache" in name]
    assert kept_home.engine.list({LABEL_INSTANCE: home_volume("").split("-home-")[0].removeprefix("practicum-")}) == []


def test_a_home_that_is_not_what_was_kept_is_refused(kept_home: Any) -> None:
    kept: VolumeKept = kept_home.kept
    wrong = VolumeKept(kept.username, kept.snapshot, type(kept.content)(kept.content.bytes, "0" * 64))
    with pytest.raises(Damaged, match="home of noor is not what was kept"):
        volumes.verify(wrong, restic=kept_home.restic)
    volumes.verify(kept, restic=kept_home.restic)


# --- The guide ---

# What deploy/practicum calls, where the worker is a process and what would run in its container runs here.
SHIM = """#!{python}
import os, signal, subprocess, sys
words = sys.argv[2:] if sys.argv[1:2] == ["compose"] else []
pid = int(open({pid!r}).read()) if os.path.exists({pid!r}) else 0
if words[:1] == ["stop"]:
    assert "worker" in words, words
    os.kill(pid, signal.SIGTERM)
    os.remove({pid!r})
elif words == ["ps", "-q", "worker"]:
    print("worker" if pid else "")
elif words == ["exec", "-T", "worker", "true"] or words == ["version"]:
    pass
elif words[:5] in (["exec", "-T", "worker", "python", "manage.py"], ["run", "--rm", "--no-deps", "-T", "worker"]):
    assert (words[0] == "exec") == bool(pid), words
    os.execv({python!r}, [{python!r}, {manage!r}, *words[words.index("manage.py") + 1:]])
elif words == ["up", "-d"]:
    subprocess.run([{python!r}, {manage!r}, "setup"], check=True)
else:
    sys.exit(f"not a command of the guide: {{sys.argv}}")
"""


@dataclass
class Host:
    """A machine on which the guide is followed: a shell runs its lines, with ``deploy/practicum`` itself and its own folders."""

    site: Site
    folder: Path

    def follow(self, lines: list[str], *, codes: tuple[int, ...] = ()) -> str:
        """What the lines print; each ends with 0, or as ``codes`` say."""
        said = ""
        shims, deploy = self.folder / "bin", self.folder / "deploy"
        for each in (shims, deploy):
            each.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "deploy/practicum", deploy)
        (deploy / ".env").touch()
        facts = {"python": sys.executable, "manage": str(ROOT / "manage.py"), "pid": str(self.folder / "worker.pid")}
        (shims / "docker").write_text(SHIM.format(**facts))
        (shims / "docker").chmod(0o755)
        environment = self.site.environment | {"PATH": f"{shims}:{os.environ['PATH']}"}
        for number, line in enumerate(lines):
            for there, here in (("/etc/practicum", "etc"), ("/var/backups", "backups"), ("/var/lib/practicum", "var")):
                line = line.replace(there, str(self.folder.parent / here))
            ended = subprocess.run(
                ["sh", "-c", line], cwd=self.folder, env=environment, text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
            )  # fmt: skip
            assert ended.returncode == (codes[number] if codes else 0), f"{line}\n{ended.stdout}"
            said += ended.stdout
        return said

    def worker(self) -> subprocess.Popen[bytes]:
        """A worker that works on this host."""
        command = [sys.executable, str(ROOT / "manage.py"), "worker", "--evaluations", "1"]
        process = subprocess.Popen(command, cwd=ROOT, env=self.site.environment, stderr=subprocess.DEVNULL)
        (self.folder / "worker.pid").write_text(str(process.pid))
        beat = self.site.data_dir / "worker.heartbeat"
        wait_for(beat.exists, what="the worker's heartbeat")
        return process


@pytest.mark.slow
def test_the_guide_from_the_first_backup_to_a_new_server(
    homes: Homes, instances: tuple[str, str], tmp_path: Path
) -> None:
    machines = tmp_path / "machines"
    settings = {
        "PRACTICUM_ENGINE": "docker",
        "PRACTICUM_WORKSPACE_IMAGE": os.environ["PRACTICUM_WORKSPACE_IMAGE"],
        "PRACTICUM_BACKUP_REPOSITORY": str(machines / "backups" / "practicum"),
        "PRACTICUM_BACKUP_PASSWORD_FILE": str(machines / "etc" / "backup-keys" / "password"),
    }
    for name in ("etc", "backups", "var"):
        (machines / name).mkdir(parents=True)
    old, new = (
        Host(Site(machines / name, settings | {"PRACTICUM_INSTANCE": instance}), machines / f"host-{name}")
        for name, instance in zip(("old", "new"), instances, strict=True)
    )
    old.site.practicum("setup")
    old.site.practicum("scenario", "applications")
    volume = homes.make(instances[0], "ines")
    homes.run(volume, "import os; os.chmod('shut', 0o600)")
    files = homes.run(volume, LOOK)

    said = old.follow(guide.block("backup", "Before the first one"))
    assert "Keep a copy of the password" in said
    assert (machines / "etc" / "backup-keys" / "password").stat().st_mode & 0o077 == 0
    broken = Site(old.site.data_dir, old.site.variables | {"PRACTICUM_WORKSPACE_IMAGE": "practicum/nothing:1"})
    assert "missing: home of ines: The image is not on this" in broken.practicum("backup", code=3)
    said = old.follow(guide.block("backup", "Make one"))
    assert "home 1 of 1: ines" in said
    assert "2 backups" in said
    said = old.follow(guide.block("backup", "One each day"))
    assert "1 would go; 7 daily, 5 weekly, 12 monthly backups stay" in said
    assert "1 are gone" in said
    assert "every byte of it was read" in old.follow(guide.block("backup", "Is it any good?")[:1])
    assert "home 1 of 1: ines, as it was kept" in old.follow(guide.block("backup", "Is it any good?")[1:])
    assert "unlocked" in old.follow(guide.block("backup", "When it is locked"))

    first, *rest = guide.block("backup", "A new server from a backup")
    new.follow([first])
    written = (machines / "var" / "old-settings").read_text()
    assert f"PRACTICUM_SPLIT_SECRET={old.site.environment['PRACTICUM_SPLIT_SECRET']}\n" in written
    assert (machines / "var" / "old-settings").stat().st_mode & 0o077 == 0
    new.site.practicum("setup")
    worker = new.worker()
    try:
        dry_run, *steps = rest
        assert "The worker is running" in new.follow([dry_run], codes=(1,))
        new.follow(steps[:1])
        assert worker.wait(timeout=30) == 0
        (new.site.data_dir / "worker.heartbeat").unlink()  # half a minute later
        assert "Restored in" in new.follow(steps[1:])
    finally:
        worker.kill()
    restored = f"practicum-{instances[1]}-home-ines"
    assert homes.run(restored, LOOK) == files.replace("'.cache', ", "")
    labels = homes.client.volumes.get(restored).attrs["Labels"]
    assert labels[LABEL_INSTANCE] == instances[1]
