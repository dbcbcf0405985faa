"""The benchmark that nudges a demand: what it calls better, worse, and not told apart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from practicum.gpus.replay import Job, Scenario
from tests.bench.nudged import TIMES, interval, nudged, said
from tests.unit.gpus.proofs import slots_of
from tests.unit.gpus.world import NOW

WORK = ((timedelta(0), timedelta(hours=1)),)


def test_every_job_comes_somewhat_later_and_each_time_otherwise() -> None:
    jobs = [Job(n, n, 1, 1, NOW, WORK) for n in range(9)]
    drawn = [[job.submitted_at - NOW for job in one.jobs] for one in nudged(Scenario(jobs, slots_of(1)))]
    assert len(drawn) == TIMES == len({tuple(times) for times in drawn})
    assert all(timedelta(0) <= time <= timedelta(minutes=10) for times in drawn for time in times)
    assert all(times == sorted(times) for times in drawn)


@pytest.mark.parametrize(
    ("ratios", "less_is_better", "told"),
    [
        ([0.9, 0.92] * 10, True, "better"),
        ([0.9, 0.92] * 10, False, "worse"),
        ([1.1, 1.12] * 10, True, "worse"),
        ([0.9, 1.12] * 10, True, "not told apart"),
    ],
)
def test_what_differs_by_less_than_it_varies_is_not_told_apart(
    ratios: list[float], less_is_better: bool, told: str
) -> None:
    assert said(*interval(ratios), less_is_better=less_is_better) == told
