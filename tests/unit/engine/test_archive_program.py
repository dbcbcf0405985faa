"""The program that packs and unpacks homes: what goes in, what is left out, and that no archive leads it astray."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.unit.engine.programs import ROOT

PROGRAM = ROOT / "images/workspace/programs/archive.py"
MEBIBYTE = 1 << 20


def run(what: str, home: Path, *, given: bytes = b"", limit: int = MEBIBYTE) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", "-B", str(PROGRAM), what, "--home", str(home), "--max-bytes", str(limit)]
    return subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)


def unpack(archive: bytes, home: Path, *, limit: int = MEBIBYTE) -> dict[str, object]:
    done = run("unpack", home, given=archive, limit=limit)
    assert done.returncode == 0, done.stderr
    tally: dict[str, object] = json.loads(done.stderr.splitlines()[-1])
    return tally


def archive_of(*members: tuple[str, bytes, bytes, str]) -> bytes:
    """An archive with these: name, type, content, where it links to."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, kind, content, to in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size, member.mode = kind, to, len(content), 0o6755
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    made = tmp_path / "home"
    made.mkdir()
    return made


def test_what_was_packed_comes_back_and_never_over_what_is_there(home: Path, tmp_path: Path) -> None:
    (home / "work").mkdir()
    (home / "work" / "ünïcode \n name").write_text("x")
    (home / "work" / "run.sh").write_text("#!/bin/sh\n")
    (home / "work" / "run.sh").chmod(0o750)
    (home / "empty").touch()
    (home / "outside").symlink_to("/etc/passwd")
    (home / ".cache").mkdir()
    os.mkfifo(home / "pipe")
    with (home / "sparse").open("wb") as file:
        file.seek(1 << 33)
        file.write(b"end")
    packed = run("pack", home)
    tally = json.loads(packed.stderr)
    assert (tally["files"], tally["left_out"]) == (4, 1)
    assert len(packed.stdout) < 10_000

    other = tmp_path / "other"
    other.mkdir()
    assert unpack(packed.stdout, other)["folder"] == "restored"
    assert unpack(packed.stdout, other)["folder"] == "restored-2"
    new = other / "restored"
    assert names(new) == ["empty", "outside", "sparse", "work"]
    assert (new / "work" / "ünïcode \n name").read_text() == "x"
    assert (new / "work" / "run.sh").stat().st_mode & 0o7777 == 0o750
    assert (new / "outside").readlink() == Path("/etc/passwd")
    assert (new / "sparse").stat().st_size == (1 << 33) + 3
    assert (new / "sparse").stat().st_blocks * 512 < MEBIBYTE


@pytest.mark.parametrize(
    "member",
    [
        ("../mine", tarfile.REGTYPE, b"evil", ""),
        ("a/../../mine", tarfile.REGTYPE, b"evil", ""),
        ("hard", tarfile.LNKTYPE, b"", "../mine"),
        ("disk", tarfile.BLKTYPE, b"", ""),
        ("pipe", tarfile.FIFOTYPE, b"", ""),
        ("/", tarfile.REGTYPE, b"evil", ""),
    ],
)
def test_what_leads_out_or_is_no_file_is_left_out(member: tuple[str, bytes, bytes, str], home: Path) -> None:
    (home / "mine").write_text("kept")
    assert unpack(archive_of(member), home)["left_out"] == 1
    assert (home / "mine").read_text() == "kept"
    assert names(home) == ["mine", "restored"]
    assert names(home / "restored") == []


def test_nothing_is_written_through_a_link_or_twice(home: Path) -> None:
    (home / "mine").write_text("kept")
    archive = archive_of(
        ("link", tarfile.SYMTYPE, b"", str(home)),
        ("link/mine", tarfile.REGTYPE, b"evil", ""),
        ("twice", tarfile.REGTYPE, b"first", ""),
        ("twice", tarfile.REGTYPE, b"second", ""),
    )
    assert unpack(archive, home)["left_out"] == 2
    assert (home / "mine").read_text() == "kept"
    assert (home / "restored" / "link" / "mine").read_text() == "evil"
    assert not (home / "restored" / "link").is_symlink()
    assert (home / "restored" / "twice").read_text() == "first"
    assert (home / "restored" / "twice").stat().st_mode & 0o7000 == 0


def test_more_data_than_is_allowed_is_told_by_the_exit_code(home: Path) -> None:
    (home / "large").write_bytes(bytes(range(256)) * 8)
    assert run("pack", home, limit=1000).returncode == 3
    packed = run("pack", home)
    assert run("unpack", home, given=packed.stdout, limit=1000).returncode == 3
    assert run("unpack", home, given=packed.stdout[:-20]).returncode not in (0, 3)
    assert run("unpack", home, given=b"no archive").returncode not in (0, 3)
