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


@dataclass(frozen=True)
class Minutes:
    """Of one evaluation. ``processor`` is None for those from before it was measured."""

    gpu: float
    processor: float | None


def minutes_of(submissions: Iterable[int]) -> dict[int, Minutes]:
    """For each submission by its id, what its last scored evaluation took, or its last one if none was scored: one query."""
    runs = Run.objects.filter(submission__in=list(submissions), finished_at__isnull=False).select_related(
        "lease__slot", "score"
    )
    found: dict[int, tuple[tuple[bool, int], Minutes]] = {}
    for run in runs.defer("log_tail", "curve"):
        rank = (hasattr(run, "score"), run.attempt)
        if run.submission_id not in found or found[run.submission_id][0] < rank:
            found[run.submission_id] = (rank, minutes_of_run(run))
    return {pk: minutes for pk, (_, minutes) in found.items()}


def minutes_of_run(run: Run) -> Minutes:
    """Of one run that ended, its lease loaded."""
    gpu = gpu_seconds(run.lease, until=run.finished_at) / 60 if run.lease else 0.0
    return Minutes(gpu=gpu, processor=None if run.processor_seconds is None else run.processor_seconds / 60)


def gpu_seconds(lease: Lease, *, until: datetime | None) -> float:
    """For how long it held its GPU, times the part of a GPU it is; while it still does, up to ``until``."""
    end = lease.closed_at or until
    if lease.slot is None or lease.slot.kind != SlotKind.GPU or lease.granted_at is None or end is None:
        return 0.0
    return max(0.0, (end - lease.granted_at).total_seconds()) / lease.slot.parts
