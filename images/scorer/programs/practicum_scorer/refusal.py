"""The one refusal of predictions, and how a message shows what was handed in."""

from __future__ import annotations

SHOWN_CHARACTERS = 40


class InvalidSubmission(Exception):
    """The intern can mend this: ``where`` it is (file, line or row, column) and what is wrong."""

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


def quoted(text: str) -> str:
    """A piece of what was handed in, short, with what can't be seen written out."""
    return ascii(text[:SHOWN_CHARACTERS] + ("..." if len(text) > SHOWN_CHARACTERS else ""))
