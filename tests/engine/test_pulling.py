"""Official images are pulled by their tag once and pinned to their digest: what is moved or forged afterwards is never run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.own_engine import OwnEngine
from tests.tools.postgres import free_port
from tests.tools.waiting import wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy"))
from operations import pictures  # type: ignore[import-not-found]
from operations.telling import Stop  # type: ignore[import-not-found]

pytestmark = pytest.mark.engine
OFFICIAL = "postgres:17.6-bookworm"


@dataclass
class Registry:
    """A registry of images on this machine, which an engine asks in the place of Docker Hub."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: Any = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """It answers."""
        settings = self.folder / "config.yml"
        settings.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.folder / 'kept'}}}}}\n"
            f"http: {{addr: '{self.address}'}}\nlog: {{level: error}}\n"
        )
        with (self.folder / "log").open("ab") as log:
            command = [shutil.which("docker-registry") or "docker-registry", "serve", str(settings)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.answers, seconds=20, what="the registry")

    def answers(self) -> bool:
        """Somebody is there."""
        try:
            return httpx.get(f"http://{self.address}/v2/", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Nobody is."""
        self.process.terminate()
        self.process.wait(10)

    def content(self, digest: str) -> Path:
        """Where it keeps what has this digest."""
        kind, _, name = digest.partition(":")
        return self.folder / "kept/docker/registry/v2/blobs" / kind / name[:2] / name / "data"


@dataclass
class World:
    """The registry, an engine that asks it first, and the image that goes by the official name."""

    registry: Registry
    engine: OwnEngine
    image: str

    def docker(self, *words: str) -> str:
        """What the engine says."""
        command = ["docker", "-H", self.engine.host, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def push(self, *, generation: str, repository: str = "library/postgres") -> str:
        """The registry has a new image by the official tag; what it is, by its id."""
        tag = f"{self.registry.address}/{repository}:{OFFICIAL.partition(':')[2]}"
        change = f"LABEL generation={generation}"
        container = self.docker("create", "--network=none", self.image)
        self.docker("commit", "--change", change, container, tag)
        self.docker("rm", container)
        made = self.docker("image", "inspect", "--format", "{{.Id}}", tag)
        self.docker("push", "-q", tag)
        self.docker("image", "rm", tag)
        return made

    def unseen(self) -> str:
        """The official image by a digest that this engine was never given: the same manifest with a line more.

        An engine may keep a manifest that it has seen for a while, and then does not ask for it again.
        """
        kept = f"http://{self.registry.address}/v2/library/postgres/manifests"
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        known = httpx.get(f"{kept}/{OFFICIAL.partition(':')[2]}", headers={"Accept": kind})
        assert known.status_code == 200, known.text
        content = known.content + b"\n"
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        put = httpx.put(f"{kept}/{digest}", content=content, headers={"Content-Type": kind})
        assert put.status_code == 201, put.text
        return f"postgres@{digest}"

    def forget(self) -> None:
        """The engine has none but the image that all are made of."""
        for name in self.docker("image", "ls", "--format", "{{.ID}} {{.Repository}}").splitlines():
            if not name.endswith(self.image.partition(":")[0]):
                self.docker("image", "rm", "-f", name.split()[0])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both, running."""
    registry = Registry(tmp_path_factory.mktemp("registry"))
    registry.start()
    listed = subprocess.run(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "practicum/scorer"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    image = listed.stdout.split()[0]
    options = (
        "--iptables=false",
        "--ip-forward=false",
        f"--registry-mirror=http://{registry.address}",
    )
    engine = OwnEngine.made(tmp_path_factory.mktemp("engine"), options=options, images=[image])
    yield World(registry, engine, image)
    engine.private.stop()
    registry.stop()


@pytest.fixture(autouse=True)
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What installs talks to this engine, which has nothing yet."""
    monkeypatch.setenv("DOCKER_HOST", world.engine.host)
    world.forget()
    yield
    if not world.registry.answers():
        world.registry.start()


def runs(world: World, image: str) -> str:
    """A container of it starts; the id of what it is made of."""
    container = world.docker("run", "-d", "--network=none", "--entrypoint=true", image)
    made_of = world.docker("inspect", "--format", "{{.Image}}", container)
    world.docker("rm", "-f", container)
    return made_of


def test_a_tag_that_is_moved_afterwards_changes_nothing_that_runs(world: World) -> None:
    first = world.push(generation="1")
    pinned = pictures.pinned(OFFICIAL)
    assert pinned.startswith("postgres@sha256:")
    assert runs(world, pinned) == first

    second = world.push(generation="2")
    assert pictures.pinned(OFFICIAL) == pinned  # what is here is not asked for again
    world.forget()
    assert pictures.pinned(pinned) == pinned
    assert runs(world, pinned) == first

    moved = pictures.pinned(OFFICIAL)
    assert moved != pinned
    assert runs(world, moved) == second != first


def test_one_that_somebody_else_offers_by_the_same_last_name_is_not_taken_for_it(world: World) -> None:
    """The same image, pulled from two places: the digest that is written down is the official one's."""
    world.push(generation="3", repository="somebody/postgres")
    fork = f"{world.registry.address}/somebody/postgres:{OFFICIAL.partition(':')[2]}"
    world.docker("pull", "-q", fork)
    world.docker("tag", fork, OFFICIAL)
    assert pictures.pinned(OFFICIAL) == OFFICIAL
    assert pictures.pinned(fork).startswith(f"{world.registry.address}/somebody/postgres@sha256:")


def test_without_the_registry_it_says_what_to_do(world: World) -> None:
    world.registry.stop()
    with pytest.raises(Stop, match=r"(?s)Pulling postgres:17.6-bookworm.*deploy/install --bundle FILE"):
        pictures.pinned(OFFICIAL)


def test_what_is_not_of_its_digest_is_refused(world: World) -> None:
    world.push(generation="4")
    pinned = world.unseen()
    kept = world.registry.content(pinned.partition("@")[2])
    content = kept.read_bytes()
    kept.write_bytes(content.replace(b'"mediaType"', b'"MediaType"', 1))
    with pytest.raises(Stop, match="Pulling postgres@sha256"):
        pictures.pinned(pinned)
    kept.write_bytes(content)
    assert pictures.pinned(pinned) == pinned

    world.forget()
    with pytest.raises(Stop, match="Pulling postgres@sha256"):
        pictures.pinned("postgres@sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("postgres:17.6", "docker.io/library/postgres"),
        ("postgres@sha256:aa", "docker.io/library/postgres"),
        ("docker.io/library/postgres@sha256:aa", "docker.io/library/postgres"),
        ("somebody/postgres:17.6", "docker.io/somebody/postgres"),
        ("localhost:5000/postgres", "localhost:5000/postgres"),
        ("example.org/x/postgres:1@sha256:aa", "example.org/x/postgres"),
    ],
)
def test_a_name_is_told_from_another_in_full(image: str, repository: str) -> None:
    assert pictures.repository_of(image) == repository
