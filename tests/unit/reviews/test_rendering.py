"""The process around the converter: limits, what is kept, what is opened. Each of these starts real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from practicum.lib.clock import utc_now
from practicum.reviews import rendering
from tests.unit.reviews.conftest import NOTEBOOK, markdown, notebook_of

pytestmark = pytest.mark.django_db
CANARY = "canary-8f1c"
MEGABYTE = 1024**2


def running_converters() -> list[str]:
    """Processes of the converter that are still there."""
    listed = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in listed.splitlines() if str(rendering.CONVERTER) in line]
    return [line for line in lines if str(os.getpid()) not in line and not line.endswith(" serve")]


def test_a_notebook_is_rendered_once_and_kept(
    submission: Any, now: datetime, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    first = rendering.render_notebook(submission, now=now)
    assert first.is_ok
    assert [cell.id for cell in first.cells] == ["c1", "c2"]
    assert [path.name for path in (data_dir / "rendered").rglob("page.html")] == ["page.html"]
    assert not list((data_dir / "rendered").rglob(".making-*"))

    monkeypatch.setattr(rendering, "_convert", lambda *_, **__: pytest.fail("converted again"))
    assert rendering.render_notebook(submission, now=now) == first

    monkeypatch.setattr(rendering, "converter_mark", lambda: "another")
    with pytest.raises(pytest.fail.Exception, match="converted again"):
        rendering.render_notebook(submission, now=now)


def test_a_report_is_rendered_beside_it(internship: Any, hand_in: Any, now: datetime) -> None:
    written = rendering.render_report(hand_in(internship, report="# Found\n\n<script>x</script>"), now=now)
    assert written.html.startswith("<h1>Found</h1>")
    assert "<script" not in written.html
    assert rendering.render_report(hand_in(internship), now=now).status == "none"


@pytest.mark.parametrize("kind", ["link", "link above", "folder", "fifo", "missing", "climbing", "absolute"])
def test_only_a_regular_file_of_the_submission_is_opened(
    kind: str, submission: Any, now: datetime, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(notebook_of(markdown(CANARY)))
    held = submission.folder / "other.ipynb"
    submission.notebook = "other.ipynb"
    if kind == "link":
        held.symlink_to(secret)
    elif kind == "link above":
        (submission.folder / "deep").symlink_to(tmp_path)
        submission.notebook = "deep/secret.ipynb"
    elif kind == "folder":
        held.mkdir()
    elif kind == "fifo":
        os.mkfifo(held)
    elif kind == "climbing":
        submission.notebook = os.path.relpath(secret, submission.folder)
    elif kind == "absolute":
        submission.notebook = str(secret)
    rendered = rendering.render_notebook(submission, now=now)
    assert (rendered.status, rendered.html) == ("none", "")


def test_no_file_gets_into_the_page(internship: Any, hand_in: Any, now: datetime, tmp_path: Path) -> None:
    (tmp_path / "canary.txt").write_text(CANARY)
    sources = ["![x](canary.txt)", f"![x](file://{tmp_path}/canary.txt)", f"<img src='{tmp_path}/canary.txt'>"]
    submission = hand_in(
        internship, notebook=notebook_of(*map(markdown, sources), nbconvert={"embed_images": True}, path=str(tmp_path))
    )
    (submission.folder / "canary.txt").write_text(CANARY)
    rendered = rendering.render_notebook(submission, now=now)
    assert rendered.is_ok
    assert CANARY not in rendered.html


def quadratic() -> bytes:
    """Each cell alone keeps the Markdown parser busy for more than ten seconds: no environment is ever closed."""
    return notebook_of(*[markdown("\\begin{a}" * 10_000)] * 8)


def too_big() -> bytes:
    return b'{"nbformat": 4, "cells": "' + b"x" * (10 * MEGABYTE) + b'"}'


def wide() -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [[]] * 3_000_000}).encode()


HOSTILE = {
    "quadratic markdown": (quadratic, {"slow"}),
    "over ten megabytes": (too_big, {"big"}),
    "a hundred thousand cells": (lambda: notebook_of(*[markdown("x")] * 100_000), {"big"}),
    "deep lists": (lambda: b"[" * 5 * MEGABYTE, {"invalid"}),
    "three million empty lists": (wide, {"invalid", "big"}),
    "an invalid schema": (lambda: notebook_of({"cell_type": "spell", "metadata": {}, "source": ""}), {"invalid"}),
    "not a notebook": (lambda: b"\x89PNG", {"invalid"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_notebook_ends_within_thirty_seconds(
    name: str, internship: Any, hand_in: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rendering.RENDER_SECONDS <= 25, "with what comes before and after, it stays under thirty"
    monkeypatch.setattr(rendering, "RENDER_SECONDS", 8.0)
    make, expected = HOSTILE[name]
    submission = hand_in(internship, notebook=make())
    began = time.monotonic()
    rendered = rendering.render_notebook(submission, now=now)
    assert time.monotonic() - began < 30
    assert rendered.status in expected
    assert rendered.message.endswith(".")
    assert rendered.html == ""
    assert running_converters() == []


def test_one_that_runs_too_long_is_killed_and_tried_again_later(
    internship: Any, hand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utc_now()
    submission = hand_in(internship, notebook=NOTEBOOK)
    monkeypatch.setattr(rendering, "RENDER_SECONDS", 0.01)
    assert rendering.render_notebook(submission, now=now).status == "slow"
    assert running_converters() == []
    monkeypatch.setattr(rendering, "RENDER_SECONDS", 25.0)
    assert rendering.render_notebook(submission, now=now + timedelta(minutes=9)).status == "slow", "kept"
    assert rendering.render_notebook(submission, now=now + timedelta(minutes=11)).is_ok


def test_memory_is_bounded(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.argv[0] = 'x'; sys.path.insert(0, {str(rendering.CONVERTER.parents[2])!r});"
        "from practicum.reviews.converter.__main__ import set_limits; set_limits();"
        "bytearray(600 * 1024**2)"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert "MemoryError" in ended.stderr


def test_the_converter_sees_no_secret_and_no_setting(
    submission: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    real = subprocess.Popen

    def watched(*arguments: Any, **options: Any) -> Any:
        asked.update(options, arguments=arguments[0])
        return real(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", watched)
    rendering.render_notebook(submission, now=now)
    assert set(asked["env"]) == {"PATH", "LANG", "HOME"}
    assert "-I" in asked["arguments"]
    assert asked["start_new_session"]
    assert str(submission.folder) not in " ".join(map(str, asked["arguments"]))
