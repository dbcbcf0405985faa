"""When somebody last committed, read from git's own record: nothing runs, nothing is followed, nothing can hang or break it."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from practicum_hub.workspace import commits
from practicum_hub.workspace.commits import TAIL_BYTES, last_commit_at

AT = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
OLD, NEW = "0" * 40, "a" * 40


def line(what: str = "commit: Try a wider net", *, at: datetime = AT, seconds: str = "", who: str = "Ines") -> str:
    """A line of the record."""
    return f"{OLD} {NEW} {who} <ines@example.org> {seconds or int(at.timestamp())} +0100\t{what}\n"


def record(folder: Path, text: str | bytes) -> Path:
    """A repository in the folder, of which only the record is there."""
    path = folder / ".git" / "logs" / "HEAD"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def git(folder: Path, *words: str, at: datetime) -> None:
    """The real one, at a moment."""
    person = ("-c", "user.name=Ines", "-c", "user.email=ines@example.org", "-c", "init.defaultBranch=main")
    environment = os.environ | {
        "GIT_COMMITTER_DATE": at.isoformat(), "GIT_AUTHOR_DATE": at.isoformat(), "GIT_CONFIG_GLOBAL": os.devnull,
    }  # fmt: skip
    subprocess.run(["git", *person, *words], cwd=folder, env=environment, check=True, capture_output=True)


def test_the_record_that_git_writes_is_understood(tmp_path: Path) -> None:
    assert last_commit_at(tmp_path) is None
    git(tmp_path, "init", at=AT)
    assert last_commit_at(tmp_path) is None
    git(tmp_path, "commit", "--allow-empty", "-m", "Begin", at=AT)
    assert last_commit_at(tmp_path) == AT
    later = AT.replace(hour=12)
    git(tmp_path, "commit", "--amend", "--allow-empty", "-m", "Begin again", at=later)
    git(tmp_path, "checkout", "-b", "other", at=AT.replace(hour=14))
    assert last_commit_at(tmp_path) == later


def test_of_the_folder_and_those_in_it_the_latest_counts_and_deeper_ones_do_not(tmp_path: Path) -> None:
    for folder, hour in ((tmp_path, 9), (tmp_path / "model", 11), (tmp_path / "data", 10), (tmp_path / "a" / "b", 12)):
        record(folder, line(at=AT.replace(hour=hour)))
    assert last_commit_at(tmp_path) == AT.replace(hour=11)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        b"\xff\xfe\x00",
        line("clone: from https://example.org/x.git"),
        line("checkout: moving from main to commit"),
        line(seconds="yesterday"),
        line(seconds="-1"),
        line(seconds="9" * 12),
        line(seconds="9" * 4000),
        line().replace("\t", " "),
        line("committed: no word of git's"),
    ],
    ids=range(11),
)
def test_what_tells_of_no_commit_is_passed_over(tmp_path: Path, text: str | bytes) -> None:
    path = record(tmp_path, text)
    assert last_commit_at(tmp_path) is None
    path.write_bytes(line().encode() + path.read_bytes())
    assert last_commit_at(tmp_path) == AT


def test_a_moment_that_no_clock_shows_yet_is_told_as_it_is_written(tmp_path: Path) -> None:
    record(tmp_path, line(seconds="9" * 11))
    assert last_commit_at(tmp_path) == datetime.fromtimestamp(99_999_999_999, UTC)


def test_only_the_end_of_the_record_is_read(tmp_path: Path) -> None:
    record(tmp_path, line() + "x" * TAIL_BYTES)
    assert last_commit_at(tmp_path) is None
    record(tmp_path, "x" * TAIL_BYTES * 3 + "\n" + line())
    assert last_commit_at(tmp_path) == AT


def test_only_so_many_entries_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        record(tmp_path / f"{number}", line())
    for entries, found in ((3, AT), (0, None)):
        monkeypatch.setattr(commits, "ENTRIES", entries)
        assert last_commit_at(tmp_path) == found


@pytest.mark.parametrize("linked", [".git", ".git/logs", ".git/logs/HEAD", "."])
def test_no_link_is_followed(tmp_path: Path, linked: str) -> None:
    elsewhere, project = tmp_path / "elsewhere", tmp_path / "project"
    record(elsewhere, line())
    place = project / "model" / linked
    place.parent.mkdir(parents=True, exist_ok=True)
    place.rmdir() if place.is_dir() else None
    place.symlink_to(elsewhere / linked)
    assert (project / "model" / ".git" / "logs" / "HEAD").is_file()  # whoever follows links finds it
    assert last_commit_at(project) is None


def test_something_else_in_place_of_the_record_keeps_nobody_waiting(tmp_path: Path) -> None:
    for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        (tmp_path / name / ".git" / "logs").mkdir(parents=True)
        make(tmp_path / name / ".git" / "logs" / "HEAD")
    (tmp_path / "worktree").mkdir()
    (tmp_path / "worktree" / ".git").write_text("gitdir: /etc\n")
    assert last_commit_at(tmp_path) is None
    record(tmp_path / "real", line())
    assert last_commit_at(tmp_path) == AT


def test_a_project_folder_that_is_gone_or_no_folder_is_none(tmp_path: Path) -> None:
    assert last_commit_at(tmp_path / "gone") is None
    (tmp_path / "file").touch()
    assert last_commit_at(tmp_path / "file") is None
