"""Submissions with runs and scores, made directly: the evaluation's own tests show how they come to be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from practicum.evaluation.models import Run, RunEvent, Score, SeedResult
from practicum.submissions.models import Submission


@pytest.fixture
def hand_in(now: Any) -> Any:
    """``hand_in(internship, number=1, value=0.9)``: a submission with one run, scored when a value is given."""

    def make(internship: Any, *, number: int, state: str = "scored", version: Any = None, **more: Any) -> Submission:
        value, at = more.pop("value", None), now - timedelta(days=20 - number)
        submission = Submission.objects.create(
            internship=internship,
            version=version or internship.version,
            number=number,
            digest=f"{Submission.objects.count():064x}",
            source="terminal" if internship else "baseline",
            received_at=at,
            size_bytes=1200,
            files=[{"path": "predict.py", "bytes": 1200}],
        )
        deadline = at + timedelta(hours=1)
        run = Run.objects.create(submission=submission, state=state, queued_at=at, deadline=deadline, **more)
        RunEvent.objects.create(run=run, at=at, state=state, message=f"The run is {state}.")
        if value is not None:
            Score.objects.create(run=run, value=value, metrics={"accuracy": value}, scored_at=at)
        return submission

    return make


@pytest.fixture
def seeded(now: Any) -> Any:
    """``seeded(submission, [0.8, 0.9, 0.7])``: as if its run had had these values with the seeds 1, 2, 3."""

    def make(submission: Submission, values: list[float]) -> None:
        run = submission.runs.get()
        for seed, value in enumerate(values, start=1):
            SeedResult.objects.create(
                run=run,
                seed=seed,
                value=value,
                shown_value=value,
                shown_metrics={"accuracy": value},
                metrics={"accuracy": value},
                scored_at=now,
                predict_seconds=1.0,
                score_seconds=1.0,
            )
        Score.objects.filter(run=run).update(value=sum(values) / len(values))

    return make
