"""Submissions to review, with files on disk, made without the rooms that take them in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

Make = Callable[..., Any]


def markdown(source: str, **more: Any) -> dict[str, Any]:
    """A Markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def code(source: str, *outputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A code cell with its outputs."""
    return {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "source": source,
        "outputs": list(outputs),
        **more,
    }


def notebook_of(*cells: dict[str, Any], **metadata: Any) -> bytes:
    """A notebook file; cells get ids ``c1``, ``c2`` ... unless they have one."""
    named = [{"id": f"c{number}", **cell} for number, cell in enumerate(cells, start=1)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": named}).encode()


NOTEBOOK = notebook_of(markdown("# What moved"), code("print(1)"))


@pytest.fixture
def hand_in(now: datetime) -> Make:
    """``hand_in(internship, ...)``: a submission with its last run, and ``score`` when that is scored."""
    from practicum.evaluation.models import Run, Score
    from practicum.submissions.models import Submission

    def make(
        internship: Any,
        *,
        state: str | None = "scored",
        score: float = 0.95,
        notebook: bytes | None = NOTEBOOK,
        report: str = "",
        ago: timedelta = timedelta(hours=1),
    ) -> Any:
        number = internship.submissions.count() + 1
        submission = Submission.objects.create(
            internship=internship,
            version=internship.version,
            number=number,
            digest=hashlib.sha256(f"{internship.pk}/{number}".encode()).hexdigest(),
            source="terminal",
            received_at=now - ago,
            size_bytes=1,
            files=[{"path": "start.ipynb", "bytes": 1}],
            notebook="start.ipynb" if notebook is not None else "",
        )
        submission.folder.mkdir(parents=True)
        if notebook is not None:
            (submission.folder / "start.ipynb").write_bytes(notebook)
        if report:
            (submission.folder / "report.md").write_text(report)
        if state is not None:
            run = Run.objects.create(submission=submission, state=state, queued_at=now - ago, deadline=now)
            if state == "scored":
                Score.objects.create(run=run, value=score, metrics={"accuracy": score}, scored_at=now)
        return submission

    return make


@pytest.fixture
def submission(internship: Any, hand_in: Make) -> Any:
    """The intern's first submission: scored, waiting for the mentor."""
    return hand_in(internship)


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The converter is not started: every notebook has the cells ``c1`` and ``c2``; in a later round ``c2`` changed."""
    from practicum.reviews import desk, rendering, rounds, views

    cells = tuple(
        rendering.Cell(f"c{n}", n, kind, line, False, False)
        for n, (kind, line) in enumerate([("markdown", "What moved"), ("code", "print(1)")], start=1)
    )

    def rendered(submission: Any, *, now: datetime) -> Any:
        return rendering.Rendered("ok", "", '<html lang="en">', cells)

    def no_report(submission: Any, *, now: datetime) -> Any:
        return rendering.Rendered("none", "", "")

    for room in (desk, rounds, views):
        monkeypatch.setattr(room, "render_notebook", rendered)

    def changed(before: Any, after: Any, *, now: datetime) -> Any:
        changes = rendering.Changes(
            states={"c1": "same", "c2": "changed"},
            folds={"c1": 1},
            outputs=(),
            pairs={"c1": "c1", "c2": "c2"},
            gone=(),
            values=(rendering.Value("rate", "0.1", "0.05", "c2", 2),),
        )
        return rendering.Rendered("ok", "", '<html lang="en"><details class="fold" id="fold-1">', cells, changes)

    monkeypatch.setattr(rounds, "render_changes", changed)
    monkeypatch.setattr(desk, "render_report", no_report)
