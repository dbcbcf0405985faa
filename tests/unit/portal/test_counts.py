"""What is counted while the site works, and that /metrics adds up what several processes counted."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client import CollectorRegistry, Counter, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from practicum.config.management.commands import worker
from practicum.errors import Fault
from practicum.gpus.models import Server
from practicum.lib import counting
from practicum.portal import metrics

FIGURES = {"sent": 7, "refused": 2, "kept": 3, "lost": 1, "faults": 4, "uptime_seconds": 60.5}


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Every number by its name and labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def told(now: datetime) -> dict[tuple[str, ...], float]:
    """What /metrics says."""
    return samples(metrics.exposition(now=now).decode())


@pytest.fixture
def now() -> datetime:
    """Files are as old as they are."""
    from practicum.lib.clock import utc_now

    return utc_now()


def counted(name: str, **labels: str) -> float:
    """A count of this process."""
    return counting.REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_request_is_counted_by_its_pattern_and_never_by_its_address(db: None, now: datetime) -> None:
    route = "/unsubscribe/<str:ticket>/"
    before = counted("practicum_request_seconds_count", route=route, status="404")
    Client().get("/unsubscribe/some-secret/")
    answers = {
        key[2]: value for key, value in told(now).items() if key[:2] == ("practicum_request_seconds_count", route)
    }
    assert answers["404"] == before + 1
    assert "some-secret" not in metrics.exposition(now=now).decode()


def test_a_task_is_timed_by_its_kind_and_its_failures_are_counted(db: None) -> None:
    def work() -> bool:
        raise Fault("away")

    kind = "certificates"
    before = [counted(name, task=kind) for name in ("practicum_task_seconds_count", "practicum_task_failures_total")]
    worker.Loop("certificates 2", work, pause=0, stopping=threading.Event()).once()
    worker.Loop("certificates 1", lambda: True, pause=0, stopping=threading.Event()).once()
    after = [counted(name, task=kind) for name in ("practicum_task_seconds_count", "practicum_task_failures_total")]
    assert [a - b for a, b in zip(after, before, strict=True)] == [2, 1]


def write(folder: Path, name: str, *, count: int, age: float = 0) -> None:
    """What a worker of this name wrote so long ago."""
    registry = CollectorRegistry()
    Counter("practicum_task_failures", "Rounds that failed", ("task",), registry=registry).labels("help").inc(count)
    (folder / "metrics").mkdir(exist_ok=True)
    file = folder / "metrics" / f"worker-{name}.prom"
    write_to_textfile(str(file), registry)
    written = file.stat().st_mtime - age
    os.utime(file, (written, written))


def test_every_worker_at_work_is_told_with_its_name(db: None, data_dir: Path, now: datetime) -> None:
    write(data_dir, "a", count=3)
    write(data_dir, "b", count=4)
    write(data_dir, "gone", count=5, age=120)
    said = told(now + timedelta(seconds=1))
    found = {
        key[2]: value for key, value in said.items() if key[0] == "practicum_task_failures_total" and len(key) == 3
    }
    assert found == {"a": 3, "b": 4}
    assert metrics.exposition(now=now).decode().count("# TYPE practicum_task_failures_total counter") == 1


def test_a_worker_writes_its_counts_and_forgets_those_of_workers_long_gone(data_dir: Path) -> None:
    data_dir.mkdir(exist_ok=True)
    write(data_dir, "older", count=1, age=3700)
    write(data_dir, "beside", count=1, age=30)
    worker.tell_counts()
    names = {file.name for file in (data_dir / "metrics").iterdir()}
    assert "worker-older.prom" not in names
    assert "worker-beside.prom" in names
    assert len(names) == 2


def test_several_web_processes_count_as_one(tmp_path: Path) -> None:
    """As gunicorn's processes do it: each with files of its own in one folder."""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": "platform"}
    code = "from practicum.lib import counting; counting.REQUESTS.labels('/', '200').observe(0.3)"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], env=env, cwd=Path(__file__).parents[3], check=True)
    read = (
        "from prometheus_client import CollectorRegistry, generate_latest, multiprocess\n"
        "registry = CollectorRegistry(); multiprocess.MultiProcessCollector(registry)\n"
        "print(generate_latest(registry).decode())"
    )
    printed = subprocess.run([sys.executable, "-c", read], env=env, capture_output=True, text=True, check=True).stdout
    assert samples(printed)["practicum_request_seconds_count", "/", "200"] == 2


@pytest.fixture
def server(db: None, now: datetime) -> Server:
    """One whose agent reported half a minute ago."""
    return Server.objects.create(name="gpu-1", seen_at=now - timedelta(seconds=30))


def report(server: Server, now: datetime, **more: Any) -> Any:
    """The agent's POST."""
    from practicum.gpus.tokens import make_token

    token = make_token(server, actor=None, now=now)
    body = {"boot": "a" * 16, "gpus": [], "cpu_slots": 1, "versions": {}, "samples": [], **more}
    headers = {"Authorization": f"Bearer {token}"}
    return Client().post("/api/agent/report", data=body, content_type="application/json", headers=headers)


@pytest.fixture(autouse=True)
def own_cache(settings: Any) -> None:
    """Figures of another test are not in the cache."""
    from django.core.cache import cache

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


def test_an_agents_word_of_itself_is_told_for_it(server: Server, now: datetime) -> None:
    assert report(server, now, figures=FIGURES).status_code == 204
    said = told(now)
    assert {name: said[f"practicum_agent_{name}", "gpu-1"] for name in FIGURES} == FIGURES
    assert said["practicum_agent_report_age_seconds", "gpu-1"] < 30


def test_an_older_agent_that_tells_nothing_of_itself_is_taken_all_the_same(server: Server, now: datetime) -> None:
    assert report(server, now).status_code == 204
    said = told(now)
    assert ("practicum_agent_sent", "gpu-1") not in said
    assert ("practicum_agent_report_age_seconds", "gpu-1") in said


@pytest.mark.parametrize("wrong", [{"sent": -1}, {"kept": "many"}, {"uptime_seconds": None}, {"lost": 2**60}])
def test_figures_that_can_not_be_are_refused(server: Server, now: datetime, wrong: dict[str, Any]) -> None:
    assert report(server, now, figures={**FIGURES, **wrong}).status_code in (400, 422)


def test_a_run_that_ended_is_counted_once_it_is_committed(
    internship: Any, django_capture_on_commit_callbacks: Any, now: datetime
) -> None:
    from practicum.evaluation import claims, rules
    from practicum.evaluation.models import Fault as Whose
    from practicum.evaluation.models import Run, RunState
    from practicum.submissions.models import Submission

    submission = Submission.objects.create(
        internship=internship, version=internship.version, number=1, digest="e" * 64, source="terminal", size_bytes=1,
        received_at=now, files=[],
    )  # fmt: skip
    run = Run.objects.create(submission=submission, queued_at=now, deadline=now + timedelta(hours=1))
    claimed = claims.claim_next(worker="w", now=now)
    assert claimed is not None
    before = counted("practicum_runs_ended_total", outcome="failed", fault="ours")
    outcome = rules.Outcome(state=RunState.FAILED, fault=Whose.OURS, reason="It broke.")
    with django_capture_on_commit_callbacks(execute=True):
        claims.finish(claims.Claim(run.pk, claimed.token), outcome=outcome, now=now)
        assert counted("practicum_runs_ended_total", outcome="failed", fault="ours") == before
    assert counted("practicum_runs_ended_total", outcome="failed", fault="ours") == before + 1
