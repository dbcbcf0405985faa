"""A million random events with two allocators racing on PostgreSQL: no slot granted twice, none lost, no limit passed.

Processes: two allocators, six clients that make random things happen (see ``race_events``), and this one, which lets the
clocks of all of them jump, kills allocators with kill -9 in the middle of their work and starts new ones. Every ``PULSE``
events both allocators are let go at once. Every ``CHECK`` events all hold still while the rows and the log of all changes
are held against the invariants (see ``race_log``); what ended is then deleted, so that the rows stay few. Where the unique
index had to stop a grant, that is counted and printed: 0 says that the locks and conditional updates do it alone.
``EVENTS`` sets another number of events, ``SECONDS`` a time after which it ends with as many as there were.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.bench.decide import set_up
from tests.bench.race_events import SERVERS, Client
from tests.bench.race_log import LOG, READ, Referee
from tests.bench.report import heading
from tests.tools.postgres import postgres

EVENTS = 1_000_000
SLOTS, PEOPLE, COHORTS, ALLOCATORS, CLIENTS = 24, 120, 3, 2, 6
PULSE, CHECK, KILL_EVERY, JUMP_EVERY = 80, 10_000, 15_000, 2_000
EACH_AT_LEAST, NAP_SECONDS, WAIT_SECONDS = 1_000, 0.005, 300.0
QUIET = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'"
LIVE_BY_SLOT = (
    "select s.id, l.id from gpus_slot s left join gpus_lease l on l.slot_id = s.id and is_live(l.state) order by s.id"
)
FORGET = (
    "delete from gpus_lease where state in ('released', 'cancelled')",
    "truncate race_log",
    "truncate audit_record",
)


class Board:
    """What the processes tell one another, in shared memory without locks: who is killed leaves none behind."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.stop, self.hold = context.RawValue("b", 0), context.RawValue("b", 0)
        self.still = context.RawArray("b", ALLOCATORS + CLIENTS)
        self.done = context.RawArray("q", CLIENTS)
        self.jumps = context.RawArray("d", ALLOCATORS + CLIENTS)
        self.late = context.RawArray("q", ALLOCATORS)
        self.granted = context.RawArray("q", ALLOCATORS)
        self.refused = context.RawArray("q", ALLOCATORS)
        self.passes = context.RawArray("q", ALLOCATORS)

    @property
    def events(self) -> int:
        """How many happened."""
        return int(sum(self.done))

    def clock(self, process: int) -> Callable[[], datetime]:
        """What time a process takes it to be."""
        from practicum.lib.clock import utc_now

        return lambda: utc_now() + timedelta(seconds=self.jumps[process])

    def rest(self, process: int) -> None:
        """Hold still while that is asked for."""
        while self.hold.value and not self.stop.value:
            self.still[process] = 1
            time.sleep(NAP_SECONDS)
        self.still[process] = 0


class CountRefusals(logging.Handler):
    """Counts what the unique index stopped; the service says so in its log."""

    def __init__(self, counts: Any, number: int) -> None:
        super().__init__(level=logging.INFO)
        self.counts, self.number = counts, number

    def emit(self, entry: logging.LogRecord) -> None:
        """One more."""
        if "somebody else first" in entry.getMessage():
            self.counts[self.number] += 1


def allocate_until_stopped(board: Board, address: str, number: int) -> None:
    """One allocator, in a process of its own: what a worker does at each tick, whenever enough has happened."""
    set_up_process(address)
    from practicum.gpus import services, tasks

    log = logging.getLogger(services.__name__)
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(CountRefusals(board.refused, number))
    carry_out, clock, last = services.carry_out, board.clock(number), 0

    def counted(decisions: Any, **facts: Any) -> Any:
        granted = carry_out(decisions, **facts)
        board.late[number] += bool(decisions.grants) and not granted
        board.granted[number] += len(granted)
        return granted

    services.carry_out = counted
    while not board.stop.value:
        board.rest(number)
        if board.events // PULSE == last:
            time.sleep(NAP_SECONDS)
            continue
        last = board.events // PULSE
        tasks.allocate(clock())
        board.passes[number] += 1
    board.still[number] = 1


def make_events(board: Board, address: str, number: int, share: int, counts: Any) -> None:
    """One client, in a process of its own: ``share`` events."""
    set_up_process(address)
    client = Client(seed=number, clock=board.clock(ALLOCATORS + number))
    kinds: Counter[str] = Counter()
    for _ in range(share):
        board.rest(ALLOCATORS + number)
        if board.stop.value:
            break
        kinds[client.happen()] += 1
        board.done[number] += 1
    board.still[ALLOCATORS + number] = 1
    counts.put(kinds)


def set_up_process(address: str) -> None:
    """Django on this database, which is migrated already."""
    os.environ["PRACTICUM_DATABASE_URL"] = address
    os.environ.pop("PRACTICUM_TRACES", None)  # the benchmarks' own: the site knows no such setting
    import django

    django.setup()


def populate() -> None:
    """Servers, people, an admin, cohorts with quotas."""
    from practicum.accounts.models import User
    from practicum.gpus.models import Pool, Quota, Server, Slot
    from practicum.internships.models import Cohort
    from practicum.lib.clock import utc_now

    today = utc_now().date()
    pool = Pool.objects.create(slug="h100", name="H100", kind="gpu")
    servers = [Server.objects.create(name=name) for name in SERVERS]
    for n in range(SLOTS):
        facts = {"server": servers[n % 3], "pool": pool, "kind": "gpu", "index": n, "model": "H100"}
        Slot.objects.create(uuid=f"GPU-{n:08d}", **facts)
    for n in range(COHORTS):
        cohort = Cohort.objects.create(
            slug=f"c{n}", name=f"Cohort {n}", starts_on=today, ends_on=today + timedelta(days=60)
        )
        Quota.objects.create(cohort=cohort, pool=pool, guaranteed=6, weight=1 + n, borrowing_limit=3, per_intern=2)
    User.objects.create(username="ada", email="ada@example.org", name="Ada", role="admin")
    User.objects.bulk_create(
        User(username=f"u{n}", email=f"u{n}@example.org", name=f"U {n}", role="intern") for n in range(PEOPLE)
    )


@dataclass
class Race:
    """One run: its processes, its referee, and what it counted."""

    address: str
    events: int
    seconds: float = float("inf")
    seed: int = 1
    board: Board = field(default_factory=Board)
    referee: Referee = field(default_factory=lambda: Referee(inventory=SLOTS))
    kinds: Counter[str] = field(default_factory=Counter)
    checks: int = 0

    def run(self) -> None:
        """Let it all happen, and check."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(LOG)
        populate()
        self.chance, self.context = random.Random(self.seed), multiprocessing.get_context("spawn")
        self.allocators = [self._allocator(n) for n in range(ALLOCATORS)]
        counts = self.context.Queue()
        count = min(CLIENTS, 1 + self.events // EACH_AT_LEAST)
        self.board.still[ALLOCATORS + count :] = [1] * (CLIENTS - count)
        clients = [self._start(make_events, n, -(-self.events // count), counts) for n in range(count)]
        try:
            self._watch(clients)
            self.board.stop.value = 1
            for _ in clients:
                self.kinds += counts.get(timeout=WAIT_SECONDS)
            self._check()
        finally:
            self.board.stop.value = 1
            for process in (*clients, *self.allocators):
                process.join(timeout=30)

    def _start(self, work: Callable[..., None], *facts: Any) -> Any:
        process = self.context.Process(target=work, args=(self.board, self.address, *facts))
        process.start()
        return process

    def _allocator(self, number: int) -> Any:
        return self._start(allocate_until_stopped, number)

    def _watch(self, clients: list[Any]) -> None:
        due = {self._check: CHECK, self._kill: KILL_EVERY, self._jump: JUMP_EVERY}
        every, until = dict(due), time.monotonic() + self.seconds
        while time.monotonic() < until and any(client.is_alive() for client in clients):
            time.sleep(4 * NAP_SECONDS)
            for act, at in list(due.items()):
                if self.board.events >= at:
                    act()
                    due[act] = self.board.events + every[act]
            if not all(process.is_alive() for process in self.allocators):
                raise RuntimeError("An allocator died by itself; see its traceback above.")

    def _kill(self) -> None:
        number = self.chance.randrange(ALLOCATORS)
        os.kill(self.allocators[number].pid, signal.SIGKILL)
        self.allocators[number].join()
        self.allocators[number] = self._allocator(number)
        self.kinds["kill -9 of an allocator"] += 1

    def _jump(self) -> None:
        who = self.chance.randrange(len(self.board.jumps))
        self.board.jumps[who] = self.chance.uniform(-600, 1800)
        self.kinds["clock jump"] += 1

    def _check(self) -> None:
        """All hold still; then the log and the rows are judged, and what ended is forgotten."""
        from django.db import connection

        self.board.hold.value = 1
        until = time.monotonic() + WAIT_SECONDS
        with connection.cursor() as cursor:
            while not all(self.board.still) or self._is_busy(cursor):
                if time.monotonic() > until:
                    raise RuntimeError("The processes did not come to rest.")
                time.sleep(NAP_SECONDS)
            cursor.execute(READ, [self.referee.last])
            self.referee.fold(cursor.fetchall())
            cursor.execute(LIVE_BY_SLOT)
            self.referee.count_rows(cursor.fetchall())
            for statement in FORGET:
                cursor.execute(statement)
        self.checks += 1
        self.board.hold.value = 0
        if self.checks % 10 == 0:
            print(
                f"  {self.board.events:,} events, {self.referee.grants:,} grants, {dict(self.referee.found)}",
                flush=True,
            )

    def _is_busy(self, cursor: Any) -> bool:
        cursor.execute(QUIET)
        return bool(cursor.fetchone()[0])


def main() -> bool:
    """The long run; whether all held."""
    events = int(os.environ.get("EVENTS", EVENTS))
    heading(f"Race: {events:,} random events, {ALLOCATORS} allocators on PostgreSQL")
    with postgres() as address:
        set_up(address)
        race = Race(address, events, seconds=float(os.environ.get("SECONDS", "inf")))
        began = time.perf_counter()
        race.run()
    board, referee = race.board, race.referee
    print(", ".join(f"{count:,} × {name}" for name, count in sorted(race.kinds.items(), key=lambda row: -row[1])))
    print(
        f"{board.events:,} events, {referee.grants:,} grants ({' and '.join(f'{n:,}' for n in board.granted)}) in "
        f"{sum(board.passes):,} passes and {race.checks} checks, {time.perf_counter() - began:.0f} s"
    )
    print(f"passes that would have granted and came second: {sum(board.late):,}")
    print(f"stopped by the unique index: {sum(board.refused):,}")
    for words in referee.told:
        print(f"  {words}")
    names = {"double": "double grants", "lost": "slots lost", "above": "grants above a limit"}
    for kind, name in names.items():
        print(f"{name}: {referee.found[kind]}: {'holds' if not referee.found[kind] else 'DOES NOT HOLD'}")
    return not referee.found.total() and min(board.granted) > 0
