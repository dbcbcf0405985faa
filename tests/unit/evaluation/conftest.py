"""An engine in memory that runs submissions as scripted, a database threads can share, and short ways to hand in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from practicum.engine.memory import CLEAN_EXIT, MemoryEngine, Script
from practicum.evaluation import services, tasks
from practicum.evaluation.models import Run
from practicum.submissions.models import Source, Submission
from tests.unit.gpus.conftest import shared_database as shared_database
from tests.unit.submissions import zips

SCORED = '{"metrics": {"accuracy": 0.9, "worst_digit": 0.5}}\n'


def answering(line: str) -> Script:
    """A scorer that gets ready, and prints this when it is signalled."""
    return Script(stdout="READY\n", prints_on_signal=line)


@pytest.fixture
def engine() -> MemoryEngine:
    """Where code ends well and the scorer gives 0.9."""
    engine = MemoryEngine()
    engine.will("predict", Script(exit=CLEAN_EXIT, stdout="epoch 1\n", ticks=2))
    engine.will("score", answering(SCORED))
    return engine


@pytest.fixture
def hand_in(now: datetime) -> Callable[..., Submission]:
    """``hand_in(internship, b"content")``: a submission whose files differ by their content."""

    def make(internship: Any, content: bytes = b"1", *, at: datetime = now) -> Submission:
        archive = zips.submission(artifact__w=content)
        return services.hand_in(internship, archive=archive, source=Source.TERMINAL, actor=internship.intern, now=at)

    return make


@pytest.fixture
def work(engine: MemoryEngine, now: datetime) -> Callable[..., Run | None]:
    """``work(at=...)``: a worker takes the next run and brings it to its end; the newest state of it, or None."""

    def once(*, at: datetime = now) -> Run | None:
        before = set(Run.objects.filter(state="queued").values_list("pk", flat=True))
        if not tasks.claim_and_run(at, engine=engine, worker_name="worker-1", clock=lambda: at):
            return None
        return Run.objects.filter(pk__in=before).exclude(state="queued").order_by("-finished_at").first()

    return once
