"""Words, views and the cell clock: pure parts of what people read in a notebook."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from practicum_hub.workspace import errors, ipython, views, wording
from practicum_hub.workspace.activity import ProcessorMeter, ProcessTimes, session_processes
from practicum_hub.workspace.answers import Metric, Submission

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
ACCURACY = Metric(name="accuracy", goal="max", digits=3)
ERROR = Metric(name="error", goal="min", digits=3)


def submission(**changes: Any) -> Submission:
    facts: dict[str, Any] = {
        "number": 3,
        "state": "scored",
        "reason": "",
        "score": 0.9,
        "difference": 0.05,
        "url": "https://site.example/s/3/",
        "received_at": NOW,
        "place": None,
    }
    return Submission(**facts | changes)


@pytest.mark.parametrize(
    ("value", "metric", "words"),
    [
        (0.05, ACCURACY, "better than the baseline"),
        (-0.05, ACCURACY, "below the baseline"),
        (-0.05, ERROR, "better than the baseline"),
        (0.05, ERROR, "worse than the baseline"),
        (0.0004, ACCURACY, "equal to the baseline"),
    ],
)
def test_better_depends_on_the_goal_and_the_digits_shown(value: float, metric: Metric, words: str) -> None:
    assert wording.verdict(value, metric=metric) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=45), "45 s"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(hours=1, minutes=2), "1 h 02 min"),
        (timedelta(days=1, hours=5), "1 day"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_a_span_is_said_in_its_largest_units(length: timedelta, words: str) -> None:
    assert wording.span(length) == words


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "#3 scored: accuracy 0.900 (+0.050, better than the baseline)"),
        ({"verdict": "better"}, "#3 scored: accuracy 0.900 (+0.050, better than the baseline)"),
        ({"verdict": "worse"}, "#3 scored: accuracy 0.900 (+0.050, worse than the baseline)"),
        (
            {"verdict": "not distinguishable", "interval": (0.88, 0.92)},
            "#3 scored: accuracy 0.900 ± 0.020 (+0.050, not distinguishable from the baseline)",
        ),
        ({"difference": None}, "#3 scored: accuracy 0.900"),
        ({"state": "queued", "score": None, "place": 4}, "#3 in line, place 4"),
        (
            {"state": "queued", "score": None, "place": 4, "estimate": "Half of people like you start by 14:20."},
            "#3 in line, place 4. Half of people like you start by 14:20.",
        ),
        ({"state": "failed", "score": None, "reason": "Over 60 s."}, "#3 failed: Over 60 s."),
        (
            {"state": "scored", "score": None, "reason": "Not better than your best by 0.015 or more."},
            "#3 scored: Not better than your best by 0.015 or more.",
        ),
        ({"state": "mysterious", "score": None}, "#3 mysterious"),
    ],
)
def test_a_submission_in_one_line(changes: dict[str, Any], line: str) -> None:
    assert wording.outcome(submission(**changes), metric=ACCURACY) == line


def test_what_the_site_says_of_a_score_is_read_and_written_as_it_came() -> None:
    told = {
        "number": 3,
        "state": "scored",
        "score": 0.9,
        "interval": [0.88, 0.92],
        "verdict": {"outcome": "not distinguishable", "p": 0.3},
    }

    read = Submission.read(told)

    assert (read.interval, read.verdict) == ((0.88, 0.92), "not distinguishable")
    assert read.as_json()["verdict"] == {"outcome": "not distinguishable"}
    assert Submission.read(told | {"interval": None, "verdict": None}).as_json()["verdict"] is None


def test_a_view_escapes_what_the_site_says_and_links_only_to_web_pages() -> None:
    hostile = submission(state="invalid", score=None, reason="<script>x</script>", url="javascript:alert(1)")

    html = views.SubmissionView(hostile, metric=ACCURACY, notes=["<b>"])._repr_html_()

    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<b>" not in html
    assert "javascript:" not in html


def test_a_view_has_plain_text_beside_its_html() -> None:
    view = views.SubmissionView(submission(), metric=ACCURACY, summary="2 files", notes=["Saved late."])

    assert repr(view).splitlines() == [
        "#3 scored: accuracy 0.900 (+0.050, better than the baseline)",
        "https://site.example/s/3/",
        "2 files",
        "Saved late.",
    ]


def test_an_error_view_links_to_the_page_it_speaks_of() -> None:
    failure = errors.Duplicate("Already handed in.", number=3, url="https://site.example/s/3/")

    assert 'href="https://site.example/s/3/"' in views.ErrorView(failure)._repr_html_()
    assert repr(views.ErrorView(failure)) == "practicum: Already handed in."


def test_a_notebook_saved_before_the_last_cell_ran_is_told(tmp_path: Path) -> None:
    notebook = tmp_path / "start.ipynb"
    notebook.write_text("{}")
    os.utime(notebook, (1000, 1000))

    assert "save (Ctrl+S)" in ipython.stale_note(notebook, last_cell_at=1001)
    assert ipython.stale_note(notebook, last_cell_at=999) == ""
    assert ipython.stale_note(notebook, last_cell_at=None) == ""


def test_the_clock_knows_the_cell_before_this_one() -> None:
    moments = iter([10.0, 20.0])
    clock = ipython.CellClock(now=lambda: next(moments))
    clock.pre_run_cell()
    first = clock.previous
    clock.pre_run_cell()

    assert (first, clock.previous) == (None, 10.0)


def test_the_notebook_of_a_kernel_is_the_one_jupyter_names(tmp_path: Path) -> None:
    notebook = tmp_path / "start.ipynb"
    notebook.write_text("{}")

    assert ipython.notebook_path({"JPY_SESSION_NAME": str(notebook)}) == notebook
    assert ipython.notebook_path({"JPY_SESSION_NAME": str(tmp_path / "gone.ipynb")}) is None
    assert ipython.notebook_path({}) is None


class Shell:
    """What an IPython shell offers an extension."""

    def __init__(self) -> None:
        self.events = self
        self.registered: dict[str, Callable[..., object]] = {}

    def register(self, event: str, function: Callable[..., object]) -> None:
        self.registered[event] = function

    def register_magic_function(self, function: Callable[..., object], kind: str, name: str) -> None:
        self.registered[f"{kind} {name}"] = function


def test_loading_the_magic_needs_no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_API_URL", "http://127.0.0.1:9")
    shell = Shell()

    ipython.load_ipython_extension(shell)

    assert set(shell.registered) == {"pre_run_cell", "line practicum"}


def times(pid: int, *, own: float, reaped: float = 0.0) -> ProcessTimes:
    return ProcessTimes(pid=pid, own=own, reaped=reaped)


def test_processor_time_leaves_the_server_out_and_survives_the_end_of_a_child() -> None:
    meter = ProcessorMeter(server_pid=1)

    assert meter.used_since_last([times(1, own=50), times(2, own=3)]) == 0
    assert meter.used_since_last([times(1, own=90), times(2, own=5), times(3, own=4)]) == 6
    assert meter.used_since_last([times(1, own=99), times(2, own=5, reaped=7)]) == 3
    assert meter.used_since_last([times(1, own=99, reaped=12)]) == 0


def test_a_session_has_the_processes_that_carry_its_token() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "sum(range(5_000_000)); print(flush=True); input()"],
        env={"PRACTICUM_TOKEN": "of-this-test"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = session_processes("of-this-test")
        process.communicate(b"\n")

    assert [each.pid for each in found] == [process.pid]
    assert found[0].own > 0
    assert session_processes("of-this-test") == []
