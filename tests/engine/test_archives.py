"""A home on the real engine, packed and unpacked by the worker's own specs in the real image: nothing gets out or in."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from practicum.engine import LABEL_INSTANCE
from practicum.engine.docker import DockerEngine
from practicum.gpus.models import Lease
from practicum.lib.clock import utc_now
from practicum.lib.digest import digest_bytes
from practicum.workspaces import archives, restorations, snapshots, tasks
from practicum.workspaces.models import Restoration, Session, Snapshot

pytestmark = pytest.mark.engine

FILL = r"""
import os
os.makedirs("work/deep"), os.makedirs(".cache")
open("work/deep/a.py", "w").write("x = 1\n")
os.chmod("work/deep/a.py", 0o750)
open("work/noise", "wb").write(os.urandom(3_000_000))
open(".cache/x", "w").write("again")
os.symlink("/etc/passwd", "outside"), os.symlink("../..", "work/up"), os.mkfifo("pipe")
with open("sparse", "wb") as file:
    file.seek(20 << 30), file.write(b"end")
"""
COMPARE = r"""
import filecmp, os, sys
new = sys.argv[1]
for name in ("work/deep/a.py", "work/noise"):
    assert filecmp.cmp(name, f"{new}/{name}", shallow=False), name
    assert os.stat(name).st_mode == os.stat(f"{new}/{name}").st_mode
assert [os.readlink(f"{new}/{name}") for name in ("outside", "work/up")] == ["/etc/passwd", "../.."]
found, was = os.stat(f"{new}/sparse"), os.stat("sparse")
assert (found.st_size, found.st_uid) == (was.st_size, 1000), found
assert found.st_blocks * 512 < 1 << 20, found
with open(f"{new}/sparse", "rb") as file:
    file.seek(20 << 30)
    assert file.read() == b"end"
print(sorted(os.listdir(".")), sorted(os.listdir(new)))
"""


@pytest.fixture
def home(settings: Any) -> Iterator[Any]:
    """A volume as the hub makes it, filled; ``run`` runs a program in it."""
    settings.PRACTICUM_INSTANCE, settings.PRACTICUM_ENGINE = f"test-{uuid.uuid4().hex[:8]}", "docker"
    client, name = docker.from_env(timeout=60), archives.home_volume("ines")
    volume = client.volumes.create(name, labels={LABEL_INSTANCE: settings.PRACTICUM_INSTANCE})

    def run(code: str, *arguments: str) -> str:
        output: bytes = client.containers.run(
            settings.PRACTICUM_WORKSPACE_IMAGE, ["/opt/venv/bin/python", "-I", "-c", code, *arguments], entrypoint="",
            remove=True, working_dir="/home/jovyan", stderr=True, network_mode="none",
            volumes={name: {"bind": "/home/jovyan"}},
        )  # fmt: skip
        return output.decode()

    yield SimpleNamespace(run=run, client=client)
    volume.remove(force=True)
    client.close()


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    """The real engine."""
    made = DockerEngine()
    yield made
    made.close()


def a_snapshot() -> Snapshot:
    row: Any = Snapshot(pk=1, token=1, deadline=utc_now() + timedelta(seconds=60))
    user = SimpleNamespace(username="ines")
    return SimpleNamespace(pk=1, token=1, session=SimpleNamespace(user=user), path=row.path)  # type: ignore[return-value]


def a_restoration() -> Restoration:
    return SimpleNamespace(pk=1, token=1, user=SimpleNamespace(username="ines"), folder="restored-2026-03-18")  # type: ignore[return-value]


def pack(engine: DockerEngine, *, max_bytes: int = 1 << 30, sink: Any) -> Any:
    return engine.pipe(archives.pack_spec(a_snapshot()), sink=sink, max_bytes=max_bytes, wall_seconds=60)


def unpack(engine: DockerEngine, source: Any) -> Any:
    return engine.pipe(archives.unpack_spec(a_restoration()), source=source, max_bytes=1 << 16, wall_seconds=60)


def test_a_home_comes_back_as_it_was_beside_what_is_there_and_the_caps_hold(
    home: Any, engine: DockerEngine, tmp_path: Path, settings: Any
) -> None:
    home.run(FILL)
    archive = tmp_path / "home.tar.gz"
    with archive.open("wb") as sink:
        packed = pack(engine, sink=sink)
    assert snapshots.fault_of(packed) == "", packed.stderr
    assert snapshots._tally(packed.stderr) == {"files": 6, "left_out": 1}
    assert archive.stat().st_size < 4_000_000

    with archive.open("rb") as source:
        unpacked = unpack(engine, source)
    assert restorations.fault_of(unpacked) == "", unpacked.stderr
    assert restorations._folder(unpacked.stderr) == "restored-2026-03-18"
    listed = home.run(COMPARE, "restored-2026-03-18")
    assert ".cache" in listed.split("]")[0]
    assert ".cache" not in listed.split("]")[1]
    assert "pipe" not in listed.split("]")[1]

    # 3 MB of noise do not fit into 1 MB, whichever limit is met first.
    cut = io.BytesIO()
    assert "too large" in snapshots.fault_of(pack(engine, max_bytes=1 << 20, sink=cut))
    assert len(cut.getvalue()) <= 1 << 20
    settings.PRACTICUM_SNAPSHOT_MAX_BYTES = 1 << 16
    assert "too large" in snapshots.fault_of(pack(engine, sink=io.BytesIO()))
    with archive.open("rb") as source:
        assert restorations.fault_of(unpack(engine, source)) == restorations.NO_ROOM
    assert engine.list({LABEL_INSTANCE: settings.PRACTICUM_INSTANCE}) == []


def test_a_hostile_archive_writes_nothing_outside_its_folder(home: Any, engine: DockerEngine, tmp_path: Path) -> None:
    home.run("open('mine', 'w').write('kept')")
    archive = tmp_path / "hostile.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("../mine", "/home/jovyan/mine", "a/../../mine", "link/mine", "fine"):
            member = tarfile.TarInfo(name)
            member.size, member.mode = 4, 0o4777
            if name == "link/mine":
                link = tarfile.TarInfo("link")
                link.type, link.linkname = tarfile.SYMTYPE, "/home/jovyan"
                tar.addfile(link)
            tar.addfile(member, io.BytesIO(b"evil"))
        for name, kind in (("hard", tarfile.LNKTYPE), ("disk", tarfile.BLKTYPE), ("null", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.devmajor = kind, "../mine", 1
            tar.addfile(member)
    with archive.open("rb") as source:
        unpacked = unpack(engine, source)
    assert unpacked.exit.exit_code == 0, unpacked.stderr
    printed = home.run(
        "import os\nprint(open('mine').read(), sorted(os.listdir('.')))\n"
        "print(sorted(os.listdir('restored-2026-03-18')), oct(os.stat('restored-2026-03-18/fine').st_mode))"
    )
    dots = "'.bash_logout', '.bashrc', '.profile'"
    assert printed == f"kept [{dots}, 'mine', 'restored-2026-03-18']\n['fine', 'link'] 0o100777\n"


@pytest.mark.django_db
def test_the_workers_own_code_keeps_a_snapshot_and_restores_it(
    home: Any, engine: DockerEngine, intern: Any, internship: Any
) -> None:
    home.run("open('mine', 'w').write('kept')")
    now = utc_now()
    lease = Lease.objects.create(
        user=intern, cohort=internship.cohort, state="released", duration=timedelta(hours=1), requested_at=now
    )
    session = Session.objects.create(
        user=intern, internship=internship, lease=lease, state="stopped", requested_at=now, deadline=now
    )
    row = Snapshot.objects.create(
        internship=internship, session=session, asked_at=now, reason="x", deadline=now + timedelta(seconds=60)
    )
    assert tasks.claim_and_snapshot(now, engine=engine)
    row.refresh_from_db()
    assert (row.state, row.message, row.bytes) == ("kept", "", row.path.stat().st_size)
    assert row.digest == digest_bytes(row.path.read_bytes())
    restorations.ask_to_restore(intern, snapshot_id=row.pk, now=now)
    assert tasks.claim_and_restore(now, engine=engine)
    done = Restoration.objects.get()
    assert (done.state, done.message) == ("done", "")
    assert home.run("import sys; print(open(f'{sys.argv[1]}/mine').read())", done.folder) == "kept\n"
