"""The Ladder rule: a score is told when it is better by a step, and else only that it was not."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from practicum.evaluation.ladder import Ladder, Told

ACCURACY = Ladder(higher_is_better=True, digits=3, noise=0.01)
LOSS = Ladder(higher_is_better=False, digits=2, noise=0.05)

scores = st.lists(st.floats(-2, 2, allow_nan=False), min_size=1, max_size=60)
ladders = st.builds(
    Ladder,
    higher_is_better=st.booleans(),
    digits=st.integers(0, 6),
    noise=st.sampled_from([0.0, 0.001, 0.01, 0.07]),
    share=st.sampled_from([1.0, 0.5, 0.1]),
)


@pytest.mark.parametrize(
    ("ladder", "values", "told"),
    [
        (ACCURACY, [0.5], [(0.5, True)]),
        (ACCURACY, [0.5, 0.509], [(0.5, True), (0.5, False)]),
        (ACCURACY, [0.5, 0.51], [(0.5, True), (0.51, True)]),
        (ACCURACY, [0.5, 0.5099], [(0.5, True), (0.51, True)]),
        (ACCURACY, [0.5, 0.4, 0.509, 0.6], [(0.5, True), (0.5, False), (0.5, False), (0.6, True)]),
        (ACCURACY, [0.12345], [(0.123, True)]),
        (LOSS, [1.0, 0.96, 0.95, 1.2], [(1.0, True), (1.0, False), (0.95, True), (0.95, False)]),
        (ACCURACY, [], []),
    ],
)
def test_a_new_best_is_told_only_when_it_is_better_by_a_step(
    ladder: Ladder, values: list[float], told: list[tuple[float, bool]]
) -> None:
    assert ladder.climb(values) == [Told(best=best, is_new=is_new) for best, is_new in told]


@pytest.mark.parametrize(
    ("noise", "share", "digits", "step"),
    [(0.01, 1.0, 3, 0.01), (0.01, 0.5, 3, 0.015), (0.01, 0.25, 4, 0.02), (0.0, 1.0, 2, 0.01), (0.001, 1.0, 2, 0.01)],
)
def test_the_step_is_the_metrics_error_on_the_shown_rows_and_at_least_one_digit(
    noise: float, share: float, digits: int, step: float
) -> None:
    assert Ladder(higher_is_better=True, digits=digits, noise=noise, share=share).step == step


@given(ladder=ladders, values=scores)
def test_what_is_told_changes_by_a_step_or_not_at_all(ladder: Ladder, values: list[float]) -> None:
    told = ladder.climb(values)

    for before, after in itertools.pairwise(told):
        rise = (after.best - before.best) * (1 if ladder.higher_is_better else -1)
        assert after.is_new == (rise != 0)
        assert rise == 0 or rise >= ladder.step - 1e-9


@given(ladder=ladders, values=scores)
def test_what_is_told_says_nothing_of_scores_that_were_no_new_best(ladder: Ladder, values: list[float]) -> None:
    told = ladder.climb(values)
    best = values[0]
    # Any other score that is no new best either, in the place of each that was none.
    others = []
    for value, answer in zip(values, told, strict=True):
        best = answer.best
        others.append(value if answer.is_new else best - 5 if ladder.higher_is_better else best + 5)

    assert ladder.climb(others) == told


@given(ladder=ladders, values=scores)
def test_there_are_no_more_rises_than_steps_between_the_first_and_the_best(ladder: Ladder, values: list[float]) -> None:
    told = ladder.climb(values)

    span = abs(told[-1].best - told[0].best)
    assert sum(answer.is_new for answer in told) <= 1 + math.floor(span / ladder.step + 1e-6)


@given(ladder=ladders, values=scores)
@example(ladder=Ladder(higher_is_better=True, digits=3, noise=0.0), values=[0.0005])  # 0.001 as it is told
def test_the_best_told_is_less_than_a_step_behind_the_best_there_was(ladder: Ladder, values: list[float]) -> None:
    sign = 1 if ladder.higher_is_better else -1
    best = sign * max(sign * ladder.rounded(value) for value in values)

    behind = sign * (best - ladder.climb(values)[-1].best)
    assert -1e-9 <= behind < ladder.step
