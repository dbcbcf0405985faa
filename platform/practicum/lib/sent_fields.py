"""Which fields a request was sent, and which of them were asked for while it was answered.

A field is known when the code that answers looks it up, whether it is there or not. So no form and no API names its fields
a second time, and what is left over was known to nobody. Outside a request nothing is noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Fields:
    """Names, of a form or of a JSON object; a field of an object in an object is ``outer.inner``."""

    sent: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    # All of it was handed on, so that what is looked up is not seen, or whoever looked broke off.
    are_undecided: bool = False
    # The caller was found to be somebody who may send this.
    are_let_in: bool = False

    @property
    def unknown(self) -> set[str]:
        """What was sent and looked up by nobody; nothing where that can't be said.

        Somebody who was led to another page before a single field was looked up (to sign in, to add a second factor) sent
        none that is unknown.
        """
        if self.are_undecided or not (self.are_let_in or self.known & self.sent):
            return set()
        return self.sent - self.known


_fields: ContextVar[Fields | None] = ContextVar("practicum.lib.sent_fields", default=None)


@contextmanager
def noted() -> Iterator[Fields]:
    """What is said inside is about one request."""
    token = _fields.set(fields := Fields())
    try:
        yield fields
    finally:
        _fields.reset(token)


def note_sent(names: Iterable[str]) -> None:
    """These are in the request."""
    if (fields := _fields.get()) is not None:
        fields.sent.update(names)


def note_known(name: str) -> None:
    """This one is looked up."""
    if (fields := _fields.get()) is not None:
        fields.known.add(name)


def note_let_in() -> None:
    """The caller may call what they call."""
    if (fields := _fields.get()) is not None:
        fields.are_let_in = True


def note_undecided() -> None:
    """Which fields are known can't be said."""
    if (fields := _fields.get()) is not None:
        fields.are_undecided = True
