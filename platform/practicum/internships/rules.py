"""When each side of an internship sees what the other wrote, when an admin may answer, and how far days move. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta

SHOWN_AFTER = timedelta(days=7)
SILENCE = timedelta(days=3)
LONGEST_EXTENSION = timedelta(weeks=26)
LONGEST_PAUSE = timedelta(weeks=26)


def is_shown(written_at: datetime, *, other_wrote: bool, now: datetime) -> bool:
    """What one side wrote in a check-in is there for the other once both wrote, or a week has passed."""
    return other_wrote or now - written_at >= SHOWN_AFTER


def is_silent(asked_at: datetime, *, now: datetime) -> bool:
    """The other side has had three days to answer, so that an admin may."""
    return now - asked_at >= SILENCE


def days_of_pause(paused_on: date, *, today: date) -> timedelta:
    """How far what lies ahead moves when a pause is over; a pause that begins and ends on one day moves nothing."""
    return max(timedelta(0), today - paused_on)


def unfit_until(until: date | None, *, is_pause: bool, last_day: date, today: date) -> str:
    """Why this day can't be the end of a pause or of an extended internship; empty where it can."""
    if until is None:
        return "Say until which day."
    if is_pause:
        if until <= today:
            return "A pause ends on a day to come."
        return "A pause lasts half a year at most." if until - today > LONGEST_PAUSE else ""
    if until <= max(last_day, today):
        return f"That is no more time: the last day is {last_day:%-d %B %Y}."
    return "Half a year more is the most." if until - last_day > LONGEST_EXTENSION else ""
