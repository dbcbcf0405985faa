"""``practicum project golden <folder>``: writes the golden cases of a project anew.

The answers and the baseline's predictions come from toy data split with ``SECRET``, which everyone may know and nothing
else uses, so a golden case tells nothing about a site's hidden part. Perfect predictions are made where the answers have
the columns of the predictions. The first ``KEPT`` items are kept; of a readiness check, those of the baseline's variant.
Cases of a mentor's own are kept. Every expected score or message is what ``evaluate.py`` says today: read the difference
before you keep it, a golden case is a promise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from practicum.catalog.checked import PREDICTIONS
from practicum.catalog.formats import written_as
from practicum.catalog.hostile import arrays, content, malformed_cases, pickled
from practicum.catalog.manifest import Manifest, ManifestInvalid, load_manifest
from practicum.catalog.npz import Rows, read_npz, write_npz
from practicum.catalog.programs import IMAGES, ProgramFailed, Programs, Runner, run_process, this_python
from practicum.catalog.readiness import VARIANT

SECRET = hashlib.sha256(b"practicum: golden cases are no secret").digest()
KEPT = 150
ANSWERS = "answers.npz"
RAN_SECONDS = 5.0

Columns = Mapping[str, Rows]


def write_golden(directory: Path, *, python: Path, runner: Runner = run_process, images: Path = IMAGES) -> int:
    """Write ``golden/`` of the project; returns the number of cases.

    Raises:
        ManifestInvalid: ``project.toml`` has faults.
        ProgramFailed: the project's code failed.
    """
    directory = directory.resolve()
    manifest = load_manifest(directory)
    golden = directory / "golden"
    with tempfile.TemporaryDirectory(prefix="practicum-golden-") as folder:
        work = Path(folder).resolve()
        programs = Programs(runner, python.absolute(), work, images)
        answers, predicted = _baseline_run(directory, manifest=manifest, programs=programs, work=work)
        _write(golden, answers=answers, cases=_cases(answers, predicted, manifest=manifest))
        for file in sorted((work / "made" / "private" / "answers").iterdir()):
            if file.name not in (ANSWERS, "ledger.npz"):
                shutil.copy(file, golden / "answers")
        names = sorted(path.name for path in golden.iterdir() if path.is_dir() and path.name != "answers")
        verdicts = {name: _verdict(programs, directory, name=name, manifest=manifest) for name in names}
    tables = "".join(f'\n[[cases]]\nname = "{name}"\n{line}\n' for name, line in verdicts.items())
    text = f"# Written by: practicum project golden. Every case is judged against answers/.\n{tables}"
    (golden / "golden.toml").write_text(text, encoding="utf-8")
    return len(verdicts)


def _baseline_run(directory: Path, *, manifest: Manifest, programs: Programs, work: Path) -> tuple[Columns, Columns]:
    """Answers and the baseline's predictions of the hidden items that are kept."""
    budget = manifest.budget
    made, submission, out = work / "made", work / "submission", work / "out"
    programs.prepare(directory, seed=0, secret=SECRET, into=made, limit_seconds=4 * budget.toy_seconds)
    submission.mkdir()
    shutil.copy(directory / "baseline.py", submission / "predict.py")
    if manifest.evaluation.trains_with_seeds:
        programs.train_and_predict(
            submission,
            public=made / "public",
            inputs=made / "private" / "inputs",
            out=out,
            budget_seconds=budget.toy_seconds,
            seed=0,
        )
    else:
        programs.train(
            directory, public=made / "public", artifact=submission / "artifact", budget_seconds=budget.toy_seconds
        )
        programs.predict(submission, inputs=made / "private" / "inputs", out=out, limit_seconds=budget.eval_seconds)
    predicted = read_npz(out / PREDICTIONS)
    answers = read_npz(made / "private" / "answers" / ANSWERS)
    rows: Sequence[int] = range(min(KEPT, len(answers["id"].rows)))
    if manifest.readiness:
        rows = _rows_of(predicted[VARIANT].rows[0], answers[VARIANT])
    answers = {name: column.reordered(rows) for name, column in answers.items()}
    kept = set(answers["id"].rows)
    places = [place for place, name in enumerate(predicted["id"].rows) if name in kept]
    return answers, {name: column.reordered(places) for name, column in predicted.items()}


def _rows_of(variant: bytes, told: Rows) -> list[int]:
    """The rows of the answers that are of this variant."""
    return [place for place, row in enumerate(told.rows) if row == variant]


def _cases(answers: Columns, predicted: Columns, *, manifest: Manifest) -> dict[str, Callable[[Path], None]]:
    count = len(predicted["id"].rows)
    same = {name: column if name == "id" else column.reordered([0] * count) for name, column in predicted.items()}
    cases = {
        "baseline": arrays(predicted),
        "constant": arrays(same),
        "malformed-pickle": content(PREDICTIONS, pickled(predicted)),
    }
    if all(_alike(answers.get(name), column) for name, column in predicted.items()):
        perfect = {name: answers[name] for name in manifest.submission.columns}
        cases["perfect"] = arrays(perfect)
        others = {file: written_as(file, perfect) for file in manifest.submission.files if file != PREDICTIONS}
        cases |= {f"perfect-in-{file}": content(file, held) for file, held in others.items() if held is not None}
    malformed = malformed_cases(predicted, files=manifest.submission.files)
    return cases | {f"malformed-{name.replace(' ', '-')}": write for name, write in malformed.items()}


def _alike(one: Rows | None, other: Rows) -> bool:
    return one is not None and (one.kind, one.row_shape) == (other.kind, other.row_shape)


def _write(golden: Path, *, answers: Columns, cases: Mapping[str, Callable[[Path], None]]) -> None:
    for name in ("answers", *cases):
        shutil.rmtree(golden / name, ignore_errors=True)
        (golden / name).mkdir(parents=True)
    write_npz(golden / "answers" / ANSWERS, answers)
    for name, write in cases.items():
        write(golden / name)
        if not any((golden / name).iterdir()):  # an empty folder would not survive version control
            (golden / name / "notes.txt").write_text("predictions will follow\n", encoding="utf-8")


def _verdict(programs: Programs, directory: Path, *, name: str, manifest: Manifest) -> str:
    """The case's line in golden.toml: its metrics, or the message of its refusal."""
    golden, seconds = directory / "golden", _seconds_of(name, manifest=manifest)
    answer = programs.score(
        directory,
        predictions=golden / name,
        answers=golden / "answers",
        limit_seconds=manifest.budget.eval_seconds,
        ran_seconds=seconds,
    )
    if isinstance(answer, str):
        return f"message = {json.dumps(answer, ensure_ascii=False)}"
    if seconds is not None:
        return f"seconds = {seconds}\n{_metrics_line(answer)}"
    return _metrics_line(answer)


def _seconds_of(name: str, *, manifest: Manifest) -> float | None:
    """How long a case says it ran, where the project is timed: what is perfect takes no time at all."""
    if not manifest.evaluation.timed:
        return None
    return 0.0 if name.startswith("perfect") else RAN_SECONDS


def _metrics_line(answer: Mapping[str, float]) -> str:
    return "metrics = { " + ", ".join(f"{key} = {value!r}" for key, value in answer.items()) + " }"


def main(argv: Sequence[str] | None = None) -> int:
    """``golden <folder> [--python FILE]``: 0 when written, 1 when the project's code failed, 2 on misuse."""
    parser = argparse.ArgumentParser(prog="practicum project golden", description="Write golden/ of a project anew.")
    parser.add_argument("directory", type=Path, help="the project's folder, with project.toml in it")
    parser.add_argument("--python", type=Path, default=this_python(), help="an interpreter with the project's packages")
    options = parser.parse_args(argv)
    if not options.directory.is_dir():
        print(f"{options.directory} is not a folder.", file=sys.stderr)
        return 2
    try:
        count = write_golden(options.directory, python=options.python)
    except (ManifestInvalid, ProgramFailed, OSError, ValueError, KeyError) as fault:
        print(f"The golden cases could not be made: {fault}", file=sys.stderr)
        return 1
    print(f"{count} golden cases in {options.directory / 'golden'}; read golden.toml before you keep them.")
    return 0
