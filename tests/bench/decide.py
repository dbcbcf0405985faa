"""What a decision costs as a pool grows, ten requests a slot; and grants through the database at 10,000 leases.

In memory: p50 and p99 of ``decide`` in a pool where nothing is free, where one slot in a hundred is, and where all are, with
the line not looked at and looked at. Limits: 1 ms at 100 slots (one in a hundred free, which is what a worker meets), and
growth with the size to at most the power 1.25 where all are free, the dearest case. With one in a hundred free the power is
higher, and printed too: a small pool then puts one cohort in order and a large one all of them. Through PostgreSQL, with
10,000 live leases and 10,000 in line, each commit waiting for the disk: limits are 10 ms at the 99th percentile of a grant, and
1,000 grants a second, with the rows read and the decision made.
"""

from __future__ import annotations

import gc
import math
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from practicum.gpus.policy import Holding, Quota, Request, Slot, Snapshot, decide
from tests.bench.report import heading, percentile, verdict
from tests.tools.postgres import postgres

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
SIZES = (8, 100, 1_000, 10_000)
COHORTS = 8
STATES = {"none": 0, "1 %": 1, "all": 100}
REPEATS = {8: 400, 100: 200, 1_000: 60, 10_000: 12}
LIMIT_SECONDS, LIMIT_POWER = 0.001, 1.25
LEASES, BATCH, BATCHES, SINGLE = 10_000, 200, 10, 200
GRANT_SECONDS, GRANTS_A_SECOND = 0.010, 1_000


def crowded(slots: int, *, free: int) -> Snapshot:
    """So many slots of which so many are free; ten requests a slot, of eight cohorts with equal guarantees."""
    return Snapshot(
        slots=tuple(Slot(n, 1, f"server{n // 8:05d}", n % 8, True) for n in range(slots)),
        requests=tuple(
            Request(UUID(int=n + 1), n, n * 7 % COHORTS, 1, "session", NOW - timedelta(seconds=n * 37 % 40_000))
            for n in range(10 * slots)
        ),
        holdings=tuple(held(n) for n in range(slots - free)),
        quotas=tuple(Quota(cohort, 1, guaranteed=slots // (2 * COHORTS)) for cohort in range(COHORTS)),
    )  # fmt: skip


def held(n: int) -> Holding:
    """Slot ``n`` is held since an hour."""
    since, until = NOW - timedelta(hours=1), NOW + timedelta(hours=9)
    return Holding(UUID(int=10**9 + n), 10**7 + n, n % COHORTS, 1, "session", (n,), since, until)


def seconds_of(snapshot: Snapshot, *, repeats: int, with_line: bool = False) -> list[float]:
    """How long each of so many decisions took."""
    taken = []
    gc.collect()
    gc.freeze()
    for _ in range(repeats):
        began = time.perf_counter()
        decisions = decide(snapshot, NOW)
        if with_line:
            assert decisions.line
        taken.append(time.perf_counter() - began)
    gc.unfreeze()
    return taken


def in_memory() -> bool:
    """The table, and whether the limits hold."""
    print("\n| slots | requests | free | p50 ms | p99 ms | p50 with the line, ms |\n|---|---|---|---|---|---|")
    middles: dict[tuple[str, int], float] = {}
    for slots in SIZES:
        for name, free in STATES.items():
            snapshot = crowded(slots, free=max(1, slots * free // 100) if free else 0)
            plain = seconds_of(snapshot, repeats=REPEATS[slots])
            lined = seconds_of(snapshot, repeats=max(3, REPEATS[slots] // 20), with_line=True)
            middles[name, slots] = percentile(plain, 0.5)
            cells = f"{percentile(plain, 0.5) * 1e3:.3f} | {percentile(plain, 0.99) * 1e3:.3f}"
            print(f"| {slots:,} | {10 * slots:,} | {name} | {cells} | {percentile(lined, 0.5) * 1e3:.2f} |", flush=True)
    slopes = {name: math.log(middles[name, 10_000] / middles[name, 100]) / math.log(100) for name in STATES}
    print("growth from 100 to 10,000 slots, as a power: " + ", ".join(f"{n} free {p:.2f}" for n, p in slopes.items()))
    is_linear = verdict("growth, all free: power of the size", slopes["all"], limit=LIMIT_POWER)
    return verdict("decide at 100 slots, p50 to 1 ms", middles["1 %", 100] / LIMIT_SECONDS, limit=1.0) and is_linear


def through_the_database() -> bool:
    """Grants on PostgreSQL beside 10,000 live leases and 10,000 in line: one at a time, and many at once."""
    with postgres(is_durable=True) as address:
        set_up(address)
        from practicum.config.management.commands import worker

        worker.keep_pace()
        fill(LEASES)
        single = [grant_round(1) for _ in range(SINGLE)]
        many = [grant_round(BATCH) for _ in range(BATCHES)]
    print(f"\nthrough PostgreSQL, {LEASES:,} leases live and {LEASES:,} in line; reading, deciding and granting apart:")
    print(
        "| grants at once | rounds | read ms | decide ms | grant p50 ms | grant p99 ms | grants a second | all three steps |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for rounds in (single, many):
        count = sum(granted for granted, *_ in rounds)
        reads, decides, grants = ([entry[n] for entry in rounds] for n in (1, 2, 3))
        figures = [percentile(reads, 0.5), percentile(decides, 0.5), percentile(grants, 0.5), percentile(grants, 0.99)]
        cells = " | ".join(f"{seconds * 1e3:.2f}" for seconds in figures)
        whole = count / sum(sum(entry[1:]) for entry in rounds)
        print(f"| {count // len(rounds)} | {len(rounds)} | {cells} | {count / sum(grants):,.0f} | {whole:,.0f} |")
    p99 = percentile([entry[3] for entry in single], 0.99)
    rate = sum(entry[0] for entry in many) / sum(sum(entry[1:]) for entry in many)
    is_quick = verdict("p99 of a grant to 10 ms", p99 / GRANT_SECONDS, limit=1.0)
    return verdict("1,000 a second to grants a second", GRANTS_A_SECOND / rate, limit=1.0) and is_quick


def set_up(address: str) -> None:
    """Django on this database."""
    folder = Path(tempfile.mkdtemp(prefix="practicum-decide-"))
    (folder / "static").mkdir()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "practicum.config.settings")
    os.environ |= {"PRACTICUM_ENV": "demo", "PRACTICUM_DATA_DIR": str(folder), "PRACTICUM_DATABASE_URL": address}
    import django
    from django.core.management import call_command

    traces = os.environ.pop("PRACTICUM_TRACES", None)  # the benchmarks' own: the site knows no such setting
    django.setup()
    os.environ |= {"PRACTICUM_TRACES": traces} if traces else {}
    call_command("migrate", verbosity=0)


def fill(count: int) -> None:
    """So many live leases on as many slots, so many in line, and room for the rounds."""
    from django.db import connection

    from practicum.accounts.models import User
    from practicum.gpus.models import Lease, Pool, Server, Slot
    from practicum.internships.models import Cohort
    from practicum.lib.clock import utc_now

    now = utc_now()
    pool = Pool.objects.create(slug="h100", name="H100", kind="gpu")
    server = Server.objects.create(name="alpha", seen_at=now)
    cohorts = [
        Cohort.objects.create(
            slug=f"c{n}", name=f"Cohort {n}", starts_on=now.date(), ends_on=now.date() + timedelta(days=60)
        )
        for n in range(COHORTS)
    ]
    rows = (User(username=f"u{n}", email=f"u{n}@example.org", name=f"U {n}", role="intern") for n in range(2 * count))
    people = User.objects.bulk_create(rows, batch_size=2000)
    slots = Slot.objects.bulk_create(
        (
            Slot(server=server, pool=pool, kind="gpu", index=n % 30_000, uuid=f"GPU-{n:08d}", model="H100")
            for n in range(count + BATCH * BATCHES + SINGLE)
        ),
        batch_size=2000,
    )
    held = (
        Lease(
            user=people[n], cohort=cohorts[n % COHORTS], state="active", slot=slots[n], pool=pool, token=1, heartbeat=now,
            duration=timedelta(hours=9), requested_at=now, granted_at=now, lease_until=now + timedelta(hours=9),
        )
        for n in range(count)
    )  # fmt: skip
    waiting = (
        Lease(
            user=people[count + n], cohort=cohorts[n % COHORTS], pool=pool, duration=timedelta(hours=9), requested_at=now,
        )
        for n in range(count)
    )  # fmt: skip
    for leases in (held, waiting):
        Lease.objects.bulk_create(leases, batch_size=2000)
    Slot.objects.filter(pk__in=[slot.pk for slot in slots[count:]]).update(is_present=False)
    with connection.cursor() as cursor:
        # What autovacuum does within a minute where rows come one by one: without it the planner knows nothing of them.
        cursor.execute("analyze")


def grant_round(count: int) -> tuple[int, float, float, float]:
    """Free so many slots and do what ``services.allocate`` does: how many were granted, and seconds of its three steps."""
    from practicum.gpus import selectors, services
    from practicum.gpus.models import Slot
    from practicum.lib.clock import utc_now

    opened = list(Slot.objects.filter(is_present=False).values_list("pk", flat=True)[:count])
    Slot.objects.filter(pk__in=opened).update(is_present=True)
    now, began = utc_now(), time.perf_counter()
    turns, rows = selectors.turns(), selectors.snapshot(now=now)
    read = time.perf_counter()
    decisions = decide(rows, now)
    decided = time.perf_counter()
    granted = services.carry_out(decisions, turns=turns, now=now)
    return len(granted), read - began, decided - read, time.perf_counter() - decided


def main() -> bool:
    """Both parts; whether every limit holds."""
    heading("Decide: what a decision costs")
    return all([in_memory(), through_the_database()])
