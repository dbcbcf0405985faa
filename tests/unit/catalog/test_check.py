"""``practicum project check`` passes a project that keeps its promises and names the promise another breaks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from practicum.catalog import check
from practicum.catalog.check import CHECKS, check_project
from practicum.catalog.manifest import load_manifest
from practicum.catalog.npz import Rows, parse_npy, read_npz, write_npz
from practicum.catalog.programs import Completed, ProgramFailed, Programs, run_process, this_python
from tests.unit.catalog.conftest import BASELINE, SPLIT, change, checked, fault_of, numbers, without_kernel


def test_a_project_that_keeps_its_promises_passes_every_check(project: Path) -> None:
    said: list[str] = []

    report = check_project(project, runner=without_kernel, say=said.append)

    assert report.passed, "\n".join(said)
    assert [result.name for result in report.results] == list(CHECKS)
    assert said == [result.line() for result in report.results]
    assert report.summary() == "tiny: all 18 checks passed."
    assert (report.is_complete, report.digest) == (True, check.digest_tree(project))


@pytest.mark.parametrize(("signature", "passes"), [("budget: float, seed: int", True), ("budget: float", False)])
def test_the_baseline_of_a_project_that_asks_for_seeds_is_trained_with_one(
    project: Path, signature: str, passes: bool
) -> None:
    change(project / "project.toml", "[budget]", "[evaluation]\nseeds = 5\n\n[budget]")
    change(project / "project.toml", "gpu_hours = 0", "gpu_hours = 0.5")
    change(project / "baseline.py", "budget: float", signature)

    report = checked(project, SPLIT, "baseline")

    assert report.passed is passes
    assert passes or "positional argument" in fault_of(report)


TIMED = """    return {"accuracy": sum(right) / len(right) if 0.0 < run["seconds"] < 60.0 else 0.0}
"""


def timed(project: Path) -> None:
    """The project as it is, but whatever took no time, or was not timed, gets nothing."""
    change(project / "project.toml", "[budget]", "[evaluation]\ntimed = true\n\n[budget]")
    change(project / "evaluate.py", "answers: Path) ->", "answers: Path, run: dict[str, float]) ->")
    change(project / "evaluate.py", '    return {"accuracy": sum(right) / len(right)}\n', TIMED)


def test_a_project_that_is_timed_is_told_how_long_the_code_ran(project: Path) -> None:
    timed(project)
    cases = (project / "golden" / "golden.toml").read_text(encoding="utf-8")
    (project / "golden" / "golden.toml").write_text(
        cases.replace("metrics", "seconds = 2.5\nmetrics"), encoding="utf-8"
    )
    change(project / "baseline.py", "    threshold =", "    sum(range(8_000_000))\n    threshold =")

    report = checked(project)

    assert report.passed, "\n".join(result.line() for result in report.results)


def test_a_golden_case_that_is_not_timed_took_no_time(project: Path) -> None:
    timed(project)

    fault = fault_of(checked(project, "golden cases"))

    assert "perfect: scored {'accuracy': 0.0}" in fault


@pytest.mark.parametrize(("anchor", "passes"), [(4.0, True), (4.2, False)])
def test_a_time_is_held_against_its_anchor_with_room_for_another_machine(
    project: Path, anchor: float, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(project)
    monkeypatch.setattr(Programs, "predict", slept(Programs.predict, seconds=0.8))
    change(project / "evaluate.py", TIMED, '    return {"accuracy": run["seconds"]}\n')
    toml = project / "project.toml"
    baseline = load_manifest(project).baseline_for("toy")
    assert baseline is not None
    change(toml, f"value = {baseline.value}\n", f"value = {anchor}\n")
    change(toml, "best = 1.0", "best = 9.0")

    report = checked(project, SPLIT, "baseline")

    assert report.passed is passes
    assert passes or "more than 5 times off" in fault_of(report)


def slept(predict: Any, *, seconds: float) -> Any:
    """``predict`` that says it took so long."""
    return lambda *args, **named: replace(predict(*args, **named), seconds=seconds, cpu_seconds=seconds)


def test_the_checked_folder_is_left_as_it_was(project: Path) -> None:
    before = check.digest_tree(project)

    checked(project, SPLIT)

    assert check.digest_tree(project) == before


@pytest.mark.parametrize(
    ("file", "old", "new", "names", "expected"),
    [
        (
            "data.py",
            "def toy(raw: Path, seed: int) -> None:\n",
            "def toy(raw: Path, seed: int) -> None:\n"
            "    (raw.parent / 'public' / 'at.txt').write_bytes(random.randbytes(9))\n",
            (SPLIT,),
            f"{SPLIT}: toy and split with the same seed and secret wrote different bytes under public/",
        ),
        (
            "data.py",
            'number(secret, f"group{pair}")',
            "pair",
            (SPLIT, "the secret decides"),
            "the secret decides: another",
        ),
        (
            "data.py",
            "range(COUNT)]\n    in_order",
            "range(COUNT)]\n    part[0] = 1 - part[1]\n    in_order",
            (SPLIT, "ids and groups are disjoint"),
            "ids and groups are disjoint: 1 groups are divided",
        ),
        (
            "data.py",
            "id=[ids[i] for i in hidden], label",
            "id=[ids[i] for i in shown[:24]], label",
            (SPLIT, "ids and groups are disjoint"),
            "ids and groups are disjoint: answers.npz must have one row for each id",
        ),
        (
            "data.py",
            "100 + noise[item]",
            "100 + 50",
            (SPLIT, "nothing leaks"),
            "nothing leaks: 24 of 24 hidden rows are in the public data as they are",
        ),
        (
            "data.py",
            "100 + noise[item]) for item in hidden],",
            "100 + noise[item]) for item in hidden],\n        hint=[item % 2 for item in hidden],",
            (SPLIT, "nothing leaks"),
            "nothing leaks: the answers' column label can be read in inputs.npz",
        ),
        (
            "data.py",
            "hidden = [item for item in in_order if part[item]]",
            "hidden = sorted((item for item in in_order if part[item]), key=lambda item: item % 2)",
            (SPLIT, "nothing leaks"),
            "nothing leaks: the order of the hidden rows tells label",
        ),
        ("data.py", "def split(", "def cut(", (SPLIT,), f"{SPLIT}: prepare.py ended with exit code 1"),
        (
            "baseline.py",
            '"100", encoding',
            '"0", encoding',
            (SPLIT, "baseline"),
            "baseline: the baseline scored 0.5000; its anchor says 0.95",
        ),
        ("evaluate.py", '{"accuracy":', '{"precision":', (SPLIT, "baseline"), "baseline: evaluate returns precision"),
        (
            "project.toml",
            "value = 0.95\nspread = 0.03",
            "value = 0.5\nspread = 0.2",
            (SPLIT, "baseline", "baseline beats the mindless"),
            "",
        ),
        (
            "golden/golden.toml",
            "accuracy = 0.75",
            "accuracy = 0.74",
            ("golden cases",),
            "golden cases: baseline: scored",
        ),
        ("golden/golden.toml", "can't be read", "is bad", ("golden cases",), "golden cases: malformed-text: refused"),
        ("golden/golden.toml", '"constant"', '"other"', ("golden cases",), "golden cases: golden.toml needs"),
        ("golden/golden.toml", "accuracy = 1.0", "accuracy = 0.9", ("golden cases",), "golden cases: perfect: must"),
        (
            "evaluate.py",
            "sum(right) / len(right)}",
            "sum(right) / len(right) - (given['id'][0] > given['id'][-1]) / 100 - (1 - __debug__) / 100}",
            (SPLIT, "baseline", "evaluate is pure"),
            "evaluate is pure: evaluate gave",
        ),
        ("README.md", "Which", "word " * 1200, ("the six files",), "the six files: README.md has 12"),
        (
            "start.ipynb",
            "%practicum submit",
            "bye",
            ("start.ipynb is clean",),
            "start.ipynb is clean: start.ipynb never",
        ),
        ("start.ipynb", '"id": "b"', '"id": "a"', ("start.ipynb is clean",), "start.ipynb is clean: every cell"),
        (
            "start.ipynb",
            '"execution_count": null',
            '"execution_count": 3',
            ("start.ipynb is clean",),
            "start.ipynb is clean: clear the outputs",
        ),
        ("project.toml", "level = 1", "level = 7", ("project.toml",), "project.toml: project.toml has 1 fault"),
    ],
)
def test_a_broken_promise_is_named(
    project: Path, file: str, old: str, new: str, names: tuple[str, ...], expected: str
) -> None:
    change(project / file, old, new)

    report = checked(project, *names)

    if not expected:
        assert report.passed
        return
    assert fault_of(report).startswith(expected)
    assert not report.passed


def test_a_baseline_that_is_no_better_than_shuffled_predictions_is_to_mend(project: Path) -> None:
    change(project / "baseline.py", '"100", encoding', '"0", encoding')
    change(project / "project.toml", "value = 0.95\nspread = 0.03", "value = 0.5\nspread = 0.03")

    report = checked(project, SPLIT, "baseline", "baseline beats the mindless")

    assert "no better than constant" in fault_of(report)


def test_a_scorer_that_needs_more_than_numpy_is_to_mend(project: Path) -> None:
    (project / "extra.py").write_text("", encoding="utf-8")
    change(project / "evaluate.py", "import re\n", "import re\n\nimport extra\n")

    report = checked(project, SPLIT, "baseline", "evaluate is pure")

    assert fault_of(report).startswith("evaluate is pure: evaluate.py imports extra")


def test_the_shown_rows_are_judged_alone_where_a_project_divides_the_hidden_ones(project: Path) -> None:
    change(project / "project.toml", "shown = 1.0", "shown = 0.5")

    report = checked(project, SPLIT, "baseline", "the shown part")

    assert report.passed
    assert report.results[-1].detail.startswith("12 rows, ")


def test_a_format_that_is_declared_and_not_read_is_to_mend(project: Path) -> None:
    change(project / "project.toml", 'files = ["predictions.npz"]', 'files = ["predictions.npz", "predictions.csv"]')

    report = checked(project, SPLIT, "baseline", "every format")

    assert fault_of(report).startswith(
        "every format: the baseline's predictions as predictions.csv: predictions.npz can't"
    )


def test_columns_that_the_baseline_does_not_write_are_to_mend(project: Path) -> None:
    change(project / "project.toml", 'columns = { id = "int64", label', 'columns = { id = "int64", digit')

    report = checked(project, SPLIT, "baseline", "every format")

    assert fault_of(report) == "every format: the baseline writes id, label; submission.columns says id, digit"


def test_rows_whose_order_is_declared_are_not_turned_round(project: Path) -> None:
    """An evaluator that asks for the order of the inputs fails the check only where project.toml doesn't say so."""
    change(
        project / "evaluate.py",
        '{*given["id"]} != {*truth["id"]}',
        'given["id"] != truth["id"]',
    )
    names = (SPLIT, "baseline", "evaluate is pure")

    assert "evaluate refused predictions that should be valid" in fault_of(checked(project, *names))
    change(project / "project.toml", "artifact_mb", "ordered = true\nartifact_mb")
    assert checked(project, *names).passed


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ("raise RuntimeError", "the shown part: score.py ended with exit code 1"),
        ('return {"other": 1.0}', "the shown part: evaluate can't judge the shown rows alone"),
    ],
)
def test_an_evaluate_that_cannot_judge_a_part_is_to_mend(project: Path, done: str, said: str) -> None:
    change(project / "project.toml", "shown = 1.0", "shown = 0.5")
    change(project / "evaluate.py", "    right = [", f"    if len(truth['id']) < 24:\n        {done}\n    right = [")

    report = checked(project, SPLIT, "baseline", "the shown part")

    assert fault_of(report).startswith(said)


def test_answers_without_ids_cannot_be_divided(project: Path) -> None:
    change(project / "project.toml", "shown = 1.0", "shown = 0.5")
    change(project / "data.py", '"answers" / "answers.npz"', '"answers" / "answers.dat"')
    change(project / "data.py", '"answers" / "ledger.npz"', '"answers" / "ledger.dat"')
    change(project / "evaluate.py", "answers.npz", "answers.dat")

    report = checked(project, SPLIT, "baseline", "the shown part")

    assert "set split.shown = 1.0" in fault_of(report)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{*given['id']} != {*truth['id']}".replace("'", '"'),
            "False",
            "an id twice: must be refused, but scored",
        ),
        (
            "except (OSError, zipfile.BadZipFile)",
            "except FileNotFoundError",
            "a file cut short: evaluate.py broke with",
        ),
        (
            'raise InvalidSubmission("id and',
            'raise InvalidSubmission("") or ("id and',
            "a row too few: refused without a word",
        ),
        (
            "            content = archive.read(name)\n",
            "            content = archive.read(name)\n            unpickle(content)\n",
            "evaluate.py unpickled what an intern wrote",
        ),
    ],
    ids=["scores what it must refuse", "breaks", "says nothing", "unpickles"],
)
def test_an_evaluator_that_takes_malformed_predictions_is_to_mend(
    project: Path, old: str, new: str, expected: str
) -> None:
    unpickle = """
def unpickle(content):
    import pickle

    if b"'descr': '|O'" in content:
        pickle.loads(content[content.index(b"\\n") + 1 :])

"""
    change(project / "evaluate.py", old, new)
    change(project / "evaluate.py", "\n\ndef evaluate(", f"\n{unpickle}\ndef evaluate(")

    report = checked(project, SPLIT, "baseline", "a malformed submission")

    assert expected in fault_of(report)


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "data.py",
            "100 + noise[item]) for item in hidden],",
            "100 + noise[item]) for item in hidden],\n        hint=[item % 2 for item in hidden],",
            "a submission that looks for the answers beside its inputs scored 1.0000",
        ),
        (
            "evaluate.py",
            "    truth = ",
            "    for file in predictions.glob('metrics.json'):\n"
            "        return {'accuracy': __import__('json').loads(file.read_text())['accuracy']}\n"
            "    truth = ",
            "a submission that writes score files scored 1.0000",
        ),
        (
            "evaluate.py",
            "    truth = ",
            "    if (predictions / 'evaluate.py').exists():\n"
            "        exec((predictions / 'evaluate.py').read_text(), spoilt := {})\n"
            "        return spoilt['evaluate'](predictions, answers)\n"
            "    truth = ",
            "a submission that patches the metric scored 1.0000",
        ),
    ],
    ids=["a label beside the inputs", "trusts a score file", "runs what it was handed"],
)
def test_a_project_that_a_cheat_gets_through_is_to_mend(
    project: Path, file: str, old: str, new: str, expected: str
) -> None:
    change(project / file, old, new)

    assert fault_of(checked(project, *BASELINE, "a cheating submission")) == f"a cheating submission: {expected}" + (
        "; constant predictions get 0.5000"
    )


@pytest.mark.parametrize(
    ("code", "ending", "name", "expected"),
    [
        ("row 7 has no pixels", Completed(0, "", "", 0.1, 0.1), "a crashing submission", "must end with its last line"),
        ("while True", Completed(0, "", "", 0.1, 0.1), "an endless submission", "must be stopped"),
    ],
)
def test_bad_code_that_ends_as_if_it_were_good_is_to_mend(
    project: Path, code: str, ending: Completed, name: str, expected: str
) -> None:
    def runner(command: Sequence[str], **how: Any) -> Completed:
        submission = Path(command[command.index("--submission") + 1]) if "--submission" in command else Path("none")
        is_bad = (submission / "predict.py").is_file() and code in (submission / "predict.py").read_text()
        return ending if is_bad else run_process(command, **how)

    report = check_project(project, runner=runner, only=(*BASELINE, name))

    assert expected in fault_of(report)


def test_what_stands_on_a_broken_check_is_not_run(project: Path) -> None:
    change(project / "data.py", "def split(", "def cut(")

    report = checked(project)

    not_run = {result.name for result in report.results if result.verdict == "not run"}
    assert {"the secret decides", "baseline", "evaluate is pure", "start.ipynb runs"} <= not_run
    assert "golden cases" not in not_run
    assert report.summary() == f"tiny: 1 to mend, {len(not_run)} not run because of that."


def test_no_path_of_the_work_folder_is_shown(project: Path) -> None:
    change(project / "baseline.py", "def train(", "def practise(")

    assert "practicum-check-" not in fault_of(checked(project, SPLIT, "baseline"))


def test_a_missing_file_is_named(project: Path) -> None:
    (project / "evaluate.py").unlink()

    assert fault_of(checked(project, "the six files")) == "the six files: missing: evaluate.py"


def test_the_command_answers_with_its_exit_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "README.md").unlink()

    assert check.main([str(project)]) == 1
    assert check.main([str(project / "nowhere")]) == 2
    assert check.main([str(project), "--python", str(project / "python")]) == 2

    captured = capsys.readouterr()
    assert "MEND    the six files" in captured.out
    assert "tiny: 1 to mend" in captured.out
    assert "is not a folder" in captured.err
    assert "is not an interpreter" in captured.err


def test_a_process_past_its_limit_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"

    done = run_process(
        [str(this_python()), "-c", code], stdin="", environment={"PATH": "/usr/bin"}, cwd=tmp_path, limit_seconds=0.5
    )

    assert done.exit_code is None
    assert done.seconds < 30


def test_a_project_gets_none_of_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_SECRET_KEY", "not yours")
    seen: list[Mapping[str, str]] = []

    def runner(
        command: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, limit_seconds: float
    ) -> Completed:
        seen.append(environment)
        return Completed(0, json.dumps({"metrics": {"accuracy": 1.0}}), "", 0.0, 0.0)

    programs = Programs(runner, this_python(), tmp_path)
    programs.score(tmp_path, predictions=tmp_path, answers=tmp_path, limit_seconds=1)

    assert set(seen[0]) == {"PATH", "HOME", "LANG", "OPENBLAS_NUM_THREADS", "http_proxy", "https_proxy"}


def test_a_scorer_that_answers_nonsense_is_no_score(tmp_path: Path) -> None:
    def runner(
        command: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, limit_seconds: float
    ) -> Completed:
        return Completed(0, "[1]", "", 0.0, 0.0)

    with pytest.raises(ProgramFailed, match="neither metrics nor a refusal"):
        Programs(runner, this_python(), tmp_path).score(
            tmp_path, predictions=tmp_path, answers=tmp_path, limit_seconds=1
        )


def test_arrays_survive_writing_and_reading_and_never_hold_objects(tmp_path: Path) -> None:
    arrays = {"id": numbers(3, -1, 2), "x": Rows("u1", (2,), (b"ab", b"cd"))}

    write_npz(tmp_path / "a.npz", arrays)

    assert read_npz(tmp_path / "a.npz") == arrays
    assert arrays["id"].whole_numbers() == (3, -1, 2)
    assert arrays["x"].reordered([1, 0]).rows == (b"cd", b"ab")
    with pytest.raises(ValueError, match="not one int64 a row"):
        arrays["x"].whole_numbers()
    with pytest.raises(ValueError, match="not a plain"):
        parse_npy(b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n")
    (tmp_path / "b.npz").write_text("text", encoding="utf-8")
    with pytest.raises(ValueError, match=r"b\.npz is not an \.npz file"):
        read_npz(tmp_path / "b.npz")


def test_a_readiness_check_shows_its_remedies_and_tells_its_bars(project: Path) -> None:
    said = """
[readiness]
prerequisite = "python"
minutes = 30
variants = 8

[[bars]]
name = "Count"
metric = "count"
pass = 0.9
gap = "The count is wrong."
remedy = "remedy/count.ipynb"
reading = [{ title = "Counting", url = "https://count.example", why = "it counts" }]
"""
    with (project / "project.toml").open("a", encoding="utf-8") as file:
        file.write(said)

    lacking = checked(project, "project.toml")
    (project / "remedy").mkdir()
    shutil.copy(project / "start.ipynb", project / "remedy" / "count.ipynb")
    there = checked(project, "project.toml", "golden cases")

    assert fault_of(lacking) == "project.toml: Count: its remedy remedy/count.ipynb is not in the project's folder"
    assert there.results[0].detail.endswith("1 bars")
    assert "perfect: evaluate returns no count, the metric of the bar 'Count'" in fault_of(there)
