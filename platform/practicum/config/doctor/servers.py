"""Further servers: whether each engine takes our orders, and how long the keys are good by which it knows us."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from practicum.config.doctor.findings import PRACTICUM, Finding, ok, to_mend
from practicum.engine import Engine
from practicum.engine.authority import PORT, certificate_ends_at
from practicum.engine.base import HERE
from practicum.engine.nodes import ask_all

SECONDS = 20.0
# Somebody has to run a command on that machine, and its engine restarts.
SOON = timedelta(days=30)


def engines(engine: Engine, folder: Path, *, now: datetime) -> list[Finding]:
    """A finding for each engine, and one for its keys where it is reached over TLS. ``folder``: that of the nodes."""
    survey = ask_all(engine, lambda one: one.ping(), seconds=SECONDS)
    found = []
    for name in sorted(engine.everywhere().keys() - {HERE}):
        what = f"engine of {name}"
        if survey.is_silent(name):
            mend = f"On {name}: systemctl start docker; and port {PORT} of it must be reached from here."
            found.append(to_mend(what, str(survey.silent[name]), mend))
        else:
            found.append(ok(what, "answers"))
        if (folder / name / "cert.pem").exists():
            found.append(_keys(name, folder / name, now=now))
    return found


def _keys(name: str, node: Path, *, now: datetime) -> Finding:
    """The engine's own certificate was made with ours, and ends with it."""
    left = min(certificate_ends_at((node / file).read_bytes()) for file in ("cert.pem", "ca.pem")) - now
    what = f"keys to {name}"
    if left >= SOON:
        return ok(what, f"good for {left.days} days")
    address = (node / "address").read_text().strip().removeprefix("tcp://").rpartition(":")[0].strip("[]")
    said = f"end in {left.days} days, and with them all that this site does there" if left > timedelta() else "are over"
    mend = f"{PRACTICUM} server add {name} --address {address} --by ADMIN --again   (then run there what it prints)"
    return to_mend(what, said, mend)
