"""A small world: one slot, a hub and an engine in memory that do what the real ones would, and a clock that is told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.engine.base import Volume
from practicum.engine.memory import MemoryEngine, Script
from practicum.errors import EngineError, Refused
from practicum.gpus import tasks as gpus
from practicum.gpus.inventory import pool_of
from practicum.gpus.models import Lease, PoolKind, Server, Slot
from practicum.workspaces import crew, services
from practicum.workspaces.hub import MemoryHub
from practicum.workspaces.models import Session
from practicum.workspaces.tasks import claim_and_restore, claim_and_snapshot, reconcile, tick
from tests.unit.gpus.conftest import shared_database

__all__ = ["shared_database"]


class Inline(Executor):
    """Runs what it is given at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class World:
    """What tests act on. ``grants``: the answers to claims, newest last."""

    now: datetime
    hub: MemoryHub = field(default_factory=MemoryHub)
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    executor: Executor = field(default_factory=Inline)
    grants: list[dict[str, Any]] = field(default_factory=list)
    makes_containers: bool = True
    makes_archives: bool = True

    def __post_init__(self) -> None:
        self.hub.on_start = self.spawn
        self.hub.on_stop = self.despawn
        self.engine.will("snapshot", Script(output=b"an archive", stderr='{"files": 3, "left_out": 1}\n'))
        self.engine.will("restoration", Script(stderr='{"folder": "restored-2026-03-18-2"}\n'))

    def spawn(self, username: str) -> None:
        """What the hub's spawner does: claim, then make a container with the claim's labels."""
        try:
            self.grants.append(services.claim(username, now=self.now))
        except Refused:
            del self.hub.servers[username]
            raise
        engine = self.engine.at(self.grants[-1]["server"])
        if self.makes_containers:
            engine.hold(self.grants[-1]["labels"])
        volume = self.grants[-1]["volume"]
        engine.volumes[volume] = Volume(volume, {})

    def despawn(self, username: str) -> None:
        """The spawner removes the person's container."""
        for grant in self.grants:
            if grant["volume"].endswith(f"-home-{username}"):
                engine = self.engine.at(grant["server"])
                for container in engine.list(grant["labels"]):
                    engine.remove(container.id)

    def tick(self, *, after: timedelta = timedelta(0)) -> None:
        """One round of the worker, some time later."""
        self.now += after
        crew._crews.clear()
        gpus.allocate(self.now)
        tick(self.now, hub=self.hub, engine=self.engine, executor=self.executor, clock=lambda: self.now)
        if self.makes_archives:
            self.archive()

    def archive(self) -> None:
        """Those who make and unpack snapshots do all there is to do; an engine that fails has failed these."""
        for work in (claim_and_snapshot, claim_and_restore):
            with suppress(EngineError):
                while work(self.now, engine=self.engine, clock=lambda: self.now):
                    pass

    def reconcile(self, *, after: timedelta = timedelta(0)) -> int:
        """One repair round of the worker, some time later."""
        self.now += after
        return reconcile(self.now, hub=self.hub, engine=self.engine)

    def open(self, user: Any, *answers: str) -> Session:
        """The person asks for a notebook; the hub's next answers to their starts are laid out."""
        self.hub.answers[user.username] = list(answers)
        return services.open_notebook(user, now=self.now)

    def run(self, user: Any) -> Session:
        """A notebook that is running."""
        session = self.open(user, "ready")
        self.tick()
        session.refresh_from_db()
        assert session.state == "running"
        return session

    def hear(self, session: Session, **changes: Any) -> dict[str, Any]:
        """The notebook reports; idle unless said otherwise."""
        from practicum.workspaces.rules import Report
        from practicum.workspaces.selectors import open_session_of

        facts: dict[str, Any] = {"busy_kernels": 0, "cpu_seconds": 0.0, "last_execution_at": None, "seconds": 15.0}
        row = open_session_of(session.user)
        assert row is not None
        return services.report_activity(row, report=Report(**facts | changes), now=self.now)

    def idle_for(self, session: Session, minutes: int) -> None:
        """Minutes in which the notebook reports that nothing runs; the worker looks every five minutes, and in the last ten each
        minute.
        """
        for left in reversed(range(minutes)):
            self.now += timedelta(minutes=1)
            self.hear(session)
            if left < 10 or left % 5 == 0:
                self.tick()

    @property
    def containers(self) -> int:
        """How many containers there are."""
        return len(self.engine.list({}))


@pytest.fixture
def world(db: None, now: datetime) -> World:
    """The world, with one CPU slot."""
    server = Server.objects.create(name="alpha", seen_at=now)
    Slot.objects.create(
        server=server,
        pool=pool_of(name="CPU slots", kind=PoolKind.CPU),
        kind="cpu",
        index=0,
        uuid="cpu:alpha:0",
        model="CPU",
    )
    return World(now)


def ends(session: Session) -> tuple[str, str]:
    """The states of the session and its lease."""
    session.refresh_from_db()
    return session.state, Lease.objects.get(pk=session.lease_id).state
