"""Live and ready: two questions, and what each looks at."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from practicum.config import probe
from practicum.portal import probes

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What answers; nothing is remembered of another test."""
    answering = {"database": True, "migrated": True, "hub": True}
    monkeypatch.setattr(probes, "_is_migrated", False)
    monkeypatch.setattr(probes, "_hub", (float("-inf"), False))
    monkeypatch.setattr("practicum.portal.health.database_answers", lambda: answering["database"])
    monkeypatch.setattr("practicum.portal.health.hub_answers", lambda: answering["hub"])
    monkeypatch.setattr(probes, "is_migrated", lambda: answering["migrated"])
    return answering


def test_live_asks_nothing_of_anybody(db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = Client().get("/health/live/")
    assert (answer.status_code, answer.json(), len(queries)) == (200, {"status": "ok"}, 0)


def test_live_is_well_while_the_database_is_away(db: None, parts: dict[str, bool]) -> None:
    parts["database"] = False
    assert Client().get("/health/live/").status_code == 200


@pytest.mark.parametrize(
    ("away", "status"), [("", 200), ("database", 503), ("migrated", 503), ("hub", 200), ("worker", 200)]
)
def test_ready_stands_on_database_and_migrations_and_tells_the_rest(
    db: None, data_dir: Path, parts: dict[str, bool], away: str, status: int
) -> None:
    data_dir.mkdir(exist_ok=True)
    if away != "worker":
        (data_dir / "worker.heartbeat").touch()
    parts[away] = False
    answer = Client().get("/health/ready/")
    said: dict[str, Any] = answer.json()
    assert answer.status_code == status
    assert said["status"] == ("ok" if status == 200 else "failing")
    failing = {name for name, word in said.items() if word == "failing" and name != "status"}
    expected = {"": set(), "database": {"database", "migrations"}, "migrated": {"migrations"}}
    assert failing == expected.get(away, {away})
    assert answer.headers["Cache-Control"] == "no-store"


def test_nothing_but_words_is_told_to_strangers(db: None) -> None:
    said = Client().get("/health/ready/").json()
    assert set(said) == {"status", "database", "migrations", "worker", "hub"}
    assert set(said.values()) <= {"ok", "failing"}


def test_the_hub_is_not_asked_as_often_as_we_are(parts: dict[str, bool]) -> None:
    assert probes.hub_answers(at=100.0)
    parts["hub"] = False
    assert probes.hub_answers(at=104.0), "its last answer"
    assert not probes.hub_answers(at=106.0)


def test_a_migration_that_waits_is_seen(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Executor:
        """One that has something to do."""

        plan: list[str] = ["gpus.9999"]

        def __init__(self, _: Any) -> None:
            self.loader = self
            self.graph = self

        def leaf_nodes(self) -> list[str]:
            return []

        def migration_plan(self, _: Any) -> list[str]:
            return self.plan

    monkeypatch.undo()
    monkeypatch.setattr(probes, "_is_migrated", False)
    monkeypatch.setattr(probes, "MigrationExecutor", Executor)
    assert not probes.is_migrated()
    Executor.plan = []
    assert probes.is_migrated()
    Executor.plan = ["gpus.9999"]
    assert probes.is_migrated(), "it is looked at until it is so, and not again"


def test_a_sign_of_life_is_believed_for_a_minute(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    assert probe.fault_of_file(file, now=time.time()) == "it has given no sign of life yet"
    file.touch()
    written = file.stat().st_mtime
    assert probe.fault_of_file(file, now=written + 59) == ""
    assert probe.fault_of_file(file, now=written + 61) == "its last sign of life is 61 s old"
    assert "s old" in probe.fault_of_file(file, now=written - 3600), "a clock that was wrong"


@pytest.mark.parametrize(("target", "code"), [("alive", 0), ("missing", 1), ("http://127.0.0.1:9/", 1)])
def test_a_probe_ends_with_what_compose_reads(tmp_path: Path, target: str, code: int) -> None:
    (tmp_path / "alive").touch()
    command = [sys.executable, "-m", "practicum.config.probe", target]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert bool(done.stderr) == bool(code)
