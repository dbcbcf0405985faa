"""SECURITY.md, J3: what is planted on the machine that builds is in no layer of any image, nor is a key or token of anybody."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import pytest

from practicum.engine.context import LEFT_OUT
from tests.tools.secrets import EXAMPLES, secrets_in

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[2]
# Wherever settings, data and history lie in a checkout, and where somebody may have laid a copy.
PLANTED = (
    ".env", "deploy/.env", "var/secrets/planted", "var/db.sqlite3", ".git/planted", "platform/.env", "platform/var/planted",
    "projects/.env", "projects/.env.local", "hub/practicum_hub/workspace/.env", "images/scorer/programs/.env",
    "platform/practicum/__pycache__/planted.pyc", "platform/practicum.egg-info/planted", "images/.git/planted",
)  # fmt: skip
# A change in each, so that they are built here and now; the packages in the layers below are not installed again.
CHANGED = ("platform/practicum/__init__.py", "images/scorer/programs/score.py", "images/egress/egress.py")
BUILT = ("site", "scorer", "egress")
MOST_BYTES = 2_000_000
# What packages brought is what their lock files and Debian's archive say: of these files the names are looked at, not what is in
# them. Of everything else, all.
OF_PACKAGES = (
    "opt/venv/lib/python3*/site-packages/*", "opt/practicum/node_modules/*", "usr/bin/*", "usr/lib/*", "usr/lib32/*",
    "usr/libexec/*", "usr/sbin/*", "usr/share/*", "usr/include/*", "var/lib/dpkg/*",
)  # fmt: skip
OURS = ("*/site-packages/practicum_*", "*/site-packages/deeplearning/*")
# uv marks its cache as none of git's; it is empty.
EMPTY = ("root/.cache/uv/*",)


def is_kept_in(name: str, patterns: Sequence[str]) -> bool:
    """The path of a file in a layer is one of these."""
    return any(fnmatch(name, pattern) for pattern in patterns)


@pytest.fixture(scope="module")
def planted() -> str:
    """What must be found nowhere."""
    return f"planted-{token_hex(16)}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, planted: str) -> Path:
    """A checkout of this repository with secrets wherever somebody has theirs."""
    top = tmp_path_factory.mktemp("checkout")
    for name in (".dockerignore", ".npmrc", "hub", "images", "manage.py", "package.json", "package-lock.json", "platform",
                 "projects", "requirements"):  # fmt: skip
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, top / name, ignore=shutil.ignore_patterns("__pycache__", ".env", "var"))
        else:
            shutil.copy(source, top / name)
    for name in PLANTED:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(f"TOKEN={planted}\n".encode() + EXAMPLES["private key"])
    for name in CHANGED:
        with (top / name).open("a") as file:
            file.write(f"# {token_hex(8)}\n")
    return top


@pytest.fixture(scope="module")
def built(checkout: Path, planted: str) -> Iterator[dict[str, str]]:
    """The six images of a server, by name: some built from the checkout, in whose environment are secrets too."""
    output = checkout / "images.json"
    env = {**os.environ, "PYTHONPATH": str(checkout / "platform"), "SECRET_KEY": planted, "AWS_SECRET_ACCESS_KEY": planted,
           "PRACTICUM_HUB_API_TOKEN": planted, "GITHUB_TOKEN": planted}  # fmt: skip
    command = [sys.executable, "-m", "practicum.engine.images", "--server", "--output", str(output)]
    subprocess.run(command, cwd=checkout, env=env, check=True)
    tags: dict[str, str] = json.loads(output.read_text())
    yield tags
    subprocess.run(["docker", "image", "rm", *(tags[name] for name in BUILT)], check=True, stdout=subprocess.DEVNULL)


def saved(images: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Each file of every layer, and what an image says of itself (its history too), by path, with what is in it where that is
    looked at.
    """
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield from _files(process.stdout)
        while process.stdout.read(MOST_BYTES):
            pass  # what pads the end
    assert process.returncode == 0


class Begun:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self.first, self.rest = first, rest

    def read(self, size: int) -> bytes:
        """The next bytes."""
        first, self.first = self.first, b""
        return first + self.rest.read(size - len(first))


def _files(stream: Any) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is None or not is_looked_into(member):
                yield member.name, b""
                continue
            first = content.read(512)
            if first[257:262] == b"ustar":  # a layer, which engines name in several ways
                yield from _files(Begun(first, content))
            else:
                yield member.name, first + content.read()


def is_looked_into(member: tarfile.TarInfo) -> bool:
    """It is an image's part, or a file of ours, or nobody's."""
    if is_kept_in(member.name, OURS):
        return True
    is_part = member.name.endswith("/layer.tar") or member.name.startswith("blobs/")
    return is_part or (member.size <= MOST_BYTES and not is_kept_in(member.name, OF_PACKAGES))


def faults_of(images: Sequence[str], *, planted: str) -> tuple[list[str], int]:
    """What of it should not be there, and how many files were looked at."""
    faults, looked_at = [], 0
    for name, content in saved(images):
        looked_at += 1
        kinds = [*secrets_in(content), *(["planted"] if planted.encode() in content else [])]
        if kinds:
            faults.append(f"{name}: {', '.join(kinds)}")
        parts = Path(name).parts
        if {".git", ".env", "planted", "planted.pyc"} & set(parts) and not is_kept_in(name, EMPTY):
            faults.append(f"{name}: is there")
    return faults, looked_at


@pytest.mark.slow
def test_no_layer_of_any_image_has_a_secret(built: dict[str, str], planted: str) -> None:
    faults, looked_at = faults_of([*built.values()], planted=planted)
    assert faults == []
    assert looked_at > 20_000


def test_docker_build_by_hand_is_sent_nothing_of_it(checkout: Path, planted: str) -> None:
    """As deploy/install builds the site's image. The control: without .dockerignore all of it is in the image."""
    (checkout / "images" / "all").write_text("FROM scratch\nCOPY . /\n")
    found = {}
    for is_kept_out in (True, False):
        if not is_kept_out:
            (checkout / ".dockerignore").rename(checkout / "put-aside")
        command = ["docker", "build", "-q", "-f", "images/all", "."]
        image = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()
        found[is_kept_out] = faults_of([image], planted=planted)
        subprocess.run(["docker", "image", "rm", image], check=True, stdout=subprocess.DEVNULL)
    (checkout / "put-aside").rename(checkout / ".dockerignore")
    assert found[True][0] == []
    assert found[True][1] > 500
    assert all(any(fault.startswith(name) for fault in found[False][0]) for name in PLANTED)


def test_both_ways_to_build_leave_out_the_same() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line.removeprefix("**/") for line in lines if line.startswith("**/")] == list(LEFT_OUT)
    assert [line for line in lines if line and line[0] not in "#!*"] == []
