"""The simulation: small courses whose figures can be worked out by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from practicum.gpus.metrics import Waits, jain
from practicum.gpus.policy import Quota
from practicum.gpus.replay import Job, Scenario, replay
from tests.bench.baselines import POLICIES
from tests.unit.gpus.proofs import slots_of
from tests.unit.gpus.world import NOW

HOUR, MINUTE, NONE = timedelta(hours=1), timedelta(minutes=1), timedelta(0)


def job(number: int, *, cohort: int = 1, at: timedelta = NONE, work: timedelta = HOUR, pause: timedelta = NONE) -> Job:
    bursts = ((NONE, work), (pause, work)) if pause else ((NONE, work),)
    return Job(number, number, cohort, 1, NOW + at, bursts)


def test_two_jobs_on_one_slot_wait_for_one_another() -> None:
    report = replay(Scenario([job(1), job(2, at=15 * MINUTE)], slots_of(1), until=NOW + 2 * HOUR))
    assert (report.waits.count, report.waits.longest) == (2, 45)
    assert (report.held_utilization, report.busy_utilization) == (1, 1)


def test_an_idle_lease_is_given_back_and_asked_for_again() -> None:
    scenario = Scenario([job(1, pause=2 * HOUR)], slots_of(1), idle_after=30 * MINUTE, until=NOW + 4 * HOUR)
    report = replay(scenario)
    assert (report.idle_hours, report.idle_returned) == (2, 0.75)
    assert (report.held_utilization, report.busy_utilization) == (2.5 / 4, 0.5)


def test_an_owner_waits_for_the_grace_and_the_borrower_goes_on_afterwards() -> None:
    jobs = [job(1, cohort=2), job(2, cohort=2, work=2 * HOUR), job(3, at=30 * MINUTE)]
    report = replay(Scenario(jobs, slots_of(2), [Quota(1, 1, guaranteed=1)], until=NOW + 3 * HOUR))
    assert report.waits_by_cohort[1].longest == pytest.approx(2)
    assert report.preemptions == 1
    assert report.violation_hours == 0
    assert report.held_hours_by_cohort[2] + report.held_hours_by_cohort[1] == pytest.approx(4)


def test_without_reclaiming_the_guarantee_is_violated_and_the_figure_says_by_how_much() -> None:
    jobs = [job(1, cohort=2), job(3, at=30 * MINUTE)]
    scenario = Scenario(jobs, slots_of(1), [Quota(1, 1, guaranteed=1)], until=NOW + 2 * HOUR)
    assert replay(scenario, policy=POLICIES["fifo"]).violation_hours == pytest.approx(28 / 60)


@pytest.mark.parametrize("name", POLICIES)
def test_every_baseline_serves_everybody_in_the_end(name: str) -> None:
    jobs = [job(n, cohort=1 + n % 2, at=n * MINUTE) for n in range(12)]
    quotas = [Quota(1, 1, guaranteed=1), Quota(2, 1, guaranteed=1)]
    report = replay(Scenario(jobs, slots_of(2), quotas, until=NOW + 24 * HOUR), policy=POLICIES[name])
    assert report.waits.count == 12
    assert sum(report.held_hours_by_cohort.values()) == pytest.approx(12)


def test_the_same_course_gives_the_same_figures() -> None:
    jobs = [job(n, cohort=n % 3, at=n * 7 * MINUTE, pause=MINUTE * n) for n in range(20)]
    assert replay(Scenario(jobs, slots_of(3))) == replay(Scenario(jobs, slots_of(3)))


def test_percentiles_and_jains_index() -> None:
    assert Waits.of([1.0, 2.0, 3.0, 10.0]) == Waits(4, 4.0, 3.0, 10.0, 10.0, 10.0)
    assert (jain([0.5, 0.5]), jain([1.0, 0.0])) == (1, 0.5)
