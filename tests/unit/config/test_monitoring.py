"""``deploy/monitoring``: alerts and dashboard ask for what /metrics tells, and leave nothing of it out."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from practicum.portal import metrics

FOLDER = Path(__file__).resolve().parents[3] / "deploy/monitoring"
METRIC = re.compile(r"\bpracticum_[a-z_]+")


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
    return {family.name for family in text_string_to_metric_families(text)}


def asked(expressions: list[str]) -> set[str]:
    """The names in them."""
    return {name for expression in expressions for name in METRIC.findall(expression)}


def test_alerts_ask_for_metrics_that_there_are(told: set[str]) -> None:
    assert asked([rule["expr"] for rule in alerts()]) - told == set()


def test_the_dashboard_shows_all_metrics_there_are_and_no_others(told: set[str]) -> None:
    assert asked([target["expr"] for panel in panels() for target in panel["targets"]]) == told


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
    assert set(METRIC.findall(page)) == told


def test_the_token_is_read_from_a_file() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["authorization"] == {"type": "Bearer", "credentials_file": "metrics-token"}
    assert (job["scheme"], job["metrics_path"]) == ("https", "/metrics")
