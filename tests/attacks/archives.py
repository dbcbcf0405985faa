"""Hostile archives, made here byte by byte and never kept, each with what its success would look like."""

# ruff: noqa: E501
from __future__ import annotations

import bz2
import importlib.util
import io
import os
import py_compile
import re
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.attacks import weak_unpackers as weak
from tests.unit.submissions import zips

MEBIBYTE = 1024**2
# The caps that the tests give the product.
TOTAL_BYTES, FILES = 4 * MEBIBYTE, 100
EVIL = b"print('evil')\n"
LINK = stat.S_IFLNK | 0o777


@dataclass(frozen=True)
class Place:
    """Where an archive is unpacked: ``into``, inside ``scratch``, where the secret lies that it may reach for."""

    scratch: Path
    into: Path
    token: str

    @property
    def secret(self) -> Path:
        """A file outside of what is unpacked."""
        return self.scratch / "secret.txt"

    def files(self) -> list[Path]:
        """Everything below ``into`` that is no folder."""
        return [Path(folder, name) for folder, _, names in os.walk(self.into) for name in names]


Build = Callable[[Place], bytes]
Judge = Callable[[Place], bool]


@dataclass(frozen=True)
class Archive:
    """One hostile archive, the unpacker that falls for it, and how that is seen."""

    name: str
    row: str
    title: str
    build: Build
    unpacker: Callable[[bytes, Path], None]
    succeeded: Judge


# How success is seen.


def outside(place: Place) -> bool:
    """A file was written outside of the folder."""
    return (place.scratch / "evil.py").exists()


def over_bytes(place: Place) -> bool:
    """More bytes were written than the cap."""
    return sum(file.lstat().st_size for file in place.files()) > TOTAL_BYTES


def over_files(place: Place) -> bool:
    """More files were written than the cap."""
    return len(place.files()) > FILES


def secret_read(place: Place) -> bool:
    """The secret outside is read through what was unpacked."""
    return any(place.token in file.read_text(errors="replace") for file in place.files() if file.is_file())


def of_kind(is_kind: Callable[[int], bool]) -> Judge:
    """A file of this kind was made."""
    return lambda place: any(is_kind(file.lstat().st_mode) for file in place.files())


def named(pattern: str) -> Judge:
    """A file has a name like this."""
    return lambda place: any(re.search(pattern, file.name, re.DOTALL) for file in place.files())


def evil_predict(place: Place) -> bool:
    """What runs is not what the archive's directory shows first."""
    file = place.into / "predict.py"
    return file.is_file() and file.read_bytes() == EVIL


def has(name: str) -> Judge:
    """A file of this name is there."""
    return lambda place: (place.into / name).exists()


def printed(place: Place) -> bool:
    """Code ran that the source does not show."""
    return place.token in (place.into / "printed").read_text() if (place.into / "printed").exists() else False


def crashed(place: Place) -> bool:
    """It ended in an error that nobody foresaw (the harness notes it)."""
    return (place.scratch / "crashed").exists()


def sprung(place: Place) -> bool:
    """Code inside the archive ran while it was taken in."""
    return (place.scratch / "sprung").exists()


# How they are made.


def member(name: str, content: bytes = EVIL, *, more: bytes = b"") -> Build:
    """A zip with predict.py and one member of this name."""

    def build(_: Place) -> bytes:
        first = zips.entry(b"predict.py", zips.PREDICT, offset=0)
        second = zips.entry(name.encode(), content, offset=len(first[0]), flags=0x800)
        return zips.by_hand([first, _with_extra(second, more)]).getvalue()

    return build


def _with_extra(part: tuple[bytes, bytes], extra: bytes) -> tuple[bytes, bytes]:
    local, central = part
    return local, central[:30] + struct.pack("<H", len(extra)) + central[32:] + extra if extra else central


def absolute(place: Place) -> bytes:
    """A name from the top of the file system."""
    return member(str(place.scratch / "evil.py"))(place)


def other_name(place: Place) -> bytes:
    """One name in the directory, another in the field that some tools prefer."""
    name = b"../evil.py"
    field = struct.pack("<BL", 1, zlib.crc32(b"notes.py")) + name
    return member("notes.py", more=struct.pack("<HH", weak.UNICODE_NAME, len(field)) + field)(place)


def linked(name: str, *, behind: str = "") -> Build:
    """A link to the secret, or to the folder outside with a file behind it."""

    def build(place: Place) -> bytes:
        target = place.scratch if behind else place.secret
        stream = zips.with_mode(LINK, name=name, content=str(target).encode())
        if behind:
            with zipfile.ZipFile(stream, "a") as opened:
                opened.writestr(behind, EVIL)
        return stream.getvalue()

    return build


def moded(mode: int) -> Build:
    """A member of this mode."""
    return lambda _: zips.with_mode(mode, content=b"").getvalue()


def twice(place: Place) -> bytes:
    """predict.py, and predict.py again."""
    first = zips.entry(b"predict.py", zips.PREDICT, offset=0)
    return zips.by_hand([first, zips.entry(b"predict.py", EVIL, offset=len(first[0]))]).getvalue()


def nul(place: Place) -> bytes:
    """A name that ends, for some, in its middle."""
    first = zips.entry(b"predict.py", zips.PREDICT, offset=0)
    return zips.by_hand([first, zips.entry(b"predict.py\0.txt", EVIL, offset=len(first[0]))]).getvalue()


def file_and_folder(place: Place) -> bytes:
    """The same name as a file and as a folder."""
    return zips.zip_of({"predict.py": zips.PREDICT, "artifact": b"1", "artifact/w": b"2"}).getvalue()


def lying(place: Place) -> bytes:
    """It says 10 bytes and unpacks to 50 MB."""
    return zips.by_hand([zips.entry(b"predict.py", bytes(50 * MEBIBYTE), offset=0, says_bytes=10)]).getvalue()


def matryoshka(place: Place) -> bytes:
    """Archives inside archives; the innermost are large."""
    inner = zips.zip_of({"zeros": bytes(6 * MEBIBYTE)}).getvalue()
    middle = zips.zip_of({f"{n}.zip": inner for n in range(5)}).getvalue()
    return zips.zip_of({"predict.py": zips.PREDICT, "artifact/a.zip": middle, "artifact/b.zip": middle}).getvalue()


def hidden_count(place: Place) -> bytes:
    """Two thousand members, of which its end record admits one."""
    parts, at = [], 0
    for number in range(2000):
        parts.append(zips.entry(b"predict.py" if number == 0 else b"%06d" % number, b"", offset=at))
        at += len(parts[-1][0])
    return zips.by_hand(parts, count=1).getvalue()


def in_front(place: Place) -> bytes:
    """A shell script that is also a zip."""
    return b"#!/bin/sh\ntouch evil\nexit\n" + zips.submission().getvalue()


def behind(place: Place) -> bytes:
    """A zip that is also a web page."""
    return zips.submission().getvalue() + b"<html><script>alert(1)</script></html>"


def unlisted(place: Place) -> bytes:
    """A member between the others that the directory does not list."""
    first = zips.entry(b"predict.py", zips.PREDICT, offset=0)
    evil = zips.entry(b"evil.py", EVIL, offset=0)[0]
    return zips.by_hand([(first[0] + evil, first[1])]).getvalue()


def two_names(place: Place) -> bytes:
    """The directory says notes.py, the member itself says ../evil.py."""
    first = zips.entry(b"predict.py", zips.PREDICT, offset=0)
    local = zips.entry(b"../evil.py", EVIL, offset=len(first[0]))[0]
    central = zips.entry(b"notes.py", EVIL, offset=len(first[0]))[1]
    return zips.by_hand([first, (local, central)]).getvalue()


def tar_of(*members: tuple[str, bytes, str], packed: str = "w:gz") -> Build:
    """A tar of (name, kind, target) that comes under a zip's name."""

    def build(place: Place) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=packed) as opened:  # type: ignore[call-overload]
            for name, kind, target in members:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target.format(secret=place.secret)
                info.size = len(EVIL) if kind == tarfile.REGTYPE else 0
                opened.addfile(info, io.BytesIO(EVIL))
        return stream.getvalue()

    return build


def odd_method(place: Place) -> bytes:
    """50 MB of zeros in 60 bytes, by a method that is rarely looked for."""
    assert len(bz2.compress(bytes(50 * MEBIBYTE))) < 200
    return zips.zip_of({"predict.py": bytes(50 * MEBIBYTE)}, method=zipfile.ZIP_BZIP2).getvalue()


def pickled(place: Place) -> bytes:
    """Weights that run a command when they are loaded."""
    trap = b"cos\nsystem\n(S'touch %s'\ntR." % str(place.scratch / "sprung").encode()
    return zips.submission(**{"artifact__w.pkl": trap}).getvalue()


def deep_notebook(place: Place) -> bytes:
    """A notebook of brackets."""
    return zips.zip_of({"predict.py": zips.PREDICT, "start.ipynb": b"[" * 200_000}).getvalue()


def other_bytecode(place: Place) -> bytes:
    """Compiled code beside a harmless source, marked as not to be compared with it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "predict.py")
        source.write_text(f"print({place.token!r})\n")
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compiled = py_compile.compile(str(source), invalidation_mode=mode, doraise=True)
        assert compiled is not None
        code = Path(compiled).read_bytes()
    name = Path(importlib.util.cache_from_source("predict.py")).as_posix()
    return zips.zip_of({"predict.py": zips.PREDICT, name: code}).getvalue()


def cut(place: Place) -> bytes:
    """Half of an upload."""
    whole = zips.submission(artifact__w=os.urandom(5_000)).getvalue()
    return whole[: len(whole) // 2]


def many(place: Place) -> bytes:
    """Three thousand files."""
    return zips.zip_of({"predict.py": zips.PREDICT} | {f"artifact/{n}": b"" for n in range(3000)}).getvalue()


def deep_folders(place: Place) -> bytes:
    """A file two hundred folders down."""
    return member("d/" * 200 + "evil.py")(place)


def is_deep(place: Place) -> bool:
    """It lies deeper than anything that is later done with it goes."""
    return any(len(file.relative_to(place.into).parts) > 100 for file in place.files())


def unseen(place: Place) -> bool:
    """A file's name has characters that nobody sees."""
    return any(unicodedata.category(c) in ("Cc", "Cf") for file in place.files() for c in file.name)


REG, HARD, SOFT = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE
ARCHIVES = [
    Archive("parent-folder", "E1", "A name that leads one folder up", member("../evil.py"), weak.by_hand, outside),
    Archive("parent-in-the-middle", "E1", "A name that goes down first, then up", member("artifact/../../evil.py"), weak.by_hand, outside),
    Archive("absolute", "E1", "A name from the top of the file system", absolute, weak.by_hand, outside),
    Archive("backslash", "E1", "A name that leads up where a backslash divides folders", member("..\\evil.py"), weak.by_hand_of_windows, outside),
    Archive("drive", "E1", "A name on a drive of another system", member("C:evil.py"), weak.by_the_book, named(r"\AC:")),
    Archive("other-host", "E1", "A name on another host", member("\\\\elsewhere\\share\\evil.py"), weak.by_the_book, named(r"\\\\elsewhere")),
    Archive("nul", "E1", "A name that ends in its middle and replaces predict.py", nul, weak.by_the_book, evil_predict),
    Archive("terminal-codes", "E1", "A name that clears the screen of whoever lists it", member("a\x1b[2Jb.py"), weak.by_the_book, unseen),
    Archive("turned-around", "E1", "A name that reads backwards on a screen", member("gnp\u202eyp.x"), weak.by_the_book, unseen),
    Archive("trailing-space", "E1", "A name that is another file's on another system", member("predict.py "), weak.by_the_book, named(r" \Z")),
    Archive("other-name", "E1", "Another name in a field that some tools prefer", other_name, weak.by_hand, outside),
    Archive("two-names", "E1", "One name in the directory, another in the member", two_names, weak.as_a_stream, outside),
    Archive("link", "E2", "A link to a file outside", linked("artifact/x"), weak.by_hand, secret_read),
    Archive("link-to-folder", "E2", "A link to a folder outside, and a file behind it", linked("d", behind="d/evil.py"), weak.by_hand, outside),
    Archive("character-device", "E2", "A device", moded(stat.S_IFCHR | 0o666), weak.by_hand, of_kind(stat.S_ISCHR)),
    Archive("pipe", "E2", "A pipe, at which whoever reads it waits for ever", moded(stat.S_IFIFO | 0o666), weak.by_hand, of_kind(stat.S_ISFIFO)),
    Archive("setuid", "E2", "A program that becomes its owner", moded(stat.S_IFREG | 0o6755), weak.by_hand, of_kind(lambda mode: bool(mode & stat.S_ISUID))),
    Archive("tar-hard-link", "E2", "A tar with a second name for a file outside", tar_of(("predict.py", REG, ""), ("x", HARD, "../secret.txt")), weak.as_a_tar, secret_read),
    Archive("tar-parent-folder", "E5", "A packed tar whose names lead up", tar_of(("predict.py", REG, ""), ("../evil.py", REG, "")), weak.as_a_tar, outside),
    Archive("bomb", "E3", "60 MB of zeros in 60 kB", lambda _: zips.submission(artifact__zeros=bytes(60 * MEBIBYTE)).getvalue(), weak.by_the_book, over_bytes),
    Archive("overlapping", "E3", "Sixty members that are all the same bytes", lambda _: zips.overlapping(60, kernel=bytes(MEBIBYTE)).getvalue(), weak.by_hand, over_bytes),
    Archive("lying-size", "E3", "A member of 50 MB that says 10 bytes", lying, weak.by_hand, over_bytes),
    Archive("nested", "E3", "Archives in archives", matryoshka, weak.with_all_inside, over_bytes),
    Archive("odd-method", "E3", "50 MB in 60 bytes, by another method", odd_method, weak.by_the_book, over_bytes),
    Archive("many-files", "E3", "Three thousand files", many, weak.by_the_book, over_files),
    Archive("hidden-count", "E3", "Two thousand members that say they are one", hidden_count, weak.by_hand, over_files),
    Archive("deep-folders", "E1", "A file two hundred folders down", deep_folders, weak.by_the_book, is_deep),
    Archive("twice", "E5", "predict.py twice: one to be read, one to be run", twice, weak.by_the_book, evil_predict),
    Archive("file-and-folder", "E5", "A name that is a file and a folder", file_and_folder, weak.by_the_book, crashed),
    Archive("script-in-front", "E5", "A script that is also a zip", in_front, weak.by_the_book, has("predict.py")),
    Archive("page-behind", "E5", "A zip that is also a web page", behind, weak.by_the_book, has("predict.py")),
    Archive("unlisted", "E5", "A member that the directory does not list", unlisted, weak.as_a_stream, has("evil.py")),
    Archive("other-bytecode", "E5", "Compiled code that is not the source's", other_bytecode, weak.and_runs, printed),
    Archive("cut", "E6", "Half an upload", cut, weak.as_a_stream, lambda place: bool(place.files())),
    Archive("pickle", "E7", "Weights that run a command when they are loaded", pickled, weak.with_a_look_at_the_weights, sprung),
    Archive("deep-notebook", "E5", "A notebook of 200,000 brackets", deep_notebook, weak.with_a_look_at_the_notebook, crashed),
]  # fmt: skip
