"""How late the worker's tick is while an estimate or a plan is computed beside it.

The worker asks every 0.2 s whom to give what (24 slots, 60 in line, through PostgreSQL). Measured for some seconds alone, with
estimates being worked out without a pause, and with a plan being replayed: how much later than due a tick begins, and how
late it is done, since each query of it may have to wait for its turn in the interpreter. The computing is done where the
worker does it.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from tests.bench.decide import set_up
from tests.bench.race import populate
from tests.bench.report import percentile, verdict
from tests.tools.postgres import postgres

TICK_SECONDS, SECONDS, IN_LINE = 0.2, 10.0, 60
LIMIT_SECONDS, PYTHONS_SECONDS = 0.2, 0.005
HEAD = "begins late, ms p50 / p99 / max | done ms after it was due, p50 / p99 / max"
Work = Callable[[Callable[[float], None]], Any]


def print_ticks(*, estimating: Work, replaying: Work) -> bool:
    """The table; whether the 99th percentile of a tick's end is late by no more than the limit."""
    with postgres() as address:
        set_up(address)
        populate()
        stand_in_line()
        late = {"nothing": ticks_beside(None)}
        late |= {"estimates": ticks_beside(estimating), "a plan": ticks_beside(replaying)}
        pythons = ticks_beside(estimating, switch_seconds=PYTHONS_SECONDS)
    alone = statistics.median(done for _, done in late["nothing"])
    print(f"\n| beside a tick every 0.2 s | ticks | {HEAD} | p50 to alone |")
    print("|---|---|---|---|---|")
    for name, both in {**late, "estimates, Python's own turns": pythons}.items():
        cells = [spread([entry[n] for entry in both]) for n in (0, 1)]
        ratio = statistics.median(done for _, done in both) / alone
        print(f"| {name} | {len(both)} | {cells[0]} | {cells[1]} | {ratio:.1f} |")
    worst = max(percentile([done for _, done in both], 0.99) for both in late.values())
    return verdict("a tick is done late, p99 to 0.2 s", worst / LIMIT_SECONDS, limit=1.0)


def spread(values: list[float]) -> str:
    """Median, 99th percentile and worst, in milliseconds."""
    return " / ".join(
        f"{value * 1e3:.0f}" for value in (statistics.median(values), percentile(values, 0.99), max(values))
    )


def stand_in_line() -> None:
    """More people than slots ask for a notebook."""
    from practicum.accounts.models import User
    from practicum.gpus import services
    from practicum.gpus.models import Purpose
    from practicum.internships.models import Cohort
    from practicum.lib.clock import utc_now

    cohorts = list(Cohort.objects.all())
    for n, user in enumerate(User.objects.filter(role="intern")[: IN_LINE + 24]):
        facts: dict[str, Any] = {"purpose": Purpose.SESSION, "duration": timedelta(hours=1), "now": utc_now()}
        services.request_lease(user, cohort=cohorts[n % len(cohorts)], **facts)


def ticks_beside(work: Work | None, *, switch_seconds: float | None = None) -> list[tuple[float, float]]:
    """Of each tick in some seconds: how late it began, and how long after it was due it was done."""
    from practicum.config.management.commands.worker import SWITCH_SECONDS
    from practicum.gpus import tasks
    from practicum.lib.clock import utc_now

    sys.setswitchinterval(switch_seconds or SWITCH_SECONDS)
    late, until = [], time.monotonic() + SECONDS
    with again_and_again(work):
        while time.monotonic() < until:
            due = time.monotonic() + TICK_SECONDS
            time.sleep(TICK_SECONDS)
            began = time.monotonic()
            tasks.allocate(utc_now())
            late.append((began - due, time.monotonic() - due))
    return late


class Enough(Exception):
    """The work beside is not needed any more."""


@contextmanager
def again_and_again(work: Work | None) -> Iterator[None]:
    """``work`` is done in another thread without a pause; it is given a function to call now and then."""
    stopping = threading.Event()

    def look(_: float = 0.0) -> None:
        if stopping.is_set():
            raise Enough

    def go_on() -> None:
        with suppress(Enough):
            while work is not None:
                look()
                work(look)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
