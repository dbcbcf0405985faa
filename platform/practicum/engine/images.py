"""Builds the images: ``python -m practicum.engine.images [--output FILE]``.

A tag is a digest of what went in (``practicum/workspace:<12 hex>``), so an image that exists is what would be built,
and is left alone. Where the base image can't be pulled, a base made of Debian packages (``images/base``) takes its
place. Needs only docker-py; no Django, no ``docker`` command.
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import DockerException, ImageNotFound

from practicum.engine.context import build_context, certificates, is_left_out, local_wheels, offered, torch_wheel

ROOT = Path(__file__).resolve().parents[3]
QUICK_SECONDS = 10
DEBOOTSTRAP_TIMEOUT_SECONDS = 900
TAG_LENGTH = 12
SHARED = ("images/prepare-system", "images/install-packages", "images/uv.txt")
LAST_LINES = 25
READER = "images/scorer/programs/practicum_scorer"
INDEX_VARIABLES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")


class BuildError(Exception):
    """The images can't be built; the message says what to do."""


@dataclass(frozen=True)
class Recipe:
    """One image: what of the repository goes in, below ``ROOT``."""

    name: str
    inputs: tuple[str, ...]
    # What is taken instead wherever it can be had.
    official: str = ""

    @property
    def dockerfile(self) -> str:
        """Path below ``ROOT``."""
        return f"images/{self.name}/Dockerfile"

    @property
    def default_base(self) -> str:
        """What the Dockerfile starts from if nothing is said."""
        found = re.search(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / self.dockerfile).read_text(), re.MULTILINE)
        assert found is not None
        return found[1]


WORKSPACE = Recipe("workspace", (*SHARED, "images/workspace", "hub/practicum_hub/workspace", READER))
SCORER = Recipe("scorer", (*SHARED, "images/scorer"))
NOTEBOOKS = (WORKSPACE, SCORER)
FRONT_END = ("package.json", "package-lock.json", ".npmrc")
SITE = Recipe("site", ("requirements/site.txt", *FRONT_END, "manage.py", "platform", "hub", "projects", "images"))
DATABASE = Recipe("database", ("images/database",), official="postgres:17.6-bookworm")
TLS = Recipe("tls", ("images/tls",), official="caddy:2.10.2")
EGRESS = Recipe("egress", ("images/prepare-system", "images/egress"))
SERVER = (*NOTEBOOKS, SITE, DATABASE, TLS, EGRESS)


@dataclass
class Builder:
    """Builds on one engine; ``client`` has a long timeout, for builds are quiet for minutes."""

    client: docker.DockerClient
    base_image: str = ""
    torch: str = "auto"
    build_host: str = ""
    began: float = field(default_factory=time.monotonic)

    def build_all(self, recipes: Sequence[Recipe] = NOTEBOOKS) -> dict[str, str]:
        """The images exist; their tags by name.

        Raises:
            BuildError: says what to do.
        """
        tags = {recipe.name: recipe.official for recipe in recipes if recipe.official and self.pull(recipe.official)}
        own = [recipe for recipe in recipes if recipe.name not in tags]
        bases = self.bases(own)
        offer = certificates() | local_wheels()
        with offered(offer, address=self.bridge_address()) as self.build_host, ThreadPoolExecutor(2) as pool:
            built = list(pool.map(self.build, own, bases))
        return tags | {recipe.name: tag for recipe, tag in zip(own, built, strict=True)}

    def pull(self, image: str) -> bool:
        """The image is on the engine; False where it is not and its registry does not answer."""
        if self.has(image):
            return True
        if not self.is_within_reach(image):
            return False
        self.client.images.pull(image)
        return True

    def bases(self, recipes: Sequence[Recipe] = NOTEBOOKS) -> list[str]:
        """The base of each, on the engine or ready to be pulled."""
        wanted = [self.base_image or recipe.default_base for recipe in recipes]
        with ThreadPoolExecutor(2) as pool:
            different = list(dict.fromkeys(wanted))
            there = dict(zip(different, pool.map(self.is_within_reach, different), strict=True))
        if self.base_image and not there[self.base_image]:
            raise BuildError(f"The base image {self.base_image} is neither on the engine nor can it be pulled.")
        missing = [name for name in dict.fromkeys(wanted) if not there[name]]
        if not missing:
            return wanted
        self.say(f"{' and '.join(missing)} can't be pulled here: building on Debian packages instead (air-gapped base)")
        own = self.debian_base()
        return [name if there[name] else own for name in wanted]

    def is_within_reach(self, image: str) -> bool:
        """The image is on the engine, or its registry answers within ten seconds."""
        quick = docker.from_env(timeout=QUICK_SECONDS)
        try:
            quick.images.get(image)
        except ImageNotFound:
            try:
                quick.images.get_registry_data(image)
            except (DockerException, requests.RequestException):
                return False
        finally:
            quick.close()
        return True

    def debian_base(self) -> str:
        """The base made of Debian packages; its tag.

        Raises:
            BuildError: debootstrap is missing and can't be installed, or it failed.
        """
        file = ROOT / "images" / "base" / "base.toml"
        tag = f"practicum/base:{_digest([(file.name, file.read_bytes())])}"
        if self.has(tag):
            return tag
        recipe = tomllib.loads(file.read_text())
        _need_debootstrap()
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="practicum-base-") as folder:
            root = Path(folder) / "root"
            packages = f"--include={','.join(recipe['packages'])}"
            _run(["debootstrap", "--variant=minbase", packages, recipe["suite"], str(root)], what="debootstrap")
            self.say(f"base: Debian {recipe['suite']} from packages", since=began)
            self.import_folder(root, tag=tag, left_out=recipe["left_out"])
        return tag

    def import_folder(self, root: Path, *, tag: str, left_out: Sequence[str]) -> None:
        """The files below ``root`` are the image ``tag``."""
        began = time.monotonic()
        excluded = [f"--exclude=./{pattern}" for pattern in left_out]
        command = ["tar", "-C", str(root), "--numeric-owner", "--one-file-system", *excluded, "-c", "."]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
            name, version = tag.split(":")
            self.client.api.import_image(src=tar.stdout, repository=name, tag=version, stream_src=True)
        if tar.returncode or not self.has(tag):
            raise BuildError("The base's files could not be imported into the container engine.")
        self.say(f"base: imported as {tag}", since=began)

    def build(self, recipe: Recipe, base: str) -> str:
        """The image exists; its tag.

        Raises:
            BuildError: a step failed; the end of its output is in the message.
        """
        arguments = {"BASE_IMAGE": base, **self.torch_arguments(recipe, base=base)}
        tag = f"practicum/{recipe.name}:{self.digest(recipe, arguments=arguments)}"
        if self.has(tag):
            self.say(f"{recipe.name}: {tag} is there already")
            return tag
        began = time.monotonic()
        self.say(f"{recipe.name}: building {tag}")
        arguments = {k: v for k, v in arguments.items() if k != "wheel"} | self.network_arguments()
        with build_context(ROOT, inputs=recipe.inputs) as context:
            stream = self.client.api.build(
                fileobj=context, custom_context=True, dockerfile=recipe.dockerfile, tag=tag, buildargs=arguments,
                labels={"org.practicum.image": recipe.name}, rm=True, forcerm=True, decode=True,
            )  # fmt: skip
            self.follow(stream, name=recipe.name)
        size = self.client.images.get(tag).attrs["Size"] / 1e6
        self.say(f"{recipe.name}: {tag}, {size:,.0f} MB", since=began)
        return tag

    def follow(self, stream: Any, *, name: str) -> None:
        """Say each step and the seconds it took.

        Raises:
            BuildError: the build failed.
        """
        step, began, lines = "", time.monotonic(), list[str]()
        for message in stream:
            text = str(message.get("stream", "")).strip()
            if text:
                lines.append(text)
            if text.startswith("Step "):
                if step and time.monotonic() - began > 1:
                    self.say(f"{name}: {step[:90]}", since=began)
                step, began = text, time.monotonic()
            if "error" in message:
                tail = "\n".join([*lines[-LAST_LINES:], str(message["error"])])
                raise BuildError(f"The image {name} could not be built:\n{tail}")

    def torch_arguments(self, recipe: Recipe, *, base: str) -> dict[str, str]:
        """Which torch: nothing said takes the index's own, with CUDA. ``wheel`` is a local one, which comes first."""
        if recipe is not WORKSPACE or self.torch_wanted() == "cuda":
            return {}
        wheel = torch_wheel(ROOT / "images/workspace/torch.txt", python=_python_of(base), wheels=[*local_wheels()])
        return {"wheel": wheel} if wheel else {"TORCH_BACKEND": "cpu"}

    def network_arguments(self) -> dict[str, str]:
        """Where packages come from; none of it is part of the image's name, but all of it stays in its history.

        Raises:
            BuildError: an index is named with a password or token.
        """
        arguments = {name: os.environ[name] for name in INDEX_VARIABLES if os.environ.get(name)}
        if secret := [name for name, address in arguments.items() if "@" in urlsplit(address).netloc]:
            raise BuildError(
                f"{' and '.join(secret)} must hold no password or token: whoever has the image could read it there. Name an "
                "index that needs none, such as a mirror in your network, or folders of wheels in PIP_FIND_LINKS."
            )
        if os.environ.get("PIP_NO_INDEX", "0").lower() in ("1", "true", "yes"):
            arguments["NO_INDEX"] = "1"
        return arguments | ({"BUILD_HOST": self.build_host} if self.build_host else {})

    def bridge_address(self) -> str:
        """This machine's address as builds see it; empty if the engine has no bridge of its own."""
        for config in self.client.networks.get("bridge").attrs["IPAM"]["Config"] or []:
            network = ipaddress.ip_network(config["Subnet"])
            if network.version == 4:
                # Some engines name the gateway only once a container has run; it is the network's first address then.
                return str(config.get("Gateway") or network[1])
        return ""

    def torch_wanted(self) -> str:
        """``cpu`` or ``cuda``: as asked, or by whether there is a GPU here."""
        if self.torch != "auto":
            return self.torch
        return "cuda" if shutil.which("nvidia-smi") else "cpu"

    def digest(self, recipe: Recipe, *, arguments: dict[str, str]) -> str:
        """Of everything that decides what is in the image; a base from elsewhere and a wheel count by their names."""
        below = sorted(path for name in recipe.inputs for path in _files(ROOT / name))
        files = [path for path in below if not is_left_out(path.relative_to(ROOT))]
        parts = [(str(path.relative_to(ROOT)), path.read_bytes()) for path in files]
        return _digest([*parts, ("arguments", json.dumps(arguments, sort_keys=True).encode())])

    def has(self, tag: str) -> bool:
        """The engine has an image of this name."""
        try:
            self.client.images.get(tag)
        except ImageNotFound:
            return False
        return True

    def say(self, text: str, *, since: float | None = None) -> None:
        """A line of progress."""
        took = f" ({time.monotonic() - since:.1f} s)" if since is not None else ""
        print(f"  [{time.monotonic() - self.began:5.1f} s] {text}{took}", flush=True)


def _python_of(base: str) -> str:
    """``3.11``: the Python of the base we make; empty for another, whose Python shows only in the build."""
    recipe = tomllib.loads((ROOT / "images/base/base.toml").read_text())
    return str(recipe["python"]) if base.startswith("practicum/base:") else ""


def _files(path: Path) -> list[Path]:
    """The file, or all below the folder."""
    return [path] if path.is_file() else [below for below in path.rglob("*") if below.is_file()]


def _digest(parts: Sequence[tuple[str, bytes]]) -> str:
    running = hashlib.sha256()
    for name, content in parts:
        running.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return running.hexdigest()[:TAG_LENGTH]


def _need_debootstrap() -> None:
    if os.geteuid():
        raise BuildError(
            "The base image can't be pulled, and making one from Debian packages needs root: run `sudo make images` "
            "once, or name an image this machine has with --base-image."
        )
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise BuildError("The base image can't be pulled and debootstrap is missing: install the package debootstrap.")
    _run(["apt-get", "update"], what="apt-get update")
    _run(["apt-get", "install", "-y", "--no-install-recommends", "debootstrap"], what="Installing debootstrap")


def _run(command: Sequence[str], *, what: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=DEBOOTSTRAP_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{what} took longer than {DEBOOTSTRAP_TIMEOUT_SECONDS} s.") from error
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-LAST_LINES:])
        raise BuildError(f"{what} failed:\n{tail}")


def main(argv: Sequence[str] | None = None) -> int:
    """Build them and say their tags; with ``--output``, also to a JSON file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help='a JSON file for the tags: {"workspace": ..., "scorer": ...}')
    parser.add_argument(
        "--egress", action="store_true", help="also the notebooks' way out, which a demo has no use for"
    )
    parser.add_argument("--base-image", default="", help="start the images from this one")
    parser.add_argument(
        "--server",
        action="store_true",
        help="also what else a server runs: site, database, TLS, the notebooks' way out",
    )
    parser.add_argument("--torch", choices=["auto", "cpu", "cuda"], default="auto", help="auto: cuda where a GPU is")
    options = parser.parse_args(argv)
    try:
        client = docker.from_env(timeout=1800)
        client.ping()
        recipes = SERVER if options.server else (*NOTEBOOKS, *([EGRESS] if options.egress else []))
        tags = Builder(client, base_image=options.base_image, torch=options.torch).build_all(recipes)
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except (DockerException, requests.RequestException) as error:
        print(f"\nThe container engine does not answer, or failed: {error}", file=sys.stderr)
        return 1
    if options.output:
        options.output.write_text(json.dumps(tags) + "\n")
    print(json.dumps(tags))
    return 0


if __name__ == "__main__":
    sys.exit(main())
