"""A project that asks for a GPU gets a lease of its own for each run, and gives it back once the container is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from practicum.engine.memory import CLEAN_EXIT, MemoryEngine, Script
from practicum.errors import Stale
from practicum.evaluation import claims, services, slots, tasks
from practicum.evaluation.models import Run
from practicum.gpus import services as leases
from practicum.gpus.models import Lease, Slot
from practicum.submissions.models import Submission
from tests.unit.gpus.conftest import make_slots

HandIn = Callable[..., Submission]
Work = Callable[..., Run | None]
SECOND = timedelta(seconds=1)


@pytest.fixture
def gpu_project(version: Any, internship: Any) -> Any:
    """The intern's project asks for 8 GB of a GPU."""
    version.manifest = version.manifest | {"budget": version.manifest["budget"] | {"gpu_gb": 8}}
    version.save()
    internship.version = version
    return internship


@pytest.fixture
def gpu(db: None) -> Slot:
    return make_slots(1)[0]


def test_without_gpus_such_a_run_needs_no_lease(gpu_project: Any, hand_in: HandIn, work: Work) -> None:
    hand_in(gpu_project)

    run = work()

    assert run is not None
    assert (run.state, run.lease) == ("scored", None)


def test_with_gpus_it_waits_for_its_lease_runs_on_that_gpu_and_gives_it_back(
    gpu_project: Any, gpu: Slot, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime
) -> None:
    submission = hand_in(gpu_project)
    lease = submission.runs.get().lease
    assert lease is not None
    assert (lease.purpose, lease.user, lease.cohort) == ("evaluation", gpu_project.intern, gpu_project.cohort)
    assert work() is None

    leases.allocate(now=now)
    run = work()

    assert run is not None
    assert run.state == "scored"
    given = {spec.labels["org.practicum.kind"]: spec for spec in engine.started}
    assert given["predict"].gpu_uuid == gpu.uuid
    assert given["score"].gpu_uuid is None
    assert given["predict"].labels["org.practicum.lease"] == str(lease.pk)
    lease.refresh_from_db()
    assert lease.state == "released"


def test_a_project_without_a_gpu_takes_none(internship: Any, gpu: Slot, hand_in: HandIn) -> None:
    assert hand_in(internship).runs.get().lease is None
    assert Lease.objects.count() == 0


@pytest.mark.parametrize("exit_code", [0, 3, 137])
def test_however_the_code_ends_the_slot_is_free_again(
    gpu_project: Any, gpu: Slot, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime, exit_code: int
) -> None:
    from dataclasses import replace

    engine.will("predict", Script(exit=replace(CLEAN_EXIT, exit_code=exit_code)))
    hand_in(gpu_project)
    leases.allocate(now=now)
    work()

    assert [lease.state for lease in Lease.objects.all()] == ["released"]


def test_a_slot_that_could_not_be_given_back_after_the_score_is_free_as_soon_as_the_engine_answers(
    gpu_project: Any, gpu: Slot, hand_in: HandIn, work: Work, engine: MemoryEngine, now: datetime, monkeypatch: Any
) -> None:
    hand_in(gpu_project)
    leases.allocate(now=now)
    with monkeypatch.context() as away:
        away.setattr(slots, "give_back", lambda *_, **__: False)
        work()
    assert [lease.state for lease in Lease.objects.all()] == ["active"]

    assert slots.settle(engine=engine, now=now + SECOND) == 1
    assert [lease.state for lease in Lease.objects.all()] == ["released"]


def test_a_slot_of_a_run_taken_back_is_kept_while_its_worker_may_not_know(
    gpu_project: Any, gpu: Slot, hand_in: HandIn, engine: MemoryEngine, now: datetime
) -> None:
    submission = hand_in(gpu_project)
    leases.allocate(now=now)
    claims.claim_next(worker="w", now=now)
    services.cancel(submission, actor=gpu_project.intern, now=now)

    assert slots.settle(engine=engine, now=now + SECOND) == 0
    assert slots.settle(engine=engine, now=now + 60 * SECOND) == 1


def test_the_slot_of_a_dead_worker_is_kept_until_its_container_was_seen_gone(
    gpu_project: Any, gpu: Slot, hand_in: HandIn, engine: MemoryEngine, now: datetime, work: Work
) -> None:
    submission = hand_in(gpu_project)
    leases.allocate(now=now)
    run = claims.claim_next(worker="dies", now=now)
    assert run is not None
    assert run.lease is not None
    labels = {
        "org.practicum.instance": _instance(),
        "org.practicum.kind": "predict",
        "org.practicum.run": str(run.pk),
        "org.practicum.token": "1",
        "org.practicum.lease": str(run.lease.pk),
    }
    engine.hold(labels)
    later = now + 60 * SECOND

    claims.expire(now=later)
    run.lease.refresh_from_db()
    assert run.lease.state == "draining"
    assert leases.allocate(now=later) == []

    tasks.reconcile(later, engine=engine)
    run.lease.refresh_from_db()
    assert (run.lease.state, engine.held) == ("released", {})
    second = submission.runs.get().lease
    assert second is not None
    assert (second.pk != run.lease.pk, second.state) == (True, "queued")

    leases.allocate(now=later)
    done = work(at=later + 10 * SECOND)
    assert done is not None
    assert (done.state, done.tries) == ("scored", 2)


def test_a_lease_whose_worker_shows_life_is_never_taken_by_the_reconciler(
    gpu_project: Any, gpu: Slot, hand_in: HandIn, engine: MemoryEngine, now: datetime
) -> None:
    hand_in(gpu_project)
    leases.allocate(now=now)
    run = claims.claim_next(worker="w", now=now)
    assert run is not None
    assert run.lease is not None

    assert slots.settle(engine=engine, now=now + 10 * SECOND) == 0
    run.lease.refresh_from_db()
    assert run.lease.state == "active"


def test_taking_a_waiting_run_back_leaves_the_line(gpu_project: Any, gpu: Slot, hand_in: HandIn, now: datetime) -> None:
    submission = hand_in(gpu_project)

    services.cancel(submission, actor=gpu_project.intern, now=now)

    assert Lease.objects.get().state == "cancelled"


def test_a_run_whose_place_an_admin_took_away_gets_a_new_one(
    gpu_project: Any, gpu: Slot, hand_in: HandIn, engine: MemoryEngine, now: datetime, admin: Any
) -> None:
    submission = hand_in(gpu_project)
    first = submission.runs.get().lease
    assert first is not None
    leases.end_lease(first.pk, reason="Not now.", actor=admin, now=now)

    tasks.reconcile(now, engine=engine)

    again = submission.runs.get().lease
    assert again is not None
    assert (again.pk != first.pk, again.state) == (True, "queued")


def test_a_claim_fails_when_the_slot_was_taken_back_meanwhile(
    gpu_project: Any, gpu: Slot, hand_in: HandIn, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(gpu_project)
    leases.allocate(now=now)

    def lost(*_: Any, **__: Any) -> None:
        raise Stale("taken back")

    monkeypatch.setattr(leases, "activate_lease", lost)

    assert claims.claim_next(worker="w", now=now) is None
    assert (Run.objects.get().state, Run.objects.get().token) == ("queued", 0)


def _instance() -> str:
    from django.conf import settings

    return settings.PRACTICUM_INSTANCE
