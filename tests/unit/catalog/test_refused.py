"""Leaky, unstable, unlicensed and crashing copies of a project: the check names what is wrong, and none is published.

Each copy is the tiny project with one thing spoilt; only the checks that are to find it run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from practicum.catalog.check import check_project
from practicum.catalog.models import Project, ProjectVersion
from practicum.catalog.programs import NOTEBOOK, Completed, run_process
from practicum.catalog.services import publish
from practicum.engine.memory import MemoryEngine
from practicum.errors import PracticumError
from tests.unit.catalog.conftest import SPLIT, TINY, change, fault_of

INPUTS = '    write(\n        private / "inputs" / "inputs.npz"'
IDS = 'ids = [number(secret, f"id{item}") for item in range(COUNT)]'
SCORE = 'return {"accuracy": sum(right) / len(right)}'
SHA = next(
    line for line in (TINY / "project.toml").read_text(encoding="utf-8").splitlines() if line.startswith("sha256")
)
LEAKS = (SPLIT, "nothing leaks")
PURE = (SPLIT, "baseline", "evaluate is pure")
TRAINED = (SPLIT, "baseline")
NOTEBOOK_RUNS = (SPLIT, "start.ipynb is clean", "start.ipynb runs")


def beside(line: str) -> tuple[str, str, str]:
    """``data.py`` with one more line where the hidden items are known."""
    return "data.py", INPUTS, f"    {line}\n{INPUTS}"


LEAKY = {
    "labels in a public file": (
        beside('write(public / "solutions.npz", key=range(24), answer=[item % 2 for item in hidden])'),
        LEAKS,
        "nothing leaks: the answers' column label can be read in solutions.npz, which interns' code sees",
    ),
    "labels in a public file, in another type": (
        beside('(public / "notes.txt").write_text("seen: " + " ".join(str(item % 2) for item in hidden))'),
        LEAKS,
        "nothing leaks: the answers' column label can be read in notes.txt, which interns' code sees",
    ),
    "labels in a side file by id": (
        beside('(public / "log.csv").write_text("\\n".join(f"{ids[item]},{item % 2}" for item in hidden[::-1]))'),
        LEAKS,
        "nothing leaks: log.csv in public/ names 24 of the hidden ids",
    ),
    "labels in a side file beside the inputs": (
        beside(
            '(private / "inputs" / "camera.json").write_text('
            '__import__("json").dumps({ids[item]: "AB"[item % 2] for item in hidden[::-1]}))'
        ),
        LEAKS,
        "nothing leaks: column value of camera.json under private/inputs/ tells label",
    ),
    "labels in a table beside the inputs": (
        beside(
            '(private / "inputs" / "camera.csv").write_text('
            '"id,lens\\n" + "\\n".join(f"{ids[item]},{30 + item % 2}" for item in hidden[::-1]))'
        ),
        LEAKS,
        "nothing leaks: column lens of camera.csv under private/inputs/ tells label",
    ),
    "an id that encodes the label": (
        ("data.py", IDS, IDS.replace("number(", "item % 2 + 2 * number(")),
        LEAKS,
        "nothing leaks: the ids tell label (by their remainder of 2): make them of the secret",
    ),
    "ids in the order of the labels": (
        (
            "data.py",
            "in_order = sorted(range(COUNT), key=lambda item: ids[item])",
            "ids = [one + (item % 2 << 60) for item, one in enumerate(ids)]\n    in_order = sorted(range(COUNT), key=lambda "
            'item: number(secret, f"row{item}"))',
        ),
        LEAKS,
        "nothing leaks: the order of the ids tells label: make them of the secret",
    ),
    "hidden items among the public ones": (
        ("data.py", "shown = [item for item in in_order if not part[item]]", "shown = in_order"),
        (SPLIT, "ids and groups are disjoint"),
        "ids and groups are disjoint: the ids in public/ and private/inputs/ are not those that ledger.npz says",
    ),
    "hidden items among the public ones under other ids": (
        ("data.py", "100 + noise[item])", "100 + 50)"),
        LEAKS,
        "nothing leaks: 24 of 24 hidden rows are in the public data as they are: perturb them",
    ),
}
UNSTABLE = {
    "another toy each time": (
        ("data.py", "y=[item % 2 for item in shown]", "y=[random.randrange(1 << 40) for item in shown]"),
        (SPLIT,),
        f"{SPLIT}: toy and split with the same seed and secret wrote different bytes under public/",
    ),
    "another split each time": (
        ("data.py", 'random.Random(number(secret, f"noise{item}"))', "random"),
        (SPLIT,),
        f"{SPLIT}: toy and split with the same seed and secret wrote different bytes under private/",
    ),
    "a score with the clock in it": (
        ("evaluate.py", SCORE, SCORE.replace("}", ' + __import__("time").time_ns() % 10**6 / 1e9}')),
        PURE,
        "evaluate is pure: evaluate gave {'accuracy': 1.0",
    ),
    "a score with chance in it": (
        ("evaluate.py", SCORE, SCORE.replace("}", ' - __import__("random").random() / 1000}')),
        PURE,
        "evaluate is pure: evaluate gave {'accuracy': 0.99",
    ),
    "a score that depends on the order of the rows": (
        ("evaluate.py", SCORE, SCORE.replace("}", ' - (given["id"][0] > given["id"][-1]) / 100}')),
        PURE,
        "evaluate is pure: evaluate gave {'accuracy': 0.99} with its rows in reversed order, and {'accuracy': 1.0} before",
    ),
}
UNLICENSED = {
    "an empty licence": (
        ("project.toml", 'licence = "none needed"', 'licence = ""'),
        ("project.toml",),
        "data.licence: must be",
    ),
    "an address without a checksum": (
        ("project.toml", SHA, ""),
        ("project.toml",),
        "data.files[0].sha256: is missing; a file with an address must have a checksum",
    ),
    "an anchor without a source": (
        ("project.toml", 'source = "https://coin.example"', ""),
        ("project.toml",),
        "anchors[1].source: is missing",
    ),
    "an anchor that was measured nowhere": (
        ("project.toml", 'source = "measured: n = 5 splits"', 'source = "measured"'),
        ("project.toml",),
        "anchors[0].source: a measured value says",
    ),
}
CRASHING = {
    "a baseline that can't be trained": (
        ("baseline.py", "    (artifact / THRESHOLD)", '    raise RuntimeError("no gradient")\n    (artifact / THRESHOLD)'),
        TRAINED,
        "RuntimeError: no gradient",
    ),
    "a baseline that can't predict": (
        ("baseline.py", "    threshold = int(", '    raise RuntimeError("no such layer")\n    threshold = int('),
        TRAINED,
        "RuntimeError: no such layer",
    ),
    "an evaluate that breaks on good predictions": (
        ("evaluate.py", SCORE, SCORE.replace("len(right)", "(len(right) - 24)")),
        TRAINED,
        "ZeroDivisionError: ",
    ),
    "an evaluate that refuses good predictions": (
        ("evaluate.py", '!= {*truth["id"]}', '== {*truth["id"]}'),
        TRAINED,
        "baseline: evaluate refused predictions that should be valid: id and label must be int64",
    ),
    "a notebook whose cell fails": (
        ("start.ipynb", '["# %practicum submit"]', '["1 / 0  # %practicum submit"]'),
        NOTEBOOK_RUNS,
        "start.ipynb runs: start.ipynb ended with exit code 1:\n",
    ),
}  # fmt: skip
COPIES = LEAKY | UNSTABLE | UNLICENSED | CRASHING


def cells_in_turn(
    command: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, limit_seconds: float
) -> Completed:
    """The real runner; a notebook's cells run one after the other in a plain interpreter, for there is no kernel here."""
    if NOTEBOOK in command:
        cells = json.loads(Path(command[-3]).read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        command = [command[0], "-I", "-c", f"{code}\nprint(1)"]
    return run_process(command, stdin=stdin, environment=environment, cwd=cwd, limit_seconds=limit_seconds)


@pytest.mark.slow
@pytest.mark.parametrize(("spoilt", "only", "expected"), COPIES.values(), ids=COPIES.keys())
def test_a_spoilt_copy_is_named_by_its_check_and_cannot_be_published(
    project: Path, spoilt: tuple[str, str, str], only: tuple[str, ...], expected: str, mentor: Any, now: Any
) -> None:
    file, old, new = spoilt
    change(project / file, old, new)

    report = check_project(project, runner=cells_in_turn, only=only)

    assert expected in fault_of(report)
    assert not report.passed
    engine = MemoryEngine()
    with pytest.raises(PracticumError) as refusal:
        publish(project, mode="toy", report=report, actor=mentor, engine=engine, now=now)  # type: ignore[arg-type]
    for said in expected.split(": ", 1)[-1].splitlines():
        assert said in str(refusal.value)
    assert not Project.objects.exists()
    assert not ProjectVersion.objects.exists()
    assert engine.started == []


@pytest.mark.parametrize("only", sorted({(*only,) for _, only, _ in COPIES.values()} - {NOTEBOOK_RUNS}))
def test_the_copy_that_is_not_spoilt_passes_the_same_checks(project: Path, only: tuple[str, ...]) -> None:
    report = check_project(project, runner=cells_in_turn, only=only)

    assert report.passed, [result.line() for result in report.results]
