"""The real demand as jobs: what each kind of lease becomes, and that playing it again obeys what it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practicum.gpus.demand import Measured, Past, ask_of, bursts_of, demand_of, weeks_known, with_longest
from practicum.gpus.models import LeaseUse
from practicum.gpus.plan_replay import Ask, Played, play
from practicum.gpus.plan_rules import Setting
from practicum.gpus.quota_rules import Terms
from practicum.gpus.replay import IdleRule, Scenario
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.past import make_lease
from tests.unit.gpus.world import NOW

HOUR, MINUTE, NONE = timedelta(hours=1), timedelta(minutes=1), timedelta(0)
END = NOW + timedelta(days=7)
WINDOW = (NOW, END)
USUAL: dict[int | None, timedelta] = {1: 90 * MINUTE}


def past(asked: timedelta, granted: timedelta | None, closed: timedelta | None, *, pool: int | None = 3) -> Past:
    """A lease of cohort 1, given for eight hours; times count from the beginning of the window."""
    at = [None if moment is None else NOW + moment for moment in (granted, closed)]
    return Past(UUID(int=1), 5, 1, pool, "session", 8 * HOUR, NOW + asked, *at)


@pytest.mark.parametrize(
    ("row", "submitted", "bursts", "patience"),
    [
        (past(HOUR, 2 * HOUR, 5 * HOUR), HOUR, ((NONE, 3 * HOUR),), None),
        (past(HOUR, HOUR, 12 * HOUR), HOUR, ((NONE, 8 * HOUR),), None),
        (past(-3 * HOUR, -2 * HOUR, HOUR), NONE, ((NONE, HOUR),), None),
        (past(-3 * HOUR, HOUR, 2 * HOUR), NONE, ((NONE, HOUR),), None),
        (past(END - NOW - HOUR, END - NOW - HOUR, None), END - NOW - HOUR, ((NONE, HOUR),), None),
        (past(HOUR, None, 3 * HOUR), HOUR, ((NONE, 90 * MINUTE),), 2 * HOUR),
        (past(-HOUR, None, 3 * HOUR), NONE, ((NONE, 90 * MINUTE),), 3 * HOUR),
        (past(HOUR, None, None), HOUR, ((NONE, 90 * MINUTE),), None),
        (past(HOUR, END - NOW + HOUR, None), HOUR, ((NONE, 90 * MINUTE),), None),
        (past(HOUR, HOUR, HOUR), HOUR, ((NONE, timedelta(seconds=1)),), None),
    ],
    ids=[
        "held", "no longer than given for", "held when the window began", "waited when the window began",
        "held when it ends", "left the line", "left the line, waiting since before", "still in line",
        "granted after the window", "closed at once",
    ],
)  # fmt: skip
def test_what_a_lease_becomes(row: Past, submitted: timedelta, bursts: Any, patience: timedelta | None) -> None:
    ask = ask_of(row, number=7, measured=(), window=WINDOW, usual=USUAL, pool=9)
    assert (ask.submitted_at - NOW, ask.bursts, ask.patience) == (submitted, bursts, patience)
    assert (ask.id, ask.user, ask.cohort, ask.pool, ask.expected) == (7, 5, 1, 3, 8 * HOUR)


def test_who_named_no_pool_stands_in_the_usual_one_and_a_cohort_without_a_past_uses_the_time_given() -> None:
    ask = ask_of(past(HOUR, None, None, pool=None), number=1, measured=(), window=WINDOW, usual={}, pool=9)
    assert (ask.pool, ask.bursts) == (9, ((NONE, 8 * HOUR),))


@pytest.mark.parametrize(
    ("seen", "bursts"),
    [
        ("", [(0, 60)]),
        ("bbbbbb", [(0, 60)]),
        ("bb..bb", [(0, 20), (20, 20)]),
        ("b....b", [(0, 10), (40, 10)]),
        ("b.b.bb", [(0, 10), (10, 10), (10, 20)]),
        ("bbbb..", [(0, 40), (20, 0)]),
        (".....b", [(0, 10), (40, 10)]),
        ("b.??.b", [(0, 10), (10, 20), (10, 10)]),
    ],
)
def test_what_was_measured_says_when_it_paused(seen: str, bursts: list[tuple[int, int]]) -> None:
    """A letter is ten minutes: b busy, . idle, ? not measured."""
    measured = [Measured(NOW + 10 * n * MINUTE, kind == "b") for n, kind in enumerate(seen) if kind != "?"]
    got = bursts_of((NOW, NOW + HOUR), measured=measured)
    assert [(pause // MINUTE, work // MINUTE) for pause, work in got] == bursts


def test_the_rows_become_the_demand(intern: Any, peer: Any, internship: Any) -> None:
    (slot,) = make_slots(1)
    cohort = internship.cohort
    held = make_lease(intern, asked=NOW + HOUR, wait=HOUR, held=HOUR, slot=slot, cohort=cohort)
    make_lease(peer, asked=NOW + 2 * HOUR, wait=None, held=30 * MINUTE, cohort=cohort)
    make_lease(peer, asked=NOW - 3 * HOUR, held=HOUR, slot=slot, cohort=cohort)
    use = {"held_seconds": 600, "measured_seconds": 600}
    LeaseUse.objects.create(lease=held, starts_at=NOW + 2 * HOUR, busy_seconds=600, **use)
    LeaseUse.objects.create(lease=held, starts_at=NOW + 2 * HOUR + 20 * MINUTE, busy_seconds=0, **use)

    demand = demand_of(WINDOW)

    assert [(job.user, job.patience) for job in demand.jobs] == [(intern.pk, None), (peer.pk, 30 * MINUTE)]
    assert demand.jobs[0].bursts == ((NONE, 20 * MINUTE), (10 * MINUTE, 30 * MINUTE))
    assert {job.pool for job in demand.jobs} == {slot.pool_id}
    assert (demand.held_hours, round(demand.measured_hours, 3)) == (1, 0.333)
    assert (demand.waits.count, demand.waits.mean) == (1, 60)


def test_a_week_of_requests_is_needed(intern: Any) -> None:
    assert weeks_known(now=NOW) == 0
    make_lease(intern, asked=NOW - timedelta(days=6), wait=None)
    assert weeks_known(now=NOW) == 0
    assert weeks_known(now=NOW + timedelta(days=1)) == 1
    assert weeks_known(now=NOW + timedelta(days=400)) == 8


def ask(number: int, *, at: int, user: int | None = None, work: int = 60, patience: int | None = None) -> Ask:
    leaves = None if patience is None else patience * MINUTE
    start = NOW + at * MINUTE
    return Ask(number, user or number, 1 + number % 2, 1, start, ((NONE, work * MINUTE),), patience=leaves)


def played(jobs: Sequence[Ask], *, slots: int, idle: int = 45, hours: int = 48) -> Played:
    setting = Setting({1: slots}, {(1, 1): Terms(guaranteed=1)})
    until = NOW + hours * HOUR
    scenario = Scenario(jobs, setting.policy_slots(), setting.policy_quotas(on=until.date()), until=until)
    return play(scenario, idle=dict.fromkeys((1, 2), IdleRule(idle * MINUTE)))


def test_who_left_the_line_leaves_it_again_unless_a_slot_is_free_before() -> None:
    jobs = [ask(2, at=0), ask(4, at=0, patience=20)]
    assert (played(jobs, slots=1).gave_up, played(jobs, slots=2).gave_up) == (1, 0)
    assert played(jobs, slots=1).report.waits.longest == 20


def test_a_person_asks_for_the_next_notebook_when_the_one_before_is_over() -> None:
    jobs = [ask(2, at=0), ask(4, at=1, user=4), ask(6, at=30, user=4)]
    report = played(jobs, slots=1).report
    assert (report.waits.count, report.waits.longest) == (3, 59)
    assert report.violation_hours == 0


def test_a_lease_left_idle_to_its_end_is_given_back_and_nobody_asks_again() -> None:
    idle = Ask(2, 2, 1, 1, NOW, ((NONE, HOUR), (2 * HOUR, NONE)))
    result = played([idle, ask(3, at=60)], slots=1, hours=4)
    assert result.report.waits.count == 2
    assert sum(result.report.held_hours_by_cohort.values()) == pytest.approx(1 + 45 / 60 + 1)
    assert sum(row.used for row in result.by_hour.values()) == pytest.approx(2)


def test_the_hours_of_the_clock_add_up_to_the_report() -> None:
    result = played([ask(n, at=7 * n) for n in range(1, 30)], slots=3)
    assert sum(row.held for row in result.by_hour.values()) == pytest.approx(29)
    waited = result.report.waits.mean * result.report.waits.count / 60
    assert sum(row.waiting for row in result.by_hour.values()) == pytest.approx(waited)


def test_a_longest_session_shortens_and_never_lengthens() -> None:
    jobs = [ask_of(past(HOUR, None, None), number=1, measured=(), window=WINDOW, usual={}, pool=9)]
    for most, hours in ((4, 4), (12, 8)):
        assert with_longest(jobs, hours={(1, 3): most})[0].expected == hours * HOUR
    assert with_longest(jobs, hours={(2, 3): 1}) == jobs


ASKS = st.lists(
    st.tuples(st.integers(0, 600), st.integers(5, 240), st.sampled_from([1, 2, 3, 4, 5, 6])), min_size=1, max_size=25
)


@given(ASKS, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_a_slot_for_everybody_ends_all_waiting_and_the_same_setting_gives_the_same(
    rows: list[tuple[int, int, int]], slots: int
) -> None:
    jobs = [ask(n, at=at, work=work, user=user) for n, (at, work, user) in enumerate(rows, start=1)]
    few, again, enough = played(jobs, slots=slots), played(jobs, slots=slots), played(jobs, slots=6)
    assert few == again
    assert enough.report.waits.longest == 0
    assert few.report.waits.mean >= 0


def test_more_slots_never_make_the_waiting_of_this_demand_longer() -> None:
    jobs = [ask(n, at=(n * 37) % 900, work=20 + (n * 53) % 200, user=n % 40) for n in range(1, 160)]
    means = [played(jobs, slots=slots).report.waits.mean for slots in range(2, 12)]
    assert means == sorted(means, reverse=True)
    assert means[0] > means[-1]
