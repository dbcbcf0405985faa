"""Unpacking real hostile zips: each is refused with a name, and disk use stays within the cap."""

from __future__ import annotations

import io
import random
import stat
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practicum.errors import Refused
from practicum.submissions import archive
from practicum.submissions.errors import BadArchive, SubmissionTooLarge
from practicum.submissions.rules import Caps
from tests.unit.submissions import zips

MEGABYTE = 1024**2
CAPS = Caps(archive_bytes=8 * MEGABYTE, total_bytes=4 * MEGABYTE, artifact_bytes=2 * MEGABYTE, files=100)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_an_ordinary_zip_is_written_as_read_only_files(into: Path) -> None:
    files = archive.unpack(zips.submission(artifact__w=b"x" * 1000), into=into, caps=CAPS)

    assert files == [("artifact/w", 1000), ("predict.py", len(zips.PREDICT)), ("start.ipynb", len(zips.NOTEBOOK))]
    assert (into / "predict.py").read_bytes() == zips.PREDICT
    modes = {stat.S_IMODE(path.stat().st_mode) for path in into.rglob("*") if path.is_file()}
    assert modes == {0o444}


def test_a_zipped_folder_is_unwrapped_and_litter_left_out(into: Path) -> None:
    packed = zips.zip_of({"work/predict.py": zips.PREDICT, "work/a/b": b"1", "__MACOSX/work/._predict.py": b"2"})

    files = archive.unpack(packed, into=into, caps=CAPS)

    assert [path for path, _ in files] == ["a/b", "predict.py"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/abs",
        "C:\\x",
        "\\\\host\\x",
        "a\\b",
        "a\0b",
        "a\x07b",
        "a ",
        "a.",
        "artifact/../../evil",
        "a\u202eb",
    ],
)
def test_e1_a_bad_name_is_refused_by_name_and_nothing_is_written(into: Path, name: str) -> None:
    local, central = zips.entry(name.encode(), b"boo", offset=0, flags=0x800)

    with pytest.raises(BadArchive) as refusal:
        archive.unpack(zips.by_hand([(local, central)]), into=into, caps=CAPS)

    assert refusal.value.facts["member"]
    assert list(into.iterdir()) == []
    assert {path.name for path in into.parent.iterdir()} == {"unpacked", "var"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_e2_links_devices_and_pipes_are_refused(into: Path, kind: int) -> None:
    with pytest.raises(BadArchive, match="artifact/x"):
        archive.unpack(zips.with_mode(kind | 0o777), into=into, caps=CAPS)

    assert list(into.iterdir()) == []


def test_e2_setuid_bits_do_not_survive(into: Path) -> None:
    archive.unpack(zips.with_mode(stat.S_IFREG | 0o6777), into=into, caps=CAPS)

    assert stat.S_IMODE((into / "artifact/x").stat().st_mode) == 0o444


def test_e3_a_bomb_is_refused_by_its_promise(into: Path) -> None:
    packed = zips.submission(artifact__zeros=bytes(5 * MEGABYTE))
    assert packed.getbuffer().nbytes < 20_000

    with pytest.raises(SubmissionTooLarge):
        archive.unpack(packed, into=into, caps=CAPS)

    assert on_disk(into) == 0


def test_e3_a_member_that_lies_about_its_size_never_writes_more_than_it_said(into: Path) -> None:
    local, central = zips.entry(b"predict.py", bytes(50 * MEGABYTE), offset=0, says_bytes=10)

    with pytest.raises(BadArchive, match=r"predict\.py"):
        archive.unpack(zips.by_hand([(local, central)]), into=into, caps=CAPS)

    assert on_disk(into) <= 10


def test_e3_a_member_whose_size_is_right_but_whose_check_is_wrong_is_refused(into: Path) -> None:
    local, central = zips.entry(b"predict.py", b"print()", offset=0, crc=1)

    with pytest.raises(BadArchive, match="damaged"):
        archive.unpack(zips.by_hand([(local, central)]), into=into, caps=CAPS)


def test_e3_overlapping_members_are_refused_before_any_is_unpacked(into: Path) -> None:
    packed = zips.overlapping(60, kernel=bytes(60_000))

    with pytest.raises(BadArchive, match="overlaps"):
        archive.unpack(packed, into=into, caps=CAPS)

    assert on_disk(into) == 0


def test_e3_more_members_than_the_cap_are_refused_without_reading_their_names(into: Path) -> None:
    with pytest.raises(SubmissionTooLarge, match="more than 100 files"):
        archive.unpack(zips.zip_of({f"artifact/{n}": b"" for n in range(101)}), into=into, caps=CAPS)


def test_e3_a_directory_that_hides_its_count_is_refused_by_its_size(into: Path) -> None:
    parts = [zips.entry(b"%0199d" % n, b"", offset=n * 231) for n in range(2000)]

    with pytest.raises(SubmissionTooLarge):
        archive.unpack(zips.by_hand(parts, count=1), into=into, caps=CAPS)


def test_e3_a_zip_inside_is_one_file_and_stays_packed(into: Path) -> None:
    inner = zips.submission(artifact__zeros=bytes(3 * MEGABYTE)).getvalue()

    archive.unpack(zips.submission(artifact__inner=inner), into=into, caps=CAPS)

    assert (into / "artifact/inner").read_bytes() == inner


def gzipped_tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz"):
        pass
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"P",
        zips.PREDICT,
        zips.NOTEBOOK,
        b"\x80\x04K\x01.",
        b"Rar!\x1a\x07",
        b"7z\xbc\xaf\x27\x1c",
        gzipped_tar(),
        b"MZ" + bytes(99),
    ],
    ids=["nothing", "one byte", "python", "notebook", "pickle", "rar", "7z", "tar.gz", "exe"],
)
def test_e5_what_is_no_zip_is_refused_whatever_its_name(into: Path, content: bytes) -> None:
    with pytest.raises(BadArchive, match="not a zip"):
        archive.unpack(io.BytesIO(content), into=into, caps=CAPS)


@pytest.mark.parametrize("front", [b"\x80\x04.", zips.NOTEBOOK, b"#!/bin/sh\n"])
def test_e5_a_file_that_is_a_zip_and_something_else_in_front_is_refused(into: Path, front: bytes) -> None:
    with pytest.raises(BadArchive):
        archive.unpack(io.BytesIO(front + zips.submission().getvalue()), into=into, caps=CAPS)


def test_e5_something_hidden_between_members_and_directory_is_refused(into: Path) -> None:
    whole = zips.submission().getvalue()
    at = struct.unpack("<L", whole[-6:-2])[0]

    with pytest.raises(BadArchive):
        archive.unpack(io.BytesIO(whole[:at] + b"{}" * 50 + whole[at:]), into=into, caps=CAPS)


def test_e5_something_behind_the_zip_is_refused(into: Path) -> None:
    with pytest.raises(BadArchive):
        archive.unpack(io.BytesIO(zips.submission().getvalue() + b"<script>"), into=into, caps=CAPS)


def test_a_zip_with_a_comment_is_fine(into: Path) -> None:
    stream = zips.submission()
    with zipfile.ZipFile(stream, "a") as opened:
        opened.comment = b"made at home"

    assert archive.unpack(stream, into=into, caps=CAPS)


def test_a_zip_with_a_64_bit_directory_is_fine(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    stream = zips.submission()
    assert b"PK\6\6" in stream.getvalue()

    assert archive.unpack(stream, into=into, caps=CAPS)


def test_e5_an_encrypted_member_is_refused_by_name(into: Path) -> None:
    local, central = zips.entry(b"predict.py", zips.PREDICT, offset=0, flags=1)

    with pytest.raises(BadArchive, match="encrypted"):
        archive.unpack(zips.by_hand([(local, central)]), into=into, caps=CAPS)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_methods_that_unpack_without_bound_are_refused(into: Path, method: int) -> None:
    with pytest.raises(BadArchive, match="unusual"):
        archive.unpack(zips.zip_of({"predict.py": zips.PREDICT}, method=method), into=into, caps=CAPS)


def test_e6_every_truncation_is_refused_and_leaves_nothing_that_counts(into: Path) -> None:
    whole = zips.submission(artifact__w=random.Random(1).randbytes(500)).getvalue()

    for length in range(0, len(whole), 7):
        with pytest.raises(BadArchive):
            archive.unpack(io.BytesIO(whole[:length]), into=into, caps=CAPS)
    assert list(into.iterdir()) == []


def test_a_zip_over_the_upload_cap_is_refused_unread(into: Path) -> None:
    with pytest.raises(SubmissionTooLarge, match="larger than 8 MB"):
        archive.unpack(io.BytesIO(b"PK\3\4" + bytes(8 * MEGABYTE)), into=into, caps=CAPS)


def test_the_same_name_twice_is_refused(into: Path) -> None:
    first = zips.entry(b"predict.py", b"1", offset=0)
    with pytest.raises(BadArchive, match="twice"):
        archive.unpack(
            zips.by_hand([first, zips.entry(b"predict.py", b"2", offset=len(first[0]))]), into=into, caps=CAPS
        )


def test_e7_pickles_and_weights_are_kept_as_bytes_and_never_loaded(into: Path, tmp_path: Path) -> None:
    trap = b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "sprung").encode()
    names = [
        "artifact/w.pkl",
        "artifact/w.joblib",
        "artifact/w.pt",
        "artifact/w.npy",
        "artifact/w.h5",
        "artifact/w.onnx",
    ]

    archive.unpack(zips.zip_of({"predict.py": zips.PREDICT} | dict.fromkeys(names, trap)), into=into, caps=CAPS)

    assert not (tmp_path / "sprung").exists()
    assert all((into / name).read_bytes() == trap for name in names)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_bytes_are_damaged_the_answer_is_files_within_the_cap_or_a_refusal(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = bytearray(zips.submission(artifact__w=b"abc" * 100).getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    outside = set(folder.parent.iterdir())

    with suppress(Refused):
        archive.unpack(io.BytesIO(bytes(whole)), into=folder, caps=CAPS)
    assert on_disk(folder) <= CAPS.total_bytes
    assert set(folder.parent.iterdir()) == outside
