"""The arithmetic of the past, as tables: windows, percentiles, peaks, guarantees."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from practicum.gpus.history_rules import (
    GRACE,
    HOUR,
    Moment,
    Span,
    Window,
    means,
    peaks,
    percentile,
    shortfalls,
    tones,
    window_of,
)

ZERO = datetime(2026, 3, 17, 11, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    """So many minutes after the window's beginning."""
    return ZERO + MINUTE * minutes


def spans(*bounds: tuple[float, float]) -> list[Span]:
    """Spans in minutes after the window's beginning."""
    return [(at(begin), at(end)) for begin, end in bounds]


def window(*, hours: int = 4, step: int = 1, until: float | None = None) -> Window:
    """So many hours; ``until``: the minute that is now."""
    return Window("day", ZERO, at(hours * 60 if until is None else until), hours=hours, step=step)


@pytest.mark.parametrize(
    ("name", "back", "first", "end", "hours"),
    [
        ("day", 0, datetime(2026, 3, 17, 11, tzinfo=UTC), datetime(2026, 3, 18, 10, 20, tzinfo=UTC), 24),
        ("day", 1, datetime(2026, 3, 16, 11, tzinfo=UTC), datetime(2026, 3, 17, 11, tzinfo=UTC), 24),
        ("week", 0, datetime(2026, 3, 11, 11, tzinfo=UTC), datetime(2026, 3, 18, 10, 20, tzinfo=UTC), 168),
        ("four-weeks", 0, datetime(2026, 2, 18, 11, tzinfo=UTC), datetime(2026, 3, 18, 10, 20, tzinfo=UTC), 672),
        ("four-weeks", 2, datetime(2025, 12, 24, 11, tzinfo=UTC), datetime(2026, 1, 21, 11, tzinfo=UTC), 672),
    ],
)
def test_a_window_is_whole_hours_up_to_this_one(
    name: str, back: int, first: datetime, end: datetime, hours: int
) -> None:
    found = window_of(name, back=back, now=datetime(2026, 3, 18, 10, 20, tzinfo=UTC))
    assert (found.first, found.end, found.hours) == (first, end, hours)


@pytest.mark.parametrize(
    ("span", "inside"),
    [
        ((-60, 60), (0, 60)),
        ((30, 90), (30, 90)),
        ((200, 300), (200, 230)),
        ((-60, 0), None),
        ((230, 300), None),
        ((60, 60), None),
        ((90, 60), None),
    ],
)
def test_a_span_is_cut_to_the_window_and_to_now(span: tuple[int, int], inside: tuple[int, int] | None) -> None:
    expected = None if inside is None else (at(inside[0]), at(inside[1]))
    assert window(until=230).clip((at(span[0]), at(span[1]))) == expected


@pytest.mark.parametrize(
    ("minutes", "share", "expected"),
    [
        ([], 0.5, None),
        ([7], 0.5, 7),
        ([7], 0.9, 7),
        ([4, 1, 3, 2], 0.5, 2),
        ([5, 1, 3, 2, 4], 0.5, 3),
        (list(range(1, 11)), 0.9, 9),
        (list(range(1, 12)), 0.9, 10),
        ([1, 2], 0.0, 1),
        ([1, 2], 1.0, 2),
    ],
)
def test_a_percentile_is_a_wait_that_somebody_had(minutes: list[int], share: float, expected: int | None) -> None:
    found = percentile([MINUTE * value for value in minutes], share)
    assert found == (None if expected is None else MINUTE * expected)


@pytest.mark.parametrize(
    ("of", "highest"),
    [
        ([], [0, 0, 0, 0]),
        ([(10, 20)], [1, 0, 0, 0]),
        ([(10, 130)], [1, 1, 1, 0]),
        ([(-99, 999)], [1, 1, 1, 1]),
        ([(0, 60)], [1, 0, 0, 0]),
        ([(60, 120)], [0, 1, 0, 0]),
        ([(0, 60), (60, 120)], [1, 1, 0, 0]),
        ([(0, 30), (30, 59)], [1, 0, 0, 0]),
        ([(0, 31), (30, 59)], [2, 0, 0, 0]),
        ([(10, 200), (100, 110), (105, 108)], [1, 3, 1, 1]),
        ([(10, 61), (50, 130), (120, 125)], [2, 2, 2, 0]),
    ],
)
def test_the_most_at_once(of: list[tuple[float, float]], highest: list[int]) -> None:
    assert peaks(spans(*of), window=window()) == highest


def test_the_most_at_once_is_what_counting_each_minute_finds() -> None:
    chance = random.Random(7)
    for _ in range(60):
        bounds = [(begin, begin + chance.randrange(1, 150)) for begin in (chance.randrange(-60, 240) for _ in range(9))]
        counted = [
            max(sum(begin <= minute < end for begin, end in bounds) for minute in range(hour * 60, hour * 60 + 60))
            for hour in range(4)
        ]
        assert peaks(spans(*bounds), window=window()) == counted


@pytest.mark.parametrize(
    ("by_hour", "step", "until", "expected"),
    [
        ([1.0, 3.0, 0.0, 2.0], 1, 240, [1.0, 3.0, 0.0, 2.0]),
        ([1.0, 3.0, 0.0, 2.0], 2, 240, [2.0, 1.0]),
        ([1.0, 3.0, 0.0, 0.5], 1, 210, [1.0, 3.0, 0.0, 1.0]),
        ([1.0, 3.0, 1.0, 0.5], 2, 210, [2.0, 1.0]),
    ],
)
def test_means_count_only_the_time_that_has_passed(
    by_hour: list[float], step: int, until: float, expected: list[float]
) -> None:
    assert means(by_hour, window=window(step=step, until=until)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("cohorts", "expected"),
    [
        ([], {}),
        ([3], {3: 3}),
        ([1, 2, 7], {1: 1, 2: 2, 7: 3}),
        ([7, 8], {7: 1, 8: 2}),
        ([1, 2, 3, 4, 5, 6, 7], {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 1}),
    ],
)
def test_a_cohort_keeps_its_colour_where_it_can(cohorts: list[int], expected: dict[int, int]) -> None:
    assert tones(cohorts) == expected


BOUNDS = (at(0), at(240))


@pytest.mark.parametrize(
    ("waiting", "held", "guaranteed", "moments"),
    [
        # Nobody waits, or nobody long enough.
        ([], [], 2, []),
        ([(0, 2)], [], 2, []),
        # One waits ten minutes: eight of them after the grace.
        ([(0, 10)], [], 2, [(2, 10, 1)]),
        # The guarantee is full, or nothing is guaranteed.
        ([(0, 10)], [(0, 60), (0, 60)], 2, []),
        ([(0, 10)], [], 0, []),
        # Three wait, one slot is missing to the guarantee: one.
        ([(0, 10), (0, 10), (0, 10)], [(0, 60)], 2, [(2, 10, 1)]),
        # Three wait, all of a guarantee of two is missing: two.
        ([(0, 10), (0, 10), (0, 10)], [], 2, [(2, 10, 2)]),
        # It was full until the fifth minute.
        ([(0, 10)], [(0, 60), (0, 5)], 2, [(5, 10, 1)]),
        # Granted at once to another of the cohort as one ends: full throughout.
        ([(0, 10)], [(0, 5), (5, 60)], 1, []),
        # Two times, with a full guarantee between.
        ([(0, 30)], [(10, 20)], 1, [(2, 10, 1), (20, 30, 1)]),
        # It began before the window and goes on after it.
        ([(-60, 999)], [], 1, [(0, 240, 1)]),
    ],
)
def test_a_guarantee_is_not_kept_while_somebody_waits_below_it(
    waiting: list[tuple[float, float]],
    held: list[tuple[float, float]],
    guaranteed: int,
    moments: list[tuple[float, float, int]],
) -> None:
    found = shortfalls(spans(*waiting), held=spans(*held), guaranteed=guaranteed, bounds=BOUNDS)
    assert [(moment.begins_at, moment.ends_at, moment.most) for moment in found] == [
        (at(begin), at(end), most) for begin, end, most in moments
    ]


def test_what_is_missing_is_counted_in_slot_hours() -> None:
    # One slot is missing from 2 to 12, two from 12 to 42: one time, 10 + 60 slot-minutes.
    found = shortfalls(spans((0, 42), (10, 42)), held=[], guaranteed=2, bounds=BOUNDS)
    assert found == [Moment(at(2), at(42), most=2, slot_hours=pytest.approx(70 / 60))]


def test_missing_slot_hours_are_what_counting_each_minute_finds() -> None:
    chance = random.Random(11)
    grace = GRACE // MINUTE
    for _ in range(60):
        waiting = [(begin, begin + chance.randrange(1, 90)) for begin in (chance.randrange(-60, 240) for _ in range(8))]
        held = [(begin, begin + chance.randrange(1, 90)) for begin in (chance.randrange(-60, 240) for _ in range(8))]
        counted = sum(
            min(
                sum(begin + grace <= minute < end for begin, end in waiting),
                max(3 - sum(begin <= minute < end for begin, end in held), 0),
            )
            for minute in range(240)
        )
        found = shortfalls(spans(*waiting), held=spans(*held), guaranteed=3, bounds=BOUNDS)
        assert sum(moment.slot_hours for moment in found) == pytest.approx(counted * (MINUTE / HOUR))
        assert all(before.ends_at < after.begins_at for before, after in pairwise(found))
