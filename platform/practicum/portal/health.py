"""Whether the parts of the system answer: the database, the disk, the worker, the hub, the agents; and what the worker finds
away, which it tells in the file of its heartbeat.
"""

from __future__ import annotations

import json
import shutil
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import httpx
from django.conf import settings
from django.db import DatabaseError, connection

from practicum.gpus.models import Server
from practicum.gpus.selectors import is_silent

WORKER_LATE = timedelta(seconds=15)
HUB_SECONDS = 0.5
HEARTBEAT_FILE = "worker.heartbeat"
# Less room than this is none: an upload may take so much, and a database that can't write stops.
LEAST_ROOM_BYTES = 16 * 1024**2


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
        touched = (Path(settings.PRACTICUM_DATA_DIR) / HEARTBEAT_FILE).stat().st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(touched, tz=UTC)


def is_at_work(beat: datetime | None, *, now: datetime) -> bool:
    """The worker whose last heartbeat this is works. One from a time to come was left by a clock that was wrong."""
    return beat is not None and abs(now - beat) < WORKER_LATE


def found_away_by_worker() -> list[str]:
    """The parts that the worker, which alone talks to all of them, finds away: engine, hub, database, disk, clock."""
    try:
        told = json.loads((Path(settings.PRACTICUM_DATA_DIR) / HEARTBEAT_FILE).read_text())
        return [str(part) for part in told["away"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def disk_has_room() -> bool:
    """The disk of the site's files can take something."""
    try:
        return shutil.disk_usage(settings.PRACTICUM_DATA_DIR).free >= LEAST_ROOM_BYTES
    except OSError:
        return False


def failing(*, now: datetime) -> list[str]:
    """The parts that do not work, by name; a worker that was never seen is none yet."""
    beat = worker_seen_at()
    is_late = beat is not None and not is_at_work(beat, now=now)
    own = {"database": not database_answers(), "disk": not disk_has_room(), "worker": is_late}
    found = {part for part, is_failing in own.items() if is_failing}
    return sorted(found if is_late else found | set(found_away_by_worker()))


def hub_answers(*, within: float = HUB_SECONDS) -> bool:
    """The hub's API says its version within so many seconds."""
    try:
        return httpx.get(f"{settings.PRACTICUM_HUB_API_URL}/", timeout=within, verify=_certificates()).is_success
    except httpx.HTTPError:
        return False


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Read once: reading them takes longer than the hub does to answer."""
    return ssl.create_default_context()


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
