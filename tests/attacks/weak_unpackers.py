"""How archives are unpacked by those who trust them: the controls of the archive attacks.

Each writes only below the folder of its test, unless the archive leads it out of there: into the test's own scratch
folder, which is where every hostile name here points. What they may write is bounded by the archives, 70 MB at most.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

ANY_MODE = 0o7777
LOCAL_BYTES = 30
UNICODE_NAME = 0x7075


def by_the_book(content: bytes, into: Path) -> None:
    """Python's own ``extractall``."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        opened.extractall(into)


def by_hand(content: bytes, into: Path) -> None:
    """Names as they are spelled, modes as they are given, links and devices as they are asked for, sizes unseen."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        for info in opened.infolist():
            name = _unicode_name(info.extra) or info.orig_filename
            _put(name, mode=info.external_attr >> 16, content=_unpacked(content, info), into=into)


def by_hand_of_windows(content: bytes, into: Path) -> None:
    """The same, where a backslash divides folders."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        for info in opened.infolist():
            name = info.orig_filename.replace("\\", "/")
            _put(name, mode=info.external_attr >> 16, content=_unpacked(content, info), into=into)


def as_a_stream(content: bytes, into: Path) -> None:
    """From the front, member after member, without a look at the directory at the end."""
    at = 0
    while content[at : at + 4] == b"PK\3\4":
        packed, _, name_bytes, extra_bytes = struct.unpack("<LLHH", content[at + 18 : at + LOCAL_BYTES])
        start = at + LOCAL_BYTES + name_bytes + extra_bytes
        name = content[at + LOCAL_BYTES : at + LOCAL_BYTES + name_bytes].decode()
        body = zlib.decompressobj(-15).decompress(content[start : start + packed])
        _put(name, mode=0, content=body, into=into)
        at = start + packed


def as_a_tar(content: bytes, into: Path) -> None:
    """A tar, however it is packed."""
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        opened.extractall(into, filter="fully_trusted")


def with_all_inside(content: bytes, into: Path) -> None:
    """And every archive inside it."""
    by_the_book(content, into)
    for inner in list(into.rglob("*.zip")):
        folder = inner.with_suffix("")
        folder.mkdir()
        with_all_inside(inner.read_bytes(), folder)


def with_a_look_at_the_weights(content: bytes, into: Path) -> None:
    """And loads the weights, to show what is in them."""
    by_the_book(content, into)
    for file in into.rglob("*.pkl"):
        pickle.loads(file.read_bytes())


def with_a_look_at_the_notebook(content: bytes, into: Path) -> None:
    """And reads the notebook, which is JSON after all."""
    by_the_book(content, into)
    for file in into.rglob("*.ipynb"):
        json.loads(file.read_bytes())


def and_runs(content: bytes, into: Path) -> None:
    """And imports what the mentor read; what that prints is kept in a file."""
    by_the_book(content, into)
    code = f"import sys; sys.path.insert(0, {str(into)!r}); import predict"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    (into / "printed").write_text(done.stdout)


def _unicode_name(extra: bytes) -> str:
    """The name in the extra field that some tools prefer."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == UNICODE_NAME:
            return extra[9 : 4 + size].decode()
        extra = extra[4 + size :]
    return ""


def _unpacked(content: bytes, info: zipfile.ZipInfo) -> bytes:
    """Of this member, however much it is."""
    at = info.header_offset
    name_bytes, extra_bytes = struct.unpack("<HH", content[at + 26 : at + LOCAL_BYTES])
    start = at + LOCAL_BYTES + name_bytes + extra_bytes
    packed = content[start : start + info.compress_size]
    return zlib.decompressobj(-15).decompress(packed) if info.compress_type == zipfile.ZIP_DEFLATED else packed


def _put(name: str, *, mode: int, content: bytes, into: Path) -> None:
    target = Path(os.path.join(into, name))  # noqa: PTH118
    if name.endswith("/"):
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        target.symlink_to(content.decode())
    elif kind in (stat.S_IFIFO, stat.S_IFCHR):
        os.mknod(target, mode, os.makedev(1, 3))
    else:
        target.write_bytes(content)
        if mode:
            target.chmod(mode & ANY_MODE)
