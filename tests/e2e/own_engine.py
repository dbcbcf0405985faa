"""A real engine of the tests' own, with this machine's images in it, that may be killed.

Copying 1.7 GB of images through ``docker save`` and ``docker load`` takes a minute and more. Layers never change once they
are made, so where both engines keep them with overlay2 on one file system, they are hard links: that takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from tests.unit.engine.programs import load

ROOT = Path(__file__).resolve().parents[2]
DRIVER = "overlay2"


@dataclass
class OwnEngine:
    """The engine; ``private`` is what starts and ends it, ``inside`` a command that becomes it in another namespace."""

    private: Any
    options: Sequence[str] = ("--iptables=false", "--ip-forward=false")
    inside: Sequence[str] = ()

    @classmethod
    def made(
        cls,
        folder: Path,
        *,
        options: Sequence[str] = options,
        inside: Sequence[str] = inside,
        images: Sequence[str] = (),
        more: Sequence[str] = (),
    ) -> Self:
        """A running one in a folder of its own, with the images of notebooks and scorers, ``more`` of this machine's, and the
        base they were built on if that was made here: a demo looks for it first, and would make it again, which takes a minute.
        Or with ``images`` alone.
        """
        engine = cls(load("deploy/engine.py").PrivateEngine(folder), options, inside)
        usual = [*(os.environ[f"PRACTICUM_{name}_IMAGE"] for name in ("WORKSPACE", "SCORER")), *own_bases(), *more]
        names = images or usual
        link_images(names, into=folder / "data")
        engine.start()
        try:
            for name in names:
                if not engine.has(name):
                    engine.take_image(name)
        except BaseException:
            engine.private.stop()
            raise
        return engine

    @property
    def host(self) -> str:
        """What ``DOCKER_HOST`` must say."""
        return str(self.private.host)

    def start(self) -> None:
        """It answers, and takes device requests. Its bridges need no firewall, and it must not touch those of the
        machine's own engine.
        """
        self.private.start(hook_dir=ROOT / "tests" / "tools", options=self.options, inside=self.inside)

    def kill(self) -> None:
        """kill -9 of it and of its containerd, which would not outlive it for long; what ran in containers is left behind."""
        processes = [daemon := psutil.Process(self.private.process.pid), *daemon.children()]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.private.process.wait()
        psutil.wait_procs(processes, timeout=20)

    def has(self, image: str) -> bool:
        """A container of this image starts."""
        command = ["docker", "-H", self.host, "run", "--rm", "--network=none", "--entrypoint", "true", image]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def take_image(self, name: str) -> None:
        """Copy an image from the machine's engine, whatever keeps it."""
        with subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE) as save:
            command = ["docker", "-H", self.host, "load", "-q"]
            subprocess.run(command, stdin=save.stdout, check=True, stdout=subprocess.DEVNULL)
        assert save.returncode == 0


def own_bases() -> list[str]:
    """The bases this machine's engine has that were made of Debian packages; none where the usual ones can be pulled."""
    command = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "practicum/base"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def link_images(names: Sequence[str], *, into: Path) -> None:
    """Give an engine that has not started yet the machine's images by hard links; where that can't be, it gets none."""
    said = subprocess.run(
        ["docker", "info", "--format", "{{.Driver}} {{.DockerRootDir}}"], capture_output=True, text=True, check=True
    ).stdout.split(maxsplit=1)
    root = Path(said[1].strip())
    if said[0] != DRIVER or not root.is_dir():
        return
    links = Links(root=root, into=into)
    tags: dict[str, dict[str, str]] = {}
    for name in names:
        inspect = ["docker", "image", "inspect", "--format", "{{.Id}}", name]
        digest = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.strip()
        tags.setdefault(name.rpartition(":")[0], {})[name] = digest
        links.add_image(digest)
    if links.make():
        (into / "image" / DRIVER / "repositories.json").write_text(json.dumps({"Repositories": tags}))
    else:
        shutil.rmtree(into)


@dataclass
class Links:
    """What is to be the same file in two engines' folders: paths below both."""

    root: Path
    into: Path
    parts: list[Path] = field(default_factory=list)

    def add_image(self, digest: str) -> None:
        """What an image says of itself, and its layers."""
        known = Path("image") / DRIVER
        content = known / "imagedb" / "content" / digest.replace(":", "/")
        self._add(content)
        for chain in chains_of(json.loads((self.root / content).read_text())["rootfs"]["diff_ids"]):
            layer = known / "layerdb" / chain.replace(":", "/")
            if layer not in self.parts:
                self._add(layer)
                self._add_layer(Path(DRIVER) / (self.root / layer / "cache-id").read_text())

    def make(self) -> bool:
        """They are made; False where they can't be. An engine mounts its folder on itself, and no link leads out of a mount:
        so it is done where that mount is not seen.
        """
        script = 'umount --lazy "$1"; cd "$1" && xargs -0 cp --archive --link --parents --target-directory="$2"'
        command = ["unshare", "--mount", "sh", "-c", script, "sh", self.root, self.into]
        listed = "\0".join(str(part) for part in self.parts)
        return subprocess.run(command, input=listed, text=True, capture_output=True, check=False).returncode == 0

    def _add(self, part: Path) -> None:
        (self.into / part.parent).mkdir(parents=True, exist_ok=True, mode=0o710)
        self.parts.append(part)

    def _add_layer(self, layer: Path) -> None:
        """The files of one layer, and the short name by which others say that they lie on it."""
        for name in ("diff", "link", "lower", "committed"):
            if (self.root / layer / name).exists():
                self._add(layer / name)
        if (self.root / layer / "lower").exists():
            (self.into / layer / "work").mkdir(mode=0o700)
        self._add(layer.parent / "l" / (self.root / layer / "link").read_text())


def chains_of(layers: Sequence[str]) -> Iterator[str]:
    """The names of an image's layers as they lie on one another (OCI image specification, "Layer ChainID")."""
    chain = ""
    for layer in layers:
        chain = f"sha256:{hashlib.sha256(f'{chain} {layer}'.encode()).hexdigest()}" if chain else layer
        yield chain
