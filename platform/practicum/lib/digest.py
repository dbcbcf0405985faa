"""Content digests: the name of a thing is what is in it.

A digest is ``sha256`` in lower-case hexadecimal, 64 characters.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20


def digest_bytes(content: bytes) -> str:
    """sha256 of ``content`` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_stream(stream: BinaryIO) -> str:
    """sha256 of what is left in ``stream``, read in chunks."""
    running = hashlib.sha256()
    while chunk := stream.read(CHUNK_BYTES):
        running.update(chunk)
    return running.hexdigest()


def digest_tree(root: Path) -> str:
    """One digest for a folder: of every regular file's relative name and content, in sorted order.

    Symbolic links are not followed and do not count; modes and times do not count.
    """
    running = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
        with path.open("rb") as stream:
            running.update(f"{path.relative_to(root).as_posix()}\0{digest_stream(stream)}\n".encode())
    return running.hexdigest()


def same_secret(given: str, expected: str) -> bool:
    """Compare two secrets in constant time; an empty expected secret matches nothing."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
