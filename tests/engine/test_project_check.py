"""The check that stands before a publication, in the site's own containers: what it runs has no network and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest

from practicum.catalog import hostile, skeleton
from practicum.catalog.services import check_in_containers
from practicum.engine.docker import DockerEngine

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[2]

CHECKS = (
    "toy and split repeat",
    "baseline",
    "baseline beats the mindless",
    "every format",
    "evaluate is pure",
    "an endless submission",
)
SCORED_IN_A_NOTEBOOK = """
import sys
from pathlib import Path
sys.path.insert(0, "/opt/project")
import evaluate
print(evaluate.evaluate(Path("/opt/project/golden/perfect-json"), Path("/opt/project/golden/answers"))["accuracy"])
"""

NINE_LAYERS = """
import deeplearning
from sklearn.datasets import load_digits
model = deeplearning.SparseAutoencoder(layers=9, epochs=3).fit(load_digits().images.astype("uint8"))
print(model.widths_, model.history_[-1]["unexplained"], deeplearning.__file__, sep="|")
"""


def test_a_new_project_is_checked_in_containers(
    tmp_path: Path, data_dir: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile, "ENDLESS_SECONDS", 1.0)
    folder = skeleton.make("heart-beats", into=tmp_path)
    engine = DockerEngine()

    report = check_in_containers(folder, engine=engine, only=CHECKS)

    engine.close()
    assert report.passed, "\n".join(result.line() for result in report.results)
    assert [result.name for result in report.results] == list(CHECKS)
    assert list((data_dir / "catalog").iterdir()) == []


def test_an_intern_may_import_evaluate_in_the_workspace(settings: Any) -> None:
    client = docker.from_env(timeout=60)
    said = client.containers.run(
        settings.PRACTICUM_WORKSPACE_IMAGE,
        ["/opt/venv/bin/python", "-c", SCORED_IN_A_NOTEBOOK],
        entrypoint="",
        remove=True,
        network_mode="none",
        volumes={str(ROOT / "projects" / "digits"): {"bind": "/opt/project", "mode": "ro"}},
    )
    client.close()

    assert said.decode().strip() == "1.0"


def test_nine_layers_are_one_line_in_the_workspace(settings: Any) -> None:
    client = docker.from_env(timeout=120)
    said = client.containers.run(
        settings.PRACTICUM_WORKSPACE_IMAGE,
        ["/opt/venv/bin/python", "-s", "-c", NINE_LAYERS],
        entrypoint="",
        remove=True,
        network_mode="none",
        user="1000:1000",
    )
    client.close()

    widths, unexplained, place = said.decode().split("|")
    assert widths == "(64, 64, 32, 32, 128)"
    assert 0.0 < float(unexplained) < 0.9
    assert place.strip().endswith("site-packages/deeplearning/__init__.py")
