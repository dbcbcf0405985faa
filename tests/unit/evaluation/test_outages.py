"""A database that goes away for a moment costs no run: what was to be written is written when it is back, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError

from practicum.engine.memory import MemoryEngine
from practicum.evaluation import claims, outages, tasks
from practicum.evaluation.models import Score
from practicum.evaluation.outages import through_outage
from practicum.submissions.models import Submission


class Line:
    """A connection that only counts how often it was given up, and a clock that its waits move on."""

    in_atomic_block = False

    def __init__(self) -> None:
        self.closed = 0
        self.moment = 0.0

    def close(self) -> None:
        self.closed += 1

    def sleep(self, seconds: float) -> None:
        self.moment += seconds

    def monotonic(self) -> float:
        return self.moment


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line()
    monkeypatch.setattr(outages, "connection", made)
    monkeypatch.setattr(outages, "time", made)
    return made


def failing(*faults: Exception) -> Callable[[], str]:
    left = list(faults)

    def write() -> str:
        if left:
            raise left.pop(0)
        return "written"

    return write


def test_a_write_whose_connection_broke_is_made_again_on_a_new_one(line: Line) -> None:
    assert through_outage(failing(OperationalError("gone"), InterfaceError("closed"))) == "written"
    assert (line.closed, line.moment) == (2, 2 * outages.PAUSE_SECONDS)


def test_for_seconds_after_an_outage_nobody_is_taken_for_silent(
    shared_database: None, internship: Any, hand_in: Callable[..., Submission], engine: MemoryEngine, now: datetime
) -> None:
    submission = hand_in(internship)
    through_outage(failing(OperationalError("gone")))
    assert not tasks.claim_and_run(now, engine=engine, worker_name="w", clock=lambda: now)
    outages.forget()
    assert tasks.claim_and_run(now, engine=engine, worker_name="w", clock=lambda: now)
    assert submission.runs.get().state == "scored"


def test_a_database_that_stays_away_is_told_after_two_minutes(line: Line) -> None:
    with pytest.raises(OperationalError):
        through_outage(failing(*[OperationalError("gone")] * 1000))

    assert outages.OUTAGE_SECONDS < line.moment < outages.OUTAGE_SECONDS + 1


def test_in_a_transaction_nothing_is_repeated_for_its_first_half_is_lost(line: Line) -> None:
    line.in_atomic_block = True

    with pytest.raises(OperationalError):
        through_outage(failing(OperationalError("gone")))

    assert line.closed == 0


def test_what_the_database_refuses_is_not_asked_again(line: Line) -> None:
    with pytest.raises(IntegrityError):
        through_outage(failing(IntegrityError("twice")))


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_connection_that_breaks_at_the_commit_leaves_one_result_whichever_side_of_it(
    shared_database: None,
    internship: Any,
    hand_in: Callable[..., Submission],
    engine: MemoryEngine,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    is_committed: bool,
) -> None:
    finish, calls = claims.finish, []

    def breaking(*args: Any, **facts: Any) -> Any:
        calls.append(args)
        if len(calls) > 1:
            return finish(*args, **facts)
        if is_committed:
            finish(*args, **facts)
        raise OperationalError("server closed the connection unexpectedly")

    submission = hand_in(internship)
    monkeypatch.setattr(claims, "finish", breaking)
    monkeypatch.setattr(outages, "PAUSE_SECONDS", 0)
    tasks.claim_and_run(now, engine=engine, worker_name="w", clock=lambda: now)

    run = submission.runs.get()
    assert (run.state, run.tries, [score.value for score in Score.objects.all()]) == ("scored", 1, [0.9])
    assert [event.message for event in run.events.all()].count("Scored") == 1
    assert len(calls) == 2
    assert (engine.held, engine.volumes) == ({}, {})
