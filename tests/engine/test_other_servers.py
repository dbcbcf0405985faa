"""An engine that does not see the site's disk, by the real one: its address is known, so folders are copied there.

That it is the same engine as this machine's makes no difference to what is tested: nothing is mounted from the site's disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from practicum.engine import Mount, VolumeMount
from practicum.engine.base import files_volume
from practicum.engine.docker import DockerEngine
from practicum.engine.nodes import Nodes
from practicum.engine.tars import tar_of
from practicum.errors import EngineUnavailable
from tests.engine.benches import Bench

pytestmark = pytest.mark.engine


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The engine of another server; nothing is left on it."""
    node = tmp_path / "servers" / "gpu-2"
    node.mkdir(parents=True)
    (node / "address").write_text(os.environ["DOCKER_HOST"])
    engine = DockerEngine(nodes=Nodes(tmp_path / "servers")).at("gpu-2")
    made = Bench(engine, image=os.environ["PRACTICUM_SCORER_IMAGE"])
    yield made
    made.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the site's."""
    made = tmp_path / "folder"
    (made / "deep").mkdir(parents=True)
    (made / "deep" / "file").write_text("here")
    return made


def volumes(bench: Bench) -> list[str]:
    return sorted(volume.name for volume in bench.engine.list_volumes(bench.labels))


def test_a_folder_is_read_there_as_it_is_here_and_cannot_be_written(bench: Bench, folder: Path) -> None:
    code = (
        "print(open('/given/deep/file').read())\n"
        "try: open('/given/new', 'w')\n"
        "except OSError as fault: print(fault.strerror)"
    )
    said = bench.output(code, mounts=[Mount(folder, "/given")])
    assert said == "here\nRead-only file system\n"
    assert volumes(bench) == []


def test_what_stays_is_copied_once_and_what_does_not_leaves_with_its_container(bench: Bench, folder: Path) -> None:
    given = [Mount(folder, "/given", stays=True), Mount(folder, "/hidden")]
    container = bench.start("print(open('/hidden/deep/file').read())", mounts=given)
    bench.engine.wait(container, wall_seconds=30)
    kept = files_volume(folder, labels=bench.labels)
    assert {kept, f"{kept}.whole"} < set(volumes(bench))
    assert len(volumes(bench)) == 3
    bench.engine.remove(container)
    assert volumes(bench) == [kept, f"{kept}.whole"]
    bench.engine.provide(folder, image=bench.image, labels=bench.labels)
    assert volumes(bench) == [kept, f"{kept}.whole"]


def test_what_it_writes_comes_back_when_it_has_ended(bench: Bench, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    code = "import os; open('/kept/made', 'w').write('there'); os.symlink('/etc/passwd', '/kept/link')"
    container = bench.start(code, mounts=[Mount(empty, "/kept", read_only=False)])
    bench.engine.wait(container, wall_seconds=30)
    bench.engine.remove(container)
    assert [(file.name, file.read_text()) for file in empty.iterdir()] == [("made", "there")]


def test_what_comes_later_is_there_when_it_is_signalled(bench: Bench, tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.mkdir()
    code = (
        "import signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\n"
        "print('READY', flush=True)\n"
        "signal.sigwait({signal.SIGUSR1}); print(open('/told/word').read(), flush=True)\n"
    )
    container = bench.start(code, mounts=[Mount(told, "/told", comes_later=True)])
    assert bench.engine.wait_for_line(container, "READY", seconds=30)
    (told / "word").write_text("now")
    bench.engine.signal(container, "SIGUSR1")
    assert bench.engine.wait(container, wall_seconds=30).exit_code == 0
    assert bench.engine.log(container, stream="stdout") == "READY\nnow\n"


def test_a_volume_is_carried_over_as_it_is_and_replaces_what_was_there(bench: Bench, folder: Path) -> None:
    (folder / "deep" / "file").chmod(0o640)
    names = [f"{bench.instance}-{n}" for n in (1, 2)]
    how = {"image": bench.image, "labels": bench.labels}
    bench.engine.fill_volume(names[0], tar_of(folder), **how)
    (folder / "old").write_text("of an earlier time")
    bench.engine.fill_volume(names[1], tar_of(folder), **how)
    bench.engine.fill_volume(names[1], bench.engine.pack_volume(names[0], **how), **how)
    code = (
        "import os\n"
        "print(os.stat('/home').st_uid)\n"
        "for top, _, files in sorted(os.walk('/home')):\n"
        "    for name in files:\n"
        "        told = os.stat(f'{top}/{name}'); print(top, name, oct(told.st_mode), told.st_uid)"
    )
    said = bench.output(code, volumes=[VolumeMount(names[1], "/home", read_only=True)])
    assert said == "1000\n/home/deep file 0o100640 1000\n"
    assert [bench.engine.has_volume(name) for name in (*names, "none")] == [True, True, False]


def test_a_server_whose_address_is_gone_does_not_answer(bench: Bench, tmp_path: Path) -> None:
    engine = DockerEngine(nodes=Nodes(tmp_path / "servers"))
    assert engine.at("gpu-2") is not engine
    assert engine.at("elsewhere") is engine
    (tmp_path / "servers" / "gpu-3").mkdir()
    with pytest.raises(EngineUnavailable):
        engine.at("gpu-3").ping()
