"""A readiness check is handed in and scored like every project; its bars are kept, and its time has an end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.engine.memory import MemoryEngine
from practicum.errors import Conflict
from practicum.evaluation import claims, services
from practicum.evaluation.claims import Claim
from practicum.evaluation.models import Run
from practicum.internships.readiness_selectors import results_on, standing_of
from practicum.submissions.models import Submission
from tests.unit.evaluation.conftest import answering
from tests.unit.internships.conftest import application as application
from tests.unit.internships.conftest import attempt as attempt
from tests.unit.internships.conftest import check as check
from tests.unit.internships.conftest import open_cohort as open_cohort

HandIn = Callable[..., Submission]
Work = Callable[..., Run | None]


def measures(engine: MemoryEngine, *, variant: float, sgd: float = 0.9, bagging: float = 0.4) -> None:
    """The scorer says this of what comes next."""
    line = f'{{"metrics": {{"held": 0.5, "sgd": {sgd}, "bagging": {bagging}, "variant": {variant}}}}}\n'
    engine.will("score", answering(line))


def test_what_the_scorer_measured_is_held_against_the_bars(
    attempt: Any, application: Any, hand_in: HandIn, work: Work, engine: MemoryEngine
) -> None:
    measures(engine, variant=attempt.variant)
    hand_in(attempt.internship)

    run = work()

    assert run is not None
    assert run.state == "scored"
    (standing,) = standing_of(application)
    assert standing.best is not None
    assert [(result.value, result.is_held) for result in standing.best.results] == [(0.9, True), (0.4, False)]
    assert results_on(attempt.internship, submission=1) is not None


def test_a_fault_of_ours_leaves_nothing_behind_and_is_no_attempt(
    attempt: Any, application: Any, hand_in: HandIn, now: datetime
) -> None:
    submission = hand_in(attempt.internship)
    at = now
    while (run := claims.claim_next(worker="w", now=at)) is not None:
        claims.give_back(Claim(run.pk, run.token), reason="the engine is broken", now=at)
        at += timedelta(hours=1)
    assert submission.runs.values_list("state", "fault").get() == ("failed", "ours")

    (standing,) = standing_of(application)
    assert standing.counted == []
    assert results_on(attempt.internship, submission=submission.number) is None


def test_scored_again_it_has_the_newer_figures(
    attempt: Any, application: Any, admin: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime
) -> None:
    measures(engine, variant=attempt.variant)
    submission = hand_in(attempt.internship)
    work()
    measures(engine, variant=attempt.variant, bagging=0.6)
    services.rerun(submission, actor=admin, now=now)
    work()

    (standing,) = standing_of(application)
    assert standing.best is not None
    assert standing.best.is_all_held


def test_nothing_is_taken_in_after_its_time_but_what_came_in_time_is_scored(
    attempt: Any, application: Any, hand_in: HandIn, work: Work, engine: MemoryEngine
) -> None:
    measures(engine, variant=attempt.variant)
    hand_in(attempt.internship, at=attempt.until - timedelta(minutes=1))
    with pytest.raises(Conflict, match="The time of this check was over"):
        hand_in(attempt.internship, b"2", at=attempt.until)
    work(at=attempt.until + timedelta(minutes=5))

    (standing,) = standing_of(application)
    assert standing.best is not None


def test_a_check_that_is_over_says_so(attempt: Any, hand_in: HandIn) -> None:
    attempt.internship.state = "ended"
    with pytest.raises(Conflict, match="This readiness check is over"):
        hand_in(attempt.internship)


def test_an_internship_proper_keeps_no_bars(internship: Any, hand_in: HandIn, work: Work) -> None:
    hand_in(internship)
    work()

    assert results_on(internship, submission=1) is None
