"""What counts as a notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from practicum.submissions.errors import InvalidNotebook
from practicum.submissions.notebooks import check_notebook
from tests.unit.submissions.zips import NOTEBOOK

CELL = {"cell_type": "code", "id": "b", "metadata": {}, "source": "1", "outputs": [], "execution_count": None}


def notebook(**changes: Any) -> bytes:
    return json.dumps(json.loads(NOTEBOOK) | changes).encode()


def check(content: bytes, *, tmp_path: Path, max_bytes: int = 100_000) -> None:
    file = tmp_path / "start.ipynb"
    file.write_bytes(content)
    check_notebook(file, name="start.ipynb", max_bytes=max_bytes)


@pytest.mark.parametrize(
    "content",
    [
        NOTEBOOK,
        notebook(cells=[]),
        notebook(nbformat_minor=2, cells=[{k: v for k, v in CELL.items() if k != "id"}]),
        notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python"}}),
    ],
    ids=["ordinary", "empty", "older minor", "with kernel"],
)
def test_a_notebook_is_taken(content: bytes, tmp_path: Path) -> None:
    check(content, tmp_path=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\x80\x04K\x01.", "not JSON"),
        (b"print(1)", "not JSON"),
        (b"[1]", "not a notebook"),
        (b"{}", "format"),
        (b"[" * 200_000, "not JSON"),
        (notebook(nbformat=3), "format"),
        (notebook(cells=None), "no cells"),
        (notebook(cells=[{"cell_type": "code"}]), "not a valid notebook"),
        (notebook(cells=[CELL | {"outputs": [{"output_type": "nonsense"}]}]), "not a valid notebook"),
        (notebook(cells=[CELL | {"source": 7}]), "not a valid notebook"),
        (notebook(nbformat_minor="x"), "format"),
        (notebook(nbformat_minor=10**9), "format"),
        (notebook(cells=[{}] * 2_001), "cells"),
        (notebook(cells=[CELL | {"outputs": [{}] * 20_001}]), "outputs"),
    ],
)
def test_what_is_none_is_refused_with_what_to_do(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidNotebook, match=message) as refusal:
        check(content, tmp_path=tmp_path, max_bytes=1_000_000)

    assert refusal.value.facts["member"] == "start.ipynb"
    assert refusal.value.status == 400


def test_one_that_is_too_large_to_review_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(InvalidNotebook, match="Clear its largest outputs"):
        check(b"{" * 200, tmp_path=tmp_path, max_bytes=100)
