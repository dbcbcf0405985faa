"""Kill the worker anywhere: nothing is lost, doubled or stuck."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.engine.base import ContainerSpec
from practicum.engine.memory import MemoryEngine, Script
from practicum.errors import EngineUnavailable
from practicum.evaluation import claims, tasks
from practicum.evaluation.models import Run, Score
from practicum.submissions.models import Submission
from tests.unit.evaluation.conftest import answering

HandIn = Callable[..., Submission]
Work = Callable[..., Run | None]
SECOND = timedelta(seconds=1)
METHODS = ("create_output_volume", "start", "wait", "log", "remove", "wait_for_line", "signal", "remove_volume")


class Killed(BaseException):
    """The worker's process is gone; nothing after this runs."""


def killed_at(call: int, *, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies just before its ``call``-th use of the engine, and nothing of it runs after that."""
    left = [call]

    def deadly(name: str) -> Callable[..., Any]:
        real = getattr(MemoryEngine, name)

        def method(self: MemoryEngine, *args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(self, *args, **kwargs)

        return method

    for name in METHODS:
        monkeypatch.setattr(MemoryEngine, name, deadly(name))


@pytest.mark.parametrize("call", range(15))
def test_a_worker_killed_at_any_call_of_the_engine_loses_and_doubles_nothing(
    internship: Any,
    hand_in: HandIn,
    work: Work,
    engine: MemoryEngine,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
) -> None:
    submission = hand_in(internship)
    with monkeypatch.context() as dying:
        killed_at(call, engine=engine, monkeypatch=dying)
        try:
            tasks.claim_and_run(now, engine=engine, worker_name="dies", clock=lambda: now)
        except Killed:
            survived = False
        else:
            survived = True
    assert survived == (call == 14), "the calls of one run were counted wrong; the table no longer covers all of them"

    tasks.reconcile(now + SECOND, engine=engine)
    later = now + 60 * SECOND
    tasks.reconcile(later, engine=engine)
    work(at=later + 10 * SECOND)
    tasks.reconcile(later + 20 * SECOND, engine=engine)

    run = submission.runs.get()
    assert (run.state, [score.value for score in Score.objects.all()]) == ("scored", [0.9])
    assert run.tries <= 2
    assert (engine.held, engine.volumes) == ({}, {})


def test_containers_of_a_run_that_goes_on_are_left_alone(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime
) -> None:
    hand_in(internship)
    seen: list[int] = []

    def meanwhile(_: ContainerSpec) -> None:
        tasks.reconcile(now, engine=engine)
        seen.append(len(engine.held) + len(engine.volumes))

    engine.will("predict", Script(on_start=meanwhile))
    run = work()

    assert run is not None
    assert run.state == "scored"
    assert seen == [2]


def test_containers_of_an_older_claim_are_removed_while_the_newer_one_runs(
    internship: Any, hand_in: HandIn, engine: MemoryEngine, now: datetime
) -> None:
    hand_in(internship)
    run = claims.claim_next(worker="w", now=now)
    assert run is not None
    old = engine.hold(labels(run, token=run.token - 1))
    new = engine.hold(labels(run, token=run.token))

    assert tasks.clear_away(engine=engine) == 1
    assert (old in engine.held, new in engine.held) == (False, True)


def labels(run: Run, *, token: int) -> dict[str, str]:
    from django.conf import settings

    return {
        "org.practicum.instance": settings.PRACTICUM_INSTANCE,
        "org.practicum.kind": "predict",
        "org.practicum.run": str(run.pk),
        "org.practicum.token": str(token),
    }


def test_containers_of_others_are_never_touched(engine: MemoryEngine, db: None) -> None:
    others = [
        engine.hold({"org.practicum.instance": "another", "org.practicum.kind": "predict", "org.practicum.run": "1"}),
        engine.hold({"org.practicum.kind": "predict"}),
        engine.hold({"org.practicum.kind": "session"}),
        engine.hold({}),
    ]

    assert tasks.clear_away(engine=engine) == 0
    assert set(others) == set(engine.held)


def test_rows_are_put_in_order_even_while_the_engine_is_away(
    internship: Any, hand_in: HandIn, engine: MemoryEngine, now: datetime
) -> None:
    hand_in(internship)
    claims.claim_next(worker="dies", now=now)
    engine.is_away = True

    with pytest.raises(EngineUnavailable):
        tasks.reconcile(now + 60 * SECOND, engine=engine)

    assert Run.objects.get().state == "queued"


def test_a_worker_that_freezes_and_wakes_up_late_changes_nothing_and_stops(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime
) -> None:
    submission = hand_in(internship)
    later = now + 60 * SECOND

    def frozen(_: ContainerSpec) -> None:
        engine.will("predict", Script(stdout="second\n"))
        claims.expire(now=later)
        work(at=later + 10 * SECOND)
        engine.will("score", answering('{"metrics": {"accuracy": 0.1}}\n'))

    engine.will("predict", Script(on_start=frozen, stdout="first\n", ticks=1))
    tasks.claim_and_run(now, engine=engine, worker_name="slow", clock=lambda: now)

    run = submission.runs.get()
    assert (run.state, run.score.value, run.log_tail, run.token) == ("scored", 0.9, "second", 2)
    assert (engine.held, engine.volumes) == ({}, {})
