"""The first look at a file of predictions while it is handed in: its size, and whether it begins as its format does.

Cheap and without a parser of archives: at most ``HEAD_BYTES`` are read. The whole file is held against the project's
columns in the scorer's container (``images/scorer/programs/practicum_scorer``), whose words a fault there has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from practicum.lib.files import read_regular
from practicum.submissions.errors import BadArchive, SubmissionTooLarge
from practicum.submissions.rules import shown

HEAD_BYTES = 64 * 1024
MEBIBYTE = 1024**2
ZIP = b"PK\x03\x04"
MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def check_predictions(folder: Path, *, asked: Mapping[str, Any]) -> None:
    """The file of predictions at the top of ``folder`` is worth a run. ``asked``: the project's ``[submission]``.

    Raises:
        SubmissionTooLarge: it is over the project's cap.
        BadArchive: two are there, or it begins otherwise than its format.
    """
    if "predictions_mb" not in asked:  # a version from before projects declared it
        return
    names = [name for name in asked["files"] if Path(name).suffix in CHECKS and (folder / name).is_file()]
    if len(names) > 1:
        raise BadArchive(f"Hand in one file of predictions; there are {' and '.join(names)}.", member=names[1])
    for name in names:
        size, most = (folder / name).stat().st_size, asked["predictions_mb"] * MEBIBYTE
        if size > most:
            raise SubmissionTooLarge(f"{name} has {size:,} bytes; this project takes at most {most:,}.")
        head = read_regular(folder, name, most=HEAD_BYTES) or b""
        fault = CHECKS[Path(name).suffix](head, size, asked["columns"])
        if fault:
            raise BadArchive(f"{name}{fault} Mend it and hand in again.", member=name)


def _csv(head: bytes, _size: int, columns: Mapping[str, Any]) -> str:
    if head.startswith(MARKS):
        return " line 1: it begins with a byte order mark; save it as UTF-8 without one."
    line = head.partition(b"\n")[0].removesuffix(b"\r").decode(errors="replace")
    wide = {name for name, column in columns.items() if isinstance(column, dict) and column.get("width")}
    wanted = ",".join(f"{name}_0,{name}_1,..." if name in wide else name for name in columns)
    # Where a vector is, only what stands before its entries is known here.
    is_right = line.startswith(wanted.partition("_0,")[0]) if wide else line == wanted
    return "" if is_right else f" line 1: the header must be exactly {wanted}; it is '{shown(line)}'."


def _json(head: bytes, _size: int, _columns: Mapping[str, Any]) -> str:
    return "" if head.lstrip(b" \t\r\n").startswith(b"[") else ": it must be a list with one object a row."


def _npz(head: bytes, _size: int, _columns: Mapping[str, Any]) -> str:
    return "" if head.startswith(ZIP) else ": it is not an .npz file."


def _safetensors(head: bytes, size: int, columns: Mapping[str, Any]) -> str:
    length = int.from_bytes(head[:8], "little")
    if len(head) < 8 or length > size - 8 or length > HEAD_BYTES:
        return ": its header is longer than the file, or than 65,536 bytes."
    if 8 + length > len(head):
        return ""
    try:
        header = json.loads(head[8 : 8 + length])
    except (ValueError, RecursionError):
        return ": its header is not JSON."
    if not isinstance(header, dict) or header.keys() - {"__metadata__"} != columns.keys():
        return f": it must hold the tensors {', '.join(columns)}."
    return ""


CHECKS: dict[str, Callable[[bytes, int, Mapping[str, Any]], str]] = {
    ".csv": _csv, ".json": _json, ".npz": _npz, ".safetensors": _safetensors,
}  # fmt: skip
