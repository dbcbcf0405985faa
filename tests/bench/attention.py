"""How soon the at-risk board shows a stall, with which reason, and how often it is wrong, over many simulated cohorts.

Each cohort has eleven interns with a stall, one of each kind, and eleven without; the board itself is read from the database
on every morning and evening of eight weeks. The limits are the issue's: every stall within 48 hours, those of weekends not
counted, and under one false alarm per ten interns a week. Beside it stands the plain rule of learning platforms: who was not
there for a week is at risk. ``tests/unit/portal/stalls.py`` says what is called a stall, and what a false alarm.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.bench.pages import set_up
from tests.bench.report import heading, percentile, verdict

SEEDS, FIRST = 20, 400  # rules and counts were mended on what came out of seeds below
HEALTHY = 11
HOUR = timedelta(hours=1)


def main() -> bool:
    """Play, print, and hold both limits."""
    set_up()
    from django.db import transaction

    from practicum.accounts.models import User
    from tests.unit.portal import stalls

    heading(f"attention: {SEEDS} cohorts with each stall once and {HEALTHY} healthy interns, eight weeks")
    admin = User.objects.create(username="root-admin", email="a@example.org", name="Admin", role="admin")
    with transaction.atomic():
        made = stalls.places(seeds=SEEDS, admin=admin, healthy=HEALTHY, first=FIRST)
        board = stalls.play(made, admin=admin)
    plain = stalls.by_last_seen(made)
    for name, outcome in (("the board", board), ("not there for 7 days", plain)):
        _table(name, outcome)
    late = sum(not one.is_in_time for one in board.detections)
    missed_by_plain = sum(not one.is_in_time for one in plain.detections)
    print(f"not in time: {late} of {len(board.detections)}; by the plain rule {missed_by_plain}")
    held = verdict("stalls not shown in 48 hours / all", late / len(board.detections), limit=0.0)
    wrong = sum(not one.is_right for one in board.detections) / len(board.detections)
    held &= verdict("stalls without the right reason / all", wrong, limit=0.0)
    return held & verdict("false alarms per ten interns a week", board.alarms_per_ten_a_week, limit=1.0)


def _table(name: str, outcome: Any) -> None:
    print(f"{name:24}{'n':>5}{'in time':>9}{'reason':>8}{'median':>8}{'most':>7}{'since the first missed':>24}")
    for stall in sorted({one.stall for one in outcome.detections}):
        found = [one for one in outcome.detections if one.stall == stall]
        delays = [one.delay / HOUR for one in found if one.delay is not None]
        missed = [one.since_missed / HOUR for one in found if one.since_missed is not None]
        figures = (
            f"{percentile(delays, 0.5):6.0f} h{max(delays):5.0f} h{percentile(missed, 0.5):22.0f} h"
            if delays
            else "   never"
        )
        in_time, right = sum(one.is_in_time for one in found), sum(one.is_right for one in found)
        print(f"{stall:24}{len(found):5}{in_time:9}{right:8}{figures}")
    kinds = ", ".join(f"{kind} {count}" for kind, count in outcome.false_alarms.most_common())
    print(f"false alarms per ten interns a week: {outcome.alarms_per_ten_a_week:.2f} ({kinds or 'none'})\n")
