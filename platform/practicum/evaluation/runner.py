"""Evaluates one claimed run in two containers.

1. An output volume in memory; the *scorer* (the project's ``evaluate.py``, the hidden answers, the output read-only) is
   started first and waits: it is warm when needed, and holds the volume.
2. The *untrusted* container: the submission and the hidden inputs read-only, the output writable, no network, no
   answers. Its end is observed and it is removed before anything reads what it wrote.
3. The scorer is signalled, prints one line, and that line alone decides. Where the project asks for it, the scorer is
   told how long the untrusted container ran, in a folder of ours that only the scorer sees. Of a notebook it first copies,
   as bytes, what was left as ``executed.ipynb`` to a folder of ours; where there is nothing to score it does that alone.

Where the project asks for seeds this is done once for each, in containers of its own: nothing of one seed reaches the
next. Each seed's result is written when it is there; a worker that takes the run over goes on with the next seed.

Containers and volume are removed whatever happens; what the engine could not remove, ``tasks.reconcile`` does.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from practicum.engine import (
    LABEL_INSTANCE,
    LABEL_KIND,
    LABEL_LEASE,
    LABEL_RUN,
    LABEL_TOKEN,
    ContainerSpec,
    Engine,
    Exit,
    Inside,
    Limits,
    Mount,
    Program,
    VolumeMount,
)
from practicum.errors import EngineError, EngineUnavailable, Stale
from practicum.evaluation import claims, executed, kinds, rules, slots
from practicum.evaluation.claims import Claim
from practicum.evaluation.curves import MemoryCurve
from practicum.evaluation.errors import ScorerFault
from practicum.evaluation.judges import evaluate_digest_of
from practicum.evaluation.models import Phase, Run, RunState
from practicum.evaluation.outages import through_outage
from practicum.evaluation.seeding import plan_of
from practicum.lib.faults import ground_of
from practicum.lib.logcontext import about
from practicum.submissions import store

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
PREDICT, SCORE = "predict", "score"
PYTHON = kinds.PYTHON
READY_SLICES, READY_SLICE_SECONDS = 12, 5.0
MEASURED = ("predict_seconds", "score_seconds", "peak_memory_bytes")
SCORER_CPUS = 1.0
TMP_BYTES = 256 * rules.MEBIBYTE
TRAINING = "Training and running your code"
MEASURED_AT, RUN_FILE = "/measured", "run.json"


def evaluate(run: Run, *, engine: Engine, clock: Clock) -> None:
    """Bring a claimed run to its end, or back in line where the fault is ours. A run lost to another is left alone."""
    with about(run=run.pk, submission=run.submission_id, lease=run.lease_id):
        _evaluate(Bench(run, engine=engine, clock=clock))


def _evaluate(bench: Bench) -> None:
    run = bench.run
    try:
        bench.finish(bench.work())
    except Stale:
        log.info("run %s was taken from this worker; it stops", run.pk)
    except EngineUnavailable as fault:
        _give_back(bench, reason=str(fault), counts=False)
        raise
    except (EngineError, ScorerFault) as fault:
        log.error("run %s failed by our fault: %s", run.pk, fault)
        _give_back(bench, reason=str(fault), counts=True)
    except Exception as fault:
        # A full disk, or a database that stayed away, is nobody's try: it is tried again once there is room, or an answer.
        _give_back(bench, reason=f"{type(fault).__name__}: {fault}", counts=ground_of(fault) is None)
        raise
    finally:
        bench.clear()
        bench.give_slot_back()


def _give_back(bench: Bench, *, reason: str, counts: bool) -> None:
    with suppress(Stale):
        through_outage(lambda: claims.give_back(bench.claim, reason=reason[:400], now=bench.clock(), counts=counts))


@dataclass
class Bench:
    """One evaluation's containers and volume. ``facts`` are what the row will keep of it."""

    run: Run
    engine: Engine
    clock: Clock
    containers: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    has_volume: bool = False
    tail: str = ""
    seed: int | None = None
    kept: Path | None = None
    told: Path | None = None
    memory: MemoryCurve = field(default_factory=MemoryCurve)

    def __post_init__(self) -> None:
        self.engine = self.engine.at(slots.server_of(self.run))
        self.claim = Claim(self.run.pk, self.run.token)
        self.allowance = slots.allowance_of(self.run)
        self.plan = plan_of(self.run.submission)
        self.name = self.volume = f"{settings.PRACTICUM_INSTANCE}-run-{self.run.pk}-{self.run.token}"

    def work(self) -> rules.Outcome:
        """Every seed, one after the other.

        Raises:
            Stale: the run is somebody else's.
            EngineError, ScorerFault: our fault.
        """
        if not self.plan.is_several:
            (self.seed,) = self.plan.seeds
            return self.once(message=TRAINING if self.plan.trains else None)
        kept = {result.seed: result for result in through_outage(lambda: claims.seeds_kept(self.run))}
        for result in kept.values():
            self.facts = _added(self.facts, {name: getattr(result, name) for name in MEASURED})
        for place, seed in enumerate(self.plan.seeds, start=1):
            if seed in kept:
                continue
            outcome = self.one_of_several(place, seed=seed)
            if outcome.state != RunState.SCORED:
                return rules.of_seed(outcome, place=place, seeds=len(self.plan.seeds))
        results = through_outage(lambda: claims.seeds_kept(self.run))
        return rules.mean_of([one.metrics for one in results], shown=[one.shown_metrics for one in results])

    def one_of_several(self, place: int, *, seed: int | None) -> rules.Outcome:
        """One seed, with containers and a volume of its own; its result is written."""
        assert seed is not None
        before, self.facts = self.facts, {}
        self.seed, self.volume, self.tail = seed, f"{self.name}-{place}", ""
        doing = TRAINING if self.plan.trains else str(Phase.PREDICTING.label)
        outcome = self.once(message=f"{doing}, seed {place} of {len(self.plan.seeds)}")
        self.clear()
        if outcome.state == RunState.SCORED:
            own = {name: self.facts[name] for name in MEASURED}
            through_outage(lambda: claims.keep_seed(self.claim, seed=seed, outcome=outcome, now=self.clock(), **own))
        self.facts = _added(before, self.facts)
        return outcome

    def once(self, *, message: str | None = None) -> rules.Outcome:
        """Both containers, one after the other, for one seed; ``message`` is what the timeline says meanwhile."""
        with ExitStack() as folders:
            if self.plan.is_timed:
                self.told = folders.enter_context(store.staging())
            if self.run.submission.kind != "notebook":
                return self.predicted_and_scored(message=message)
            self.kept = folders.enter_context(store.staging())
            outcome = self.predicted_and_scored(message=message)
            self.facts |= executed.keep(self.run.submission, folder=self.kept)
            return outcome

    def predicted_and_scored(self, *, message: str | None) -> rules.Outcome:
        """The untrusted container's work, judged."""
        self.engine.create_output_volume(
            self.volume, size_bytes=rules.OUTPUT_BYTES, inodes=rules.OUTPUT_INODES, labels=self.labels(SCORE)
        )
        self.has_volume = True
        scorer = self.start(self.scorer_spec())
        if self.run.submission.kind == "predictions":
            return self.score(scorer)
        self.enter(Phase.PREDICTING, message=message)
        untrusted = self.start(self.predict_spec())
        ended = self.engine.wait(
            untrusted,
            wall_seconds=self.allowance.wall_seconds,
            on_tick=lambda: self.beat(following=untrusted),
            on_memory=self.note_memory,
        )
        printed = self.keep(ended, printed=self.engine.log(untrusted))
        self.remove(untrusted)
        verdict = rules.verdict_of_code(_ending(ended), log=printed, allowance=self.allowance)
        if verdict is None:
            return self.score(scorer)
        if self.kept:
            self.wait_until_ready(scorer)
            self.have(scorer, signal="SIGUSR2")
        return verdict

    def score(self, scorer: str) -> rules.Outcome:
        """Let the scorer look at the output, and read its one line."""
        self.wait_until_ready(scorer)
        self.enter(Phase.SCORING, message="" if self.plan.is_several else None)
        began = time.monotonic()
        self.have(scorer, signal="SIGUSR1")
        self.facts["score_seconds"] = round(time.monotonic() - began, 2)
        try:
            return rules.read_answer(
                self.engine.log(scorer, stream="stdout"),
                metric=self.run.submission.version.metric["name"],
                is_divided=self.run.submission.version.is_divided,
            )
        except rules.NotAnAnswer as fault:
            raise ScorerFault(str(fault)) from fault

    def have(self, scorer: str, *, signal: str) -> None:
        """Let the scorer, which waits, do what this signal asks of it, to its end.

        Raises:
            ScorerFault: it failed, or took too long.
        """
        self.engine.signal(scorer, signal)
        ended = self.engine.wait(scorer, wall_seconds=rules.SCORE_SECONDS, on_tick=self.beat)
        if ended.exit_code or ended.timed_out:
            tail = rules.clean_log(self.engine.log(scorer, stream="stderr"), max_bytes=2000)
            raise ScorerFault(f"the scorer ended with code {ended.exit_code} (timed out: {ended.timed_out}):\n{tail}")

    def wait_until_ready(self, scorer: str) -> None:
        """The scorer has loaded everything.

        Raises:
            ScorerFault: it ended, or took too long.
        """
        for _ in range(READY_SLICES):
            if self.engine.wait_for_line(scorer, rules.READY, seconds=READY_SLICE_SECONDS):
                return
            self.beat()
            if not any(c.running for c in self.engine.list(self.labels(SCORE)) if c.id == scorer):
                break
        tail = rules.clean_log(self.engine.log(scorer, stream="stderr"), max_bytes=2000)
        raise ScorerFault(f"the scorer did not get ready:\n{tail}")

    def beat(self, *, following: str | None = None) -> None:
        """A sign of life, with what the code printed since the last one."""
        tail = None
        if following is not None:
            printed = rules.clean_log(self.engine.log(following), max_bytes=rules.LIVE_LOG_BYTES)
            tail, self.tail = (None if printed == self.tail else printed), printed
        now = self.clock()
        for folder in (self.kept, self.told):
            if folder:
                os.utime(folder)  # a folder in staging that nobody touches for an hour is swept
        through_outage(lambda: claims.beat(self.claim, now=now, log_tail=tail))
        through_outage(lambda: slots.touch(self.run, now=now))

    def enter(self, phase: Phase, *, message: str | None) -> None:
        """The run is in ``phase`` now (:func:`claims.enter`)."""
        through_outage(lambda: claims.enter(self.claim, phase=phase, now=self.clock(), message=message))

    def finish(self, outcome: rules.Outcome) -> None:
        """The run has ended, once.

        Raises:
            Stale: the run is somebody else's.
        """
        through_outage(
            lambda: claims.finish(self.claim, outcome=outcome, now=self.clock(), **self.facts, **self.measured())
        )

    def note_memory(self, held: int) -> None:
        """One more point of the curve of the run."""
        if self.run.started_at is not None:
            self.memory.add((self.clock() - self.run.started_at).total_seconds(), held)

    def measured(self) -> dict[str, Any]:
        """What the row keeps of the use of processors, memory and GPU, and which evaluate.py scored."""
        curve = {"memory": self.memory.points(), "gpu": slots.gpu_curve_of(self.run)}
        ran = self.facts.get("predict_seconds")
        return {
            "curve": {name: points for name, points in curve.items() if points},
            "processor_seconds": None if ran is None else round(ran * self.allowance.cpus, 1),
            "evaluate_digest": evaluate_digest_of(self.run.judging_version),
        }

    def keep(self, ended: Exit, *, printed: str) -> str:
        """Note what is kept of the untrusted container's end; returns its output as it may be shown.

        Times are rounded: how long something took must not carry what it read.
        """
        clean = rules.clean_log(printed)
        self.facts |= {
            "log_tail": clean,
            "predict_seconds": round(ended.seconds, 1),
            "peak_memory_bytes": ended.peak_memory_bytes,
        }
        if self.told:
            file = self.told / RUN_FILE
            file.write_text(json.dumps({"seconds": self.facts["predict_seconds"]}), encoding="utf-8")
            file.chmod(0o444)
        return clean

    def start(self, spec: ContainerSpec) -> str:
        """Start a container of this run, if the run is still ours.

        Raises:
            Stale: it isn't.
        """
        self.beat()
        container = self.engine.start(spec)
        self.containers.append(container)
        return container

    def remove(self, container: str) -> None:
        """Forget a container; it is gone when this returns."""
        self.engine.remove(container)
        self.containers.remove(container)

    def clear(self) -> None:
        """Remove what is left. What the engine can't remove now, the reconciler will."""
        try:
            for container in reversed(list(self.containers)):
                self.remove(container)
            if self.has_volume:
                self.engine.remove_volume(self.volume)
                self.has_volume = False
        except EngineError as fault:
            log.warning("run %s left something behind for the reconciler: %s", self.run.pk, fault)

    def give_slot_back(self) -> None:
        """The slot is free once the engine shows nothing of it."""
        with suppress(EngineError):
            through_outage(lambda: slots.give_back(self.run, engine=self.engine, now=self.clock()))

    def labels(self, kind: str) -> dict[str, str]:
        """What marks this run's containers and volume, for whoever has to clear them away."""
        lease = {LABEL_LEASE: str(self.run.lease_id)} if self.run.lease_id else {}
        return {
            LABEL_INSTANCE: settings.PRACTICUM_INSTANCE,
            LABEL_KIND: kind,
            LABEL_RUN: str(self.run.pk),
            LABEL_TOKEN: str(self.run.token),
            **lease,
        }

    def scorer_spec(self) -> ContainerSpec:
        """The scorer: it has the answers, and runs nothing an intern wrote."""
        version = self.run.submission.version
        judge = self.run.judging_version
        handed_in = self.run.submission.kind == "predictions"
        given = [Mount(self.run.submission.folder, "/predictions")] if handed_in else []
        if self.kept:
            given.append(Mount(self.kept, kinds.KEPT, read_only=False))
        if self.told:
            given.append(Mount(self.told, MEASURED_AT, comes_later=True))
        volumes = [] if handed_in else [VolumeMount(self.volume, "/predictions", read_only=True)]
        return ContainerSpec(
            image=settings.PRACTICUM_SCORER_IMAGE,
            command=[
                *PYTHON, Program("scorer", "score.py"), "--project", Inside("/project"), "--predictions",
                Inside("/predictions"), "--answers", Inside("/answers"), "--wait",
                *(kinds.words_of_keeping() if self.kept else ()),
                *(("--run", Inside(MEASURED_AT, RUN_FILE)) if self.told else ()),
            ],
            labels=self.labels(SCORE),
            mounts=[
                Mount(judge.folder / "project", "/project", stays=True),
                Mount(version.hidden_folder / "answers", "/answers"),
                *given,
            ],
            volumes=volumes,
            environment=_threads(SCORER_CPUS),
            limits=Limits(
                memory_bytes=settings.PRACTICUM_EVALUATION_MEMORY_BYTES,
                cpus=SCORER_CPUS,
                wall_seconds=rules.SCORE_SECONDS,
            ),
        )  # fmt: skip

    def predict_spec(self) -> ContainerSpec:
        """The untrusted container: hidden inputs, never answers."""
        submission = self.run.submission
        allowance = self.allowance
        plan = self.plan
        train_seconds = plan.train_seconds if plan.trains else None
        return ContainerSpec(
            image=submission.version.image,
            command=[*PYTHON, *kinds.words_of(submission, seed=self.seed, train_seconds=train_seconds)],
            labels=self.labels(PREDICT),
            mounts=kinds.mounts_of(submission, is_trained=plan.trains),
            volumes=[VolumeMount(self.volume, "/out")],
            environment=_threads(allowance.cpus),
            limits=self.limits(),
            gpu_uuid=slots.gpu_of(self.run),
        )

    def limits(self) -> Limits:
        """Those of the untrusted container; where it trains, its own folder takes an artifact of the allowed size."""
        allowance = self.allowance
        artifact = self.run.submission.version.manifest["submission"]["artifact_mb"] * rules.MEBIBYTE
        room = artifact if self.plan.trains else 0
        return Limits(
            memory_bytes=allowance.memory_bytes,
            cpus=allowance.cpus,
            tmpfs_bytes=TMP_BYTES + room,
            file_size_bytes=max(rules.OUTPUT_BYTES, room),
            wall_seconds=allowance.wall_seconds,
        )


def _added(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The facts of one more seed: its output, the times added to those of the seeds before, of the memory the most."""
    sums = {name: round(before.get(name, 0.0) + now.get(name, 0.0), 2) for name in MEASURED[:2]}
    peaks = [facts.get("peak_memory_bytes") or 0 for facts in (before, now)]
    return sums | {"peak_memory_bytes": max(peaks) or None, "log_tail": now.get("log_tail", "")}


def _ending(ended: Exit) -> rules.Ending:
    return rules.Ending(
        exit_code=ended.exit_code,
        oom_killed=ended.oom_killed,
        timed_out=ended.timed_out,
        seconds=ended.seconds,
        peak_memory_bytes=ended.peak_memory_bytes,
    )


def _threads(cpus: float) -> dict[str, str]:
    """As many threads as processors it may use: more would only wait for one another."""
    count = str(max(1, int(cpus)))
    return {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MPLCONFIGDIR": "/tmp"}  # noqa: S108
