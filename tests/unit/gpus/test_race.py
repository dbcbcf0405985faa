"""Two allocators race on PostgreSQL: the small version of ``tests.bench.race``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.race_log import Referee

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.postgres
def test_allocators_in_two_processes_never_grant_a_slot_twice() -> None:
    """In a process of its own: the settings of this one name another database."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PRACTICUM_")}
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "race"],
        cwd=ROOT,
        env=environment | {"EVENTS": "600"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "double grants: 0: holds" in run.stdout


@pytest.mark.postgres
def test_a_double_grant_would_be_seen() -> None:
    """Without the partial unique index two live leases can be on one slot, and the log of the race shows it."""
    script = (
        "import sys; sys.path.insert(0, 'platform')\n"
        "from tests.bench import race, race_log, decide\n"
        "from tests.tools.postgres import postgres\n"
        "with postgres() as address:\n"
        "    decide.set_up(address)\n"
        "    from django.db import connection\n"
        "    cursor = connection.cursor()\n"
        "    cursor.execute(race_log.LOG)\n"
        "    race.populate()\n"
        "    cursor.execute('drop index one_live_lease_a_slot')\n"
        "    from datetime import timedelta\n"
        "    from practicum.accounts.models import User\n"
        "    from practicum.gpus.models import Lease, Slot\n"
        "    from practicum.internships.models import Cohort\n"
        "    from practicum.lib.clock import utc_now\n"
        "    now, slot, cohort = utc_now(), Slot.objects.first(), Cohort.objects.first()\n"
        "    for user in User.objects.all()[:2]:\n"
        "        Lease.objects.create(user=user, cohort=cohort, state='granted', slot=slot, requested_at=now,\n"
        "                             duration=timedelta(hours=1), granted_at=now, lease_until=now)\n"
        "    referee = race_log.Referee(inventory=race.SLOTS)\n"
        "    cursor.execute(race_log.READ, [0])\n"
        "    referee.fold(cursor.fetchall())\n"
        "    print('found', dict(referee.found))\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PRACTICUM_")}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert "found {'double': 1}" in run.stdout, run.stdout + run.stderr


def judged(*grants: tuple[int, int, int], is_borrowed: bool = False, **terms: int | None) -> dict[str, int]:
    """What the referee finds in grants of (slot, cohort, person) under these terms of cohorts 1 and 2, with four slots."""
    known = {"guaranteed": 2, "borrowing_limit": None, "lending_limit": None, "per_intern": None, **terms}
    referee = Referee(inventory=4)
    quotas = [(n, "quota", 0, None, n, 0, False, json.dumps(known)) for n in (1, 2)]
    live = [(9 + n, "live", slot, n, cohort, user, is_borrowed, "") for n, (slot, cohort, user) in enumerate(grants)]
    referee.fold([*quotas, *live])
    return dict(referee.found)


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ({}, {}),
        ({"borrowing_limit": 1}, {}),
        ({"borrowing_limit": 0}, {"above": 1}),
        ({"per_intern": 3}, {}),
        ({"per_intern": 2}, {"above": 1}),
        ({"lending_limit": 1, "is_borrowed": True}, {}),
        ({"lending_limit": 0, "is_borrowed": True}, {"above": 1}),
    ],
)
def test_a_grant_above_a_limit_would_be_seen(terms: dict[str, Any], found: dict[str, int]) -> None:
    assert judged((1, 1, 7), (2, 1, 7), (3, 1, 7), **terms) == found


def test_a_lost_slot_would_be_seen() -> None:
    referee = Referee(inventory=2)
    referee.count_rows([(1, None), (2, None)])
    assert not referee.found
    referee.count_rows([(1, None)])
    referee.count_rows([(1, None), (2, "a lease that nobody granted")])
    assert referee.found == {"lost": 2}
