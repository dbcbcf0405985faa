"""Better, worse, not distinguishable: which test is taken, and how often it is right."""

from __future__ import annotations

import math
import statistics

import pytest

from practicum.evaluation.verdicts import (
    LEVEL,
    NOISE,
    PAIRED,
    SINGLE,
    Verdict,
    incomplete_beta,
    judge,
    summary_of,
    t_quantile,
    t_two_sided,
)
from tests.unit.evaluation import cases

BASELINE = {1: 0.80, 2: 0.82, 3: 0.79, 4: 0.83, 5: 0.81}


def judged(
    values: dict[int, float],
    baseline: dict[int, float] | None = None,
    *,
    is_retrained: bool = True,
    higher_is_better: bool = True,
    smallest: float = 0.0,
) -> Verdict:
    return judge(
        values,
        BASELINE if baseline is None else baseline,
        higher_is_better=higher_is_better,
        noise=0.01,
        is_retrained=is_retrained,
        smallest=smallest,
    )


def moved(by: float, *, jitter: float = 0.005) -> dict[int, float]:
    """The baseline's values moved, a little differently for each seed."""
    return {seed: value + by + jitter * (-1) ** seed for seed, value in BASELINE.items()}


# Two-sided tails and quantiles of Student's distribution: published tables (Abramowitz and Stegun, table 26.10) to three
# digits, the rest from an independent implementation (scipy.stats.t, 1.17.1).
@pytest.mark.parametrize(
    ("freedom", "probability", "t"),
    [
        (1, 0.975, 12.706204736174694),
        (2, 0.995, 9.924843200918287),
        (4, 0.975, 2.776445105197779),
        (4, 0.99, 3.746947387979196),
        (7, 0.9995, 5.407882520861727),
        (9, 0.99, 2.8214379250258084),
        (30, 0.95, 1.697260886593957),
        (1000, 0.975, 1.962339080792187),
    ],
)
def test_the_quantiles_of_students_distribution(freedom: int, probability: float, t: float) -> None:
    assert t_quantile(probability, freedom=freedom) == pytest.approx(t, rel=1e-9)
    assert t_two_sided(t, freedom=freedom) == pytest.approx(2 * (1 - probability), rel=1e-9)


@pytest.mark.parametrize(("x", "a", "b"), [(0.3, 2, 5), (0.9, 2, 5), (0.5, 1, 1), (0.01, 3, 0.5), (0.999, 20, 0.5)])
def test_the_incomplete_beta_function_is_the_integral_it_stands_for(x: float, a: float, b: float) -> None:
    steps = 40_000
    # Substituting u = v² at 0 and the same at 1 would be needed for poles; from x on the other side there is none here.
    density = lambda u: u ** (a - 1) * (1 - u) ** (b - 1)  # noqa: E731
    width = x / steps
    integral = width * math.fsum(density((step + 0.5) * width) for step in range(steps))
    whole = math.exp(math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))

    assert incomplete_beta(x, a=a, b=b) == pytest.approx(integral / whole, rel=1e-3)
    assert incomplete_beta(x, a=a, b=b) == pytest.approx(1 - incomplete_beta(1 - x, a=b, b=a), abs=1e-12)


@pytest.mark.parametrize(("x", "value"), [(0.0, 0.0), (1.0, 1.0), (-0.5, 0.0), (1.5, 1.0)])
def test_the_ends_of_the_incomplete_beta_function(x: float, value: float) -> None:
    assert incomplete_beta(x, a=2, b=3) == value


def test_a_mean_over_seeds_has_its_interval_and_its_spread() -> None:
    values = list(BASELINE.values())

    found = summary_of(values)

    half = 3.746947387979196 * statistics.stdev(values) / math.sqrt(5)
    assert (found.value, found.count) == (pytest.approx(0.81), 5)
    assert (found.low, found.high) == (pytest.approx(0.81 - half), pytest.approx(0.81 + half))
    assert found.spread == pytest.approx(statistics.stdev(values))


def test_one_value_has_no_interval() -> None:
    found = summary_of([0.9])

    assert (found.value, found.count, found.low, found.high, found.spread) == (0.9, 1, None, None, None)


# The p of the paired test is scipy.stats.ttest_rel's.
def test_trained_with_the_same_seeds_the_differences_seed_by_seed_are_tested() -> None:
    values = {1: 0.84, 2: 0.83, 3: 0.85, 4: 0.86, 5: 0.84}

    found = judged(values)

    assert found.method is PAIRED
    assert (found.outcome, found.values) == ("better", 5)
    assert found.difference == pytest.approx(0.034)
    assert found.p == pytest.approx(0.013861039296766, rel=1e-9)
    assert found.low == pytest.approx(0.034 - 3.746947388 * 0.034 / 4.185110693, rel=1e-6)


def test_only_seeds_that_both_have_are_compared() -> None:
    found = judged({**moved(0.05), 99: 0.1})

    assert found.values == 5
    assert found.difference == pytest.approx(0.049)


@pytest.mark.parametrize(
    ("by", "higher_is_better", "outcome"),
    [
        (0.05, True, "better"),
        (-0.05, True, "worse"),
        (0.05, False, "worse"),
        (-0.05, False, "better"),
        (0.001, True, "not distinguishable"),
    ],
)
def test_the_goal_of_the_metric_says_which_side_is_better(by: float, higher_is_better: bool, outcome: str) -> None:
    assert judged(moved(by), higher_is_better=higher_is_better).outcome == outcome


@pytest.mark.parametrize(
    ("smallest", "outcome", "is_small"), [(0.01, "better", False), (0.1, "not distinguishable", True)]
)
def test_less_than_what_the_project_calls_a_difference_is_never_better(
    smallest: float, outcome: str, is_small: bool
) -> None:
    found = judged(moved(0.05), smallest=smallest)

    assert (found.outcome, found.is_small) == (outcome, is_small)
    assert found.p < LEVEL


def test_one_handed_in_artifact_is_one_case_among_the_baselines_seeds() -> None:
    found = judged({7: 0.87}, is_retrained=False)

    spread = statistics.stdev(BASELINE.values())
    t = (0.87 - 0.81) / (spread * math.sqrt(6 / 5))
    assert found.method is SINGLE
    assert found.values == 5
    assert found.p == pytest.approx(20 * t_two_sided(t, freedom=4))
    assert found.outcome == "not distinguishable"


def test_a_case_far_outside_the_baselines_seeds_is_better() -> None:
    assert judged({7: 1.0}, is_retrained=False).outcome == "better"
    assert judged({7: 0.6}, is_retrained=False).outcome == "worse"


@pytest.mark.parametrize(
    "values", [dict.fromkeys(BASELINE, 0.84), moved(0.03) | {1: 0.84, 2: 0.8401, 3: 0.84, 4: 0.84, 5: 0.84}]
)
def test_code_that_does_not_use_its_seed_counts_as_one_value(values: dict[int, float]) -> None:
    found = judged(values)

    assert (found.method, found.ignores_seed) == (SINGLE, True)
    assert found.outcome == "not distinguishable"


def test_a_submission_that_is_steadier_than_the_baseline_is_still_paired() -> None:
    steady = {1: 0.850, 2: 0.853, 3: 0.849, 4: 0.852, 5: 0.851}

    assert (judged(steady).method, judged(steady).outcome) == (PAIRED, "better")


# 0.033 is 2.326 * sqrt(2) * 0.01.
@pytest.mark.parametrize(
    ("baseline", "value", "outcome"),
    [
        ({0: 0.8}, 0.834, "better"),
        ({0: 0.8}, 0.832, "not distinguishable"),
        ({0: 0.8}, 0.766, "worse"),
        ({0: 0.8, 1: 0.8}, 0.834, "better"),
        (dict.fromkeys(BASELINE, 0.8), 0.832, "not distinguishable"),
    ],
)
def test_one_value_against_one_is_held_against_the_metrics_noise(
    baseline: dict[int, float], value: float, outcome: str
) -> None:
    found = judged({0: value}, baseline, is_retrained=False)

    assert (found.method, found.outcome) == (NOISE, outcome)
    assert found.high - found.low == pytest.approx(2 * 2.3263479 * math.sqrt(2) * 0.01)


def test_where_seeds_change_nothing_on_either_side_the_noise_decides() -> None:
    found = judged(dict.fromkeys(BASELINE, 0.81), dict.fromkeys(BASELINE, 0.8))

    assert (found.method, found.outcome) == (NOISE, "not distinguishable")


@pytest.mark.parametrize(("value", "outcome"), [(0.8, "not distinguishable"), (0.8001, "better")])
def test_a_metric_without_any_noise_tells_every_difference(value: float, outcome: str) -> None:
    found = judge({0: value}, {0: 0.8}, higher_is_better=True, noise=0.0, is_retrained=False)

    assert found.outcome == outcome


# The issue's own measure. With 0.98 expected, 200 cases fall below 0.95 in 3 of 1,000 simulations; the generator is
# seeded, so these are what they are.
@pytest.mark.parametrize("case", [cases.retrained, cases.fixed, cases.handed_in])
@pytest.mark.parametrize("seeds", [3, 5, 8, 10])
def test_a_lucky_copy_of_the_baseline_is_told_for_what_it_is(case: object, seeds: int) -> None:
    assert cases.shares(case, cases=200, seeds=seeds, gain=0.0)["not distinguishable"] >= 0.95


def test_a_true_gain_of_two_spreads_is_found_with_ten_seeds() -> None:
    found = cases.shares(cases.retrained, cases=200, seeds=10, gain=2.0)

    assert found["better"] >= 0.8
    assert found["worse"] == 0


def test_how_often_copies_are_told_apart_is_what_the_level_says() -> None:
    found = cases.shares(cases.retrained, cases=4000, seeds=5, gain=0.0)

    assert found["better"] + found["worse"] == pytest.approx(LEVEL, abs=0.006)
