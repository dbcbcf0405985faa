"""NumPy's archives, read without numpy's reader: headers are matched, never evaluated, and nothing is unpickled.

Every size is judged by the archive's own directory before anything is unpacked, and what comes is counted again.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from practicum_scorer.form import MOST_CHARACTERS, Column, Form, Table
from practicum_scorer.refusal import InvalidSubmission, quoted

HEADER_BYTES = 4096
END = struct.Struct("<4s4H2LH")  # the archive's last record: ..., bytes of its directory, where it begins, of a comment
END_MARK, ZIP64_MARK = b"PK\x05\x06", b"PK\x06\x07"
MOST_SIZE = 1 << 40
MOST_DIRECTORY_BYTES = 1 << 16
NPY = re.compile(
    rb"\x93NUMPY[\x01-\x03]\x00(?:..|.{4})\{'descr': '(?P<descr>[^']{1,9})', 'fortran_order': (?P<fortran>False|True), "
    rb"'shape': \((?P<shape>(?:[0-9]{1,20},|[0-9]{1,20}(?:, [0-9]{1,20}){1,7})?)\), \} *\n",
    re.DOTALL,
)
TEXTS = re.compile(r"<U([1-9][0-9]{0,5})", re.ASCII)
ORDERS = {">": "big-endian ", "=": "native-endian "}
BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
    OverflowError, MemoryError,
)  # fmt: skip


def read(file: Path, *, form: Form, most_rows: int | None) -> Table:  # noqa: ARG001 - every format is asked alike
    """The arrays of the file.

    Raises:
        InvalidSubmission: names the array.
    """
    name = file.name
    packed = file.read_bytes()
    _check_end(packed, form=form, name=name)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            contents = _members(archive, form=form, name=name)
    except BROKEN as error:
        raise InvalidSubmission(
            f"it can't be read as an .npz file ({quoted(str(error))}). {form.how}", where=name
        ) from None
    columns = {
        column.name: _array(contents[column.name], column, where=f"{name}, array {column.name}")
        for column in form.columns
    }

    def place(row: int, column: str, entry: int | None) -> str:
        return f"{name}, array {column}, row {row}" + ("" if entry is None else f", entry {entry}")

    return Table(columns, place)


def _check_end(packed: bytes, *, form: Form, name: str) -> None:
    """It ends as numpy's archives do, without a comment, and its directory is as short as a few arrays make it.

    Python's reader makes an object of each entry before anything can be asked.
    """
    end = packed[-END.size :]
    if len(end) < END.size or not end.startswith(END_MARK) or ZIP64_MARK in packed[-END.size - 20 : -END.size]:
        raise InvalidSubmission(f"it can't be read as an .npz file. {form.how}", where=name)
    directory_bytes, comment_bytes = END.unpack(end)[-3], END.unpack(end)[-1]
    if directory_bytes > MOST_DIRECTORY_BYTES or comment_bytes:
        raise InvalidSubmission(f"it holds far more than a few arrays. {form.how}", where=name)


def _members(archive: zipfile.ZipFile, *, form: Form, name: str) -> dict[str, bytes]:
    entries = archive.infolist()
    wanted = sorted(f"{column.name}.npy" for column in form.columns)
    if sorted(entry.filename for entry in entries) != wanted:
        listed = ", ".join(quoted(entry.filename.removesuffix(".npy")) for entry in entries[:10]) or "none"
        names = ", ".join(column.name for column in form.columns)
        raise InvalidSubmission(f"it must hold the arrays {names}; it holds {listed}. {form.how}", where=name)
    most = form.max_bytes + HEADER_BYTES * len(entries)
    if sum(entry.file_size for entry in entries) > most:
        raise InvalidSubmission(f"it unpacks to more than {form.max_bytes:,} bytes.", where=name)
    for entry in entries:
        if entry.flag_bits & 0x41 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidSubmission(f"{entry.filename} is packed in a way numpy doesn't write. {form.how}", where=name)
    # ZipFile.read would unpack all of a member first, whatever size the directory says.
    contents = {}
    for entry in entries:
        with archive.open(entry) as member:
            contents[entry.filename.removesuffix(".npy")] = member.read(entry.file_size + 1)
    for entry, content in zip(entries, contents.values(), strict=True):
        if len(content) != entry.file_size:
            raise InvalidSubmission(f"{entry.filename} is not as large as the archive says.", where=name)
    return contents


def _array(content: bytes, column: Column, *, where: str) -> np.ndarray:
    """The array in the bytes of an .npy file."""
    header = NPY.match(content[:HEADER_BYTES])
    if header is None:
        raise InvalidSubmission("it is not a plain array of numbers or texts.", where=where)
    descr, fortran = header["descr"].decode("latin-1"), header["fortran"] == b"True"
    shape = tuple(int(size) for size in header["shape"].split(b",") if size.strip())
    dtype = _dtype(descr, column, where=where)
    if len(shape) != (1 if column.width is None else 2) or max(shape) > MOST_SIZE:
        raise InvalidSubmission(f"it has shape {shape}; it must be {column.shape}.", where=where)
    if len(content) - header.end() != dtype.itemsize * math.prod(shape):
        raise InvalidSubmission(f"it is cut short or too long: its header says shape {shape}.", where=where)
    if 0 in shape:
        return np.empty(shape, dtype=dtype)
    values = np.frombuffer(content, dtype=dtype, offset=header.end())
    if column.type == "str":
        _check_texts(values, where=where)
    return values.reshape(shape, order="F" if fortran else "C")


def _dtype(descr: str, column: Column, *, where: str) -> np.dtype:
    if "O" in descr:
        raise InvalidSubmission("it holds Python objects (a pickle), which are never read.", where=where)
    texts = TEXTS.fullmatch(descr)
    if column.type == "str" and texts and int(texts[1]) <= MOST_CHARACTERS:
        return np.dtype(descr)
    plain = column.dtype.str
    if column.type != "str" and descr == plain:
        return column.dtype
    found = ORDERS.get(descr[0], "") + _name(descr)
    mend = f"use {column.name}.astype({'str' if column.type == 'str' else 'np.' + column.type})."
    raise InvalidSubmission(f"its type is {found}; it must be {column.type}: {mend}", where=where)


def _name(descr: str) -> str:
    """What numpy calls a type such as ``<i4``."""
    names = {"i": "int", "u": "uint", "f": "float", "c": "complex"}
    kind, size = descr[1:2], descr[2:]
    if kind == "b":
        return "bool"
    if kind in names and size.isdecimal() and size.isascii():
        return f"{names[kind]}{8 * int(size)}"
    return quoted(descr)


def _check_texts(values: np.ndarray, *, where: str) -> None:
    """Letters that are letters: what lies beyond Unicode can't even be shown."""
    letters = values.view("<u4").reshape(len(values), -1)
    is_wrong = (letters > 0x10FFFF) | ((letters >= 0xD800) & (letters <= 0xDFFF))
    is_wrong |= ((letters > 0) & (letters < 32)) | (letters == 127)
    is_wrong[:, :-1] |= (letters[:, :-1] == 0) & (letters[:, 1:] > 0)
    for row, _ in np.argwhere(is_wrong)[:1]:
        raise InvalidSubmission("the text has a character that can't be seen.", where=f"{where}, row {row}")
