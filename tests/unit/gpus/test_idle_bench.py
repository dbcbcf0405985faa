"""The benchmark of idle time: what its rules would have done, on pauses that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from practicum.gpus.policy import Quota
from practicum.gpus.replay import Job, Scenario
from tests.bench.idle import Learner, Pause, Watched, adaptive, at_share, figures, foreseen
from tests.unit.gpus.proofs import slots_of
from tests.unit.gpus.world import NOW

HOUR, MINUTE, NONE = timedelta(hours=1), timedelta(minutes=1), timedelta(0)
SOON_BACK, LONG_GONE, NEW = 1, 2, 3
OWN = [Quota(1, 1, guaranteed=1)]
THREE = [Pause(0, 0.25, 1), Pause(1, 1.0, 1), Pause(5, 2.75, 2)]


def test_what_is_left_of_a_pause_is_returned_and_each_end_is_an_interruption() -> None:
    assert figures(THREE, [0.5] * 3, people=2) == ((0.5 + 2.25) / 4, 2 / 2)


def test_nobody_needs_fewer_interruptions_than_who_foresees_the_longest_pauses() -> None:
    assert foreseen(THREE, share=0.6, people=1) == 1
    assert foreseen(THREE, share=0.9, people=1) == 2


def test_curves_are_compared_at_the_same_share() -> None:
    assert at_share([(0.9, 8.0), (0.8, 4.0)], 0.85) == pytest.approx(6)
    assert at_share([(0.9, 8.0), (0.8, 4.0)], 0.95) != at_share([(0.9, 8.0), (0.8, 4.0)], 0.95)


def test_who_is_always_back_soon_is_left_alone_for_longer_than_who_stays_away() -> None:
    learner = Learner()
    for day in range(20):
        learner.note(Pause(24.0 * day, 0.6, SOON_BACK))
        learner.note(Pause(24.0 * day, 9.0, LONG_GONE))
    ends = {user: learner.ends_after(begins=500.0, user=user, price=2.0) for user in (SOON_BACK, LONG_GONE, NEW)}
    assert ends[SOON_BACK] > 0.6
    assert ends[LONG_GONE] < 0.6
    assert ends[LONG_GONE] <= ends[NEW] <= ends[SOON_BACK]


def test_nothing_is_learned_from_a_pause_that_is_not_over() -> None:
    pauses = [Pause(float(n), 50.0, 1) for n in range(10)]
    longer = [replace(pause, hours=500.0) for pause in pauses]
    assert list(adaptive(pauses, price=1.0)) == list(adaptive(longer, price=1.0))


@pytest.mark.parametrize(
    ("others_come", "is_kept", "interruptions", "waited"),
    [(False, False, 1, 0), (False, True, 0, 0), (True, True, 1, 5), (True, False, 1, 0)],
)
def test_an_idle_notebook_that_is_kept_goes_only_once_somebody_waits(
    others_come: bool, is_kept: bool, interruptions: int, waited: float
) -> None:
    jobs = [Job(1, 1, 1, 1, NOW, ((NONE, HOUR), (5 * HOUR, HOUR)))]
    jobs += [Job(2, 2, 1, 1, NOW + 3 * HOUR, ((NONE, HOUR),))] if others_come else []
    until = NOW + 10 * HOUR
    run = Watched(Scenario(jobs, slots_of(1), OWN, idle_after=30 * MINUTE, is_idle_kept=is_kept, until=until))
    report = run.run()
    months = len(jobs) * 10 / (30 * 24)
    assert report.interruptions_a_session_month * months == pytest.approx(interruptions)
    assert report.waits.longest == pytest.approx(waited)
    assert run.held_from_others == pytest.approx(waited / 60)


def test_who_works_again_within_the_notice_stays() -> None:
    jobs = [Job(1, 1, 1, 1, NOW, ((NONE, HOUR), (2 * HOUR, HOUR), (2 * HOUR, HOUR)))]
    jobs += [Job(2, 2, 1, 1, NOW + 3 * HOUR - 2 * MINUTE, ((NONE, HOUR),))]
    scenario = Scenario(jobs, slots_of(1), OWN, idle_after=30 * MINUTE, is_idle_kept=True, until=NOW + 12 * HOUR)
    report = Watched(scenario).run()
    # They came two minutes before the first went on; 25 minutes into the next pause notice is given.
    assert report.waits.longest == 2 + 60 + 30


def test_idle_time_held_while_somebody_waits_is_counted() -> None:
    jobs = [Job(1, 1, 1, 1, NOW, ((NONE, HOUR), (5 * HOUR, HOUR))), Job(2, 2, 1, 1, NOW + HOUR, ((NONE, HOUR),))]
    run = Watched(Scenario(jobs, slots_of(1), idle_after=15 * MINUTE, is_idle_kept=True, until=NOW + 10 * HOUR))
    assert (run.run().waits.longest, run.held_from_others) == (15, 0.25)
