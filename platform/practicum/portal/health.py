"""Whether the parts of the system answer: the database, the worker, the hub, the agents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from django.conf import settings
from django.db import DatabaseError, connection

from practicum.gpus.models import Server
from practicum.gpus.selectors import is_silent

WORKER_LATE = timedelta(seconds=15)
HUB_SECONDS = 0.5


@dataclass(frozen=True)
class Part:
    """One part of the system; ``seen_at`` is its last sign of life, where it leaves one."""

    name: str
    is_well: bool
    seen_at: datetime | None
    advice: str


def database_answers() -> bool:
    """A query comes back."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        return False


def worker_seen_at() -> datetime | None:
    """The worker's last heartbeat: the time of a file it touches each second. None before its first."""
    try:
        touched = (Path(settings.PRACTICUM_DATA_DIR) / "worker.heartbeat").stat().st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(touched, tz=UTC)


def is_at_work(beat: datetime | None, *, now: datetime) -> bool:
    """The worker whose last heartbeat this is works."""
    return beat is not None and now - beat < WORKER_LATE


def hub_answers() -> bool:
    """The hub's API says its version within half a second."""
    try:
        return httpx.get(f"{settings.PRACTICUM_HUB_API_URL}/", timeout=HUB_SECONDS).is_success
    except httpx.HTTPError:
        return False


def parts(*, now: datetime) -> list[Part]:
    """Every part with what to do about it: worker, hub, and one agent a server."""
    worker = worker_seen_at()
    found = [
        Part("Worker", is_at_work(worker, now=now), worker, "Evaluations and notebooks wait."),
        Part("Hub", hub_answers(), None, "Notebooks that run go on; none can be opened."),
    ]
    for server in Server.objects.all():
        is_well = not is_silent(server, now=now)
        found.append(Part(f"Agent on {server.name}", is_well, server.seen_at, "Its GPUs' figures are old."))
    return found
