"""What a worker does to a run's row: claim it, show signs of life, end it, or give it back.

Each is one conditional UPDATE on ``(id, state, token)``. A claim raises the token by one; whoever holds an older one
gets :class:`~practicum.errors.Stale` and has written nothing. A run in ``queued`` is nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from practicum.audit.services import record
from practicum.errors import Stale
from practicum.evaluation import rules, slots, telling
from practicum.evaluation.models import Fault, Phase, Run, RunEvent, RunState, Score, SeedResult
from practicum.gpus.models import LeaseState
from practicum.internships.readiness import note_figures
from practicum.lib import counting

CANDIDATES = 8


@dataclass(frozen=True)
class Claim:
    """The right to write to a run, until somebody claims it anew."""

    run_id: int
    token: int


def claim_next(*, worker: str, now: datetime) -> Run | None:
    """The run that waited longest and may start now is this worker's; None when there is none."""
    ready = Q(lease__isnull=True) | Q(lease__state=LeaseState.GRANTED)
    due = Q(not_before__isnull=True) | Q(not_before__lte=now) | Q(not_before__gt=now + rules.NEVER_SO_FAR_AHEAD)
    waiting = Run.objects.filter(ready, due, state=RunState.QUEUED, deadline__gt=now).order_by("queued_at", "pk")
    for run_id, token in list(waiting.values_list("pk", "token")[:CANDIDATES]):
        try:
            return _claim(Claim(run_id, token), worker=worker, now=now)
        except Stale:
            continue
    return None


@transaction.atomic
def _claim(seen: Claim, *, worker: str, now: datetime) -> Run:
    run = _move(
        seen,
        state=RunState.QUEUED,
        changes={
            "state": RunState.RUNNING,
            "phase": Phase.PREPARING,
            "token": F("token") + 1,
            "tries": F("tries") + 1,
            "worker": worker,
            "started_at": now,
            "heartbeat": now,
            "lease_until": now + rules.CLAIM_HOLDS,
            "log_tail": "",
        },
    )
    Run.objects.filter(pk=run.pk).update(deadline=now + rules.running_at_most(slots.allowance_of(run)))
    slots.begin(run, now=now)
    _tell(run, state="preparing", message="Preparing" if run.tries == 1 else f"Preparing, try {run.tries}", now=now)
    return run


def beat(claim: Claim, *, now: datetime, log_tail: str | None = None) -> None:
    """The worker is alive; ``log_tail`` is what the code printed so far.

    Raises:
        Stale: the run is not this worker's any more: it was cancelled, or given to another.
    """
    changes: dict[str, Any] = {"heartbeat": now, "lease_until": now + rules.CLAIM_HOLDS}
    if log_tail is not None:
        changes["log_tail"] = log_tail
    if not _rows(claim, state=RunState.RUNNING).update(**changes):
        raise _stale()


@transaction.atomic
def enter(claim: Claim, *, phase: Phase, now: datetime, message: str | None = None) -> None:
    """The run is in ``phase`` now, and its timeline says so: the phase's name, or ``message``, or nothing if it is "".

    Raises:
        Stale: the run is not this worker's any more.
    """
    changes = {"phase": phase, "heartbeat": now, "lease_until": now + rules.CLAIM_HOLDS}
    run = _move(claim, state=RunState.RUNNING, changes=changes)
    if message != "":
        _tell(run, state=phase, message=message or str(phase.label), now=now)


@transaction.atomic
def keep_seed(claim: Claim, *, seed: int, outcome: rules.Outcome, now: datetime, **facts: Any) -> None:
    """The result of one seed is written, once; ``facts`` are its other columns. A worker that follows need not repeat it.

    Raises:
        Stale: the run is not this worker's any more.
    """
    run = _move(claim, state=RunState.RUNNING, changes={"heartbeat": now, "lease_until": now + rules.CLAIM_HOLDS})
    SeedResult.objects.create(
        run=run,
        seed=seed,
        scored_at=now,
        **_values(run, outcome=outcome),
        **facts,
    )


def seeds_kept(run: Run) -> list[SeedResult]:
    """The results by seed that this run has, of whatever worker."""
    return list(SeedResult.objects.filter(run=run).order_by("pk"))


def _values(run: Run, *, outcome: rules.Outcome) -> dict[str, Any]:
    """The columns of a result: on the whole hidden part, and on the rows whose score interns see."""
    name, whole, shown = run.submission.version.metric["name"], dict(outcome.metrics), outcome.shown or outcome.metrics
    return {"value": whole[name], "metrics": whole, "shown_value": shown[name], "shown_metrics": dict(shown)}


@transaction.atomic
def finish(claim: Claim, *, outcome: rules.Outcome, now: datetime, **facts: Any) -> Run:
    """End the run; where it was scored, its one score is written in the same breath. ``facts`` are other columns.

    Raises:
        Stale: the run is not this worker's any more; nothing was written.
    """
    return _end(claim, state=RunState.RUNNING, outcome=outcome, now=now, **facts)


@transaction.atomic
def give_back(claim: Claim, *, reason: str, now: datetime, counts: bool = True) -> Run:
    """Our fault: the run goes back in line, or ends as failed once it was tried often enough.

    With ``counts`` false (the engine is away) the try does not count. ``reason`` is for the record, not for the intern.

    Raises:
        Stale: the run is not this worker's any more.
    """
    run = Run.objects.select_for_update().get(pk=claim.run_id)
    again = rules.retry_at(tries=run.tries, now=now) if counts else now + rules.ENGINE_AWAY_RETRY
    if again is None:
        ended = _end(claim, state=RunState.RUNNING, outcome=rules.given_up(tries=run.tries), now=now)
        record("run.given_up", subject=run, actor=None, now=now, token=claim.token, reason=reason)
        return ended
    changes = {
        "state": RunState.QUEUED,
        "phase": Phase.NONE,
        "not_before": again,
        "lease_until": None,
        "deadline": now + rules.QUEUED_AT_MOST,
        "tries": run.tries if counts else max(0, run.tries - 1),
    }
    run = _move(claim, state=RunState.RUNNING, changes=changes)
    slots.ask_again(run, now=now)
    _tell(run, state="queued", message="Something on our side failed; it is tried again by itself", now=now)
    record("run.retried", subject=run, actor=None, now=now, token=claim.token, reason=reason)
    transaction.on_commit(counting.RUNS_RETRIED.inc)
    return run


@transaction.atomic
def queue_all_again(*, reason: str, now: datetime) -> int:
    """Every open evaluation waits, for as long as one that was just asked for, and the try that was under way never counts.

    Whoever had a claim on one has none any more. Returns how many there are.
    """
    for run_id, token in Run.objects.filter(state=RunState.RUNNING).values_list("pk", "token"):
        give_back(Claim(run_id, token), reason=reason, now=now, counts=False)
    waiting = Run.objects.filter(state=RunState.QUEUED)
    changes: dict[str, Any] = {"token": F("token") + 1, "not_before": None, "deadline": now + rules.QUEUED_AT_MOST}
    return waiting.update(**changes)


def expire(*, now: datetime) -> list[int]:
    """Runs whose worker fell silent, or that take too long, go back in line; those that waited too long end.

    A sign of life from a time to come was given by a clock that was wrong, and is none. Returns the ids of the runs that were
    moved.
    """
    is_silent = Q(lease_until__lte=now) | Q(lease_until__gt=now + rules.NEVER_SO_FAR_AHEAD)
    silent = Q(state=RunState.RUNNING) & (is_silent | Q(deadline__lte=now))
    overdue = Q(state=RunState.QUEUED, deadline__lte=now)
    moved = []
    for run_id, token, state in Run.objects.filter(silent | overdue).values_list("pk", "token", "state"):
        try:
            if state == RunState.RUNNING:
                give_back(Claim(run_id, token), reason="its worker fell silent, or it took too long", now=now)
            else:
                _give_up_waiting(Claim(run_id, token), now=now)
        except Stale:
            continue
        moved.append(run_id)
    return moved


@transaction.atomic
def _give_up_waiting(claim: Claim, *, now: datetime) -> None:
    reason = "It waited for a day and nothing became free to run it. This costs you no attempt."
    outcome = rules.Outcome(state=RunState.FAILED, fault=Fault.OURS, reason=reason)
    run = _end(claim, state=RunState.QUEUED, outcome=outcome, now=now)
    slots.leave(run, reason="Its evaluation was given up.", actor=None, now=now)


def _end(claim: Claim, *, state: RunState, outcome: rules.Outcome, now: datetime, **facts: Any) -> Run:
    changes: dict[str, Any] = {
        "state": RunState(outcome.state),
        "phase": Phase.NONE,
        "fault": Fault(outcome.fault),
        "reason": outcome.reason,
        "finished_at": now,
        "lease_until": None,
        **facts,
    }
    run = _move(claim, state=state, changes=changes)
    _tell(run, state=run.state, message=outcome.reason or _words_for_end(run), now=now)
    record(f"run.{run.state}", subject=run, actor=None, now=now, token=claim.token, fault=str(run.fault))
    if outcome.state == RunState.SCORED:
        Score.objects.create(run=run, scored_at=now, **_values(run, outcome=outcome))
        _note_figures(run, outcome=outcome, now=now)
    telling.ended(run, now=now)
    transaction.on_commit(partial(_count_end, run, now=now))
    return run


def _count_end(run: Run, *, now: datetime) -> None:
    counting.RUNS_ENDED.labels(str(run.state), str(run.fault)).inc()
    if run.state == RunState.SCORED:
        counting.SCORE_SECONDS.observe((now - run.queued_at).total_seconds())


def _note_figures(run: Run, *, outcome: rules.Outcome, now: datetime) -> None:
    """What a readiness check's bars are held against."""
    submission = run.submission
    if submission.internship is not None:
        note_figures(submission.internship, submission=submission.number, metrics=dict(outcome.metrics), now=now)


def _words_for_end(run: Run) -> str:
    if run.state == RunState.SCORED and run.attempt > 1:
        return f"Scored again, by version {run.judging_version.number}"
    return str(run.get_state_display())


def _rows(claim: Claim, *, state: RunState) -> Any:
    return Run.objects.filter(pk=claim.run_id, state=state, token=claim.token)


def _move(claim: Claim, *, state: RunState, changes: dict[str, Any]) -> Run:
    if not _rows(claim, state=state).update(**changes):
        raise _stale()
    loaded = ("submission__version__project", "submission__internship", "lease__slot__server", "judge__project")
    return Run.objects.select_related(*loaded).get(pk=claim.run_id)


def _stale() -> Stale:
    return Stale("This evaluation is not this worker's any more.")


def _tell(run: Run, *, state: str, message: str, now: datetime) -> None:
    RunEvent.objects.create(run=run, at=now, state=state, message=message)
