"""``practicum worker``: allocates slots, starts and stops notebooks through the hub, evaluates submissions,
issues certificates, tells people, repairs.

One process, a few threads. Every loop does bounded work, keeps going when engine, hub or database are away, and says
so once when that changes. While the machine's clock can't be believed (``config.surroundings``) it begins and ends nothing.
Killing it at any point loses nothing: rows are the truth and the next worker reconciles.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections
from prometheus_client import write_to_textfile

from practicum.accounts import notices, sending
from practicum.accounts.models import Channel
from practicum.config.engine import site_engine
from practicum.config.keeping import schedule
from practicum.config.surroundings import SteadyClock, Surroundings, surroundings_of
from practicum.credentials import replaying
from practicum.credentials import tasks as credentials
from practicum.digests import tasks as digests
from practicum.engine import Engine, swarm
from practicum.errors import Fault
from practicum.evaluation import tasks as evaluation
from practicum.evaluation.models import Fault as RunFault
from practicum.evaluation.models import RunState
from practicum.gpus import tasks as gpus
from practicum.internships import readiness
from practicum.internships import services as internships
from practicum.lib import counting
from practicum.lib.faults import ground_of
from practicum.lib.garbage import spare_what_is_loaded
from practicum.persons import retention
from practicum.persons import tasks as persons
from practicum.portal.metrics import COUNTS_FOLDER
from practicum.submissions.likeness import compare_next
from practicum.workspaces import tasks as workspaces
from practicum.workspaces.hub import get_hub

log = logging.getLogger("practicum.worker")

TICK_SECONDS = 0.2
HELP_SECONDS = 0.5
NOTICES_SECONDS = 1.0
EVALUATION_SECONDS = 0.2
SNAPSHOT_SECONDS = 0.5
SNAPSHOTS_AT_ONCE = 4
RECONCILE_SECONDS = 30.0
LEAVING_SECONDS = 1.0
HOMES_SECONDS = 60.0
ESTIMATE_SECONDS = 3.0
LIKENESS_SECONDS = 5.0
LIKENESS_REST = 4.0
CERTIFICATE_SECONDS = 2.0
DIGEST_SECONDS = 20.0
DELETION_SECONDS = 10.0
BACKUP_SECONDS = 60.0
RETENTION_SECONDS = 60.0
# Estimates and plans are computed beside the tick, which waits for the interpreter after each query: Python's own 5 ms would
# make a tick several times as long (``tests/bench/ticks.py``).
SWITCH_SECONDS = 0.0005
SURROUNDINGS_SECONDS = 2.0
FORGET_AFTER_SECONDS = 3600.0
WAY_IN_SECONDS = 5.0


class Loop(threading.Thread):
    """Calls ``work`` again and again until ``stopping``; faults are logged once until it works again.

    ``rest``: after each piece of work that is nobody's hurry, so many times as long as it took are left to the others.
    """

    def __init__(
        self, name: str, work: Callable[[], bool], *, pause: float, stopping: threading.Event, rest: float = 0.0
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.work = work
        self.rest = rest
        self.kind = name.split(" ", maxsplit=1)[0]
        self.pause = pause
        self.stopping = stopping
        self.said: set[str] = set()

    def run(self) -> None:
        """Work; pause when there was nothing to do or something failed."""
        while not self.stopping.is_set():
            began = time.monotonic()
            if not self.once():
                self.stopping.wait(self.pause)
            elif self.rest:
                self.stopping.wait(self.rest * (time.monotonic() - began))

    def once(self) -> bool:
        """One call of ``work``; False if it failed or found nothing to do."""
        close_old_connections()
        try:
            with counting.TASKS.labels(self.kind).time(), counting.TASK_FAILURES.labels(self.kind).count_exceptions():
                busy = self.work()
        except Exception as error:
            if isinstance(error, Fault | DatabaseError) or ground_of(error):
                self.say(str(error))
            else:
                self.say_unexpected(error)
                self.stopping.wait(self.pause)
            return False
        self.say("")
        return busy

    def say(self, fault: str) -> None:
        """Log a change between working and not working; the same fault is said once until it works again."""
        if fault and fault not in self.said:
            log.warning("%s: %s", self.name, " ".join(fault.split()))
            self.said.add(fault)
        if not fault and self.said:
            log.warning("%s: works again", self.name)
            self.said.clear()

    def say_unexpected(self, error: Exception) -> None:
        """Log a fault of ours, with where it was, once for as long as it stays the same."""
        fault = f"{type(error).__name__}: {error}"
        if fault not in self.said:
            log.exception("%s failed; it goes on", self.name)
            self.said.add(fault)


class Command(BaseCommand):
    """Run the loops until SIGTERM or SIGINT."""

    help = (__doc__ or "").splitlines()[0]

    def add_arguments(self, parser: CommandParser) -> None:
        """How many evaluations run side by side."""
        parser.add_argument("--evaluations", type=int, default=max(1, (os.cpu_count() or 2) // 2))

    def handle(self, *_: Any, evaluations: int, **__: Any) -> None:
        """Start the loops and wait for the signal to end."""
        keep_pace()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        engine = site_engine()
        clock = SteadyClock()
        around = surroundings_of(engine, clock=clock)
        loops = make_loops(engine, evaluations=evaluations, stopping=stopping, clock=clock, around=around)
        begin_counts(loops)
        for loop in loops:
            loop.start()
        log.info("working: %d evaluations side by side, engine %s", evaluations, settings.PRACTICUM_ENGINE)
        while not stopping.wait(1.0):
            around.beat()
            tell_counts()
        for loop in loops:
            loop.join(timeout=8)


def begin_counts(loops: Iterable[Loop]) -> None:
    """What is alarmed about is told from the start: a count that first appears as 1 has not grown, to Prometheus."""
    for loop in loops:
        counting.TASK_FAILURES.labels(loop.kind)
    counting.RUNS_ENDED.labels(str(RunState.FAILED), str(RunFault.OURS))
    for channel in Channel:
        counting.DELIVERIES.labels(str(channel), "failed")


def tell_counts() -> None:
    """What this worker counted so far is in its file, where /metrics finds it; those of workers long gone are not.

    On a full disk the file stays as it was.
    """
    folder = settings.PRACTICUM_DATA_DIR / COUNTS_FOLDER
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        for file in folder.glob("worker-*.prom"):
            if time.time() - file.stat().st_mtime > FORGET_AFTER_SECONDS:
                file.unlink(missing_ok=True)
        write_to_textfile(str(folder / f"worker-{socket.gethostname()}.prom"), counting.REGISTRY)


def keep_pace() -> None:
    """Garbage is looked for where there is much, so that this meets the reading of ten thousand rows, not the grant after it;
    and threads take turns sooner.
    """
    spare_what_is_loaded()
    sys.setswitchinterval(SWITCH_SECONDS)


def make_loops(
    engine: Engine, *, evaluations: int, stopping: threading.Event, clock: SteadyClock, around: Surroundings
) -> list[Loop]:
    """The ticker, the reconciler, and those who let mentors in, see people off, estimate, archive homes and measure them, plan,
    tell people, compare, certify, evaluate, delete the data of people who asked for it, remove what is kept no longer, close
    the way in for servers, back up, and look whether everything answers.
    """
    hub = get_hub()
    executor = ThreadPoolExecutor(max_workers=8, thread_name_prefix="hub")
    name = f"{socket.gethostname()}-{os.getpid()}"
    reconciled = [0.0]

    def tick() -> bool:
        gpus.allocate(clock.now())
        workspaces.tick(clock.now(), hub=hub, engine=engine, executor=executor)
        return False

    def reconcile() -> bool:
        if time.monotonic() - reconciled[0] >= RECONCILE_SECONDS or not reconciled[0]:
            workspaces.reconcile(clock.now(), hub=hub, engine=engine)
            workspaces.settle_archives(clock.now(), engine=engine)
            workspaces.settle_shares(clock.now(), hub=hub)
            evaluation.reconcile(clock.now(), engine=engine)
            replaying.clear_away(clock.now(), engine=engine)
            notices.prune(now=clock.now())
            digests.prune(now=clock.now())
            internships.resume_due(now=clock.now())
            readiness.end_due(now=clock.now())
            workspaces.follow_egress(clock.now(), engine=engine)
            reconciled[0] = time.monotonic()
        return False

    def follow_help() -> bool:
        workspaces.follow_help(clock.now(), hub=hub)
        return False

    def see_off() -> bool:
        workspaces.see_off(clock.now(), hub=hub)
        return False

    def estimate() -> bool:
        gpus.estimate(clock.now())
        return False

    def evaluate(number: int) -> Callable[[], bool]:
        return lambda: evaluation.claim_and_run(clock.now(), engine=engine, worker_name=f"{name}-{number}")

    def send(channel: Channel) -> Callable[[], bool]:
        return lambda: sending.send_waiting(clock.now(), channel=channel)

    def snapshot() -> bool:
        return workspaces.claim_and_snapshot(clock.now(), engine=engine)

    def restore() -> bool:
        return workspaces.claim_and_restore(clock.now(), engine=engine)

    def measure() -> bool:
        workspaces.measure_homes(clock.now(), engine=engine)
        return False

    def certify() -> bool:
        return credentials.step(clock.now(), engine=engine)

    def delete() -> bool:
        return persons.delete_due(clock.now(), engine=engine, hub=hub)

    def backup() -> bool:
        return schedule.step(clock.now(), engine=engine)

    def close_way_in() -> bool:
        return swarm.close_way_in(settings.PRACTICUM_DATA_DIR / swarm.WAY_IN, now=clock.now())

    def retain() -> bool:
        return retention.step_all(clock.now(), engine=engine)

    return [
        Loop("sessions", tick, pause=TICK_SECONDS, stopping=stopping),
        Loop("reconcile", reconcile, pause=1.0, stopping=stopping),
        Loop("surroundings", around.look, pause=SURROUNDINGS_SECONDS, stopping=stopping),
        Loop("help", follow_help, pause=HELP_SECONDS, stopping=stopping),
        Loop("leaving", see_off, pause=LEAVING_SECONDS, stopping=stopping),
        Loop("estimates", estimate, pause=ESTIMATE_SECONDS, stopping=stopping),
        *(Loop(channel, send(channel), pause=NOTICES_SECONDS, stopping=stopping) for channel in Channel),
        Loop(
            "likenesses",
            lambda: compare_next(now=clock.now()),
            pause=LIKENESS_SECONDS,
            stopping=stopping,
            rest=LIKENESS_REST,
        ),
        *(
            Loop(f"snapshots {n}", snapshot, pause=SNAPSHOT_SECONDS, stopping=stopping)
            for n in range(1, SNAPSHOTS_AT_ONCE + 1)
        ),
        Loop("homes", measure, pause=HOMES_SECONDS, stopping=stopping),
        Loop("certificates", certify, pause=CERTIFICATE_SECONDS, stopping=stopping),
        Loop("digests", lambda: digests.step(clock.now()), pause=DIGEST_SECONDS, stopping=stopping),
        Loop("deletions", delete, pause=DELETION_SECONDS, stopping=stopping),
        Loop("retention", retain, pause=RETENTION_SECONDS, stopping=stopping),
        Loop("way-in", close_way_in, pause=WAY_IN_SECONDS, stopping=stopping),
        Loop("backups", backup, pause=BACKUP_SECONDS, stopping=stopping),
        Loop("restorations", restore, pause=1.0, stopping=stopping),
        Loop("plans", lambda: gpus.claim_and_plan(clock.now()), pause=1.0, stopping=stopping),
        *(
            Loop(f"evaluation {n}", evaluate(n), pause=EVALUATION_SECONDS, stopping=stopping)
            for n in range(1, evaluations + 1)
        ),
    ]
