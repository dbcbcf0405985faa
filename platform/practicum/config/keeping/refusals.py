"""What may go wrong with backups, each with what the operator does about it; ``exit_code`` is what the command ends with."""

from __future__ import annotations

from practicum.errors import Fault, Refused

FAILED, INCOMPLETE, BUSY, DAMAGED = 1, 3, 4, 5


class KeepFault(Fault):
    """A backup or a restoration did not come off."""

    code = "keep"
    exit_code = FAILED


class NoProgram(KeepFault):
    """restic is not installed, or too old."""

    code = "no_program"


class NotSet(KeepFault):
    """The settings do not say where backups go, or how they are opened."""

    code = "not_set"


class NoRepository(KeepFault):
    """There is no repository at that place."""

    code = "no_repository"


class NoEntry(KeepFault):
    """The repository can't be opened or reached: a wrong password, key or address."""

    code = "no_entry"


class Busy(KeepFault):
    """Another backup, restoration or tidying is under way."""

    code = "busy"
    exit_code = BUSY


class Damaged(KeepFault):
    """What the repository gives is not what was put in."""

    code = "damaged"
    exit_code = DAMAGED


class NotNow(Refused):
    """The restoration would do harm here; the message says what has to be done first."""

    code = "not_now"
    exit_code = FAILED
