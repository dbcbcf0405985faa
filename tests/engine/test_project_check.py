"""The check that stands before a publication, in the site's own containers: what it runs has no network and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from practicum.catalog import hostile, skeleton
from practicum.catalog.services import check_in_containers
from practicum.engine.docker import DockerEngine

pytestmark = pytest.mark.engine

CHECKS = ("toy and split repeat", "baseline", "baseline beats the mindless", "an endless submission")


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
