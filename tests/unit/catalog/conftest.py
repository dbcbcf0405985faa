"""The tiny project of these tests: a copy that can be spoilt, and its check without a notebook's kernel."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from practicum.catalog import hostile
from practicum.catalog.check import Report, check_project
from practicum.catalog.npz import Rows, write_npz
from practicum.catalog.programs import NOTEBOOK, Completed, run_process

TINY = Path(__file__).with_name("tiny")
SPLIT = "toy and split repeat"
BASELINE = (SPLIT, "baseline", "baseline beats the mindless")


def numbers(*values: int) -> Rows:
    return Rows("i8", (), tuple(struct.pack("<q", value) for value in values))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the tiny project with its golden cases: four items, labels 0 1 1 0."""
    folder = tmp_path / "tiny"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    golden, ids = folder / "golden", numbers(11, 12, 13, 14)
    cases = {"perfect": (0, 1, 1, 0), "baseline": (0, 1, 1, 1), "constant": (0, 0, 0, 0)}
    for name, labels in {"answers": (0, 1, 1, 0), **cases}.items():
        (golden / name).mkdir(parents=True)
        file = "answers.npz" if name == "answers" else "predictions.npz"
        write_npz(golden / name / file, {"id": ids, "label": numbers(*labels)})
    (golden / "malformed-text").mkdir()
    (golden / "malformed-text" / "predictions.npz").write_text("no archive", encoding="utf-8")
    scores = {"perfect": 1.0, "baseline": 0.75, "constant": 0.5}
    lines = [f'[[cases]]\nname = "{name}"\nmetrics = {{ accuracy = {score} }}\n' for name, score in scores.items()]
    lines.append('[[cases]]\nname = "malformed-text"\nmessage = "predictions.npz can\'t be read"\n')
    (golden / "golden.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def short_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "ENDLESS_SECONDS", 0.4)


def without_kernel(
    command: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, limit_seconds: float
) -> Completed:
    """The real runner, but the notebook is taken to have run: it drew one picture and wrote the baseline."""
    if NOTEBOOK not in command:
        return run_process(command, stdin=stdin, environment=environment, cwd=cwd, limit_seconds=limit_seconds)
    submission = Path(command[-3]).parent / "submission"
    artifact = submission / "artifact"
    artifact.mkdir(parents=True)
    shutil.copy(TINY / "baseline.py", submission / "predict.py")
    (artifact / "threshold.txt").write_text("100", encoding="utf-8")
    return Completed(0, "1\n", "", 0.1, 0.1)


def change(file: Path, old: str, new: str) -> None:
    content = file.read_text(encoding="utf-8")
    assert old in content, f"{old!r} must be there to be changed"
    file.write_text(content.replace(old, new), encoding="utf-8")


def checked(project: Path, *names: str) -> Report:
    return check_project(project, runner=without_kernel, only=names or None)


def fault_of(report: Report) -> str:
    wrong = [result for result in report.results if result.verdict == "MEND"]
    assert len(wrong) == 1, [result.line() for result in report.results]
    return f"{wrong[0].name}: {wrong[0].detail}"
