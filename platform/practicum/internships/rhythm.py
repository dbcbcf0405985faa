"""Time as people work: the hours of Mondays to Fridays, and the weekdays on which somebody is mostly at work. Pure.

*Working time* counts the hours of Monday to Friday, day and night; Saturdays and Sundays take none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date, datetime, timedelta

MONDAY = datetime(2024, 1, 1)
DAY, WEEK = timedelta(days=1), 7
WORKING_DAYS = 5
COUNTED_WEEKS = 3


def working_time(since: datetime, until: datetime) -> timedelta:
    """The working time between two moments, on the calendar of ``until``'s zone; none where ``since`` is later."""
    return max(timedelta(0), _elapsed(until) - _elapsed(since.astimezone(until.tzinfo)))


def after(moment: datetime, *, working: timedelta) -> datetime:
    """The first moment at which so much working time has passed since ``moment``."""
    there, left = moment, working
    while True:
        midnight = (there + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
        today = midnight - there if there.weekday() < WORKING_DAYS else timedelta(0)
        if left <= today:
            return there + left
        there, left = midnight, left - today


def usual_weekdays(days: Collection[date], *, since: date, today: date) -> frozenset[int] | None:
    """The weekdays, Monday 0, on which somebody is mostly at work, from the ``days`` they were in the last weeks.

    Weeks are counted back from the last of these days, so that being away changes nothing; weeks in which they never were do
    not count, nor does a weekday that came before ``since``. None before a first week is over.
    """
    if today - since < WEEK * DAY:
        return None
    known = {day for day in days if since <= day < today}
    weeks_ago = {day: (max(known) - day).days // WEEK for day in known}
    counted = sorted(set(weeks_ago.values()))[:COUNTED_WEEKS]
    seen = Counter(day.weekday() for day, weeks in weeks_ago.items() if weeks in counted)
    could = Counter(
        day.weekday() for weeks in counted for day in _week_back_from(max(known) - weeks * WEEK * DAY) if day >= since
    )
    return frozenset(day for day, times in seen.items() if day < WORKING_DAYS and 2 * times >= could[day])


def _week_back_from(day: date) -> list[date]:
    """The seven days that end with this one."""
    return [day - before * DAY for before in range(WEEK)]


def nth_due(after_day: date, *, weekdays: Collection[int], count: int) -> date | None:
    """The so many-th day after ``after_day`` that is one of these weekdays; None where there are no such days."""
    if not weekdays:
        return None
    day, left = after_day, count
    while left:
        day += DAY
        left -= day.weekday() in weekdays
    return day


def _elapsed(moment: datetime) -> timedelta:
    """Working time since a Monday long ago, by the clock on the wall."""
    wall = moment.replace(tzinfo=None)
    days = (wall - MONDAY).days
    weeks, weekday = divmod(days, WEEK)
    whole = timedelta(days=weeks * WORKING_DAYS + min(weekday, WORKING_DAYS))
    return whole + (wall - MONDAY - days * DAY if weekday < WORKING_DAYS else timedelta(0))
