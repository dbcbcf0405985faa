"""What is answered while the database is away or the disk is full, and when the worker believes its clock."""

from __future__ import annotations

import errno
import html
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, InterfaceError, OperationalError
from django.test import Client

from practicum.config import surroundings
from practicum.config.outages import outages
from practicum.config.surroundings import HOLD_SECONDS, ClockLeapt, Rarely, SteadyClock, Surroundings
from practicum.engine.memory import MemoryEngine
from practicum.errors import EngineUnavailable
from practicum.lib.clock import utc_now
from practicum.lib.faults import Ground, ground_of
from practicum.portal import health
from practicum.portal.maintenance import announce, withdraw

AWAY = OperationalError("connection refused")
FULL = OSError(errno.ENOSPC, "No space left on device")
LONG = "A long text that somebody wrote <with care>.\nAnd a second line."


def raised_from(fault: Exception, cause: Exception) -> Exception:
    fault.__cause__ = cause
    return fault


@pytest.mark.parametrize(
    ("fault", "ground"),
    [
        (AWAY, Ground.DATABASE),
        (InterfaceError("connection already closed"), Ground.DATABASE),
        (RuntimeError("no"), None),
        (IntegrityError("twice"), None),
        (FULL, Ground.DISK),
        (OSError(errno.EACCES, "Permission denied"), None),
        (OperationalError("database or disk is full"), Ground.DISK),
        (raised_from(OperationalError("could not extend file"), psycopg.errors.DiskFull()), Ground.DISK),
        (raised_from(RuntimeError("no"), AWAY), Ground.DATABASE),
        (None, None),
    ],
)
def test_a_fault_is_of_the_ground_it_came_from(fault: Exception | None, ground: Ground | None) -> None:
    assert ground_of(fault) == ground


@contextmanager
def failing(fault: Exception) -> Iterator[None]:
    """Whatever is asked of the database raises ``fault``."""

    def fail(*_: Any, **__: Any) -> None:
        raise fault

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.db.backends.utils.CursorWrapper.execute", fail)
        yield


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What this process knows to be away is forgotten after each test."""
    yield
    outages.known.clear()


def test_a_page_says_whose_fault_it_is_and_asks_the_database_nothing_more(client_of: Any, intern: Any) -> None:
    client = client_of(intern)
    with failing(AWAY):
        answer = client.get("/notebook/?x=1")

    assert (answer.status_code, answer.headers["Retry-After"], answer.headers["Cache-Control"]) == (
        503,
        "10",
        "private, no-store",
    )
    text = answer.content.decode()
    assert 'data-code="database_away"' in text
    assert 'href="/notebook/?x=1"' in text


def test_a_page_tells_the_maintenance_that_was_announced(
    client_of: Any, admin: Any, intern: Any, data_dir: Path
) -> None:
    data_dir.mkdir(exist_ok=True)
    now, client = utc_now(), client_of(intern)
    hour = timedelta(hours=1)
    announce(starts_at=now - hour, ends_at=now + hour, message="A new disk.", actor=admin, now=now)
    with failing(AWAY):
        text = client.get("/notebook/").content.decode()
    assert "Maintenance is going on" in text
    assert "A new disk." in text
    withdraw(actor=admin, now=now)
    with failing(AWAY):
        assert "aintenance" not in client.get("/notebook/").content.decode()


def test_what_was_written_stands_on_the_page_to_be_sent_again(client_of: Any, intern: Any) -> None:
    client = client_of(intern)
    with failing(AWAY):
        text = client.post("/notebook/help/", {"topic": LONG, "minutes": "30"}).content.decode()

    assert f">\n{html.escape(LONG)}</textarea>" in text
    assert '<input type="hidden" name="minutes" value="30">' in text
    assert 'action="/notebook/help/"' in text
    assert "csrfmiddlewaretoken" in text


def test_a_password_is_never_written_into_a_page(client: Client, db: None) -> None:
    with failing(AWAY):
        text = client.post("/sign-in/", {"account": "ines", "password": "correct horse battery"}).content.decode()

    assert 'data-code="database_away"' in text
    assert "correct horse" not in text
    assert "ines" not in text


def test_programs_get_json(client: Client, db: None) -> None:
    with failing(AWAY):
        answer = client.get("/api/workspace/help", headers={"Authorization": "Bearer x"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_away")
    assert answer.json()["error"]["retry_after_seconds"] == 10


def test_another_fault_stays_a_fault(client_of: Any, intern: Any) -> None:
    client = client_of(intern)
    client.raise_request_exception = False
    with failing(RuntimeError("ours")):
        assert client.get("/notebook/").status_code == 500


def test_the_log_says_once_that_it_is_away_and_once_that_it_is_back(
    client_of: Any, intern: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(intern)
    with failing(AWAY), caplog.at_level(logging.WARNING):
        for _ in range(5):
            client.get("/notebook/")
    client.get("/notebook/")
    client.get("/notebook/")
    client.get("/notebook/")

    assert [record.getMessage() for record in caplog.records] == [
        "database: away (connection refused)",
        "database: answers again",
    ]


# --- The clock -----------------------------------------------------------------------------------------------------


class Times:
    """A wall clock and one that nobody can set, both moved by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_800_000_000.0, 500.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def clock(times: Times) -> SteadyClock:
    return SteadyClock(wall=lambda: times.wall, steady=lambda: times.steady)


def test_time_that_passes_is_believed(times: Times, clock: SteadyClock) -> None:
    for _ in range(100):
        times.pass_by(3600)
        assert clock.now().timestamp() == times.wall


def test_a_clock_that_is_kept_in_step_is_followed_however_far_it_drifts(times: Times, clock: SteadyClock) -> None:
    for _ in range(100):
        times.pass_by(1)
        times.wall += 20
        clock.now()


@pytest.mark.parametrize("leap", [86_400, -86_400, 61, -61])
def test_a_leap_is_not_believed_until_it_is_taken_back(
    leap: float, times: Times, clock: SteadyClock, caplog: pytest.LogCaptureFixture
) -> None:
    times.wall += leap
    for _ in range(3):
        with pytest.raises(ClockLeapt):
            clock.now()
    assert [record.getMessage() for record in caplog.records] == [f"the clock leapt by {leap:+.0f} s"]
    times.pass_by(60)
    assert not clock.is_believed()
    times.wall -= leap
    # What is under way shows a sign of life by the right time first.
    assert not clock.is_believed()
    times.pass_by(surroundings.SETTLE_SECONDS)
    assert clock.now().timestamp() == times.wall


def test_a_leap_that_stays_is_believed_after_a_quarter_of_an_hour(times: Times, clock: SteadyClock) -> None:
    times.wall += 86_400
    assert not clock.is_believed()
    times.pass_by(HOLD_SECONDS - 1)
    assert not clock.is_believed()
    times.pass_by(1)
    assert clock.now().timestamp() == times.wall


def test_a_worker_that_is_started_anew_goes_by_the_clock_it_finds(times: Times) -> None:
    times.wall += 86_400
    assert SteadyClock(wall=lambda: times.wall, steady=lambda: times.steady).is_believed()


# --- What the worker stands on -------------------------------------------------------------------------------------


def test_what_is_away_is_told_in_the_heartbeat_and_said_once(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = {"engine": True, "hub": False}
    around = Surroundings({part: lambda part=part: answers[part] for part in answers})  # type: ignore[misc]
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            around.look()
        around.beat()
        assert health.found_away_by_worker() == ["hub"]
        answers["hub"] = True
        around.look()
        around.beat()
    assert health.found_away_by_worker() == []
    assert [record.getMessage() for record in caplog.records] == ["hub: away", "hub: answers again"]


def test_on_a_full_disk_the_sign_of_life_goes_on(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    around = Surroundings({})
    around.beat()
    before = (data_dir / health.HEARTBEAT_FILE).stat().st_mtime_ns

    def full(*_: Any, **__: Any) -> None:
        raise FULL

    monkeypatch.setattr(Path, "write_text", full)
    around.beat()

    assert (data_dir / health.HEARTBEAT_FILE).stat().st_mtime_ns > before
    assert not (data_dir / "worker.fresh").exists()


@pytest.mark.parametrize("told", ["", "12", "{}", '{"away": 3}', "[]"])
def test_a_heartbeat_that_tells_nothing_is_no_fault(told: str, data_dir: Path) -> None:
    (data_dir / health.HEARTBEAT_FILE).write_text(told)
    assert health.found_away_by_worker() == []


def test_the_engine_hub_mail_and_certificates_are_looked_at(
    db: None, data_dir: Path, settings: Any, times: Times, clock: SteadyClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MemoryEngine()
    monkeypatch.setattr(health, "hub_answers", lambda **_: True)
    around = surroundings.surroundings_of(engine, clock=clock)
    around.look()
    around.look()
    assert around.away == ()

    def away() -> None:
        raise EngineUnavailable("no")

    monkeypatch.setattr(engine, "ping", away)
    times.wall += 3600
    around.look()
    assert around.away == ()
    around.look()
    assert around.away == ("clock", "engine")


def test_some_looks_are_made_now_and_then() -> None:
    seen: list[int] = []
    moment = [0.0]
    look = Rarely(lambda: bool(seen.append(1)), every=300, clock=lambda: moment[0])
    assert [look() for _ in range(3)] == [False] * 3
    assert len(seen) == 1
    moment[0] = 300.0
    look()
    assert len(seen) == 2


def test_health_names_what_fails(client: Client, db: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data_dir / health.HEARTBEAT_FILE).write_text(json.dumps({"pid": 1, "away": ["hub", "clock"]}))
    monkeypatch.setattr(health, "disk_has_room", lambda: False)
    monkeypatch.setattr(health, "is_at_work", lambda *_, **__: True)

    answer = client.get("/health/")

    assert (answer.status_code, answer.json()["failing"]) == (503, ["clock", "disk", "hub"])
