"""The scorer: one JSON line, whatever the predictions are and whatever the project prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.engine.programs import PROGRAMS, run

EVALUATE = """
class InvalidSubmission(Exception):
    pass

def evaluate(predictions, answers):
    {body}
"""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str | Path]:
    """A project, predictions and answers, the last two with one file each."""
    made = {name: tmp_path / name for name in ("project", "predictions", "answers")}
    for folder in made.values():
        folder.mkdir()
    (made["predictions"] / "p.txt").write_text("0.5")
    write(tmp_path / "project", 'return {"accuracy": float((predictions / "p.txt").read_text())}')
    return dict(made)


def write(project: Path, body: str) -> None:
    """An ``evaluate.py`` that does this."""
    (project / "evaluate.py").write_text(EVALUATE.format(body=body))


def answer_of(folders: dict[str, str | Path]) -> dict[str, object]:
    """The one line it prints."""
    result = run("score", **folders)
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    assert len(result.stdout.encode()) <= 4096
    answer: dict[str, object] = json.loads(line)
    return answer


def test_metrics_are_printed_as_one_line(folders: dict[str, str | Path]) -> None:
    assert answer_of(folders) == {"metrics": {"accuracy": 0.5}}


def test_what_was_measured_of_the_run_is_the_third_argument(folders: dict[str, str | Path], tmp_path: Path) -> None:
    timed = EVALUATE.replace("(predictions, answers)", "(predictions, answers, run)")
    (Path(folders["project"]) / "evaluate.py").write_text(timed.format(body="return dict(run)"))
    (tmp_path / "run.json").write_text('{"seconds": 3}')

    assert answer_of({**folders, "run": tmp_path / "run.json"}) == {"metrics": {"seconds": 3.0}}


@pytest.mark.parametrize("held", ['{"seconds": "3"}', "[3]", '{"seconds": true}', None])
def test_a_run_that_was_not_measured_is_our_fault(
    folders: dict[str, str | Path], tmp_path: Path, held: str | None
) -> None:
    if held is not None:
        (tmp_path / "run.json").write_text(held)

    result = run("score", **folders, run=tmp_path / "run.json")

    assert (result.returncode, result.stdout) == (1, "")


def test_what_the_project_prints_is_not_taken_for_an_answer(folders: dict[str, str | Path]) -> None:
    loud = 'import os; print("{}"); os.write(1, b"{}\\n"); os.system("echo {}"); return {"accuracy": 1}'
    write(Path(folders["project"]), loud)
    assert answer_of(folders) == {"metrics": {"accuracy": 1.0}}


def test_a_refusal_of_the_project_is_the_intern_s_to_read(folders: dict[str, str | Path]) -> None:
    write(Path(folders["project"]), 'raise InvalidSubmission("Line 3 is no number.")')
    assert answer_of(folders) == {"invalid": "Line 3 is no number."}


def test_a_long_or_hostile_message_is_cut_and_cleaned(folders: dict[str, str | Path]) -> None:
    write(Path(folders["project"]), 'raise InvalidSubmission("\\x1b[31m\\0" + chr(0x1F600) * 100_000)')
    message = str(answer_of(folders)["invalid"])
    assert message.startswith("?[31m?")
    assert message.endswith("…")
    assert len(message) <= 600


@pytest.mark.parametrize(
    "body",
    [
        'raise RuntimeError("our fault")',
        'return {"accuracy": float("nan")}',
        'return {"accuracy": float("inf")}',
        'return {"accuracy": "high"}',
        'return {"not a name": 1.0}',
        "return {}",
        "return 0.5",
        'return {f"m{n}": 0.123456789 for n in range(1000)}',
    ],
)
def test_a_fault_of_the_project_is_never_a_score(body: str, folders: dict[str, str | Path]) -> None:
    write(Path(folders["project"]), body)
    result = run("score", **folders)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" in result.stderr


def make_link(folder: Path) -> None:
    """A link to a file that is there."""
    (folder / "more").symlink_to("p.txt")


def make_linked_folder(folder: Path) -> None:
    """A link to a folder, one level down."""
    (folder / "deep").mkdir()
    (folder / "deep" / "more").symlink_to("/etc")


def make_pipe(folder: Path) -> None:
    """A pipe, which would hang a reader."""
    os.mkfifo(folder / "more")


@pytest.mark.parametrize("make", [make_link, make_linked_folder, make_pipe])
def test_links_and_devices_are_refused_before_the_project_reads(make: object, folders: dict[str, str | Path]) -> None:
    assert callable(make)
    make(folders["predictions"])
    message = str(answer_of(folders)["invalid"])
    assert "more in out/ is a link or a device" in message


def test_plain_files_in_plain_folders_are_accepted(folders: dict[str, str | Path]) -> None:
    (Path(folders["predictions"]) / "deep").mkdir()
    (Path(folders["predictions"]) / "deep" / "more.txt").write_text("1")
    assert answer_of(folders) == {"metrics": {"accuracy": 0.5}}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the scorer that waits copies ``executed.ipynb`` to."""
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept"


@pytest.fixture
def waiting(folders: dict[str, str | Path], kept: Path) -> Iterator[subprocess.Popen[str]]:
    """A scorer that has said it is ready."""
    options = [text for name, value in folders.items() for text in (f"--{name}", str(value))]
    keeping = ["--keep", "executed.ipynb", "--into", str(kept), "--keep-bytes", "100"]
    command = [sys.executable, "-I", "-B", str(PROGRAMS["score"]), *options, "--wait", *keeping]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "READY\n"
        yield process
        process.kill()


def test_it_looks_at_the_predictions_only_when_told(
    waiting: subprocess.Popen[str], folders: dict[str, str | Path]
) -> None:
    (Path(folders["predictions"]) / "p.txt").write_text("0.75")
    waiting.send_signal(signal.SIGUSR1)
    output, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, json.loads(output)) == (0, {"metrics": {"accuracy": 0.75}})


def test_it_ends_with_5_when_it_is_not_needed(waiting: subprocess.Popen[str]) -> None:
    waiting.send_signal(signal.SIGTERM)
    assert waiting.communicate(timeout=30)[0] == ""
    assert waiting.returncode == 5


LEFT: dict[str, tuple[Callable[[Path], object], bool]] = {
    "a plain file": (lambda file: file.write_text("cells"), True),
    "the largest there may be": (lambda file: file.write_text("x" * 100), True),
    "one byte more": (lambda file: file.write_text("x" * 101), False),
    "a link": (lambda file: file.symlink_to("/etc/passwd"), False),
    "a folder": (lambda file: file.mkdir(), False),
    "a pipe that nobody writes to": (os.mkfifo, False),
    "nothing": (lambda _: None, False),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_is_to_be_kept_is_copied_if_it_is_a_plain_file_of_that_size(
    waiting: subprocess.Popen[str], folders: dict[str, str | Path], kept: Path, what: str
) -> None:
    leave, is_kept = LEFT[what]
    leave(Path(folders["predictions"]) / "executed.ipynb")
    waiting.send_signal(signal.SIGUSR2)
    output, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, output) == (0, "")
    assert [file.name for file in kept.iterdir()] == ["executed.ipynb"] * is_kept
    if is_kept:
        assert (kept / "executed.ipynb").read_bytes() == (Path(folders["predictions"]) / "executed.ipynb").read_bytes()


def test_it_is_copied_too_where_the_predictions_are_scored(
    waiting: subprocess.Popen[str], folders: dict[str, str | Path], kept: Path
) -> None:
    (Path(folders["predictions"]) / "executed.ipynb").write_text("cells")
    waiting.send_signal(signal.SIGUSR1)
    assert json.loads(waiting.communicate(timeout=30)[0]) == {"metrics": {"accuracy": 0.5}}
    assert (kept / "executed.ipynb").read_text() == "cells"
