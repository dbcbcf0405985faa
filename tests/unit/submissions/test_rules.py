"""What an archive may hold, as decision tables."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.submissions import rules
from practicum.submissions.errors import BadArchive, SubmissionTooLarge
from practicum.submissions.rules import Caps, Member

CAPS = Caps(archive_bytes=1000, total_bytes=500, artifact_bytes=100, files=3)


def member(
    name: str = "predict.py", *, size: int = 1, mode: int = 0o100644, flags: int = 0, method: int = 8, offset: int = 0
) -> Member:
    return Member(name=name, bytes=size, packed_bytes=size, mode=mode, flags=flags, method=method, offset=offset)


@pytest.mark.parametrize(
    "name",
    [
        "../predict.py",
        "artifact/../../x",
        "..",
        "/etc/passwd",
        "//server/share/x",
        "C:\\x",
        "C:x",
        "c:/x",
        "\\\\server\\share",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\x1b[31m",
        "a\x7fb",
        "a\u202eyp.exe",
        "a\u200bb",
        "a\u2028b",
        "a\ud800b",
        "a//b",
        "./a",
        "a/./b",
        "",
        "/",
        "trailing ",
        " leading",
        "trailing.",
        "folder./x",
        "folder /x",
        "x" * 201,
        "/".join("d" * 13),
    ],
)
def test_a_name_that_leads_out_or_is_not_the_same_everywhere_is_refused(name: str) -> None:
    with pytest.raises(BadArchive) as refusal:
        rules.check_name(name)

    assert refusal.value.facts["member"] == rules.shown(name)
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    "name", ["predict.py", "artifact/weights.npz", "a/b/c.py", ".hidden", "Ünï cödé.md", "a..b", "x" * 200]
)
def test_an_ordinary_name_is_taken_as_it_is(name: str) -> None:
    assert rules.check_name(name) == name


def test_a_folder_loses_its_last_slash() -> None:
    assert rules.check_name("artifact/") == "artifact"


@given(st.text(max_size=60))
def test_whatever_is_taken_stays_inside_the_folder(name: str) -> None:
    try:
        path = rules.check_name(name)
    except BadArchive:
        return
    parts = path.split("/")
    assert ".." not in parts
    assert "" not in parts
    assert not path.startswith(("/", "\\"))
    assert path.isprintable() or " " in path or any(ord(c) > 127 for c in path)


@pytest.mark.parametrize(
    ("mode", "taken"),
    [
        (0, True),
        (stat.S_IFREG | 0o644, True),
        (stat.S_IFREG | 0o6755, True),
        (stat.S_IFDIR | 0o755, True),
        (stat.S_IFLNK | 0o777, False),
        (stat.S_IFCHR | 0o666, False),
        (stat.S_IFBLK | 0o666, False),
        (stat.S_IFIFO | 0o666, False),
        (stat.S_IFSOCK | 0o666, False),
    ],
)
def test_only_files_and_folders_are_taken(mode: int, taken: bool) -> None:
    if taken:
        rules.check_member(member(mode=mode))
    else:
        with pytest.raises(BadArchive, match=r"predict\.py"):
            rules.check_member(member(mode=mode))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flags": 1}, "encrypted"),
        ({"flags": 0x40}, "encrypted"),
        ({"method": 12}, "unusual"),
        ({"method": 14}, "unusual"),
        ({"method": 9}, "unusual"),
    ],
)
def test_encryption_and_unusual_packing_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(BadArchive, match=message):
        rules.check_member(member(**changes))  # type: ignore[arg-type]


def test_members_that_share_bytes_are_refused() -> None:
    with pytest.raises(BadArchive, match="overlaps"):
        rules.check_layout([member("a", size=50), member("b", size=50, offset=60)], archive_bytes=1000)


def test_members_one_after_another_are_fine_in_any_order() -> None:
    rules.check_layout([member("b", size=50, offset=81), member("a", size=50)], archive_bytes=1000)


def test_a_member_that_ends_after_the_archive_is_refused() -> None:
    with pytest.raises(BadArchive, match="cut short"):
        rules.check_layout([member("a", size=50)], archive_bytes=60)


def test_more_files_than_the_cap_are_refused() -> None:
    with pytest.raises(SubmissionTooLarge, match="more than 3 files"):
        rules.check_sizes([member(str(n)) for n in range(4)], caps=CAPS)


def test_a_directory_that_promises_more_than_the_cap_is_refused() -> None:
    with pytest.raises(SubmissionTooLarge):
        rules.check_sizes([member("a", size=300), member("b", size=201)], caps=CAPS)


def test_an_artifact_over_the_projects_cap_is_refused_however_many_files_it_has() -> None:
    rules.check_artifact([("artifact/a", 60), ("artifact/b", 40), ("predict.py", 400)], caps=CAPS)
    with pytest.raises(SubmissionTooLarge, match="artifact/"):
        rules.check_artifact([("artifact/a", 60), ("artifact/b", 41)], caps=CAPS)


@pytest.mark.parametrize(
    ("paths", "top"),
    [
        (["predict.py", "artifact/x"], ""),
        (["work/predict.py", "work/artifact/x"], "work/"),
        (["work/predict.py", "other/x"], ""),
        (["work/sub/predict.py"], ""),
        ([], ""),
    ],
)
def test_a_zipped_folder_counts_as_its_content(paths: list[str], top: str) -> None:
    assert rules.common_folder(paths) == top


@pytest.mark.parametrize("paths", [["a", "a"], ["a/b", "a"], ["a", "a/b"], ["x/y/z", "x/y"]])
def test_a_name_twice_or_as_file_and_folder_is_refused(paths: list[str]) -> None:
    with pytest.raises(BadArchive, match="twice"):
        rules.check_distinct(paths)


def test_a_file_where_the_zip_has_a_folder_is_refused() -> None:
    with pytest.raises(BadArchive, match="twice"):
        rules.check_distinct(["artifact"], folders=["artifact"])


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "empty"),
        (["model.py"], "no predict.py at the top of the zip. Put"),
        (["code/predict.py", "README.md"], "It is at 'code/predict.py'"),
        (["Predict.py"], "no predict.py"),
    ],
)
def test_without_predict_at_the_top_the_refusal_says_what_to_do(paths: list[str], message: str) -> None:
    with pytest.raises(BadArchive, match=message):
        rules.check_complete(paths)


@pytest.mark.parametrize(
    ("paths", "picked"),
    [
        (["a.ipynb", "start.ipynb", "submission.ipynb"], "submission.ipynb"),
        (["a.ipynb", "start.ipynb"], "start.ipynb"),
        (["b.ipynb", "a.ipynb"], "a.ipynb"),
        (["sub/a.ipynb", "z.ipynb"], "z.ipynb"),
        (["sub/submission.ipynb"], "sub/submission.ipynb"),
        (["artifact/x.ipynb"], ""),
        (["predict.py"], ""),
    ],
)
def test_which_notebook_mentors_review(paths: list[str], picked: str) -> None:
    assert rules.pick_notebook(paths) == picked


@pytest.mark.parametrize(
    "path",
    ["__MACOSX/._predict.py", "a/.DS_Store", "__pycache__/predict.cpython-311.pyc", ".ipynb_checkpoints/start.ipynb"],
)
def test_what_systems_leave_lying_about_is_left_out(path: str) -> None:
    assert rules.is_left_out(path)
    assert not rules.is_left_out("artifact/DS_Store")
