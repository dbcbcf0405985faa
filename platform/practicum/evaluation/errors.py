"""Faults of ours while a submission is evaluated. None of them is ever the intern's cost."""

from __future__ import annotations

from practicum.errors import Fault


class ScorerFault(Fault):
    """The scorer did not give exactly one well-formed answer; the message is for the platform's own log."""

    code = "scorer_fault"
