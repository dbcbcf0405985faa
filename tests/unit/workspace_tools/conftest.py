"""A project folder, and a site on this machine that knows only the workspace API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from practicum_hub.workspace.client import Environment, SiteClient
from tests.workspace.fake_site import FakeSite

PREDICT = "def predict(artifact, inputs, out):\n    out.mkdir(exist_ok=True)\n"


def write_notebook(path: Path, *, text: str = "# Findings") -> Path:
    """A notebook with one Markdown cell."""
    cell = {"cell_type": "markdown", "id": "one", "metadata": {}, "source": text}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder as an intern has it after the first hour."""
    folder = tmp_path / "digits"
    (folder / "artifact").mkdir(parents=True)
    (folder / "predict.py").write_text(PREDICT)
    (folder / "artifact" / "weights.npz").write_bytes(b"w" * 100)
    (folder / "report.md").write_text("# Report\n")
    write_notebook(folder / "start.ipynb")
    return folder


@pytest.fixture
def site() -> Iterator[FakeSite]:
    """A site that answers."""
    with FakeSite() as running:
        yield running


@pytest.fixture
def client(site: FakeSite, project: Path) -> SiteClient:
    """The client of this session."""
    return SiteClient(Environment.read(site.environment(str(project))))
