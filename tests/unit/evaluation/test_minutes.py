"""What an evaluation took: time of a GPU, time of processors, and memory over its seconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.engine.memory import CLEAN_EXIT, MemoryEngine, Script
from practicum.evaluation import services
from practicum.evaluation.curves import MOST_POINTS, MemoryCurve, thinned
from practicum.evaluation.minutes import minutes_of
from practicum.evaluation.models import Run
from practicum.gpus import services as leases
from practicum.gpus.models import Lease, LeaseSample
from practicum.submissions.models import Submission
from tests.unit.gpus.conftest import make_slots

HandIn = Callable[..., Submission]
Work = Callable[..., Run | None]
GIBIBYTE = 1024**3
SECOND = timedelta(seconds=1)


@pytest.fixture
def on_gpu(version: Any, internship: Any, now: datetime) -> Any:
    """The intern's project asks for a GPU, and there is one."""
    version.manifest = version.manifest | {"budget": version.manifest["budget"] | {"gpu_gb": 8}}
    version.save()
    internship.version = version
    make_slots(1)
    return internship


def test_without_a_gpu_there_are_processor_minutes_alone(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, settings: Any
) -> None:
    settings.PRACTICUM_EVALUATION_CPUS = 2.0
    submission = hand_in(internship)
    engine.will("predict", Script(exit=CLEAN_EXIT.__class__(0, False, False, 90.0, None)))
    work()

    minutes = minutes_of([submission.pk])[submission.pk]

    assert (minutes.gpu, minutes.processor) == (0.0, 3.0)


@pytest.mark.parametrize(("kind", "parts", "expected"), [("gpu", 1, 5.0), ("gpu", 4, 1.25), ("cpu", 1, 0.0)])
def test_gpu_minutes_are_the_time_the_lease_was_held_times_the_part_of_a_gpu(
    on_gpu: Any, hand_in: HandIn, work: Work, now: datetime, kind: str, parts: int, expected: float
) -> None:
    submission = hand_in(on_gpu)
    leases.allocate(now=now)
    work(at=now + SECOND)
    lease = Lease.objects.get()
    Lease.objects.update(granted_at=now, closed_at=now + 300 * SECOND)
    assert lease.slot is not None
    lease.slot.kind, lease.slot.parts = kind, parts
    lease.slot.save()

    assert minutes_of([submission.pk])[submission.pk].gpu == pytest.approx(expected)


def test_the_minutes_are_those_of_the_evaluation_whose_score_counts(
    internship: Any, hand_in: HandIn, work: Work, engine: MemoryEngine, mentor: Any, now: datetime, settings: Any
) -> None:
    settings.PRACTICUM_EVALUATION_CPUS = 1.0
    submission = hand_in(internship)
    for seconds, code in ((60.0, 0), (120.0, 0), (600.0, 3)):
        engine.will("predict", Script(exit=CLEAN_EXIT.__class__(code, False, False, seconds, None)))
        work()
        if code == 0:
            services.rerun(submission, actor=mentor, now=now)

    assert minutes_of([submission.pk])[submission.pk].processor == 2.0


def test_many_submissions_take_one_query(
    internship: Any, peer_internship: Any, hand_in: HandIn, work: Work, django_assert_num_queries: Any
) -> None:
    rows = [hand_in(internship, b"1"), hand_in(internship, b"2"), hand_in(peer_internship, b"3")]
    for _ in rows:
        work()

    with django_assert_num_queries(1):
        assert set(minutes_of(row.pk for row in rows)) == {row.pk for row in rows}


def test_a_submission_that_was_not_evaluated_has_no_minutes(internship: Any, hand_in: HandIn) -> None:
    assert minutes_of([hand_in(internship).pk]) == {}


def test_the_memory_of_the_container_is_kept_by_the_second_even_if_it_runs_out_of_it(
    internship: Any, hand_in: HandIn, engine: MemoryEngine, now: datetime
) -> None:
    from practicum.evaluation import tasks

    submission = hand_in(internship)
    moments = iter(range(1000))
    killed = CLEAN_EXIT.__class__(137, True, False, 3.0, 2 * GIBIBYTE)
    engine.will("predict", Script(exit=killed, ticks=3, memory=[10**8, 10**9, 2 * 10**9]))

    tasks.claim_and_run(now, engine=engine, worker_name="w", clock=lambda: now + next(moments) * SECOND)

    run = submission.runs.get()
    seconds, sizes = zip(*run.curve["memory"], strict=True)
    assert run.state == "failed"
    assert list(seconds) == sorted(set(seconds))
    assert [round(size / 10**8) for size in sizes] == [1, 10, 20]


def test_what_the_agent_saw_of_the_gpu_is_kept_with_the_run(
    on_gpu: Any, hand_in: HandIn, engine: MemoryEngine, work: Work, now: datetime
) -> None:
    submission = hand_in(on_gpu)
    leases.allocate(now=now)
    lease = Lease.objects.get()

    def seen(_: Any) -> None:
        for second, percent in ((-5, 1.0), (2, 55.4), (12, None)):
            LeaseSample.objects.create(
                lease=lease, at=now + second * SECOND, gpu_percent=percent, memory_bytes=GIBIBYTE
            )

    engine.will("predict", Script(exit=CLEAN_EXIT, on_start=seen))
    work()

    assert submission.runs.get().curve["gpu"] == [[2.0, 55, GIBIBYTE], [12.0, None, GIBIBYTE]]


def test_a_long_run_is_kept_in_as_many_points_as_a_short_one_and_keeps_its_peaks() -> None:
    curve = MemoryCurve()
    for second in range(5000):
        curve.add(second, 10**9 if second != 4001 else 3 * 10**9)

    points = curve.points()

    assert MOST_POINTS / 2 < len(points) <= MOST_POINTS
    assert [at for at, _ in points] == list(range(0, 5000, curve.step))
    assert max(points, key=lambda point: point[1])[0] == 4001 // curve.step * curve.step
    assert max(size for _, size in points) >= 3 * 10**9


@pytest.mark.parametrize(("held", "kept"), [(1, 8), (8 * 1024**2, 8), (8 * 1024**2 + 1, 16), (100 * 1024**2, 104)])
def test_sizes_are_rounded_up(held: int, kept: int) -> None:
    curve = MemoryCurve()
    curve.add(0.4, held)

    assert curve.points() == [[0, kept * 1024**2]]


def test_many_looks_at_a_gpu_are_thinned_evenly() -> None:
    rows = thinned((second, 50.0, 1) for second in range(1000))

    assert len(rows) <= MOST_POINTS
    assert [row[0] for row in rows] == list(range(0, 1000, 16))
