"""The page that says what works just now."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practicum.evaluation.models import Run
from practicum.gpus.models import Server, Slot
from practicum.portal import standing, views
from practicum.portal.standing import Standing, standings
from tests.unit.gpus.conftest import make_slots
from tests.unit.gpus.past import MINUTE, make_lease, make_people


@pytest.fixture(autouse=True)
def well(data_dir: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hub and worker answer."""
    beat = data_dir / "worker.heartbeat"
    beat.touch()
    os.utime(beat, (now.timestamp() - 1, now.timestamp() - 1))
    monkeypatch.setattr(standing, "hub_answers", lambda: True)


@pytest.fixture
def slots(db: None, now: datetime) -> list[Slot]:
    """Three GPUs of a server that reports."""
    made = make_slots(3)
    Server.objects.update(seen_at=now)
    return made


def by_name(now: datetime) -> dict[str, Standing]:
    """The lines."""
    return {line.name: line for line in standings(now=now)}


def states(now: datetime) -> dict[str, str]:
    """Their states."""
    return {name: line.state for name, line in by_name(now).items()}


def test_all_is_well(slots: list[Slot], intern: Any, cohort: Any, now: datetime) -> None:
    make_lease(intern, cohort=cohort, slot=slots[0], asked=now - MINUTE)
    assert states(now) == {"Notebooks": "well", "Evaluations": "well", "GPUs": "well"}
    assert by_name(now)["GPUs"].said == "2 of 3 free."


def test_who_waits_is_counted_and_the_first_ones_wait_is_told(
    slots: list[Slot], cohort: Any, internship: Any, hand_in: Any, now: datetime
) -> None:
    people = make_people(2)
    make_lease(people[0], cohort=cohort, asked=now - 9 * MINUTE, wait=None)
    make_lease(people[1], cohort=cohort, asked=now - 5 * MINUTE, wait=None)
    make_lease(people[1], cohort=cohort, asked=now - 90 * MINUTE, wait=None, purpose="evaluation")
    hand_in(internship, number=1, state="queued")
    Run.objects.update(queued_at=now - 31 * MINUTE)
    found = by_name(now)
    assert (found["Notebooks"].said, found["Notebooks"].oldest) == ("2 in line.", 9 * MINUTE)
    assert (found["Evaluations"].state, found["Evaluations"].oldest) == ("slow", 31 * MINUTE)


def test_a_hub_that_is_away_and_a_worker_that_is_silent(
    slots: list[Slot], data_dir: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "hub_answers", lambda: False)
    assert states(now) == {"Notebooks": "down", "Evaluations": "well", "GPUs": "well"}
    monkeypatch.setattr(standing, "hub_answers", lambda: True)
    (data_dir / "worker.heartbeat").unlink()
    assert states(now) == {"Notebooks": "down", "Evaluations": "down", "GPUs": "well"}


def test_silent_servers_and_faulty_gpus_are_no_free_ones(slots: list[Slot], now: datetime) -> None:
    make_slots(2, server="beta")
    Server.objects.filter(name="beta").update(seen_at=now - timedelta(minutes=2))
    Slot.objects.filter(pk=slots[0].pk).update(fault="XID 79")
    line = by_name(now)["GPUs"]
    assert line.state == "slow"
    assert line.said == (
        "2 of 2 free. 2 can't be given: their server does not report. Who works there goes on. 1 with a fault."
    )
    Server.objects.update(state="draining")
    assert "GPUs" not in by_name(now)
    assert by_name(now)["CPU slots"].said == "No server is in use."


def test_everybody_who_is_signed_in_reads_it_and_no_name_is_on_it(
    slots: list[Slot],
    intern: Any,
    mentor: Any,
    client_of: Callable[..., Any],
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(views, "utc_now", lambda: now)
    for person in (intern, mentor):
        page = client_of(person).get("/status/").content.decode()
        assert "3 of 3 free." in page
        assert slots[0].server.name not in page


def test_it_costs_as_many_queries_whatever_there_is(slots: list[Slot], cohort: Any, now: datetime) -> None:
    counts = []
    for people in (make_people(6), []):
        with CaptureQueriesContext(connection) as queries:
            standings(now=now)
        counts.append(len(queries))
        for number, person in enumerate(people):
            make_lease(person, cohort=cohort, asked=now - number * MINUTE, wait=None)
    assert counts[0] == counts[1]
