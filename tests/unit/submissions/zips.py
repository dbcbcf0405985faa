"""Zips, ordinary and hostile, made byte by byte where Python's own writer would refuse."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping

PREDICT = b"def predict(artifact, inputs, out):\n    pass\n"

NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# First hour"},
            {"cell_type": "code", "id": "b", "metadata": {}, "source": "1 + 1", "outputs": [], "execution_count": 1},
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
).encode()


def zip_of(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    """An ordinary zip; names are written as they are, even bad ones."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.compress_type = name, method
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)
    stream.seek(0)
    return stream


def submission(**more: bytes) -> io.BytesIO:
    """A zip that is taken: predict.py, a notebook, and more files by keyword (``a__b`` is ``a/b``)."""
    files = {"predict.py": PREDICT, "start.ipynb": NOTEBOOK}
    return zip_of(files | {name.replace("__", "/"): content for name, content in more.items()})


def with_mode(mode: int, *, name: str = "artifact/x", content: bytes = b"/etc/passwd") -> io.BytesIO:
    """A submission with one more member of this Unix mode."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("predict.py", PREDICT)
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, content)
    stream.seek(0)
    return stream


def entry(
    name: bytes,
    content: bytes,
    *,
    offset: int,
    says_bytes: int | None = None,
    flags: int = 0,
    method: int = 8,
    crc: int | None = None,
) -> tuple[bytes, bytes]:
    """A member by hand: its local part and its line in the directory. ``says_bytes`` is the size it claims."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(content) + packer.flush() if method == 8 else content
    size = len(content) if says_bytes is None else says_bytes
    check = zlib.crc32(content) if crc is None else crc
    common = struct.pack("<HHHHHLLL", 20, flags, method, 0, 33, check, len(packed), size)
    local = b"PK\3\4" + common + struct.pack("<HH", len(name), 0) + name + packed
    central = b"PK\1\2" + struct.pack("<H", 20) + common
    central += struct.pack("<HHHHHLL", len(name), 0, 0, 0, 0, 0o100644 << 16, offset) + name
    return local, central


def by_hand(parts: list[tuple[bytes, bytes]], *, count: int | None = None, comment: bytes = b"") -> io.BytesIO:
    """Local parts, then the directory, then its end record."""
    body = b"".join(local for local, _ in parts)
    directory = b"".join(central for _, central in parts)
    entries = len(parts) if count is None else count
    end = b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, entries, entries, len(directory), len(body), len(comment))
    return io.BytesIO(body + directory + end + comment)


def overlapping(members: int, *, kernel: bytes) -> io.BytesIO:
    """Many members that all unpack the same packed bytes: small on disk, huge unpacked."""
    local, _ = entry(b"predict.py", kernel, offset=0)
    lines = [(b"", entry(b"predict.py" if n == 0 else b"f%07d.p" % n, kernel, offset=0)[1]) for n in range(members)]
    return by_hand([(local, lines[0][1]), *lines[1:]])
