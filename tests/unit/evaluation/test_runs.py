"""The life of a run: claimed by one, ended once, retried when the fault is ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.audit.models import Record
from practicum.engine.base import ContainerSpec, Inside
from practicum.engine.memory import CLEAN_EXIT, MemoryEngine, Script
from practicum.errors import Conflict, EngineUnavailable, Stale
from practicum.evaluation import claims, rules, services, tasks
from practicum.evaluation.claims import Claim
from practicum.evaluation.models import Phase, Run, RunEvent, Score
from practicum.submissions.models import Submission
from tests.unit.evaluation.conftest import SCORED, answering
from tests.unit.evaluation.test_hand_in import at_once

HandIn = Callable[..., Submission]
Work = Callable[..., Run | None]
SECOND = timedelta(seconds=1)


def claimed(*, now: datetime, worker: str = "w") -> Run:
    run = claims.claim_next(worker=worker, now=now)
    assert run is not None
    return run


def claim_of(run: Run) -> Claim:
    return Claim(run.pk, run.token)


def test_a_run_is_scored_by_the_scorers_line_and_nothing_is_left_on_the_engine(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime
) -> None:
    submission = hand_in(internship)

    run = work()

    assert run is not None
    assert (run.state, run.fault, run.reason, run.phase, run.finished_at) == ("scored", "", "", "", now)
    assert (run.score.value, run.score.metrics) == (0.9, {"accuracy": 0.9, "worst_digit": 0.5})
    assert (run.predict_seconds, run.log_tail, run.tries, run.token) == (1.0, "epoch 1", 1, 1)
    told = [event.message for event in submission.runs.get().events.all()]
    assert told == ["In line for evaluation", "Preparing", "Running your code", "Scoring", "Scored"]
    assert engine.held == {}
    assert engine.volumes == {}


def test_the_container_that_runs_the_code_has_no_answers_and_no_network(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, version: Any
) -> None:
    submission = hand_in(internship)
    work()

    by_kind = {spec.labels["org.practicum.kind"]: spec for spec in engine.started}
    untrusted, scorer = by_kind["predict"], by_kind["score"]
    assert [spec.labels["org.practicum.kind"] for spec in engine.started] == ["score", "predict"]
    assert {(m.source, m.target, m.read_only) for m in untrusted.mounts} == {
        (submission.folder, "/submission", True),
        (version.hidden_folder / "inputs", "/inputs", True),
    }
    assert (untrusted.network, scorer.network, untrusted.gpu_uuid) == (None, None, None)
    assert not any("answers" in str(word) for word in untrusted.command)
    assert version.image == untrusted.image != scorer.image
    assert {m.target for m in scorer.mounts} == {"/project", "/answers"}
    assert all(mount.read_only for mount in scorer.mounts)
    assert [(v.target, v.read_only) for v in scorer.volumes] == [("/predictions", True)]
    assert [(v.target, v.read_only) for v in untrusted.volumes] == [("/out", False)]
    assert untrusted.limits.memory_bytes == 2 * 1024**3
    assert untrusted.limits.wall_seconds == 60
    assert Inside("/out") in untrusted.command


def test_the_scorer_is_told_to_look_only_after_the_code_is_gone(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(internship)
    running: list[list[str]] = []
    signal = MemoryEngine.signal

    def watched(self: MemoryEngine, container_id: str, name: str) -> None:
        running.append([held.spec.labels["org.practicum.kind"] for held in self.held.values()])
        signal(self, container_id, name)

    monkeypatch.setattr(MemoryEngine, "signal", watched)
    work()

    assert running == [["score"]]


@pytest.mark.parametrize(
    ("script", "state", "fault", "reason"),
    [
        (
            Script(exit=replace(CLEAN_EXIT, exit_code=3), stderr="Traceback:\nKeyError: 'x'\n"),
            "failed",
            "code",
            "KeyError",
        ),
        (Script(exit=replace(CLEAN_EXIT, exit_code=137, oom_killed=True)), "failed", "limit", "ran out of memory"),
        (Script(runs_forever=True), "failed", "limit", "stopped after 60 s"),
        (
            Script(exit=replace(CLEAN_EXIT, exit_code=4), stderr="There is no predict.py.\n"),
            "failed",
            "code",
            "no predict.py",
        ),
    ],
)
def test_code_that_does_not_end_well_is_no_score_and_no_retry(
    internship: Any,
    hand_in: HandIn,
    work: Work,
    engine: MemoryEngine,
    script: Script,
    state: str,
    fault: str,
    reason: str,
) -> None:
    engine.will("predict", script)
    hand_in(internship)

    run = work()

    assert run is not None
    assert (run.state, run.fault, run.tries) == (state, fault, 1)
    assert reason in run.reason
    assert Score.objects.count() == 0
    assert (engine.held, engine.volumes) == ({}, {})
    assert work() is None


def test_what_the_code_prints_is_never_a_score(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine
) -> None:
    engine.will("predict", Script(stdout='READY\n{"metrics": {"accuracy": 1.0}}\nscore=1.0\n'))
    engine.will("score", answering('{"invalid": "predictions.npz is missing"}\n'))
    hand_in(internship)

    run = work()

    assert run is not None
    assert (run.state, run.fault, run.reason) == ("invalid", "format", "predictions.npz is missing")
    assert Score.objects.count() == 0


@pytest.mark.parametrize(
    "scorer",
    [
        Script(stdout="no line\n"),
        Script(stdout="READY\n", exit=replace(CLEAN_EXIT, exit_code=1), stderr="ZeroDivisionError"),
        answering("metrics!\n"),
        answering(SCORED + SCORED),
        answering('{"metrics": {"other": 1}}\n'),
        Script(stdout="READY\n", runs_forever=True),
    ],
)
def test_a_scorer_that_fails_is_our_fault_retried_and_never_the_interns(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime, scorer: Script
) -> None:
    engine.will("score", scorer)
    submission = hand_in(internship)

    for later in (0, 10, 100):
        work(at=now + later * SECOND)

    run = submission.runs.get()
    assert (run.state, run.fault, run.tries) == ("failed", "ours", 3)
    assert "costs you no attempt" in run.reason
    assert Score.objects.count() == 0
    assert list(Record.objects.filter(verb="run.retried").values_list("object_id", flat=True)) == [str(run.pk)] * 2
    assert Record.objects.filter(verb="run.given_up").count() == 1
    assert (engine.held, engine.volumes) == ({}, {})


def test_a_retry_waits_before_it_starts_and_may_then_succeed(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime
) -> None:
    engine.will("score", Script(stdout="broken"))
    submission = hand_in(internship)
    work()
    engine.will("score", answering(SCORED))

    assert work(at=now + 4 * SECOND) is None
    run = work(at=now + 6 * SECOND)

    assert run is not None
    assert (run.state, run.tries, run.token) == ("scored", 2, 2)
    assert submission.runs.count() == 1


def test_while_the_engine_is_away_runs_wait_and_lose_no_try(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime
) -> None:
    submission = hand_in(internship)
    engine.is_away = True

    for later in range(5):
        with pytest.raises(EngineUnavailable):
            work(at=now + later * SECOND)
    engine.is_away = False

    assert submission.runs.get().tries == 0
    run = work(at=now + 10 * SECOND)
    assert run is not None
    assert run.state == "scored"


def test_an_engine_that_dies_in_the_middle_costs_no_try(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime
) -> None:
    def die(_: ContainerSpec) -> None:
        engine.is_away = True

    engine.will("predict", Script(on_start=die))
    submission = hand_in(internship)
    for later in range(0, 100, 20):
        with pytest.raises(EngineUnavailable):
            work(at=now + later * SECOND)
        engine.is_away = False

    run = submission.runs.get()
    assert (run.state, run.tries) == ("queued", 0)
    assert run.events.filter(message__contains="tried again").count() == 5


def test_the_oldest_run_comes_first(
    internship: Any, peer_internship: Any, hand_in: HandIn, work: Work, now: datetime
) -> None:
    later = hand_in(internship, at=now)
    earlier = hand_in(peer_internship, at=now - SECOND)

    order = [run.submission_id for run in (work(), work()) if run]

    assert order == [earlier.pk, later.pk]


def test_of_six_workers_that_claim_at_once_one_gets_the_run(
    shared_database: None, internship: Any, hand_in: HandIn, now: datetime
) -> None:
    hand_in(internship)

    results = at_once([lambda: claims.claim_next(worker="w", now=now)] * 6)

    assert len([run for run in results if run is not None]) == 1
    assert (Run.objects.get().token, Run.objects.get().tries) == (1, 1)


def test_a_worker_whose_claim_ran_out_can_write_nothing(internship: Any, hand_in: HandIn, now: datetime) -> None:
    hand_in(internship)
    old = claimed(now=now, worker="old")
    later = now + 60 * SECOND
    claims.expire(now=later)
    new = claimed(now=later + 10 * SECOND, worker="new")
    before = Run.objects.values().get()
    events = RunEvent.objects.count()
    scored = rules.Outcome("scored", metrics={"accuracy": 1.0})

    for write in (
        lambda: claims.beat(claim_of(old), now=later),
        lambda: claims.enter(claim_of(old), phase=Phase.SCORING, now=later),
        lambda: claims.finish(claim_of(old), outcome=scored, now=later),
        lambda: claims.give_back(claim_of(old), reason="x", now=later),
    ):
        with pytest.raises(Stale):
            write()

    assert Run.objects.values().get() == before
    assert (RunEvent.objects.count(), Score.objects.count()) == (events, 0)
    assert (new.pk, new.token, new.worker) == (old.pk, old.token + 1, "new")


def test_a_run_is_finished_once_only(internship: Any, hand_in: HandIn, now: datetime) -> None:
    hand_in(internship)
    run = claimed(now=now)
    claims.finish(claim_of(run), outcome=rules.Outcome("scored", metrics={"accuracy": 0.5}), now=now)

    with pytest.raises(Stale):
        claims.finish(claim_of(run), outcome=rules.Outcome("scored", metrics={"accuracy": 1.0}), now=now)

    assert [score.value for score in Score.objects.all()] == [0.5]


def test_a_worker_that_shows_life_keeps_its_claim(internship: Any, hand_in: HandIn, now: datetime) -> None:
    hand_in(internship)
    run = claimed(now=now)

    for seconds in range(0, 300, 30):
        claims.beat(claim_of(run), now=now + seconds * SECOND)
        assert claims.expire(now=now + seconds * SECOND) == []


def test_a_run_that_takes_longer_than_it_can_is_taken_from_a_worker_that_hangs(
    internship: Any, hand_in: HandIn, now: datetime
) -> None:
    hand_in(internship)
    run = claimed(now=now)
    late = now + timedelta(minutes=8)
    claims.beat(claim_of(run), now=late)

    assert claims.expire(now=late) == [run.pk]
    assert Run.objects.get().state == "queued"


def test_a_run_nobody_starts_for_a_day_ends_with_a_reason(internship: Any, hand_in: HandIn, now: datetime) -> None:
    submission = hand_in(internship)

    claims.expire(now=now + timedelta(hours=24))

    run = submission.runs.get()
    assert (run.state, run.fault) == ("failed", "ours")
    assert "waited for a day" in run.reason


def test_a_cancelled_run_is_stopped_by_its_worker_and_stays_cancelled(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime, intern: Any
) -> None:
    submission = hand_in(internship)
    engine.will("predict", Script(ticks=3, on_start=lambda _: services.cancel(submission, actor=intern, now=now)))

    tasks.claim_and_run(now, engine=engine, worker_name="w", clock=lambda: now)

    run = submission.runs.get()
    assert (run.state, run.reason) == ("cancelled", "Taken back by Ines Intern.")
    assert (engine.held, engine.volumes) == ({}, {})
    assert Score.objects.count() == 0


def test_only_an_open_run_can_be_taken_back(
    internship: Any, hand_in: HandIn, work: Work, now: datetime, intern: Any
) -> None:
    submission = hand_in(internship)
    work()

    with pytest.raises(Conflict, match="ended already"):
        services.cancel(submission, actor=intern, now=now)


def test_a_rerun_is_a_new_attempt_and_its_score_is_the_one_that_counts(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime, mentor: Any
) -> None:
    from practicum.evaluation.findings import finding_of
    from practicum.evaluation.selectors import progress

    submission = hand_in(internship)
    work()
    engine.will("score", answering('{"metrics": {"accuracy": 0.7}}\n'))

    services.rerun(submission, actor=mentor, now=now)
    with pytest.raises(Conflict, match="already"):
        services.rerun(submission, actor=mentor, now=now)
    work(at=now + SECOND)

    assert [(run.attempt, run.score.value) for run in submission.runs.order_by("attempt")] == [(1, 0.9), (2, 0.7)]
    found = finding_of(submission)
    assert found is not None
    assert (found.score.value, [point.value for point in progress(internship)]) == (0.7, [0.7])


def test_both_results_of_a_divided_hidden_part_are_kept(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, version: Any
) -> None:
    version.manifest = version.manifest | {"split": {"shown": 0.5}}
    version.save()
    engine.will("score", answering('{"metrics": {"accuracy": 0.7}, "shown": {"accuracy": 0.6}}\n'))

    hand_in(internship)
    run = work()

    assert run is not None
    assert (run.score.value, run.score.shown_value, run.score.shown_metrics) == (0.7, 0.6, {"accuracy": 0.6})


def test_a_whole_score_where_a_shown_one_is_due_is_our_fault_and_never_told(
    internship: Any, hand_in: HandIn, work: Work, version: Any
) -> None:
    version.manifest = version.manifest | {"split": {"shown": 0.5}}
    version.save()

    submission = hand_in(internship)
    work()

    run = submission.runs.get()
    assert (run.state, run.tries, Score.objects.count()) == ("queued", 1, 0)


def test_without_a_division_the_shown_result_is_the_whole_one(internship: Any, hand_in: HandIn, work: Work) -> None:
    hand_in(internship)
    run = work()

    assert run is not None
    assert (run.score.value, run.score.shown_value, run.score.shown_metrics) == (0.9, 0.9, run.score.metrics)
