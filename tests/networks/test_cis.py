"""The CIS Docker Benchmark on a notebook and on an evaluation's container, both live: what holds, and what does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from practicum.engine.base import ContainerSpec
from practicum.engine.docker import DockerEngine
from tests.networks import cis
from tests.networks.conftest import IMAGE, SCORER, Notebook
from tests.networks.world import World, run

pytestmark = pytest.mark.engine

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
HAS_APPARMOR = APPARMOR.exists() and APPARMOR.read_text().strip() == "Y"
# The kernel these tests run on may have no AppArmor; the engine's own profile is used where it has.
OF_THE_MACHINE = set() if HAS_APPARMOR else {"5.2"}


def live(server: World, container: str) -> cis.Live:
    """As it is now."""
    assert server.engine is not None
    return cis.Live(json.loads(server.docker("inspect", container))[0], server.engine.private.process.pid)


@contextmanager
def weak(server: World, name: str, *options: str) -> Iterator[cis.Live]:
    """A container that was started with these options."""
    try:
        server.docker("run", "--detach", "--name", name, *options)
        yield live(server, name)
    finally:
        server.docker("rm", "--force", name)


@contextmanager
def shared_folder(folder: Path) -> Iterator[None]:
    """What is mounted below it is seen everywhere."""
    run("mount", "-t", "tmpfs", "nwt", str(folder))
    try:
        run("mount", "--make-rshared", str(folder))
        yield
    finally:
        run("umount", "--lazy", str(folder))


def told(kind: str) -> tuple[int, set[str]]:
    """How many hold and which don't, as ``docs/security.md`` has it."""
    found = re.search(rf"\| {kind} \| (\d+) of {len(cis.CHECKS)} \| ([^|]+) \|", PAGE.read_text())
    assert found is not None, f"docs/security.md says nothing of {kind}"
    return int(found[1]), set(re.findall(r"5\.\d+", found[2]))


def test_a_live_notebook(server: World, notebook: Notebook) -> None:
    failing = cis.failing(live(server, notebook.container))
    assert failing == {"5.13", "5.31"} | OF_THE_MACHINE
    assert told("notebook") == (len(cis.CHECKS) - 3, {"5.2", "5.13", "5.31"})


def test_a_live_evaluation(server: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", server.host)
    engine = DockerEngine()
    container = engine.start(
        ContainerSpec(image=IMAGE, command=["sleep", "60"], labels={"org.practicum.kind": "predict"})
    )
    try:
        failing = cis.failing(live(server, container))
    finally:
        engine.remove(container)
        engine.close()
    assert failing == {"5.31"} | OF_THE_MACHINE
    assert told("evaluation") == (len(cis.CHECKS) - 2, {"5.2", "5.31"})


def test_each_recommendation_is_seen_to_be_broken_by_a_weak_container(server: World, tmp_path: Path) -> None:
    alone = ["--entrypoint", "bash", SCORER, "-c", "exec -a /usr/sbin/sshd sleep 60"]
    shared = [
        "--network",
        "host",
        "--pid",
        "host",
        "--ipc",
        "host",
        "--uts",
        "host",
        "--privileged",
        "--restart",
        "always",
    ]
    mounts = [
        "-v",
        "/etc:/host",
        "-v",
        f"{server.host.removeprefix('unix://')}:/run/docker.sock",
        "--cgroup-parent",
        "/nwt",
    ]
    published = ["--publish", "0.0.0.0:80:80", "--device", "/dev/null:/dev/nothing"]
    spread = ["--mount", f"type=bind,source={tmp_path},target=/spread,bind-propagation=rshared"]
    with (
        shared_folder(tmp_path),
        weak(server, "weak-1", *shared, *mounts, *alone) as one,
        weak(server, "weak-2", *published, *spread, *alone) as two,
    ):
        broken = cis.failing(one) | cis.failing(two)
    assert set(cis.CHECKS) - broken == set()
    assert len(cis.CHECKS) == 26
