"""Plain arrays in ``.npz`` files, read and written as rows of bytes: no numpy, no pickle, nothing evaluated.

Enough to ask of a project's data what a checker must know (which ids, which rows are equal, what if rows come in
another order) in a process that has no numpy and runs no project code. An array is C-ordered; a row is one step of
its first axis.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

HEADER = re.compile(
    rb"\x93NUMPY(?P<version>[\x01-\x03])\x00(?:..|.{4})\{'descr': '[<|](?P<kind>[a-zA-Z])(?P<size>[0-9]{1,4})', "
    rb"'fortran_order': False, 'shape': \((?P<shape>[0-9, ]*)\), \} *\n",
    re.DOTALL,
)


@dataclass(frozen=True)
class Rows:
    """One array: its type (such as ``i8``), the shape of one row, and each row's bytes."""

    kind: str
    row_shape: tuple[int, ...]
    rows: tuple[bytes, ...]

    def whole_numbers(self) -> tuple[int, ...]:
        """The values of a one-dimensional int64 array.

        Raises:
            ValueError: it is another kind of array.
        """
        if self.kind != "i8" or self.row_shape:
            raise ValueError(f"an array of {self.kind} with rows of shape {self.row_shape} is not one int64 a row")
        return struct.unpack(f"<{len(self.rows)}q", b"".join(self.rows))

    def reordered(self, order: Sequence[int]) -> Rows:
        """The same rows in another order."""
        return Rows(self.kind, self.row_shape, tuple(self.rows[place] for place in order))


def read_npz(file: Path) -> dict[str, Rows]:
    """Every array of the file.

    Raises:
        ValueError: it isn't a zip of plain C-ordered arrays.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return {name.removesuffix(".npy"): parse_npy(archive.read(name)) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise ValueError(f"{file.name} is not an .npz file: {error}") from None


def parse_npy(content: bytes) -> Rows:
    """One array from the bytes of an ``.npy`` file.

    Raises:
        ValueError: it holds objects or structures, is Fortran-ordered, has no axis, or is cut short.
    """
    header = HEADER.match(content)
    if header is None or header["kind"] == b"O":
        raise ValueError("an array is not a plain C-ordered array of numbers")
    shape = tuple(int(size) for size in header["shape"].split(b",") if size.strip())
    width = int(header["size"]) * (4 if header["kind"] == b"U" else 1) * prod(shape[1:])
    values = content[header.end() :]
    if not shape or len(values) != width * shape[0]:
        raise ValueError("an array has no rows or is cut short")
    kind = (header["kind"] + header["size"]).decode()
    return Rows(kind, shape[1:], tuple(values[start : start + width] for start in range(0, len(values), width or 1)))


def write_npz(file: Path | BinaryIO, arrays: Mapping[str, Rows]) -> None:
    """Write the arrays as numpy would; the same arrays give the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            order = "|" if array.kind in ("u1", "i1", "b1") else "<"
            header = npy_header(f"{order}{array.kind}", (len(array.rows), *array.row_shape))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), header + b"".join(array.rows))


def npy_header(kind: str, shape: tuple[int, ...]) -> bytes:
    """What an ``.npy`` file of this type (such as ``<i8``) and shape begins with."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape!r}, }}"
    padded = text + " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode()
