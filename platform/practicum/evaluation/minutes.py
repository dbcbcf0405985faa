"""What an evaluation took: GPU-minutes and processor-minutes, beside its score.

GPU-minutes are the time for which the run's lease held its GPU, from being granted to being given back, times the part of
a GPU that its slot is (a part of a shared GPU counts as that part; a MIG instance as one). Without a GPU they are 0.
Processor-minutes are how long the submission's code ran, times the processors it was given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from practicum.evaluation.models import Run
from practicum.gpus.models import Lease, SlotKind

RUN_FIELDS = (
    "submission_id", "attempt", "score", "processor_seconds", "finished_at",
    "lease__slot__kind", "lease__slot__parts", "lease__granted_at", "lease__closed_at",
)  # fmt: skip


@dataclass(frozen=True)
class Minutes:
    """Of one evaluation. ``processor`` is None for those from before it was measured."""

    gpu: float
    processor: float | None


def minutes_of(submissions: Iterable[int]) -> dict[int, Minutes]:
    """For each submission by its id, what its last scored evaluation took, or its last one if none was scored: one query."""
    runs = Run.objects.filter(submission__in=list(submissions), finished_at__isnull=False)
    found: dict[int, tuple[tuple[bool, int], Minutes]] = {}
    # Plain values: a board of a large cohort has hundreds, and their rows hold logs and curves.
    for pk, attempt, score, processor, until, kind, parts, granted_at, closed_at in runs.values_list(*RUN_FIELDS):
        rank = (score is not None, attempt)
        if pk not in found or found[pk][0] < rank:
            held = _held_seconds(kind, parts=parts, granted_at=granted_at, end=closed_at or until)
            found[pk] = (rank, _minutes(held, processor=processor))
    return {pk: minutes for pk, (_, minutes) in found.items()}


def minutes_of_run(run: Run) -> Minutes:
    """Of one run that ended, its lease loaded."""
    held = gpu_seconds(run.lease, until=run.finished_at) if run.lease else 0.0
    return _minutes(held, processor=run.processor_seconds)


def gpu_seconds(lease: Lease, *, until: datetime | None) -> float:
    """For how long it held its GPU, times the part of a GPU it is; while it still does, up to ``until``."""
    slot = lease.slot
    if slot is None:
        return 0.0
    return _held_seconds(slot.kind, parts=slot.parts, granted_at=lease.granted_at, end=lease.closed_at or until)


def _held_seconds(kind: str | None, *, parts: int, granted_at: datetime | None, end: datetime | None) -> float:
    if kind != SlotKind.GPU or granted_at is None or end is None:
        return 0.0
    return max(0.0, (end - granted_at).total_seconds()) / parts


def _minutes(gpu: float, *, processor: float | None) -> Minutes:
    return Minutes(gpu=gpu / 60, processor=None if processor is None else processor / 60)
