"""Which request, person, run or lease a line of the log belongs to, known to every line written inside ``about``.

A thread that is started inside knows nothing of it; whoever starts one says it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})
_known: ContextVar[Mapping[str, str]] = ContextVar("practicum.lib.logcontext", default=NOTHING)


def known() -> Mapping[str, str]:
    """The ids that hold here, by name."""
    return _known.get()


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Lines written inside belong to these too; what is None or empty is left out."""
    token = _known.set({**_known.get(), **{name: str(value) for name, value in ids.items() if value not in (None, "")}})
    try:
        yield
    finally:
        _known.reset(token)
