"""A project may ask for seeds: one result for each, in containers of its own, and one score, their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from practicum.engine.base import ContainerSpec, Inside
from practicum.engine.memory import CLEAN_EXIT, MemoryEngine, Script
from practicum.errors import EngineUnavailable, Stale
from practicum.evaluation import baselines, claims, rules, tasks
from practicum.evaluation.claims import Claim
from practicum.evaluation.findings import findings_of
from practicum.evaluation.models import Run, Score, SeedResult
from practicum.evaluation.seeding import plan_of, seeds_of
from practicum.evaluation.slots import allowance_of
from practicum.evaluation.verdicts import PAIRED, SINGLE
from practicum.submissions.models import Submission
from tests.unit.evaluation.conftest import answering

HandIn = Callable[..., Submission]
Work = Callable[..., Run | None]
MEBIBYTE = 1024**2
MINUTE = timedelta(minutes=1)


@pytest.fixture
def asks(internship: Any, version: Any) -> Callable[..., Any]:
    """``asks(seeds=3, retrain=True)``: the intern's project asks for this."""

    def set_(**asked: Any) -> Any:
        version.manifest = version.manifest | {"evaluation": asked}
        version.save()
        internship.version = version
        return internship

    return set_


def scoring(engine: MemoryEngine, values: Sequence[float]) -> None:
    """Each scorer that is started gives the next of the values."""
    left = list(values)

    def next_value(_: ContainerSpec) -> None:
        if left:
            engine.will("score", replace(script, prints_on_signal=f'{{"metrics": {{"accuracy": {left.pop(0)}}}}}\n'))

    script = Script(stdout="READY\n", on_start=next_value)
    engine.will("score", script)
    # The first scorer is kept with the script that was there when it was started, so one start goes before the rest.
    next_value(None)  # type: ignore[arg-type]


def untrusted(engine: MemoryEngine) -> list[ContainerSpec]:
    return [spec for spec in engine.started if spec.labels["org.practicum.kind"] == "predict"]


def seed_in(spec: ContainerSpec) -> str:
    command = list(spec.command)
    return str(command[command.index("--seed") + 1])


def test_a_project_that_asks_for_nothing_is_evaluated_once_and_told_no_seed(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine
) -> None:
    hand_in(internship)

    run = work()

    assert run is not None
    assert run.state == "scored"
    assert SeedResult.objects.count() == 0
    assert len(engine.started) == 2
    assert "--seed" not in untrusted(engine)[0].command


def test_each_seed_has_its_own_containers_and_volume_and_the_score_is_the_mean(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, version: Any
) -> None:
    submission = hand_in(asks(seeds=3))
    scoring(engine, [0.8, 0.9, 0.7])

    run = work()

    assert run is not None
    assert (run.state, run.score.value) == ("scored", pytest.approx(0.8))
    assert run.score.metrics == {"accuracy": pytest.approx(0.8)}
    results = [(result.seed, result.value) for result in run.seed_results.all()]
    assert results == list(zip(seeds_of(version), [0.8, 0.9, 0.7], strict=True))
    started = untrusted(engine)
    assert [seed_in(spec) for spec in started] == [str(seed) for seed in seeds_of(version)]
    assert len({spec.volumes[0].name for spec in started}) == 3
    assert not any(Inside("/public") in spec.command for spec in started)
    assert (engine.held, engine.volumes) == ({}, {})
    told = [event.message for event in submission.runs.get().events.all()]
    running = [f"Running your code, seed {place} of 3" for place in (1, 2, 3)]
    assert told == ["In line for evaluation", "Preparing", *running, "Scored"]


def test_where_the_platform_trains_the_container_has_the_public_data_and_no_answers(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, version: Any
) -> None:
    hand_in(asks(seeds=3, retrain=True))
    scoring(engine, [0.8, 0.9, 0.7])

    run = work()

    assert run is not None
    assert run.events.filter(message="Training and running your code, seed 2 of 3").exists()
    spec = untrusted(engine)[0]
    assert [mount.target for mount in spec.mounts] == ["/submission", "/inputs", "/public"]
    assert all(mount.read_only for mount in spec.mounts)
    command = list(spec.command)
    assert command[command.index("--public") + 1] == Inside("/public")
    assert command[command.index("--budget") + 1] == "20"
    assert spec.limits.wall_seconds == 80
    assert spec.limits.tmpfs_bytes == (256 + 20) * MEBIBYTE
    assert (spec.network, spec.gpu_uuid) == (None, None)


def test_a_project_may_have_one_seed_and_training(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, version: Any
) -> None:
    hand_in(asks(seeds=1, retrain=True))

    run = work()

    assert run is not None
    assert (run.score.value, SeedResult.objects.count()) == (0.9, 0)
    assert [seed_in(spec) for spec in untrusted(engine)] == [str(seeds_of(version)[0])]
    assert run.events.filter(message="Training and running your code").exists()


def test_a_timed_project_tells_the_scorer_alone_how_long_each_seeds_code_ran(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(asks(seeds=3, retrain=True, timed=True))
    scoring(engine, [0.8, 0.9, 0.7])
    took, told = iter((3.21, 4.0, 5.0)), []
    engine.will("predict", Script(on_start=lambda _: next_run()))

    def next_run() -> None:
        engine.will("predict", replace(script, exit=replace(CLEAN_EXIT, seconds=next(took, 0.0))))

    script = Script(on_start=lambda _: next_run())
    next_run()
    signal = MemoryEngine.signal

    def read(self: MemoryEngine, container_id: str, name: str) -> None:
        mounts = {mount.target: mount for mount in self.held[container_id].spec.mounts}
        assert mounts["/measured"].read_only
        told.append((mounts["/measured"].source / "run.json").read_text(encoding="utf-8"))
        signal(self, container_id, name)

    monkeypatch.setattr(MemoryEngine, "signal", read)
    run = work()

    assert run is not None
    assert run.state == "scored"
    assert told == ['{"seconds": 3.2}', '{"seconds": 4.0}', '{"seconds": 5.0}']
    scorers = [spec for spec in engine.started if spec.labels["org.practicum.kind"] == "score"]
    assert all(list(spec.command)[-2:] == ["--run", Inside("/measured", "run.json")] for spec in scorers)
    assert not any("/measured" in [mount.target for mount in spec.mounts] for spec in untrusted(engine))


def test_a_project_that_is_not_timed_is_told_nothing(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine
) -> None:
    hand_in(asks(seeds=3, retrain=True))
    scoring(engine, [0.8, 0.9, 0.7])
    work()

    assert not any("/measured" in [mount.target for mount in spec.mounts] for spec in engine.started)
    assert not any("--run" in spec.command for spec in engine.started)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            Script(exit=replace(CLEAN_EXIT, exit_code=3), stderr="KeyError: 'x'\n"),
            "Seed 2 of 3: Your code stopped with",
        ),
        (Script(runs_forever=True), "Seed 2 of 3: It was stopped after 60 s"),
    ],
)
def test_a_seed_that_fails_ends_the_run_with_a_reason_that_names_it(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, script: Script, reason: str
) -> None:
    hand_in(asks(seeds=3))
    good = Script(exit=CLEAN_EXIT, on_start=lambda _: engine.will("predict", script))
    engine.will("predict", good)

    run = work()

    assert run is not None
    assert run.state == "failed"
    assert run.reason.startswith(reason)
    assert (Score.objects.count(), SeedResult.objects.count(), len(untrusted(engine))) == (0, 1, 2)
    assert (engine.held, engine.volumes) == ({}, {})


def test_a_seed_whose_predictions_are_refused_makes_the_submission_invalid(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine
) -> None:
    hand_in(asks(seeds=3))
    engine.will("score", answering('{"invalid": "a row is missing"}\n'))

    run = work()

    assert run is not None
    assert (run.state, run.fault, run.reason) == ("invalid", "format", "Seed 1 of 3: a row is missing")


def test_a_worker_that_follows_goes_on_with_the_next_seed(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime, version: Any
) -> None:
    submission = hand_in(asks(seeds=3))
    scoring(engine, [0.8, 0.9, 0.7])
    third = iter([None, None, True])

    def die_at_the_third(_: ContainerSpec) -> None:
        engine.is_away = bool(next(third))

    engine.will("predict", Script(exit=CLEAN_EXIT, on_start=die_at_the_third))
    with pytest.raises(EngineUnavailable):
        work()
    engine.is_away = False
    assert submission.runs.get().state == "queued"
    engine.will("predict", Script(exit=CLEAN_EXIT))
    scoring(engine, [0.4])
    before = len(untrusted(engine))

    run = work(at=now + MINUTE)

    assert run is not None
    assert [result.value for result in run.seed_results.all()] == [0.8, 0.9, 0.4]
    assert run.score.value == pytest.approx(0.7)
    assert [seed_in(spec) for spec in untrusted(engine)[before:]] == [str(seeds_of(version)[2])]
    assert run.predict_seconds == 3.0


def test_there_is_one_result_a_run_and_seed_and_a_late_worker_writes_none(
    asks: Any, hand_in: HandIn, now: datetime
) -> None:
    hand_in(asks(seeds=3))
    run = claims.claim_next(worker="w", now=now)
    assert run is not None
    facts = {"predict_seconds": 1.0, "score_seconds": 1.0, "peak_memory_bytes": None}
    outcome = rules.Outcome("scored", metrics={"accuracy": 0.5})
    claims.keep_seed(Claim(run.pk, run.token), seed=7, outcome=outcome, now=now, **facts)

    with pytest.raises(IntegrityError):
        claims.keep_seed(Claim(run.pk, run.token), seed=7, outcome=outcome, now=now, **facts)
    with pytest.raises(Stale):
        claims.keep_seed(Claim(run.pk, run.token - 1), seed=8, outcome=outcome, now=now, **facts)

    assert [(result.seed, result.value) for result in SeedResult.objects.all()] == [(7, 0.5)]


def test_times_add_up_over_the_seeds_and_memory_is_the_most(
    asks: Any, hand_in: HandIn, work: Work, engine: MemoryEngine
) -> None:
    hand_in(asks(seeds=3))
    peaks = iter([300, 900, 500])

    def next_peak(_: ContainerSpec) -> None:
        ended = replace(CLEAN_EXIT, seconds=2.5, peak_memory_bytes=next(peaks, 0))
        engine.will("predict", Script(exit=ended, on_start=next_peak, stdout="said\n"))

    next_peak(None)  # type: ignore[arg-type]
    run = work()

    assert run is not None
    assert (run.predict_seconds, run.peak_memory_bytes, run.log_tail) == (7.5, 900, "said")
    assert run.processor_seconds == pytest.approx(7.5 * allowance_of(run).cpus)


def test_the_deadline_gives_every_seed_its_time(asks: Any, hand_in: HandIn, now: datetime) -> None:
    hand_in(asks(seeds=5, retrain=True))
    run = claims.claim_next(worker="w", now=now)

    assert run is not None
    assert Run.objects.get().deadline - now == 5 * (timedelta(seconds=80) + rules.AROUND_PREDICT)


def test_the_seeds_of_a_version_are_the_same_each_time_and_others_for_another(
    asks: Any, version: Any, settings: Any
) -> None:
    asks(seeds=32)
    found = seeds_of(version)

    assert found == seeds_of(version)
    assert len(set(found)) == 32
    assert all(0 <= seed < 2**31 for seed in found)
    version.digest = "e" * 64
    assert not set(found) & set(seeds_of(version))
    version.digest = "d" * 64
    settings.PRACTICUM_SPLIT_SECRET = "another"
    assert not set(found) & set(seeds_of(version))


@pytest.mark.parametrize(
    ("asked", "own", "of_baseline"),
    [({}, False, False), ({"seeds": 3}, False, True), ({"seeds": 3, "retrain": True}, True, True)],
)
def test_a_baseline_is_trained_with_every_seed_whatever_submissions_are(
    asks: Any, hand_in: HandIn, version: Any, now: datetime, asked: dict[str, Any], own: bool, of_baseline: bool
) -> None:
    submission = hand_in(asks(**asked))
    baseline = Submission(version=version, source="baseline")

    assert (plan_of(submission).trains, plan_of(baseline).trains) == (own, of_baseline)
    assert plan_of(submission).seeds == plan_of(baseline).seeds


def test_a_baseline_that_the_evaluation_trains_is_not_trained_before_it(
    asks: Any, engine: MemoryEngine, version: Any, mentor: Any, now: datetime
) -> None:
    asks(seeds=3)
    (version.folder / "project" / "baseline.py").write_text("def train(a, b, c, d): pass")

    run = baselines.evaluate_baseline(version, engine=engine, actor=mentor, now=now)

    assert engine.started == []
    assert [file["path"] for file in run.submission.files] == ["predict.py"]


@pytest.mark.parametrize(
    ("retrain", "method", "outcome"), [(True, PAIRED, "better"), (False, SINGLE, "not distinguishable")]
)
def test_a_submission_is_compared_with_the_baseline_of_the_same_seeds(
    asks: Any,
    hand_in: HandIn,
    work: Work,
    engine: MemoryEngine,
    version: Any,
    mentor: Any,
    now: datetime,
    retrain: bool,
    method: object,
    outcome: str,
) -> None:
    internship = asks(seeds=3, retrain=retrain)
    (version.folder / "project" / "baseline.py").write_text("def train(a, b, c, d): pass")
    baseline = baselines.evaluate_baseline(version, engine=engine, actor=mentor, now=now).submission
    scoring(engine, [0.79, 0.80, 0.81])
    work()
    submission = hand_in(internship)
    scoring(engine, [0.840, 0.848, 0.862])
    assert work(at=now + MINUTE) is not None

    found = findings_of([submission, baseline])

    finding = found[submission.pk]
    assert finding.verdict is not None
    assert (finding.verdict.method, finding.verdict.outcome) == (method, outcome)
    assert finding.is_better is (True if outcome == "better" else None)
    assert finding.difference == pytest.approx(0.05)
    assert [(line.value, line.baseline) for line in finding.seeds] == [(0.84, 0.79), (0.848, 0.8), (0.862, 0.81)]
    assert (found[baseline.pk].verdict, found[baseline.pk].baseline) == (None, None)
    assert found[baseline.pk].score.count == 3


def test_a_cancelled_run_of_seeds_stops_before_the_next(
    asks: Any, hand_in: HandIn, engine: MemoryEngine, intern: Any, now: datetime
) -> None:
    from practicum.evaluation import services

    submission = hand_in(asks(seeds=3))
    engine.will("predict", Script(ticks=1, on_start=lambda _: services.cancel(submission, actor=intern, now=now)))

    tasks.claim_and_run(now, engine=engine, worker_name="w", clock=lambda: now)

    assert submission.runs.get().state == "cancelled"
    assert (len(untrusted(engine)), SeedResult.objects.count()) == (1, 0)
