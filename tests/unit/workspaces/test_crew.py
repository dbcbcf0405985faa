"""Threads for slow calls: one job a key at a time, faults said once."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from practicum.errors import Stale
from practicum.lib.logcontext import known
from practicum.workspaces.crew import Crew, crew_on
from practicum.workspaces.hub import HubUnavailable
from tests.unit.workspaces.conftest import Inline

pytestmark = pytest.mark.django_db


def away() -> None:
    raise HubUnavailable("The notebook hub does not answer.")


def test_one_job_a_key_runs_at_a_time_and_other_keys_do_not_wait() -> None:
    started, go_on, other = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        assert go_on.wait(timeout=10)

    with ThreadPoolExecutor(2) as executor:
        crew = Crew(executor)
        assert crew.give("a", slow)
        assert started.wait(timeout=10)
        assert not crew.give("a", slow)
        assert crew.give("b", other.set)
        assert other.wait(timeout=10)
        go_on.set()


def test_a_job_is_not_given_more_often_than_asked() -> None:
    crew, calls = Crew(Inline()), []
    for _ in range(3):
        crew.give("a", lambda: calls.append(1), every=60)
    assert len(calls) == 1
    crew.give("a", lambda: calls.append(1))
    assert len(calls) == 2


def test_a_fault_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    crew = Crew(Inline())
    with caplog.at_level(logging.INFO):
        for job in (away, away, away, lambda: None, lambda: None):
            crew.give("a", job)
    assert [record.message for record in caplog.records] == [
        "The notebook hub does not answer.",
        "works again, after: The notebook hub does not answer.",
    ]


def test_losing_a_race_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    def late() -> None:
        raise Stale("Somebody else was faster.")

    with caplog.at_level(logging.INFO):
        Crew(Inline()).give("a", late)
    assert caplog.records == []


def test_a_job_that_breaks_does_not_break_the_crew(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    crew = Crew(Inline())
    crew.give("a", broken)
    assert "a job on a failed" in caplog.text
    assert crew.give("a", lambda: None)


def test_what_a_job_writes_carries_its_ids_though_it_runs_in_a_thread_of_its_own() -> None:
    seen: list[object] = []
    with ThreadPoolExecutor(1) as executor:
        crew = Crew(executor)
        crew.give("a", lambda: seen.append(dict(known())), ids={"session": 7, "lease": "l1"})
        crew.give("b", lambda: seen.append(dict(known())))
    assert seen == [{"session": "7", "lease": "l1"}, {}]


def test_an_executor_has_one_crew() -> None:
    executor = Inline()
    assert crew_on(executor) is crew_on(executor)
    assert crew_on(Inline()) is not crew_on(executor)
