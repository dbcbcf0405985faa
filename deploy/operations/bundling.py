"""A bundle: one file with everything a server without internet needs. Made by ``deploy/bundle``, read by install and upgrade.

It is a tar of ``bundle.json`` (version, images, the SHA-256 of every other file), the deploy folder and ``images.tar``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Sequence

from operations import pictures
from operations.telling import Stop, headline, refuse, run, say

FORMAT = 1
MANIFEST, IMAGES, DEPLOY = "bundle.json", "images.tar", "deploy"
CHUNK = 1 << 20
LEFT_OUT = ("__pycache__", ".env", ".lock")


def sha256_of(file: Path) -> str:
    """In hexadecimal digits."""
    running = hashlib.sha256()
    with file.open("rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            running.update(chunk)
    return running.hexdigest()


def version_of(deploy: Path) -> str:
    """What ``env.example`` of a deploy folder says."""
    lines = (deploy / "env.example").read_text(encoding="utf-8").splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("PRACTICUM_VERSION="))


def copy_deploy(source: Path, target: Path) -> None:
    """The files of a deploy folder, without a server's own."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)


def make(named: Dict[str, str], *, deploy: Path, output: Path, version: str = "", has_images: bool = True) -> str:
    """``output`` is a bundle of the images ``named`` and this deploy folder; its SHA-256, which also lies beside it.
    Without images, it is for engines that have them.

    Raises:
        Stop: an image is missing, or could not be saved.
    """
    pictures.given(named)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".bundle-") as name:
        folder = Path(name)
        copy_deploy(deploy, folder / DEPLOY)
        tags = {each: lasting(each, image) for each, image in named.items()}
        if has_images:
            began = time.monotonic()
            run(["docker", "save", "-o", str(folder / IMAGES), *sorted(set(tags.values()))], what="Saving the images")
            say(f"Images saved, {(folder / IMAGES).stat().st_size / 1e9:.1f} GB", since=began)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {
            "format": FORMAT,
            "version": version or version_of(deploy),
            "images": tags,
            "files": {str(path.relative_to(folder)): sha256_of(path) for path in files},
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        with tarfile.open(folder / "whole.tar", "w") as tar:
            for each in (MANIFEST, DEPLOY, *([IMAGES] if has_images else [])):
                tar.add(folder / each, arcname=each)
        (folder / "whole.tar").replace(output)
    digest = sha256_of(output)
    Path(f"{output}.sha256").write_text(f"{digest}  {output.name}\n", encoding="utf-8")
    return digest


def lasting(name: str, image: str) -> str:
    """A tag that no later pull moves: a digest of the image is part of it."""
    if image.startswith("practicum/"):
        return image
    digest = run(["docker", "image", "inspect", "--format", "{{.Id}}", image], what="Reading a digest").strip()
    tag = f"practicum/{name}:{digest.rpartition(':')[2][:12]}"
    run(["docker", "tag", image, tag], what="Naming an image")
    return tag


class Bundle:
    """A bundle, unpacked in ``folder`` and whole."""

    def __init__(self, folder: Path, manifest: Dict[str, Any]) -> None:
        self.folder = folder
        self.version = str(manifest["version"])
        self.images = {str(name): str(tag) for name, tag in manifest["images"].items()}

    @property
    def deploy(self) -> Path:
        """Its deploy folder."""
        return self.folder / DEPLOY

    def load(self) -> Dict[str, str]:
        """Its images are on the engine; the settings that name them. What is there already is not loaded again.

        Raises:
            Stop: one is neither in the bundle nor on the engine.
        """
        is_missing = not all(pictures.is_here(tag) for tag in self.images.values())
        if is_missing and (self.folder / IMAGES).is_file():
            began = time.monotonic()
            say("Loading the images")
            run(["docker", "load", "-q", "-i", str(self.folder / IMAGES)], what="Loading the images")
            say("The images are there", since=began)
        return pictures.given(self.images)


def opened(file: Path, *, folder: Path, sha256: str = "") -> Bundle:
    """The bundle ``file``, unpacked below ``folder``, each of its files compared with its checksum.

    Raises:
        Stop: it is no bundle, damaged, or not the one whose ``sha256`` was given.
    """
    if not file.is_file():
        raise Stop(f"{file} is not there.")
    began = time.monotonic()
    if sha256 and sha256_of(file) != sha256.lower():
        raise Stop(
            f"{file} is not the bundle that was asked for: its SHA-256 is another. Copy it again from where it was made."
        )
    try:
        with tarfile.open(file) as tar:
            for member in tar:
                unpack(tar, member, folder)
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise Stop(f"{file} was made by another version of deploy/bundle: use the deploy/install that lies in it.")
        files = manifest["files"]
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as fault:
        raise Stop(
            f"{file} can't be read as a bundle ({type(fault).__name__}): copy it again from where it was made."
        ) from fault
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    wrong = sorted(there ^ set(files)) or sorted(
        name for name, digest in files.items() if sha256_of(folder / name) != digest
    )
    if wrong:
        raise Stop(f"{file} is damaged ({', '.join(wrong[:3])}): copy it again from where it was made.")
    say(f"The bundle is whole: version {manifest['version']}", since=began)
    return Bundle(folder, manifest)


def unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One plain file below ``folder``; nothing else is taken."""
    target = folder / member.name
    if member.isdir():
        return
    if not member.isreg() or member.name.startswith("/") or ".." in Path(member.name).parts:
        raise ValueError(member.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    with target.open("wb") as stream:
        shutil.copyfileobj(source, stream, CHUNK)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


def main(arguments: Sequence[str], *, deploy: Path) -> int:
    """``deploy/bundle``: build what is missing, make the bundle, say how to use it."""
    parser = argparse.ArgumentParser(
        prog="deploy/bundle", description="Make one file that installs or upgrades without internet."
    )
    parser.add_argument("--output", type=Path, help="default: practicum-VERSION.tar, here")
    parser.add_argument(
        "--images", type=Path, help="a file of names and tags, as `make images SERVER=1 OUTPUT=…` writes it"
    )
    parser.add_argument(
        "--without-images", action="store_true", help="a small file, for engines that are given the images otherwise"
    )
    parser.add_argument("--version", default="", help="what to call it; default: the version of this checkout")
    options = parser.parse_args(arguments)
    version = options.version or version_of(deploy)
    output = (options.output or Path(f"practicum-{version}.tar")).resolve()
    try:
        headline(f"A bundle of version {version}")
        named = json.loads(options.images.read_text()) if options.images else build(deploy.parent)
        digest = make(named, deploy=deploy, output=output, version=version, has_images=not options.without_images)
    except (Stop, OSError) as stop:
        return refuse(str(stop))
    except KeyboardInterrupt:
        return refuse("Stopped: no bundle was made.")
    headline(f"{output} is made, {output.stat().st_size / 1e9:.1f} GB. Compare on the server, then install or upgrade:")
    say(f"sha256sum {output.name}   # {digest}")
    say(f"tar -xf {output.name} deploy && deploy/install --bundle {output.name} --sha256 {digest}")
    say(f"deploy/practicum upgrade {output.name}")
    return 0


def build(root: Path) -> Dict[str, str]:
    """All images, built from the checkout; names and tags. On Debian packages alone where nothing can be pulled."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "images.json"
        done = subprocess.run(["make", "-C", str(root), "images", "SERVER=1", f"OUTPUT={output}"], check=False)
        if done.returncode:
            raise Stop("The images could not be built; what failed is above.")
        return {str(name): str(tag) for name, tag in json.loads(output.read_text()).items()}
