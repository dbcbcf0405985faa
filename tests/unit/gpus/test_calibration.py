"""Whether promises are judged and corrected rightly."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from practicum.gpus.calibration import (
    FEWEST_CASES,
    REMEMBERED,
    Case,
    corrected,
    coverage,
    factors,
    wilson,
)

MINUTE = timedelta(minutes=1)


def case(waited: float, *, half: float = 10, most: float = 30, has_started: bool = True) -> Case:
    promise = MINUTE * half, MINUTE * most
    return Case(promise, promise, MINUTE * waited, has_started)


def test_a_promise_is_kept_when_the_start_is_not_after_it() -> None:
    cases = [case(5), case(10), case(29), case(31), case(40, has_started=False)]
    assert coverage(cases, share=0.5).kept == 2
    assert coverage(cases, share=0.9).kept == 3


def test_of_nothing_there_is_no_share() -> None:
    none = coverage([], share=0.9)
    assert (none.share, none.low, none.high) == (None, 0.0, 1.0)


@pytest.mark.parametrize(
    ("kept", "of", "low", "high"), [(90, 100, 0.826, 0.945), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0)]
)
def test_wilsons_interval_is_that_of_the_tables(kept: int, of: int, low: float, high: float) -> None:
    assert wilson(kept, of=of) == pytest.approx((low, high), abs=0.001)


def test_few_cases_correct_nothing() -> None:
    assert factors([case(100)] * (FEWEST_CASES - 1)) == (1.0, 1.0)


def test_the_correction_makes_nine_in_ten_of_nine_in_ten() -> None:
    """Forecasts that are three times too short are stretched until what comes next keeps its word."""
    chance = random.Random(4)

    def wait() -> float:
        return chance.expovariate(1 / 30)

    _, most = factors([case(wait(), half=7, most=23) for _ in range(REMEMBERED)])
    promised = corrected((7 * MINUTE, 23 * MINUTE), by=(1.0, most), is_booked=False)[1]
    assert promised is not None
    kept = sum(wait() * MINUTE <= promised for _ in range(2000)) / 2000
    assert 0.85 <= kept <= 0.95


def test_only_the_last_cases_count() -> None:
    old, new = [case(300)] * 50, [case(10, half=10, most=10)] * REMEMBERED
    assert factors([*old, *new]) == (1.0, 1.0)


def test_p90_is_never_before_p50() -> None:
    half, most = corrected((10 * MINUTE, 12 * MINUTE), by=(3.0, 0.5), is_booked=False)
    assert half is not None
    assert most == half


def test_a_correction_never_draws_a_forecast_back_before_a_reservation() -> None:
    plain = 180 * MINUTE, 190 * MINUTE
    assert corrected(plain, by=(0.2, 0.2), is_booked=True) == plain
    assert corrected(plain, by=(0.2, 0.2), is_booked=False)[1] < 60 * MINUTE  # type: ignore[operator]


def test_beyond_the_horizon_stays_beyond() -> None:
    assert corrected((None, None), by=(2.0, 2.0), is_booked=False) == (None, None)
    assert corrected((MINUTE, None), by=(1.0, 1.0), is_booked=False) == (MINUTE, None)
