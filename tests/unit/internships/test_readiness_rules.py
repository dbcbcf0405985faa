"""When a bar is held, which numbers an attempt has, and which submission counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from practicum.internships import readiness_rules as rules
from tests.conftest import MANIFEST
from tests.unit.internships.checks import READINESS

CHECK = rules.readiness_in(MANIFEST | {"readiness": READINESS})
assert CHECK is not None
BARS = CHECK.bars


@dataclass
class Row:
    variant: int | None = 3
    values: dict[str, float] = field(default_factory=dict)


def test_a_manifest_is_read_back_whole_and_a_project_without_the_table_is_no_check() -> None:
    assert CHECK is not None
    assert (CHECK.prerequisite, CHECK.minutes, CHECK.variants) == ("ml", 30, 8)
    assert [(bar.metric, bar.at_least) for bar in BARS] == [("sgd", 0.8), ("bagging", 0.5)]
    assert BARS[0].reading[0].url == "https://d2l.ai"
    assert rules.readiness_in(MANIFEST) is None
    assert rules.readiness_in(MANIFEST | {"readiness": None}) is None


@pytest.mark.parametrize(
    ("value", "is_held", "percent"),
    [(0.8, True, 80), (1.0, True, 100), (0.7999, False, 80), (0.0, False, 0), (1.7, True, 100), (None, False, 0)],
)
def test_a_bar_is_held_at_its_line_and_above(value: float | None, is_held: bool, percent: int) -> None:
    result = rules.BarResult(BARS[0], value)

    assert (result.is_held, result.percent, result.line_percent) == (is_held, percent, 80)


def test_a_metric_that_was_not_measured_is_no_gap_and_no_bar() -> None:
    assert [result.value for result in rules.results_of(BARS, {"sgd": 0.9})] == [0.9, None]
    assert [result.value for result in rules.results_of(BARS, None)] == [None, None]


def test_attempts_one_after_the_other_have_other_numbers_and_come_around() -> None:
    numbers = [rules.variant_at(number=number, first=5, variants=8) for number in range(1, 10)]

    assert sorted(numbers[:8]) == list(range(1, 9))
    assert numbers[8] == numbers[0]
    assert rules.variant_at(number=1, first=6, variants=8) != numbers[0]


def test_three_times_the_minutes_are_taken_in() -> None:
    began = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)

    assert rules.until(began, minutes=30) == datetime(2026, 3, 18, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [({"variant": 3.0}, 3), ({}, None), ({"variant": 0.0}, None), ({"variant": -2.0}, None), ({"variant": 1e9}, None)],
)
def test_a_submission_says_which_numbers_it_is_about(metrics: dict[str, float], said: int | None) -> None:
    assert rules.said_variant(metrics) == said


def test_the_best_has_most_bars_held_and_among_equals_comes_nearest_and_first() -> None:
    one_bar = Row(values={"sgd": 0.9, "bagging": 0.1})
    nearer = Row(values={"sgd": 0.8, "bagging": 0.4})
    as_near = Row(values={"sgd": 1.0, "bagging": 0.4})
    both = Row(values={"sgd": 0.8, "bagging": 0.5})

    assert rules.best_of([one_bar, nearer, as_near], bars=BARS, variant=3) is nearer
    assert rules.best_of([one_bar, both, nearer], bars=BARS, variant=3) is both
    assert rules.best_of([], bars=BARS, variant=3) is None


def test_what_is_about_other_numbers_counts_for_nothing() -> None:
    other, silent = Row(variant=4, values={"sgd": 1.0, "bagging": 1.0}), Row(variant=None, values={"sgd": 1.0})

    assert rules.best_of([other, silent], bars=BARS, variant=3) is None
