"""``deploy/monitoring``: alerts and dashboard ask for what /metrics tells, and leave nothing of it out."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import jupyterhub.metrics
import prometheus_client
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from practicum.portal import metrics
from tests.tools.promtool import promtool

FOLDER = Path(__file__).resolve().parents[3] / "deploy/monitoring"
METRIC = re.compile(r"\b(?:practicum|jupyterhub)_[a-z_]+")
# A histogram is asked for by its parts, a counter by its total.
PART = re.compile(r"_(bucket|sum|count|total)$")


def alerts() -> list[dict[str, Any]]:
    """Every rule."""
    return [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel of the dashboard."""
    found: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return found


@pytest.fixture
def told(db: None, data_dir: Path, now: datetime) -> set[str]:
    """The names of all metrics there are."""
    (data_dir / "worker.heartbeat").touch()
    text = metrics.exposition(now=now).decode()
    return {PART.sub("", family.name) for family in text_string_to_metric_families(text)}


@pytest.fixture(scope="module")
def told_by_the_hub() -> set[str]:
    """The names of JupyterHub's metrics."""
    assert jupyterhub.metrics, "importing it registers them"
    return {family.name for family in prometheus_client.REGISTRY.collect() if family.name.startswith("jupyterhub_")}


def asked(expressions: list[str]) -> set[str]:
    """The metrics in them."""
    return {PART.sub("", name) for expression in expressions for name in METRIC.findall(expression)}


def test_alerts_ask_for_metrics_that_there_are(told: set[str], told_by_the_hub: set[str]) -> None:
    assert asked([rule["expr"] for rule in alerts()]) - told - told_by_the_hub == set()


def test_the_dashboard_shows_all_metrics_of_ours_and_no_others(told: set[str], told_by_the_hub: set[str]) -> None:
    shown = asked([target["expr"] for panel in panels() for target in panel["targets"]])
    assert shown - told_by_the_hub == told
    assert shown & told_by_the_hub, "some of the hub's are shown too"


def test_rules_and_settings_are_what_prometheus_reads() -> None:
    for verb in (["check", "rules", "alerts.yml"], ["check", "config", "--syntax-only", "prometheus.yml"]):
        done = subprocess.run([promtool(), *verb], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_where_it_should_and_is_silent_where_not() -> None:
    command = [promtool(), "test", "rules", "alerts_test.yml"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    cases = (FOLDER / "alerts_test.yml").read_text()
    assert set(re.findall(r'alertname="(\w+)"', cases)) == {rule["alert"] for rule in alerts()}


def test_an_alert_that_never_fires_is_seen(tmp_path: Path) -> None:
    for name in ("alerts.yml", "alerts_test.yml"):
        (tmp_path / name).write_text((FOLDER / name).read_text().replace("> 1800", "> 18000"))
    command = [promtool(), "test", "rules", "alerts_test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "PracticumEvaluationWaits" in done.stdout + done.stderr


def test_every_alert_says_what_it_costs_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description", "action"}, rule["alert"]
        assert rule["for"]


def test_panels_fill_the_grid_without_overlapping() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len(taken) % 24 == 0, "no row has a hole"


def test_the_operators_page_names_every_alert_and_every_metric(told: set[str]) -> None:
    page = (FOLDER.parents[1] / "docs/operator/watch.md").read_text()
    named = set(re.findall(r"`(Practicum\w+)` \| (\w+)", page))
    assert named == {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}
    assert {name for name in asked([page]) if name.startswith("practicum_")} == told


def test_the_token_is_read_from_a_file_for_site_and_hub() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    for job in jobs:
        assert job["authorization"] == {"type": "Bearer", "credentials_file": "metrics-token"}
    paths = {job["job_name"]: (job["scheme"], job["metrics_path"]) for job in jobs}
    assert paths == {"practicum": ("https", "/metrics"), "practicum-hub": ("https", "/hub/metrics")}
    assert {job for rule in alerts() for job in re.findall(r'job="([\w-]+)"', rule["expr"])} == set(paths)
