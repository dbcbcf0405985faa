"""Unpacking a zip that nobody vouches for.

Its directory is judged before anything is read, and read only as far as a small one goes; then each member is written
piece by piece, never more than the caps allow, whatever the directory promised. Nothing is executed, followed, or
unpacked twice. What comes out are regular files of mode 0444 in folders of mode 0755.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from practicum.submissions import rules
from practicum.submissions.errors import BadArchive, SubmissionTooLarge
from practicum.submissions.rules import Caps, Member, Wanted, shown

CHUNK_BYTES = 1 << 18
ENTRY_BYTES = 46
DIRECTORY_BYTES_A_FILE = 512
END_BYTES = 22
END_SEARCH_BYTES = END_BYTES + (1 << 16) - 1
END_64_BYTES, LOCATOR_64_BYTES = 56, 20
LOCAL, EMPTY, END, END_64, LOCATOR_64 = b"PK\3\4", b"PK\5\6", b"PK\5\6", b"PK\6\6", b"PK\6\7"
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, UnicodeError, ValueError)
NOT_A_ZIP = "This is not a zip archive. Zip the folder with your predict.py and hand in the .zip file."
CUT = "The zip is not complete. Zip again and send it once more."


@dataclass(frozen=True)
class Entry:
    """One file to write: its path inside the submission and the archive's own record of it."""

    path: str
    info: zipfile.ZipInfo


def unpack(archive: BinaryIO, *, into: Path, caps: Caps, wanted: Wanted = rules.CODE) -> list[tuple[str, int]]:
    """Write the archive's files below ``into`` (which is there and empty); returns (path, bytes) sorted by path.

    Raises:
        BadArchive: it is no zip, or one that can't be taken; the member is named.
        SubmissionTooLarge: a cap is reached; unpacking stopped there.
    """
    size = archive.seek(0, os.SEEK_END)
    if size > caps.archive_bytes:
        raise SubmissionTooLarge(
            f"The zip is larger than {rules.megabytes(caps.archive_bytes)} MB, the most that is taken."
        )
    _check_frame(archive, size=size, caps=caps)
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _entries(opened, size=size, caps=caps, wanted=wanted)
            return _write_all(opened, entries=entries, into=into, caps=caps)
    except BROKEN:
        raise BadArchive(CUT) from None


def _check_frame(archive: BinaryIO, *, size: int, caps: Caps) -> None:
    """It begins with a member and ends with a directory of modest size that lies where it says.

    A file that is a zip and something else at once (its beginning or its end is not the zip's) is refused.
    """
    archive.seek(0)
    head = archive.read(4)
    if head == EMPTY:
        raise BadArchive(f"The zip is empty. {rules.HOW}")
    if head != LOCAL:
        raise BadArchive(NOT_A_ZIP)
    archive.seek(max(0, size - END_SEARCH_BYTES))
    tail = archive.read(END_SEARCH_BYTES)
    place = tail.rfind(END)
    if place < 0 or len(tail) - place < END_BYTES:
        raise BadArchive(CUT)
    count, directory_bytes, directory_at, comment = struct.unpack("<HLLH", tail[place + 10 : place + END_BYTES])
    end = size - len(tail) + place
    if tail[max(0, place - LOCATOR_64_BYTES) :][:4] == LOCATOR_64:
        count, directory_bytes, directory_at, end = _end_64(archive, at=end - LOCATOR_64_BYTES - END_64_BYTES)
    if count > caps.files or directory_bytes > caps.files * DIRECTORY_BYTES_A_FILE + ENTRY_BYTES:
        raise SubmissionTooLarge(f"The zip has more than {caps.files:,} files. Put many small files into one.")
    if comment != len(tail) - place - END_BYTES or directory_at + directory_bytes != end:
        raise BadArchive(f"The zip has something in front of it or behind it. {CUT}")


def _end_64(archive: BinaryIO, *, at: int) -> tuple[int, int, int, int]:
    """Count of entries, size and place of the directory, and where it must end, from the 64-bit end record."""
    if at < 0:
        raise BadArchive(CUT)
    archive.seek(at)
    record = archive.read(END_64_BYTES)
    if len(record) < END_64_BYTES or record[:4] != END_64:
        raise BadArchive(CUT)
    count, directory_bytes, directory_at = struct.unpack("<QQQ", record[32:56])
    return count, directory_bytes, directory_at, at


def _entries(opened: zipfile.ZipFile, *, size: int, caps: Caps, wanted: Wanted) -> list[Entry]:
    infos = opened.infolist()
    members = [_member(info) for info in infos]
    rules.check_sizes(members, caps=caps)
    for member in members:
        rules.check_name(member.name)
        rules.check_member(member)
    rules.check_layout(members, archive_bytes=size)
    named = [(rules.check_name(member.name), info) for member, info in zip(members, infos, strict=True)]
    kept = [(path, info) for path, info in named if not rules.is_left_out(path)]
    files = [(path, info) for path, info in kept if not info.is_dir()]
    top = rules.common_folder((path for path, _ in files), wanted=wanted)
    entries = [Entry(path.removeprefix(top), info) for path, info in files]
    paths = [entry.path for entry in entries]
    rules.check_distinct(paths, folders=(path.removeprefix(top) for path, info in kept if info.is_dir()))
    rules.check_complete(paths, wanted=wanted)
    rules.check_artifact(((entry.path, entry.info.file_size) for entry in entries), caps=caps)
    return sorted(entries, key=lambda entry: entry.path)


def _member(info: zipfile.ZipInfo) -> Member:
    # The name as the archive spells it: zipfile's own ``filename`` ends at a NUL.
    return Member(
        name=info.orig_filename,
        bytes=info.file_size,
        packed_bytes=info.compress_size,
        mode=info.external_attr >> 16,
        flags=info.flag_bits,
        method=info.compress_type,
        offset=info.header_offset,
    )


def _write_all(opened: zipfile.ZipFile, *, entries: list[Entry], into: Path, caps: Caps) -> list[tuple[str, int]]:
    left = caps.total_bytes
    written: list[tuple[str, int]] = []
    for entry in entries:
        target = into / entry.path
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            count = _write(opened, info=entry.info, target=target, left=left, caps=caps)
        except BROKEN:
            name = shown(entry.path)
            raise BadArchive(f"'{name}' in the zip is damaged. Zip again and send it once more.", member=name) from None
        left -= count
        written.append((entry.path, count))
    return written


def _write(opened: zipfile.ZipFile, *, info: zipfile.ZipInfo, target: Path, left: int, caps: Caps) -> int:
    """Write one member; returns its true size."""
    count = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with opened.open(info) as source, os.fdopen(os.open(target, flags, 0o644), "wb") as sink:
        while chunk := source.read(CHUNK_BYTES):
            count += len(chunk)
            if count > left:
                raise rules.too_large_unpacked(caps)
            sink.write(chunk)
        os.fchmod(sink.fileno(), 0o444)
    return count
