"""Every refusal and fault Practicum raises, in one tree.

::

    PracticumError
    ├── Refused                 the person asked for something that can't be done; 4xx
    │   ├── NotFound            it isn't there, or isn't theirs to see (the two look the same); 404
    │   ├── Forbidden           signed in, but this role may not; 403
    │   ├── Conflict            the row moved meanwhile, or the same thing exists; 409
    │   ├── Invalid             what was sent can't be used; 400
    │   ├── TooLarge            what was sent is over a limit; 413
    │   └── TooMany             a cap per day or person is reached; 429
    ├── Fault                   our own fault: retried, alarmed, never the intern's cost; 5xx
    │   └── EngineError
    │       ├── EngineUnavailable   the container engine does not answer
    │       └── EngineRefused       it answered, and refused
    └── Stale                   a late writer: the row's fencing token has moved on; 409

``str(error)`` is a sentence for the person who reads it. It holds no secret and no path of the host.
"""

from __future__ import annotations


class PracticumError(Exception):
    """Base of the tree. ``code`` is stable and machine-readable; ``status`` is the HTTP status it maps to."""

    code = "error"
    status = 500

    def __init__(self, message: str, /, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class Refused(PracticumError):
    """What was asked can't be done, and the message says why and what to do."""

    code = "refused"
    status = 400


class NotFound(Refused):
    """There is no such thing for this person."""

    code = "not_found"
    status = 404

    def __init__(self, message: str = "There is nothing here for you.", /, **facts: object) -> None:
        super().__init__(message, **facts)


class Forbidden(Refused):
    """The role of this person does not allow it."""

    code = "forbidden"
    status = 403


class Conflict(Refused):
    """Something else happened first, or the same thing exists already."""

    code = "conflict"
    status = 409


class Invalid(Refused):
    """What was sent can't be used as it is."""

    code = "invalid"
    status = 400


class TooLarge(Refused):
    """What was sent is over a limit."""

    code = "too_large"
    status = 413


class TooMany(Refused):
    """A cap is reached; the message says when it opens again."""

    code = "too_many"
    status = 429


class Stale(Refused):
    """The token of the caller is older than the row's: someone else holds it now."""

    code = "stale_token"
    status = 409


class Fault(PracticumError):
    """A fault of ours. The work is retried and costs nobody an attempt."""

    code = "fault"
    status = 503


class EngineError(Fault):
    """The container engine failed us."""

    code = "engine"


class EngineUnavailable(EngineError):
    """The container engine does not answer."""

    code = "engine_unavailable"


class EngineRefused(EngineError):
    """The container engine answered, and refused."""

    code = "engine_refused"
