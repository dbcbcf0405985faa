"""What a monitoring system reads at /metrics, and who may."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from practicum.evaluation.models import Run
from practicum.gpus.models import Quota, Server, Slot
from practicum.portal import metrics
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.past import MINUTE, make_lease, make_people

TOKEN = "k3Jx9qLw7Rz5TvB2" * 2


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: datetime, settings: Any) -> None:
    """It is read at ``now``, with the token."""
    monkeypatch.setattr(metrics, "utc_now", lambda: now)
    settings.PRACTICUM_METRICS_TOKEN = TOKEN


@pytest.fixture
def slot(db: None) -> Slot:
    """The one GPU there is."""
    return make_slots(1)[0]


def scrape(token: str | None = TOKEN) -> Any:
    """GET /metrics as Prometheus does."""
    return Client().get("/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})


def samples() -> dict[str, dict[tuple[str, ...], float]]:
    """Every number, by name and then by the labels' values, in the order of the labels' names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(scrape().content.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "status"), [(TOKEN, 200), (None, 401), ("wrong", 401), (TOKEN[:-1], 401), ("ä", 401)]
)
def test_only_the_token_opens_it(token: str | None, status: int) -> None:
    assert scrape(token).status_code == status


@pytest.mark.parametrize("role", ["intern", "mentor", "admin"])
def test_a_session_does_not_open_it(role: str, client_of: Any, request: pytest.FixtureRequest) -> None:
    assert client_of(request.getfixturevalue(role)).get("/metrics").status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("token", [TOKEN, "", "anything"])
def test_without_a_token_in_the_settings_there_is_no_such_page(settings: Any, token: str) -> None:
    settings.PRACTICUM_METRICS_TOKEN = ""
    assert scrape(token).status_code == 404


@pytest.mark.django_db
def test_it_is_the_text_format() -> None:
    answer = scrape()
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# TYPE practicum_slots gauge\n" in answer.content
    assert answer.content.endswith(b"\n")


def test_slots_are_told_by_pool_and_state(intern: Any, cohort: Any, now: datetime) -> None:
    held, faulty, absent, _ = make_slots(4)
    drained, busy_there = make_slots(2, server="beta")
    Slot.objects.filter(pk=faulty.pk).update(fault="XID 79")
    Slot.objects.filter(pk=absent.pk).update(is_present=False)
    Server.objects.filter(name="beta").update(state="draining")
    make_lease(intern, cohort=cohort, slot=held, asked=now)
    make_lease(make_people(1)[0], cohort=cohort, slot=busy_there, asked=now)
    assert drained.pk

    assert samples()["practicum_slots"] == {
        ("h100", "held"): 2,
        ("h100", "faulty"): 1,
        ("h100", "absent"): 1,
        ("h100", "free"): 1,
        ("h100", "unavailable"): 1,
    }


def test_leases_and_the_queue_are_told_by_cohort(intern: Any, cohort: Any, slot: Slot, now: datetime) -> None:
    people = make_people(4)
    make_lease(intern, cohort=cohort, slot=slot, asked=now - MINUTE)
    make_lease(people[0], cohort=cohort, asked=now - 7 * MINUTE, wait=None)
    make_lease(people[1], cohort=cohort, asked=now - 3 * MINUTE, wait=None)
    make_lease(people[1], cohort=cohort, asked=now - 9 * MINUTE, wait=None, purpose="evaluation")
    make_lease(people[2], asked=now - MINUTE, wait=None)
    make_lease(people[3], cohort=cohort, slot=slot, asked=now - 90 * MINUTE, held=MINUTE)

    told = samples()

    assert told["practicum_leases"] == {
        ("spring", "session", "active"): 1,
        ("spring", "session", "queued"): 2,
        ("spring", "evaluation", "queued"): 1,
        ("", "session", "queued"): 1,
    }
    assert told["practicum_queue_length"] == {("spring",): 3, ("",): 1}
    assert told["practicum_queue_oldest_wait_seconds"] == {("spring",): 540, ("",): 60}


def test_guarantees_stand_beside_what_is_held(
    intern: Any, cohort: Any, other_cohort: Any, slot: Slot, now: datetime
) -> None:
    Quota.objects.create(cohort=cohort, pool=slot.pool, guaranteed=3)
    Quota.objects.create(cohort=other_cohort, pool=slot.pool, guaranteed=1)
    make_lease(intern, cohort=cohort, slot=slot, asked=now)

    told = samples()

    assert told["practicum_guaranteed_slots"] == {("spring", "h100"): 3, ("autumn", "h100"): 1}
    assert told["practicum_held_slots"] == {("spring", "h100"): 1, ("autumn", "h100"): 0}


@pytest.mark.django_db
def test_silent_servers_are_told(now: datetime) -> None:
    for name, seconds in (("alpha", 5), ("beta", 31)):
        Server.objects.create(name=name, seen_at=now - timedelta(seconds=seconds))
    Server.objects.create(name="gamma")

    told = samples()

    assert told["practicum_server_silent"] == {("alpha",): 0, ("beta",): 1, ("gamma",): 1}
    assert told["practicum_servers_silent"] == {(): 2}


def test_runs_are_told_by_state(internship: Any, hand_in: Any) -> None:
    for number, state in enumerate(("scored", "scored", "failed", "running"), start=1):
        hand_in(internship, number=number, state=state)
    assert samples()["practicum_runs"] == {("scored",): 2, ("failed",): 1, ("running",): 1}


def test_the_oldest_open_run_is_told_by_state(internship: Any, hand_in: Any, now: datetime) -> None:
    for number, state in enumerate(("queued", "queued", "running", "scored"), start=1):
        hand_in(internship, number=number, state=state)
    for number, run in enumerate(Run.objects.order_by("pk"), start=1):
        Run.objects.filter(pk=run.pk).update(queued_at=now - number * MINUTE)
    assert samples()["practicum_run_oldest_seconds"] == {("queued",): 120, ("running",): 180}


@pytest.mark.django_db
def test_the_disk_of_the_sites_files_is_told(data_dir: Path, settings: Any) -> None:
    told = samples()
    assert 0 < told["practicum_disk_free_bytes"][()] <= told["practicum_disk_size_bytes"][()]
    settings.PRACTICUM_DATA_DIR = data_dir / "gone"
    assert "practicum_disk_free_bytes" not in samples()


@pytest.mark.django_db
def test_the_age_of_the_workers_heartbeat(data_dir: Path, now: datetime) -> None:
    assert "practicum_worker_heartbeat_age_seconds" not in samples()
    beat = data_dir / "worker.heartbeat"
    beat.touch()
    os.utime(beat, (now.timestamp() - 12, now.timestamp() - 12))
    assert samples()["practicum_worker_heartbeat_age_seconds"] == {(): 12}


def test_many_rows_cost_nine_queries_as_few_do(cohort: Any, now: datetime) -> None:
    for server in ("alpha", "beta"):
        for slot, person in zip(
            make_slots(5, server=server), make_people(5) if server == "alpha" else [], strict=False
        ):
            make_lease(person, cohort=cohort, slot=slot, asked=now)
        Server.objects.update(seen_at=now)
        with CaptureQueriesContext(connection) as queries:
            scrape()
        assert len(queries) == 9


def test_a_name_cannot_break_the_format(slot: Slot) -> None:
    type(slot.server).objects.update(name='a"b\\c')
    assert samples()["practicum_server_silent"] == {('a"b\\c',): 1}
