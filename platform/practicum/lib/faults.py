"""Which part of the ground a fault comes from: the disk is full, or the database does not answer.

Both pass by themselves or by an operator's hand, and cost nobody anything: whoever meets one waits and tries again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from enum import StrEnum

from django.db import InterfaceError, OperationalError

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
# PostgreSQL, Appendix A: disk_full, io_error; SQLite's own words for SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN.
DISK_STATES = frozenset({"53100", "58030"})
DISK_WORDS = ("disk is full", "disk I/O error", "readonly database", "unable to open database file")


class Ground(StrEnum):
    """What everything stands on."""

    DATABASE = "database"
    DISK = "disk"


def ground_of(fault: BaseException | None) -> Ground | None:
    """The part that failed; None: the fault is another one. What it was raised from counts too."""
    met = list(_chain(fault))
    if any(_is_of_disk(each) for each in met):
        return Ground.DISK
    if any(isinstance(each, OperationalError | InterfaceError) for each in met):
        return Ground.DATABASE
    return None


def _chain(fault: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        seen.add(id(fault))
        yield fault
        fault = fault.__cause__ or fault.__context__


def _is_of_disk(fault: BaseException) -> bool:
    if isinstance(fault, OSError):
        return fault.errno in DISK_ERRORS
    if getattr(fault, "sqlstate", None) in DISK_STATES:
        return True
    return isinstance(fault, OperationalError) and any(words in str(fault) for words in DISK_WORDS)
