"""Servers and slots, and a database that threads can share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from practicum.gpus.inventory import Gpu, Report, pool_of, register_report
from practicum.gpus.models import Lease, PoolKind, Server, Slot


def make_slots(count: int, *, server: str = "alpha") -> list[Slot]:
    """A server with ``count`` GPUs."""
    row, _ = Server.objects.get_or_create(name=server)
    return [
        Slot.objects.create(
            server=row,
            pool=pool_of(name="H100", kind=PoolKind.GPU),
            kind="gpu",
            index=i,
            uuid=f"GPU-{server}-{i:08d}",
            model="H100",
        )
        for i in range(count)
    ]


def meet_before(monkeypatch: pytest.MonkeyPatch, *, module: Any, name: str) -> None:
    """Two callers of ``module.name`` wait there for one another, so that both have looked before either writes.

    Where a lock keeps the second from getting that far, the first goes on after half a second.
    """
    gate, call = threading.Barrier(2), getattr(module, name)

    def meet(*args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(threading.BrokenBarrierError):
            gate.wait(timeout=0.5)
        return call(*args, **kwargs)

    monkeypatch.setattr(module, name, meet)


@pytest.fixture
def slot(db: None) -> Slot:
    """The one GPU there is."""
    return make_slots(1)[0]


@pytest.fixture
def shared_database(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """A database whose commits other threads see, with locks as in production.

    SQLite's in-memory test database locks whole tables at once and does not wait; it is copied to a file for the test.
    """
    if "memory" not in connection.settings_dict["NAME"]:
        yield
        return
    connection.ensure_connection()
    memory: Any = connection.connection
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(tmp_path / "shared.sqlite3")
    connection.connection = None
    connection.ensure_connection()
    memory.backup(connection.connection)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name
        connection.connection = memory


GB = 1 << 30


def gpu(number: int, **changes: Any) -> Gpu:
    """A GPU as an agent sees it."""
    facts: dict[str, Any] = {
        "uuid": f"GPU-{number:08d}",
        "index": number,
        "model": "H100",
        "memory_bytes": 80 * GB,
        "memory_used_bytes": 0,
        "utilization_percent": 0.0,
    }
    return Gpu(**facts | changes)


def report(*gpus: Gpu, now: datetime, server: str = "alpha", **more: Any) -> Server:
    """What the server's agent says now."""
    row, _ = Server.objects.get_or_create(name=server)
    return register_report(row, report=Report(gpus=gpus, **more), now=now)


def lease_on(slot: Slot, user: Any, *, now: datetime, state: str = "active", hours: float = 8) -> Lease:
    """A live lease on a slot, granted at ``now``."""
    length = timedelta(hours=hours)
    return Lease.objects.create(
        user=user,
        pool=slot.pool,
        slot=slot,
        state=state,
        token=1,
        duration=length,
        requested_at=now,
        granted_at=now,
        lease_until=now + length,
        heartbeat=now,
    )
