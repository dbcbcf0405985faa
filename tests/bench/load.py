"""A thousand interns signed in, 200 notebooks open, 50 submissions a minute: how long each page takes, what each process holds.

In one run: PostgreSQL that waits for the disk, gunicorn as in production, the real worker, hub, proxy and agent. Everybody
signs in by the form (one password, whose scrypt hash is checked each time). Notebooks are light processes, not JupyterLab:
the real hub starts, watches and routes them (see ``load_system``). Submissions are evaluated really, as processes without
containers; what containers cost is measured by ``submit`` and ``evaluate``. The load generator runs on the same cores.

``python -m tests.bench.load --help`` for smaller runs. The limits are those of 2 cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.load_people import ADMIN_PAGES, SIGN_INS_AT_ONCE, STAFF_PAGES, STARTS_AT_ONCE, Browser, Crowd, Notebook
from tests.bench.load_system import MB, Memory, System, running
from tests.bench.report import heading, percentile, verdict

# Nielsen (1993): within a second nobody's train of thought is broken.
PAGE_P95_SECONDS = 1.0
PAGE_P99_SECONDS = 3.0
LAUNCH_P95_SECONDS = 30.0
SCORE_P95_SECONDS = 30.0
MEMORY_MB = {"web": 1200, "worker": 300, "hub": 400, "proxy": 200, "agent": 100}
ENOUGH = 100
RARER = "rarer pages, together"
NOT_PAGES = ("launch, whole", "hand-in to score, whole", "hub sign-in, whole")


@dataclass(frozen=True)
class Plan:
    """How much of everything. Who has a notebook opens a page more often than who is only signed in."""

    interns: int = 1000
    steps: tuple[int, ...] = (1, 10, 200)
    submissions_a_minute: float = 50.0
    seconds: float = 90.0
    page_every_seconds: float = 60.0
    idle_page_every_seconds: float = 300.0
    hub_page_every_seconds: float = 300.0


@dataclass
class Result:
    """What was measured."""

    plan: Plan
    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    memory: dict[int, dict[str, Memory]] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    database: dict[str, int] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def answers(self) -> int:
        """Requests that were answered, rightly or wrongly."""
        return sum(len(values) for what, values in self.seconds.items() if what not in NOT_PAGES)

    def ratios(self) -> list[tuple[str, float]]:
        """What is held against its limit, as a share of it: no more than 1 holds."""
        pages = pages_of(self.seconds)
        slowest95 = max((percentile(values, 0.95) for values in pages.values()), default=0.0)
        slowest99 = max((percentile(values, 0.99) for values in pages.values()), default=0.0)
        last = self.memory[max(self.memory)] if self.memory else {}
        found = [
            (f"slowest page's p95 to {PAGE_P95_SECONDS:g} s", slowest95 / PAGE_P95_SECONDS),
            (f"slowest page's p99 to {PAGE_P99_SECONDS:g} s", slowest99 / PAGE_P99_SECONDS),
        ]
        for what, limit in (("launch, whole", LAUNCH_P95_SECONDS), ("hand-in to score, whole", SCORE_P95_SECONDS)):
            if values := self.seconds.get(what):
                found.append((f"{what}, p95 to {limit:g} s", percentile(values, 0.95) / limit))
        found += [
            (f"PSS of {name} to {MEMORY_MB[name]} MB", held.pss / MB / MEMORY_MB[name]) for name, held in last.items()
        ]
        wrong = sum(self.errors.values())
        # One error is one too many, however many answers there were.
        return [*found, (f"errors ({wrong} of {self.answers}) to none", 0.0 if not wrong else 1.0 + wrong)]

    def as_json(self) -> dict[str, Any]:
        """All of it, times summed up."""
        summed = {
            what: {"n": len(values), **{f"p{int(q * 100)}": round(percentile(values, q), 4) for q in (0.5, 0.95, 0.99)}}
            for what, values in sorted(self.seconds.items())
        }
        memory = {str(step): {name: asdict(held) for name, held in row.items()} for step, row in self.memory.items()}
        return {
            "plan": asdict(self.plan), "seconds": summed, "errors": self.errors, "memory": memory, "cpu": self.cpu,
            "database": self.database, "took": self.took, "counts": self.counts,
            "ratios": dict(self.ratios()),
        }  # fmt: skip


def pages_of(seconds: dict[str, list[float]]) -> dict[str, list[float]]:
    """The answers by page; those of pages that were asked for too rarely for a percentile to mean anything, together."""
    pages = {what: values for what, values in seconds.items() if what not in NOT_PAGES}
    rare = {what for what, values in pages.items() if len(values) < ENOUGH}
    judged = {what: values for what, values in pages.items() if what not in rare}
    return judged | ({RARER: [value for what in sorted(rare) for value in pages[what]]} if rare else {})


async def measure(system: System, plan: Plan) -> Result:
    """Sign in, open notebooks step by step, then everything at once."""
    crowd, result = Crowd(system), Result(plan)
    names = names_in(system)
    interns = [Browser(n, name, crowd=crowd) for n, name in enumerate(names["intern"][: plan.interns])]
    for browser in interns:
        browser.submission = names["submission"][browser.username]
    mentor, admin = (Browser(10_000 + n, names[role][0], crowd=crowd) for n, role in enumerate(("mentor", "admin")))
    try:
        people = [*interns, mentor, admin]
        result.counts["signed in"] = await timed(
            result, "signing in", crowd.together([p.sign_in for p in people], at_once=SIGN_INS_AT_ONCE)
        )
        notebooks = await open_notebooks(crowd, interns, result=result, system=system)
        await everything(crowd, interns, notebooks, staff=(mentor, admin), result=result, system=system)
    finally:
        await crowd.close()
    result.seconds, result.errors = crowd.record.seconds, dict(crowd.record.errors)
    return result


async def open_notebooks(crowd: Crowd, interns: Sequence[Browser], *, result: Result, system: System) -> list[Notebook]:
    """Step by step to the most; what each process holds after each step."""
    opened = 0
    for step in result.plan.steps:
        batch = interns[opened:step]
        await timed(
            result, f"to {step} notebooks", crowd.together([b.start_notebook for b in batch], at_once=STARTS_AT_ONCE)
        )
        opened = step
        result.memory[step] = system.memory()
    owners = interns[:opened]
    hub = await timed(
        result, "signing in to the hub", crowd.together([b.sign_in_to_hub for b in owners], at_once=STARTS_AT_ONCE)
    )
    result.counts |= {"notebooks": len(crowd.notebooks), "signed in to the hub": hub}
    return crowd.notebooks


async def everything(
    crowd: Crowd,
    interns: Sequence[Browser],
    notebooks: Sequence[Notebook],
    *,
    staff: tuple[Browser, Browser],
    result: Result,
    system: System,
) -> None:
    """Pages, the hub and submissions at their rates, for so many seconds; notebooks report all the time."""
    plan, before = result.plan, system.cpu_seconds()
    owners, others = [notebook.browser for notebook in notebooks], interns[len(notebooks) :]
    until = time.monotonic() + plan.seconds
    mentor, admin = staff
    kinds = {
        "pages of those with a notebook": (
            len(owners) / plan.page_every_seconds,
            lambda _: crowd.any_page(crowd.chance.choice(owners)),
        ),
        "pages of the others": (
            len(others) / plan.idle_page_every_seconds,
            lambda _: crowd.any_page(crowd.chance.choice(others)),
        ),
        "pages of mentors": (0.5, lambda _: crowd.any_page(mentor, STAFF_PAGES)),
        "pages of admins": (0.2, lambda _: crowd.any_page(admin, ADMIN_PAGES)),
        "visits to the hub": (
            len(notebooks) / plan.hub_page_every_seconds,
            lambda n: notebooks[n % len(notebooks)].browser.ask("hub's home", "/hub/home", host="hub.load.test"),
        ),
        "submissions": (
            plan.submissions_a_minute / 60 * bool(notebooks),
            lambda n: notebooks[n % len(notebooks)].hand_in(n),
        ),
    }
    watching = asyncio.create_task(watch_database(system, result=result, until=until))
    begun = await asyncio.gather(
        *(crowd.keep_up(a_second=rate, until=until, begin=begin) for rate, begin in kinds.values())
    )
    result.counts |= dict(zip(kinds, begun, strict=True))
    await watching
    after = system.cpu_seconds()
    result.cpu = {name: round((after[name] - before[name]) / plan.seconds, 3) for name in after}
    result.memory[max(plan.steps)] = system.memory()
    await timed(result, "until the last score", crowd.finish())


async def watch_database(system: System, *, result: Result, until: float) -> None:
    """The most connections, and how often somebody waited for a lock, looked at twice a second."""
    most = waits = looks = 0
    async with await psycopg.AsyncConnection.connect(system.database, autocommit=True) as connection:
        while time.monotonic() < until:
            rows = await connection.execute(
                "SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            row = await rows.fetchone()
            assert row is not None
            most, waits, looks = max(most, row[0]), waits + row[1], looks + 1
            await asyncio.sleep(0.5)
        rows = await connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        row = await rows.fetchone()
        assert row is not None
    result.database = {"connections": most, "waits for locks seen": waits, "looks": looks, "deadlocks": row[0]}


async def timed(result: Result, what: str, work: Any) -> Any:
    """The result of ``work``; how long it took is noted and said."""
    began = time.monotonic()
    done = await work
    result.took[what] = round(time.monotonic() - began, 1)
    print(f"  {what}: {result.took[what]:.1f} s", file=sys.stderr, flush=True)
    return done


def names_in(system: System) -> dict[str, Any]:
    """Usernames by role, and a submission of each intern."""
    with psycopg.connect(system.database) as connection:
        people = connection.execute("SELECT role, username FROM accounts_user ORDER BY id").fetchall()
        rows = connection.execute(
            "SELECT u.username, max(s.id)::text FROM submissions_submission s "
            "JOIN internships_internship i ON i.id = s.internship_id JOIN accounts_user u ON u.id = i.intern_id GROUP BY 1"
        ).fetchall()
    roles = {role: [name for r, name in people if r == role] for role in ("intern", "mentor", "admin")}
    return roles | {"submission": dict(rows)}


def show(result: Result) -> bool:
    """Print the tables and the ratios; whether all hold."""
    print(f"  plan {asdict(result.plan)}")
    print(f"  {'':28}{'n':>7}{'p50':>9}{'p95':>9}{'p99':>9}   ms")
    pooled = {what: values for what, values in pages_of(result.seconds).items() if what == RARER}
    for what, values in sorted((result.seconds | pooled).items()):
        figures = "".join(f"{percentile(values, q) * 1000:9.0f}" for q in (0.5, 0.95, 0.99))
        print(f"  {what:28}{len(values):7}{figures}")
    print("  PSS in MB (RSS; processes) by notebooks open")
    for step, row in result.memory.items():
        held = "  ".join(f"{n} {m.pss / MB:.0f} ({m.rss / MB:.0f}; {m.processes})" for n, m in row.items())
        print(f"  {step:5}  {held}")
    print(f"  cores used under load {result.cpu}\n  database {result.database}\n  counts {result.counts}")
    for what, count in sorted(result.errors.items(), key=lambda item: -item[1])[:20]:
        print(f"  ERROR {count} × {what}")
    held = [verdict(f"load, {name}", ratio, limit=1.0) for name, ratio in result.ratios()]
    return all(held)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The options."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--interns", type=int, default=usual.interns)
    parser.add_argument("--notebooks", type=int, default=max(usual.steps))
    parser.add_argument("--submissions", type=float, default=usual.submissions_a_minute, help="a minute")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="of everything at once")
    parser.add_argument(
        "--every", type=float, default=usual.page_every_seconds, help="seconds between the pages of who has a notebook"
    )
    parser.add_argument(
        "--idle-every", type=float, default=usual.idle_page_every_seconds, help="and between those of the others"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args(argv)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the options ask for."""
    steps = tuple(sorted({step for step in (1, 10) if step < options.notebooks} | {options.notebooks}))
    return Plan(options.interns, steps, options.submissions, options.seconds, options.every, options.idle_every)


def main(argv: Sequence[str] = ()) -> bool:
    """Run it and print."""
    options = arguments(argv)
    plan = plan_of(options)
    heading(
        f"Load: {plan.interns} interns, {max(plan.steps)} notebooks, {plan.submissions_a_minute:g} submissions a minute"
    )
    began = time.monotonic()
    with running(interns=plan.interns, slots=min(256, max(plan.steps) + 8)) as system:
        print(f"  prepared: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
        result = asyncio.run(measure(system, plan))
    if options.json:
        options.json.write_text(json.dumps(result.as_json(), indent=2))
    return show(result)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
