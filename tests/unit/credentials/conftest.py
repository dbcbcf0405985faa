"""A completed internship: two submissions, the second accepted with points, executed again, and its certificate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from practicum.credentials import services, tasks
from practicum.credentials.models import Certificate
from practicum.engine.memory import MemoryEngine
from practicum.evaluation.models import Run, Score
from practicum.internships.services import complete_internship
from practicum.reviews.models import Review
from tests.unit.portal.conftest import hand_in, seeded

__all__ = ["hand_in", "seeded"]

REPLAYED = 0.875


@pytest.fixture
def engine() -> MemoryEngine:
    """Starts nothing that it was not told of."""
    return MemoryEngine()


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The replay bundle gives ``REPLAYED``; the certificates it was run for."""
    ran: list[int] = []

    def replay(certificate: Certificate, **_: Any) -> dict[str, Any]:
        ran.append(certificate.place)
        return {"value": REPLAYED}

    monkeypatch.setattr("practicum.credentials.replaying.replay", replay)
    return ran


@pytest.fixture
def accepted(internship: Any, mentor: Any, hand_in: Any, now: Any) -> Any:
    """The intern's second submission, accepted with 4 and 3 of 5 points; its files lie on disk, with a report."""
    hand_in(None, number=1, version=internship.version, value=0.80)
    hand_in(internship, number=1, value=0.97)
    submission = hand_in(internship, number=2, value=0.95)
    submission.folder.mkdir(parents=True)
    (submission.folder / "predict.py").write_text("def predict(artifact, inputs, out): ...\n")
    (submission.folder / "report.md").write_text("# What I found\n\nA *third* of the pixels is enough.\n")
    Review.objects.create(
        submission=submission, mentor=mentor, state="accepted", rubric={"method": 4, "writing": 3}, opened_at=now,
        decided_at=now,
    )  # fmt: skip
    internship.milestones.filter(position=1).update(reached_at=now)
    return submission


@pytest.fixture
def completed(internship: Any, accepted: Any, mentor: Any, now: Any) -> Any:
    """The internship, completed."""
    complete_internship(internship, actor=mentor, now=now)
    internship.refresh_from_db()
    return internship


def end_run(run: Run, *, value: float | None, at: Any) -> None:
    """The worker ended the run, with a score or without."""
    Run.objects.filter(pk=run.pk).update(state="scored" if value is not None else "failed", finished_at=at)
    if value is not None:
        Score.objects.create(run=run, value=value, metrics={"accuracy": value}, scored_at=at)


@pytest.fixture
def issue(replays: list[int], engine: MemoryEngine) -> Callable[..., Certificate]:
    """``issue(internship, now=…, value=0.961)``: begun, executed again with this value, issued."""

    def make(internship: Any, *, now: Any, value: float | None = 0.961) -> Certificate:
        row = services.begin(internship, now=now)
        if row.run is not None:
            end_run(row.run, value=value, at=now + timedelta(minutes=1))
        tasks.step(now + timedelta(minutes=2), engine=engine)
        row.refresh_from_db()
        return row

    return make


@pytest.fixture
def certificate(completed: Any, issue: Callable[..., Certificate], now: Any) -> Certificate:
    """The intern's certificate, issued and private."""
    row = issue(completed, now=now)
    assert row.state == "issued"
    return row
