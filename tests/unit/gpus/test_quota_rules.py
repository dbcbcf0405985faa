"""What a quota may say, and whether the guarantees of a pool add up."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.gpus.quota_rules import Share, Terms, first_overrun, fullest_day, guaranteed_on, unfit

TODAY = date(2026, 2, 20)
MARCH = date(2026, 3, 3)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, []),
        ({"guaranteed": 0}, []),
        ({"guaranteed": -1}, ["guaranteed"]),
        ({"guaranteed": 10_001}, ["guaranteed"]),
        ({"weight": 0.001}, []),
        ({"weight": 0.0}, ["weight"]),
        ({"weight": -1.0}, ["weight"]),
        ({"weight": 1000.5}, ["weight"]),
        ({"weight": math.nan}, ["weight"]),
        ({"weight": math.inf}, ["weight"]),
        ({"borrowing_limit": 0}, []),
        ({"borrowing_limit": -1}, ["borrowing_limit"]),
        ({"lending_limit": 0}, []),
        ({"lending_limit": 4}, []),
        ({"lending_limit": 5}, ["lending_limit"]),
        ({"lending_limit": -1}, ["lending_limit"]),
        ({"lending_limit": 10_001}, ["lending_limit"]),
        ({"per_intern": 1}, []),
        ({"per_intern": 0}, ["per_intern"]),
        ({"session_hours": 1}, []),
        ({"session_hours": 168}, []),
        ({"session_hours": 0}, ["session_hours"]),
        ({"session_hours": 169}, ["session_hours"]),
        ({"from_on": MARCH, "to_on": MARCH}, []),
        ({"from_on": MARCH, "to_on": MARCH - timedelta(days=1)}, ["to_on"]),
        ({"to_on": date(2000, 1, 1)}, []),
        ({"weight": 0.0, "per_intern": 0}, ["weight", "per_intern"]),
    ],
)
def test_terms_are_refused_by_field(changes: dict[str, Any], refused: list[str]) -> None:
    terms = replace(Terms(guaranteed=4), **changes)
    assert [field for field, _sentence in unfit(terms, today=TODAY)] == refused


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        (Terms(guaranteed=3, lending_limit=5), "5 can't be lent: 3 are guaranteed."),
        (Terms(guaranteed=1, lending_limit=2), "2 can't be lent: 1 is guaranteed."),
        (
            Terms(from_on=MARCH, to_on=date(2025, 12, 31)),
            "It would end on 31 December 2025, before it begins on 3 March.",
        ),
    ],
)
def test_a_refusal_says_the_figures(terms: Terms, sentence: str) -> None:
    assert unfit(terms, today=TODAY)[0][1] == sentence


SPRING = Share(4)
FROM_MARCH = Share(2, from_on=MARCH)
TO_MARCH = Share(3, to_on=MARCH)
AFTER_MARCH = Share(3, from_on=MARCH + timedelta(days=1))


@pytest.mark.parametrize(
    ("shares", "slots", "day", "parts"),
    [
        ([], 0, None, None),
        ([SPRING], 4, None, None),
        ([SPRING], 3, TODAY, (4,)),
        ([SPRING, FROM_MARCH], 6, None, None),
        ([SPRING, FROM_MARCH], 5, MARCH, (4, 2)),
        ([SPRING, Share(3), FROM_MARCH], 8, MARCH, (4, 3, 2)),
        ([SPRING, TO_MARCH, AFTER_MARCH], 7, None, None),
        ([SPRING, TO_MARCH, FROM_MARCH], 8, MARCH, (4, 3, 2)),
        ([SPRING, Share(9, to_on=TODAY - timedelta(days=1))], 4, None, None),
        ([SPRING, Share(0), Share(1)], 4, TODAY, (4, 1)),
        ([Share(1, to_on=date.max)], 1, None, None),
    ],
)
def test_the_first_day_that_does_not_add_up_is_found(
    shares: list[Share], slots: int, day: date | None, parts: tuple[int, ...] | None
) -> None:
    overrun = first_overrun(shares, slots=slots, since=TODAY)
    assert (overrun and overrun.day, overrun and overrun.shares) == (day, parts)


@pytest.mark.parametrize(
    ("shares", "slots", "sentence"),
    [
        ([SPRING, Share(3), FROM_MARCH], 8, "4 + 3 + 2 = 9 slots are guaranteed on 3 March, and the pool has 8."),
        ([Share(9)], 8, "9 slots are guaranteed today, and the pool has 8."),
        ([Share(1)], 0, "1 slot is guaranteed today, and the pool has 0."),
        ([Share(2, from_on=date(2027, 1, 1))], 1, "2 slots are guaranteed on 1 January 2027, and the pool has 1."),
    ],
)
def test_an_overrun_is_told_with_its_arithmetic(shares: list[Share], slots: int, sentence: str) -> None:
    overrun = first_overrun(shares, slots=slots, since=TODAY)
    assert overrun is not None
    assert overrun.sentence(today=TODAY) == sentence


@pytest.mark.parametrize(
    ("guaranteed", "slots", "sentence"),
    [
        ([4, 4], 8, None),
        ([2, 2], 8, None),
        ([8], 8, None),
        ([2, 2, 2], 12, None),
        (
            [2, 2, 2],
            8,
            "2 + 2 + 2 = 6 slots are guaranteed today. One cohort at a time uses the 4 slots of a GPU: "
            "1 + 1 + 1 = 3 GPUs are needed, and the pool has 2.",
        ),
        (
            [5, 1],
            8,
            "5 + 1 = 6 slots are guaranteed today. One cohort at a time uses the 4 slots of a GPU: "
            "2 + 1 = 3 GPUs are needed, and the pool has 2.",
        ),
        ([5, 4], 8, "5 + 4 = 9 slots are guaranteed today, and the pool has 8."),
    ],
)
def test_guarantees_of_shared_slots_are_counted_in_whole_gpus(
    guaranteed: list[int], slots: int, sentence: str | None
) -> None:
    overrun = first_overrun([Share(count) for count in guaranteed], slots=slots, parts=4, since=TODAY)
    assert (overrun and overrun.sentence(today=TODAY)) == sentence


def test_a_pool_that_lost_a_shared_gpu_may_be_eased_but_not_made_worse() -> None:
    before = [Share(2), Share(2), Share(2)]
    for last, is_refused in ((2, False), (0, False), (4, False), (5, True)):
        after = [Share(2), Share(2), Share(last)]
        overrun = first_overrun(after, slots=8, parts=4, since=TODAY, before=before)
        assert (overrun is not None) == is_refused


@pytest.mark.parametrize(
    ("before", "after", "is_refused"),
    [
        ([Share(5), Share(5)], [Share(5), Share(4)], False),
        ([Share(5), Share(5)], [Share(5), Share(5)], False),
        ([Share(5), Share(5)], [Share(5), Share(6)], True),
        ([Share(5), Share(5, from_on=MARCH)], [Share(5), Share(5)], True),
        ([Share(5), Share(5, to_on=MARCH)], [Share(5), Share(5)], True),
    ],
)
def test_a_pool_that_lost_slots_may_be_eased_but_not_made_worse_on_any_day(
    before: list[Share], after: list[Share], is_refused: bool
) -> None:
    assert (first_overrun(after, slots=8, since=TODAY, before=before) is not None) == is_refused


DAYS = st.none() | st.integers(-3, 12).map(lambda days: TODAY + timedelta(days=days))
SHARES = st.lists(st.builds(Share, st.integers(0, 5), DAYS, DAYS), max_size=5)


@given(SHARES, SHARES, st.integers(0, 8), st.booleans())
def test_looking_at_the_days_of_change_finds_what_looking_at_every_day_finds(
    shares: list[Share], old: list[Share], slots: int, has_before: bool
) -> None:
    before = old if has_before else None
    days = [TODAY + timedelta(days=number) for number in range(20)]
    over = [
        day
        for day in days
        if guaranteed_on(day, shares) > slots
        and (before is None or guaranteed_on(day, shares) > guaranteed_on(day, before))
    ]
    found = first_overrun(shares, slots=slots, since=TODAY, before=before)
    assert (found.day if found else None) == (over[0] if over else None)
    assert fullest_day(shares, since=TODAY) == max(days, key=lambda day: guaranteed_on(day, shares))
