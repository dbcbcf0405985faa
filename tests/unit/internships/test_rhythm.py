"""Working time has no weekends; the days on which somebody is mostly at work are learned from the last weeks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.internships.rhythm import after, nth_due, usual_weekdays, working_time

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
FIRST = MONDAY.date()
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        (MONDAY, MONDAY + DAY, 24),
        (MONDAY + 9 * HOUR, MONDAY + 2 * DAY, 39),
        (MONDAY + 4 * DAY + 17 * HOUR, MONDAY + 7 * DAY + 9 * HOUR, 16),  # Friday evening to Monday morning
        (MONDAY + 5 * DAY, MONDAY + 7 * DAY, 0),  # a weekend
        (MONDAY, MONDAY + 14 * DAY, 240),
        (MONDAY + DAY, MONDAY, 0),
    ],
)
def test_working_time_leaves_out_saturdays_and_sundays(since: datetime, until: datetime, hours: int) -> None:
    assert working_time(since, until) == hours * HOUR


def test_weekends_are_those_of_the_zone_of_the_later_moment() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    friday = datetime(2026, 3, 6, 18, tzinfo=UTC)  # Saturday, three in the morning, there

    assert working_time(friday, datetime(2026, 3, 9, 9, tzinfo=tokyo)) == 9 * HOUR


@given(MOMENTS, st.integers(0, 400))
def test_after_is_the_inverse_of_working_time(since: datetime, hours: int) -> None:
    assert working_time(since, after(since, working=hours * HOUR)) == hours * HOUR


@given(MOMENTS, MOMENTS, MOMENTS)
def test_working_time_adds_up(one: datetime, two: datetime, three: datetime) -> None:
    first, second, third = sorted((one, two, three))

    assert working_time(first, second) + working_time(second, third) == working_time(first, third)


def days(*numbers: int) -> set[date]:
    return {FIRST + timedelta(days=number) for number in numbers}


@pytest.mark.parametrize(
    ("at_work", "today", "usual"),
    [
        (days(0, 1), 6, None),  # the first week is not over
        (days(0, 2), 7, {0, 2}),
        (days(0, 2, 7, 9), 14, {0, 2}),
        (days(0, 2, 7), 14, {0, 2}),  # ill on one of two Wednesdays
        (days(0, 2, 7, 14, 21), 22, {0}),  # and on the next as well
        (days(0, 2, 4, 7, 11, 14), 16, {0, 2, 4}),  # a Wednesday before the first day was never missed
        (days(0, 2, 14, 16), 21, {0, 2}),  # a week away says nothing about weekdays
        (days(5, 6), 7, set()),
        (days(1, 7, 14, 21), 28, {0}),  # the last three weeks count
    ],
)
def test_a_weekday_is_usual_from_half_of_the_weeks_on(at_work: set[date], today: int, usual: set[int] | None) -> None:
    found = usual_weekdays(at_work, since=FIRST, today=FIRST + timedelta(days=today))

    assert found == (None if usual is None else frozenset(usual))


@pytest.mark.parametrize(("count", "due"), [(1, 1), (2, 3), (3, 8)])
def test_due_days_are_counted_from_the_day_after(count: int, due: int) -> None:
    assert nth_due(FIRST, weekdays={1, 3}, count=count) == FIRST + timedelta(days=due)
    assert nth_due(FIRST, weekdays=set(), count=count) is None
