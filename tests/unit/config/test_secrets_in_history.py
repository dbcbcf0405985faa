"""SECURITY.md, J3: no file of this repository, in any version that its history has, holds a key or token of anybody's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.secrets import EXAMPLES, secrets_in

ROOT = Path(__file__).resolve().parents[3]
# Of a tree without history: what is made here, and ignored by git.
MADE = {".git", "var", "node_modules", "dist", "__pycache__"}
HEADER = re.compile(rb"([0-9a-f]+) (\w+) (\d+)\n")


def has_history() -> bool:
    """This is a checkout, and no unpacked archive."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--show-toplevel"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return said.returncode == 0 and Path(said.stdout.strip()) == ROOT


def versions(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every version of every file, and every commit's message, of all branches and tags; by path or id."""
    listed = subprocess.run(["git", "-C", str(root), "rev-list", "--objects", "--all"], capture_output=True, check=True)
    names = dict(line.partition(" ")[::2] for line in listed.stdout.decode().splitlines())
    command = ["git", "-C", str(root), "cat-file", "--batch"]
    content = subprocess.run(command, input="\n".join(names).encode(), capture_output=True, check=True).stdout
    place = 0
    while found := HEADER.match(content, place):
        place = found.end() + int(found[3]) + 1
        if found[2] != b"tree":
            yield names[found[1].decode()] or found[1].decode(), content[found.end() : place]


def present(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file that is there now."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in MADE and not name.startswith(".venv")]
        for name in files:
            file = Path(folder, name)
            if name != ".env" and not file.is_symlink():
                yield str(file.relative_to(root)), file.read_bytes()


def test_no_version_of_any_file_holds_a_secret() -> None:
    looked_at = dict.fromkeys((True, False), 0)
    for is_past in (True, False):
        for name, content in (versions if is_past and has_history() else present)(ROOT):
            looked_at[is_past] += 1
            assert secrets_in(content) == [], name
    assert min(looked_at.values()) > 1_000


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_was_taken_out_again_is_found(kind: str, tmp_path: Path) -> None:
    """The positive control: a commit that has one, and one without it."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    for content in (b"before " + EXAMPLES[kind] + b" after", b"nothing"):
        (tmp_path / "settings").write_bytes(content)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "--no-gpg-sign", "-m", "A change"], check=True)
    assert [secrets_in(content) for _, content in present(tmp_path)] == [[]]
    assert [found for name, content in versions(tmp_path) if (found := secrets_in(content))] == [[kind]]
