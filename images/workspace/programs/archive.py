"""A home as one compressed file, and back: ``archive.py pack --home DIR`` writes it to standard output, ``archive.py unpack
--home DIR --folder NAME`` reads it from standard input. Both take ``--max-bytes``.

What is packed: folders, plain files, symbolic links as they are (never followed); what can't be read, and pipes, sockets
and devices, are left out; so is ``.cache``. Holes of sparse files stay holes. A file that shrinks meanwhile is filled up
with zeros, as GNU tar does.

What is unpacked lands in a new folder ``DIR/NAME`` (``NAME-2`` where that is taken): nothing is ever overwritten. Names that
lead out, and whatever is neither folder, file nor symbolic link, are left out. Links are made last, so that nothing is
written through one.

The last line on standard error is JSON: what was done. Exit code 3: there is more data than ``--max-bytes``.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import stat
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, BinaryIO

TOO_LARGE = 3
CHUNK = 1 << 20
LEVEL = 1
BLOCK = 512
LEFT_OUT = ".cache"


class TooLargeError(Exception):
    """There is more data than was allowed."""


@dataclass
class Tally:
    """What was done: files and bytes of data taken, entries left out, and the folder that was made."""

    files: int = 0
    data_bytes: int = 0
    left_out: int = 0
    folder: str = ""

    def count(self, size: int, *, limit: int) -> None:
        """So much more data.

        Raises:
            TooLargeError: it is more than ``limit`` now.
        """
        self.data_bytes += size
        if self.data_bytes > limit:
            raise TooLargeError


def pack(home: Path, out: IO[bytes], *, limit: int) -> Tally:
    """Write all that is below ``home`` to ``out``."""
    tally = Tally()
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=LEVEL, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for parent, folders, files, handle in os.fwalk(home, follow_symlinks=False):
            below = Path(parent).relative_to(home)
            if not below.parts:
                folders[:] = [name for name in folders if name != LEFT_OUT]
            folders.sort()
            for name in sorted(folders) + sorted(files):
                try:
                    _add(tar, name, str(below / name), handle=handle, tally=tally, limit=limit)
                except OSError:
                    tally.left_out += 1
    return tally


def _add(tar: tarfile.TarFile, name: str, path: str, *, handle: int, tally: Tally, limit: int) -> None:
    found = os.stat(name, dir_fd=handle, follow_symlinks=False)
    member = tarfile.TarInfo(path)
    member.mode, member.mtime = stat.S_IMODE(found.st_mode) & 0o777, int(found.st_mtime)
    if stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=handle)
        tar.addfile(member)
    elif stat.S_ISDIR(found.st_mode):
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif stat.S_ISREG(found.st_mode):
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
        with os.fdopen(opened, "rb", buffering=0) as file:
            size = os.fstat(opened).st_size
            segments = list(_segments(opened, size))
            tally.count(sum(length for _, length in segments), limit=limit)
            _add_file(tar, member, file, size=size, segments=segments)
        tally.files += 1
    else:
        tally.left_out += 1


def _segments(opened: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file has data: (offset, bytes); the rest are holes."""
    at = 0
    while at < size:
        try:
            begin = os.lseek(opened, at, os.SEEK_DATA)
        except OSError:
            return
        at = min(size, os.lseek(opened, begin, os.SEEK_HOLE))
        yield begin, at - begin


def _add_file(
    tar: tarfile.TarFile, member: tarfile.TarInfo, file: IO[bytes], *, size: int, segments: list[tuple[int, int]]
) -> None:
    head = b""
    if segments != [(0, size)] and size:
        # GNU's sparse format 1.0: a map in front of the data, padded to whole blocks.
        # https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
        lines = [len(segments) + 1, *(number for segment in segments for number in segment), size, 0]
        head = "".join(f"{number}\n" for number in lines).encode()
        head += bytes(-len(head) % BLOCK)
        member.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": member.name,
            "GNU.sparse.realsize": str(size),
        }
    member.size = len(head) + sum(length for _, length in segments)
    tar.addfile(member, _Content(file, head=head, segments=segments))  # type: ignore[arg-type]


class _Content:
    """What is read of a file: the map, then each segment; zeros for what is not there any more."""

    def __init__(self, file: IO[bytes], *, head: bytes, segments: list[tuple[int, int]]) -> None:
        self.parts = self._read(file, head=head, segments=segments)
        self.held = b""

    def _read(self, file: IO[bytes], *, head: bytes, segments: list[tuple[int, int]]) -> Iterator[bytes]:
        yield head
        for offset, length in segments:
            file.seek(offset)
            while length:
                chunk = file.read(min(CHUNK, length)) or bytes(min(CHUNK, length))
                length -= len(chunk)
                yield chunk

    def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes; tarfile asks for no more than the member has."""
        while len(self.held) < count:
            self.held += next(self.parts)
        given, self.held = self.held[:count], self.held[count:]
        return given


def unpack(home: Path, source: IO[bytes], *, folder: str, limit: int) -> Tally:
    """Put all that ``source`` holds into a new folder of ``home``."""
    target = _new_folder(home, folder)
    tally = Tally(folder=target.name)
    links: list[tuple[Path, str]] = []
    squeezed = gzip.GzipFile(fileobj=source)
    with tarfile.open(fileobj=squeezed, mode="r|") as tar:
        for member in tar:
            place = _place(target, member.name)
            try:
                if place is None:
                    tally.left_out += 1
                elif member.isdir():
                    place.mkdir(mode=0o755, parents=True, exist_ok=True)
                elif member.issym():
                    links.append((place, member.linkname))
                elif member.isreg():
                    _write(tar, member, place, tally=tally, limit=limit)
                else:
                    tally.left_out += 1
            except OSError as error:
                if error.errno is not None and os.strerror(error.errno) == "No space left on device":
                    raise
                tally.left_out += 1
    while squeezed.read(CHUNK):  # an archive whose end is missing, or that is damaged, is told here at the latest
        pass
    for place, to in links:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(to)
        except OSError:
            tally.left_out += 1
    return tally


def _new_folder(home: Path, name: str) -> Path:
    for number in range(1, 1000):
        folder = home / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o755)
            return folder
    raise FileExistsError(name)


def _place(target: Path, name: str) -> Path | None:
    """Where a member goes; None where its name leads out."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or not parts or ".." in parts or "\0" in name:
        return None
    return target.joinpath(*parts)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path, *, tally: Tally, limit: int) -> None:
    sparse = getattr(member, "sparse", None)
    segments = [(0, member.size)] if sparse is None else sparse
    tally.count(sum(length for _, length in segments), limit=limit)
    place.parent.mkdir(parents=True, exist_ok=True)
    opened = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    os.fchmod(opened, (member.mode & 0o777) | 0o600)
    source = tar.fileobj
    assert source is not None
    source.seek(member.offset_data)
    with os.fdopen(opened, "wb") as file:
        for offset, length in segments:
            file.seek(offset)
            while length:
                chunk = source.read(min(CHUNK, length))
                if not chunk:
                    raise tarfile.ReadError("the archive ends too early")
                file.write(chunk)
                length -= len(chunk)
        file.truncate(member.size)
    os.utime(place, (member.mtime, member.mtime))
    tally.files += 1


def main(argv: Sequence[str] | None = None) -> int:
    """Pack or unpack; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["pack", "unpack"])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--folder", default="restored")
    parser.add_argument("--max-bytes", type=int, required=True)
    options = parser.parse_args(argv)
    stdin: BinaryIO = sys.stdin.buffer
    try:
        if options.what == "pack":
            tally = pack(options.home, sys.stdout.buffer, limit=options.max_bytes)
        else:
            tally = unpack(options.home, stdin, folder=options.folder, limit=options.max_bytes)
    except TooLargeError:
        return TOO_LARGE
    print(json.dumps(asdict(tally)), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
