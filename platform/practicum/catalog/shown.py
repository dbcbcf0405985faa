"""The shown part of the hidden rows: those whose score interns see while a cohort works. The rest is kept.

Which rows these are is drawn once, when a version is published, and written beside the answers as a list of ids
(``shown-ids.json``); it goes where the answers go, into the scorer's container, and nowhere else. The draw orders the
ids by a keyed hash of each: the same key gives the same rows, and nobody without the key can say which.

Pure Python over files, no numpy: the tables are read as ``npz`` reads them.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import re
from pathlib import Path

from practicum.catalog.npz import Rows, read_npz

SHOWN_IDS = "shown-ids.json"
WHOLE = re.compile(r"[+-]?[0-9]{1,30}")


def key_of(secret: str, *, slug: str, number: int) -> bytes:
    """The key of one version's draw: of no use for any other version, nor for the secret."""
    return hmac.digest(secret.encode(), f"shown rows of {slug} {number}".encode(), hashlib.sha256)


def draw(ids: list[str], *, share: float, key: bytes) -> list[str]:
    """The shown ids in order: ``share`` of them to the nearest row, at least one, and one at least is kept.

    Raises:
        ValueError: there are fewer than two rows, so there is nothing to divide.
    """
    names = sorted(set(ids))
    if len(names) < 2:
        raise ValueError("the answers have fewer than two ids; set split.shown = 1.0")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    by_hash = sorted(names, key=lambda name: hmac.digest(key, name.encode(), hashlib.sha256))
    return sorted(by_hash[:count])


def write_shown(private: Path, *, share: float, key: bytes) -> int:
    """Write the list to ``private/answers``; returns how many rows are shown. With a share of 1 there is no list: 0.

    The rows are those whose id is among the answers and, where the inputs have ids, among the inputs: a project may keep
    facts about other rows beside its answers.

    Raises:
        ValueError: no table among the answers has a column ``id``, or the project wrote a file of that name.
    """
    file = private / "answers" / SHOWN_IDS
    if file.exists():
        raise ValueError(f"data.py wrote answers/{SHOWN_IDS}; the name is the platform's, take another")
    if share >= 1.0:
        return 0
    inputs = set(ids_in(private / "inputs"))
    ids = [name for name in ids_in(private / "answers") if not inputs or name in inputs]
    if not ids:
        raise ValueError("no table among the answers has an id for each row; set split.shown = 1.0")
    shown = draw(ids, share=share, key=key)
    file.write_text(json.dumps(shown), encoding="utf-8")
    return len(shown)


def ids_in(folder: Path) -> list[str]:
    """Every id of every table (``.npz`` with an array ``id``, ``.csv`` with a column ``id``) in the folder."""
    found: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".npz" and path.is_file():
            columns = read_npz(path)
            found += _texts(columns["id"]) if "id" in columns else []
        elif path.suffix == ".csv" and path.is_file():
            with path.open(encoding="utf-8", newline="") as read:
                found += [_plain(row["id"]) for row in csv.DictReader(read) if row.get("id") is not None]
    return found


def _texts(ids: Rows) -> list[str]:
    """Each id as text.

    Raises:
        ValueError: an id is neither a whole number nor a text.
    """
    if ids.row_shape or ids.kind[0] not in "iuU":
        raise ValueError("an array id is not one whole number or text a row; set split.shown = 1.0")
    if ids.kind[0] == "U":
        return [_plain(row.decode("utf-32-le").rstrip("\0")) for row in ids.rows]
    return [str(int.from_bytes(row, "little", signed=ids.kind[0] == "i")) for row in ids.rows]


def _plain(text: str) -> str:
    """As the scorer compares ids: a whole number without what is around it, else the text itself."""
    text = text.strip()
    return str(int(text)) if WHOLE.fullmatch(text) else text
