"""A readiness check says in project.toml what it asks for, and keeps what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from practicum.catalog.bars import golden_bars, remedies_are_there
from practicum.catalog.leaks import Fault
from practicum.catalog.manifest import ManifestInvalid, parse_manifest
from practicum.catalog.readiness import Bar, Readiness, Reading

TINY = Path(__file__).with_name("tiny")
PLAIN = (TINY / "project.toml").read_text(encoding="utf-8")
READINESS = """
[readiness]
prerequisite = "ml"
minutes = 30
variants = 8
"""
BARS = """
[[bars]]
name = "Repair an SGD loop"
metric = "sgd"
pass = 0.9
gap = "The loop does not reach the loss it should."
remedy = "remedy/sgd.ipynb"
reading = [{ title = "Optimisation", url = "https://sgd.example", why = "the update rule" }]

[[bars]]
name = "Bag weak learners"
metric = "bag"
pass = 0.5
gap = "The vote is no better than one learner."
remedy = "remedy/bag.ipynb"
reading = [{ title = "Ensembles", url = "https://bag.example", why = "the bootstrap" }]
"""
GOOD = PLAIN + READINESS + BARS
NOTEBOOK = json.dumps({"cells": [{"id": "a", "cell_type": "code", "source": "1", "outputs": []}]})


def faults_of(content: str) -> tuple[str, ...]:
    with pytest.raises(ManifestInvalid) as raised:
        parse_manifest(content)
    return raised.value.faults


def readiness() -> Readiness:
    found = parse_manifest(GOOD).readiness
    assert found is not None
    return found


def test_a_project_that_is_no_readiness_check_says_nothing_of_bars() -> None:
    assert parse_manifest(PLAIN).readiness is None


def test_a_readiness_check_names_its_prerequisite_its_length_and_its_bars() -> None:
    found = readiness()

    assert (found.prerequisite, found.minutes, found.variants) == ("ml", 30, 8)
    assert found.bars[0] == Bar(
        name="Repair an SGD loop",
        metric="sgd",
        at_least=0.9,
        gap="The loop does not reach the loss it should.",
        remedy="remedy/sgd.ipynb",
        reading=(Reading(title="Optimisation", url="https://sgd.example", why="the update rule"),),
    )
    assert [bar.metric for bar in found.bars] == ["sgd", "bag"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('prerequisite = "ml"', 'prerequisite = "latin"', "readiness.prerequisite: must be one of ml, python, cuda"),
        ("minutes = 30", "minutes = 0", "readiness.minutes: must be a whole number from 1"),
        ("variants = 8", "variants = 1", "readiness.variants: must be a whole number from 2"),
        ("variants = 8", "variants = 8\nseed = 1", "readiness.seed: is not a key"),
        ('metric = "sgd"', 'metric = "SGD loss"', "bars[0].metric: must be a name of a-z"),
        ('metric = "sgd"', 'metric = "bag"', "bars: two bars have the same metric"),
        ('metric = "sgd"', 'metric = "accuracy"', "bars[0].metric: accuracy is metric.name"),
        ('metric = "bag"', 'metric = "variant"', "bars[1].metric: variant is the metric that tells the variant"),
        ('name = "Bag weak learners"', 'name = "Repair an SGD loop"', "bars: two bars have the same name"),
        ("pass = 0.9", "pass = 1.1", "bars[0].pass: must be a finite number from 0 to 1"),
        ("pass = 0.9", "pass = 0.0", "bars[0].pass: must be above 0"),
        ("pass = 0.9\n", "", "bars[0].pass: is missing"),
        ('gap = "The vote is no better than one learner."', "", "bars[1].gap: is missing"),
        ('remedy = "remedy/sgd.ipynb"', 'remedy = "../sgd.ipynb"', "bars[0].remedy: must be a notebook"),
        ('remedy = "remedy/sgd.ipynb"', 'remedy = "/etc/sgd.ipynb"', "bars[0].remedy: must be a notebook"),
        ('remedy = "remedy/sgd.ipynb"', 'remedy = "remedy/sgd.md"', "bars[0].remedy: must be a notebook"),
        ("https://sgd.example", "sgd.example", "bars[0].reading[0].url: must be an http(s) address"),
        (READINESS, "", "bars: are for a readiness check; there is no table [readiness]"),
        (BARS, "", "bars: must list at least 1 table"),
    ],
)
def test_a_fault_of_a_readiness_check_is_named_by_its_key(old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) == 1

    (fault,) = faults_of(GOOD.replace(old, new))

    assert fault.startswith(expected)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder with both remedial notebooks."""
    (tmp_path / "remedy").mkdir()
    for name in ("sgd", "bag"):
        (tmp_path / "remedy" / f"{name}.ipynb").write_text(NOTEBOOK, encoding="utf-8")
    return tmp_path


def test_remedial_notebooks_that_are_there_are_no_fault(folder: Path) -> None:
    remedies_are_there(folder, readiness())
    remedies_are_there(folder / "elsewhere", None)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (Path.unlink, "Bag weak learners: its remedy remedy/bag.ipynb is not in the project's folder"),
        (lambda file: file.write_text("text"), "Bag weak learners: its remedy remedy/bag.ipynb is not a notebook"),
        (lambda file: file.write_text("[]"), "Bag weak learners: its remedy remedy/bag.ipynb is not a notebook"),
        (
            lambda file: file.write_text(NOTEBOOK.replace('"outputs": []', '"outputs": [1]')),
            "Bag weak learners: clear the outputs of remedy/bag.ipynb",
        ),
    ],
)
def test_a_remedial_notebook_that_cannot_be_used_is_to_mend(
    folder: Path, spoil: Callable[[Path], object], expected: str
) -> None:
    spoil(folder / "remedy" / "bag.ipynb")

    with pytest.raises(Fault) as fault:
        remedies_are_there(folder, readiness())

    assert str(fault.value) == expected


def test_a_remedial_notebook_outside_the_folder_is_to_mend(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "bag.ipynb"
    elsewhere.write_text(NOTEBOOK, encoding="utf-8")
    (folder / "remedy" / "bag.ipynb").unlink()
    (folder / "remedy" / "bag.ipynb").symlink_to(elsewhere)

    with pytest.raises(Fault, match="is not in the project's folder"):
        remedies_are_there(folder, readiness())


def cases(*, perfect: dict[str, float], baseline: dict[str, float]) -> list[dict[str, object]]:
    return [
        {"name": "perfect", "metrics": perfect},
        {"name": "baseline", "metrics": baseline},
        {"name": "malformed-text", "message": "no archive"},
    ]


ALL = {"accuracy": 1.0, "sgd": 1.0, "bag": 1.0, "variant": 3.0}
HALF = {"accuracy": 0.5, "sgd": 0.2, "bag": 1.0, "variant": 3.0}


def test_golden_cases_that_tell_every_bar_are_no_fault() -> None:
    golden_bars(readiness(), cases(perfect=ALL, baseline=HALF))
    golden_bars(None, cases(perfect={}, baseline={}))


@pytest.mark.parametrize(
    ("perfect", "baseline", "expected"),
    [
        (
            {name: ALL[name] for name in ("accuracy", "sgd", "variant")},
            HALF,
            "perfect: evaluate returns no bag, the metric of the bar 'Bag weak learners'",
        ),
        (ALL, HALF | {"bag": 1.2}, "baseline: bag is 1.2; the metric of a bar lies between 0 and 1"),
        (ALL | {"variant": 9.0}, HALF, "perfect: evaluate must return the metric variant, a whole number from 1 to 8"),
        (ALL | {"variant": 1.5}, HALF, "perfect: evaluate must return the metric variant, a whole number from 1 to 8"),
        (
            {name: ALL[name] for name in ("accuracy", "sgd", "bag")},
            HALF,
            "perfect: evaluate must return the metric variant, a whole number from 1 to 8",
        ),
        (ALL | {"bag": 0.4}, HALF, "perfect: must hold every bar, but misses Bag weak learners"),
        (ALL, ALL, "baseline: holds every bar; it must leave something to mend"),
    ],
)
def test_golden_cases_that_do_not_tell_the_bars_are_to_mend(
    perfect: dict[str, float], baseline: dict[str, float], expected: str
) -> None:
    with pytest.raises(Fault) as fault:
        golden_bars(readiness(), cases(perfect=perfect, baseline=baseline))

    assert str(fault.value) == expected
