"""A project whose first notebook stops at a cell is refused by a real kernel; the other copies are in tests/unit/catalog."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from practicum.catalog import skeleton
from practicum.catalog.check import check_project

pytestmark = pytest.mark.workspace


def test_a_notebook_cell_that_fails_is_named_with_its_error(tmp_path: Path, workspace_python: Path) -> None:
    folder = skeleton.make("heart-beats", into=tmp_path)
    notebook = json.loads((folder / "start.ipynb").read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cell["source"] = ["raise LookupError('no such electrode')"]
    (folder / "start.ipynb").write_text(json.dumps(notebook), encoding="utf-8")

    report = check_project(
        folder, python=workspace_python, only=("toy and split repeat", "start.ipynb is clean", "start.ipynb runs")
    )

    *passed, refused = report.results
    assert [result.verdict for result in passed] == ["ok", "ok"]
    assert refused.verdict == "MEND"
    assert refused.detail.startswith("start.ipynb ended with exit code 1:\n")
    assert "LookupError: no such electrode" in refused.detail
