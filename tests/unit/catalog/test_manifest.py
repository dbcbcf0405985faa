"""project.toml is read into facts, or refused with every fault named by its key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from practicum.catalog.columns import Column
from practicum.catalog.manifest import ManifestInvalid, load_manifest, parse_manifest
from practicum.errors import PracticumError

TINY = Path(__file__).with_name("tiny")
GOOD = (TINY / "project.toml").read_text(encoding="utf-8")


def faults_of(content: str) -> tuple[str, ...]:
    with pytest.raises(ManifestInvalid) as raised:
        parse_manifest(content)
    return raised.value.faults


def with_change(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} must be there once to be changed"
    return GOOD.replace(old, new)


def test_a_good_file_becomes_facts_that_cannot_be_changed() -> None:
    manifest = load_manifest(TINY)

    assert manifest.project.slug == "tiny"
    assert manifest.data.files[0].algorithm == "sha256"
    assert manifest.submission.columns == {"id": Column("int64"), "label": Column("int64")}
    assert manifest.milestones[1].threshold == 0.97
    assert manifest.milestones[0].threshold is None
    assert manifest.rubric[0].points == 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest.metric.noise = 0.0  # type: ignore[misc]


def test_the_file_and_its_folder_give_the_same_facts() -> None:
    assert load_manifest(TINY) == load_manifest(TINY / "project.toml")


def test_anchors_hold_for_their_mode_and_come_best_first() -> None:
    manifest = load_manifest(TINY)

    assert [anchor.value for anchor in manifest.anchors_for("toy")] == [0.95]
    assert [anchor.value for anchor in manifest.anchors_for("full")] == [0.95, 0.5]
    baseline = manifest.baseline_for("toy")
    assert baseline is not None
    assert baseline.spread == 0.03


def test_with_the_goal_min_less_is_better_and_comes_first() -> None:
    content = with_change('goal = "max"', 'goal = "min"').replace("worst = 0.0\nbest = 1.0", "worst = 1.0\nbest = 0.0")

    manifest = parse_manifest(content)

    assert manifest.metric.better(0.1, than=0.2)
    assert not manifest.metric.better(0.2, than=0.2)
    assert [anchor.value for anchor in manifest.anchors_for("full")] == [0.5, 0.95]


def test_every_fault_is_listed_at_once_with_its_key() -> None:
    content = with_change("weeks = 2", 'weeks = "two"').replace('licence = "none needed"', 'licence = " "')
    content = content.replace("per_day = 5", "")

    faults = faults_of(content)

    assert [fault.split(":")[0] for fault in faults] == ["project.weeks", "data.licence", "submission.per_day"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('slug = "tiny"', 'slug = "Tiny Project"', "project.slug: must be"),
        ("level = 1", "level = true", "project.level: must be a whole number from 1 to 4"),
        ('prerequisites = ["counting"]', 'prerequisites = "counting"', "project.prerequisites: must be a list"),
        ('group = "pair"', 'group = "pair"\ngruop = "x"', "split.gruop: is not a key"),
        ('[metric]\nname = "accuracy"', '[metric]\nname = "The Accuracy"', "metric.name: must be a name"),
        ('goal = "max"', 'goal = "up"', "metric.goal: must be one of max, min"),
        ("noise = 0.05", "noise = nan", "metric.noise: must be a finite number"),
        ("noise = 0.05", "noise = -0.1", "metric.noise: must be a finite number"),
        ("best = 1.0", "best = -1.0", "metric.best: must be better than metric.worst"),
        ("shown = 1.0", "shown = 1.5", "split.shown: must be a finite number from 0 to 1"),
        ("shown = 1.0", "shown = 0.0", "split.shown: must be above 0"),
        ('policy = "resplit"', 'policy = "hope"', "split.policy: must be one of"),
        ('label = "int64"', 'label = "object"', "submission.columns.label: must be one of"),
        ('sha256 = "aaaa', 'sha256 = "zzzz', "data.files[0].sha256: must be a checksum"),
        ('url = "https://data.example/items.bin"', 'url = "items.bin"', "data.files[0].url: must be an http(s)"),
        ('name = "items.bin"', 'name = "../items.bin"', "data.files[0].name: must be a plain file name"),
        ('source = "https://coin.example"', "", "anchors[1].source: is missing"),
        ('source = "measured: n = 5 splits"', 'source = "measured"', "anchors[0].source: a measured value says"),
        ("value = 0.95", "value = 1.5", "anchors[0].value: must lie between"),
        ("value = 0.95", "value = 1.0", "anchors: the baseline must lie inside"),
        ("baseline = true", "", "anchors: exactly one anchor"),
        ("baseline = true", "baseline = false", "anchors[0].baseline: must be true"),
        ('mode = "full"', "baseline = true", "anchors: exactly one anchor"),
        ('mode = "full"', 'mode = "half"', "anchors[1].mode: must be one of full, toy"),
        ("week = 1\n", "week = 3\n", "milestones: must be in the order"),
        ('url = "https://bytes.example"', "", "reading[0].url: is missing"),
        ("points = 5", "points = 0", "rubric[0].points: must be a whole number"),
        ("[budget]", "[spending]", "budget: is missing"),
        ("[budget]", "[spending]", "spending: is not a key"),
    ],
)
def test_a_fault_is_named_by_its_key(old: str, new: str, expected: str) -> None:
    assert any(fault.startswith(expected) for fault in faults_of(with_change(old, new)))


def with_evaluation(*lines: str) -> str:
    content = with_change("[budget]", "\n".join(["[evaluation]", *lines, "", "[budget]"]))
    return content.replace("gpu_hours = 0", "gpu_hours = 0.5")


def test_a_project_that_does_not_ask_for_seeds_is_evaluated_once() -> None:
    evaluation = load_manifest(TINY).evaluation

    assert (evaluation.seeds, evaluation.retrain, evaluation.smallest_difference) == (1, False, 0.0)
    assert not evaluation.trains_with_seeds
    assert not evaluation.timed


def test_a_project_of_code_may_ask_to_be_timed() -> None:
    content = with_evaluation("timed = true")

    assert parse_manifest(content).evaluation.timed
    assert not parse_manifest(content).evaluation.trains_with_seeds
    with pytest.raises(ManifestInvalid, match=r"evaluation\.timed: is for submissions of code"):
        parse_manifest(content.replace('kind = "code"', 'kind = "notebook"'))


def test_a_project_may_ask_for_seeds_training_and_a_smallest_difference() -> None:
    evaluation = parse_manifest(
        with_evaluation("seeds = 10", "retrain = true", "smallest_difference = 0.005")
    ).evaluation

    assert (evaluation.seeds, evaluation.retrain, evaluation.smallest_difference) == (10, True, 0.005)
    assert evaluation.trains_with_seeds


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("seeds = 0", "evaluation.seeds: must be a whole number from 1 to 32"),
        ("seeds = 33", "evaluation.seeds: must be a whole number from 1 to 32"),
        ("seeds = 2", "evaluation.seeds: must be 1, or at least 3"),
        ('retrain = "yes"', "evaluation.retrain: must be true or false"),
        ("timed = 1", "evaluation.timed: must be true or false"),
        ("smallest_difference = -1", "evaluation.smallest_difference: must be a finite number"),
        ("seed = 3", "evaluation.seed: is not a key"),
    ],
)
def test_a_fault_in_what_is_asked_of_an_evaluation_is_named(line: str, expected: str) -> None:
    (fault,) = faults_of(with_evaluation(line))

    assert fault.startswith(expected)


def test_training_with_seeds_needs_time_to_train() -> None:
    content = with_evaluation("retrain = true").replace("gpu_hours = 0.5", "gpu_hours = 0")

    assert faults_of(content) == ("budget.gpu_hours: must be more than 0 where the platform trains with seeds",)


@pytest.mark.parametrize("line", ["seeds = 5", "retrain = true"])
def test_predictions_have_no_seeds(line: str) -> None:
    content = with_evaluation(line).replace('kind = "code"', 'kind = "predictions"')

    assert any(
        fault.startswith("evaluation: seeds and retrain are for submissions of code") for fault in faults_of(content)
    )


def test_a_file_with_an_address_must_have_a_checksum() -> None:
    checksum = next(line for line in GOOD.splitlines() if line.startswith("sha256"))

    assert any(fault.startswith("data.files[0].sha256: is missing") for fault in faults_of(with_change(checksum, "")))


def test_two_rubric_items_may_not_share_a_name() -> None:
    item = GOOD[GOOD.index("[[rubric]]") :]

    assert faults_of(GOOD + "\n" + item) == ("rubric: two items have the same name",)


def with_snippets(given: str) -> str:
    return with_change("points = 5", f"points = 5\nsnippets = {given}")


def test_a_line_of_the_rubric_may_carry_snippets() -> None:
    assert load_manifest(TINY).rubric[0].snippets == ()
    longest = "x" * 400
    manifest = parse_manifest(with_snippets(f'["Name the axes.", "  Say how often.\\n", "{longest}"]'))
    assert manifest.rubric[0].snippets == ("Name the axes.", "Say how often.", longest)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('"Name the axes."', "rubric[0].snippets: must be a list of non-empty texts"),
        ('["Name the axes.", " "]', "rubric[0].snippets: must be a list of non-empty texts"),
        ('["Name the axes.", 7]', "rubric[0].snippets: must be a list of non-empty texts"),
        (f'["{"x" * 401}"]', "rubric[0].snippets[0]: must be at most 400 characters; it has 401"),
        ('["a", "b", " a"]', "rubric[0].snippets[2]: is there twice"),
        ('["a", "b", "c", "d", "e", "f", "g"]', "rubric[0].snippets: must be at most 6 texts"),
    ],
)
def test_a_fault_in_a_snippet_is_named(given: str, expected: str) -> None:
    (fault,) = faults_of(with_snippets(given))

    assert fault.startswith(expected)


def test_what_is_no_toml_or_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    assert faults_of("[project\n")[0].startswith("project.toml is not TOML")
    with pytest.raises(ManifestInvalid, match="no such readable"):
        load_manifest(tmp_path / "project.toml")


def test_the_refusal_is_one_of_ours_and_shows_every_fault() -> None:
    with pytest.raises(PracticumError, match=r"(?s)project\.level.*rubric\[0\]\.points") as raised:
        parse_manifest(with_change("level = 1", "level = 9").replace("points = 5", 'points = "many"'))

    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{ id = ", "{ key = ", "split.shown: must be 1.0 without a column id among submission.columns"),
        ("noise = 0.05", "noise = 0.0", "metric.noise: must be above 0 when split.shown is below 1"),
        ("noise = 0.05", "noise = 0.05", ""),
    ],
)
def test_a_part_can_be_shown_only_by_ids_and_with_a_step(old: str, new: str, expected: str) -> None:
    content = GOOD.replace("shown = 1.0", "shown = 0.5")
    assert old in content

    if not expected:
        assert parse_manifest(content.replace(old, new)).split.shown == 0.5
        return
    with pytest.raises(ManifestInvalid) as fault:
        parse_manifest(content.replace(old, new))
    assert [said for said in fault.value.faults if said.startswith(expected)]


COLUMNS = 'columns = { id = "int64", label = "int64" }'


def test_a_column_may_have_a_range_and_a_width() -> None:
    said = 'columns = { id = "int64", code = { type = "float32", low = -1, high = 1.5, width = [1, 64] } }'

    submission = parse_manifest(with_change(COLUMNS, f"{said}\nordered = true\npredictions_mb = 20")).submission

    assert submission.columns["code"] == Column("float32", -1.0, 1.5, (1, 64))
    assert (submission.ordered, submission.predictions_mb) == (True, 20)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ('{ type = "float16" }', "submission.columns.label.type: must be one of int64, float32, float64, uint8, str"),
        ('{ type = "int64", width = [0, 4] }', "submission.columns.label.width: must be [least, most]"),
        ('{ type = "int64", width = [true, 4] }', "submission.columns.label.width: must be [least, most]"),
        ('{ type = "int64", low = 3, high = 1 }', "submission.columns.label.low: must not be above high"),
        ('{ type = "str", low = 3 }', "submission.columns.label.type: a text has neither low, high nor width"),
        ('{ type = "int64", least = 3 }', "submission.columns.label.least: is not a key of project.toml"),
    ],
)
def test_a_column_that_says_nonsense_is_a_fault(said: str, fault: str) -> None:
    (found,) = faults_of(with_change(COLUMNS, f'columns = {{ id = "int64", label = {said} }}'))
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("columns", "files", "fault"),
    [
        (
            '{ id = "float32", x = "int64" }',
            '["p.npz"]',
            "submission.columns.id: must be one int64, uint8 or str a row",
        ),
        ('{ id = "int64", x = "str" }', '["p.safetensors"]', "submission.columns: x holds texts, which a .safetensors"),
        (
            '{ id = "int64", x = { type = "int64", width = [1, 2] }, y = { type = "int64", width = [1, 2] } }',
            '["p.csv"]',
            "submission.columns: a .csv file can hold one column of vectors",
        ),
    ],
)
def test_columns_that_a_file_cannot_hold_are_a_fault(columns: str, files: str, fault: str) -> None:
    content = with_change(COLUMNS, f"columns = {columns}")
    (listed,) = (line for line in content.splitlines() if line.startswith("files = [") and "predictions" in line)
    (found,) = faults_of(content.replace(listed, f"files = {files}"))
    assert found.startswith(fault)
