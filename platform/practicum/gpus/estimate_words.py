"""An estimate as its intern reads it: plain sentences, times by the site's clock, rounded up to the minute."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.timezone import localtime

from practicum.gpus.models import Estimate

FRESH = timedelta(minutes=2)
MINUTE = timedelta(minutes=1)
UNKNOWN = "No estimate yet: too few sessions have ended here."
COMING = "Your estimate is being worked out."
LONG = "More than half of people like you wait longer than a day."


def sentence(estimate: Estimate | None, *, is_enough_known: bool, now: datetime) -> str:
    """When half and nine in ten of people like this one start; or why that can't be said."""
    if estimate is None:
        return COMING if is_enough_known else UNKNOWN
    if now - estimate.made_at > FRESH:
        return f"The last estimate is of {by_clock(estimate.made_at, now=now)}; the site is late with a new one."
    half, most = estimate.p50_at, estimate.p90_at
    if half is None:
        return LONG
    if most is None:
        return f"Half of people like you start by {by_clock(half, now=now)}; some wait longer than a day."
    if by_clock(half, now=now) == by_clock(most, now=now):
        return f"Nine in ten people like you start by {by_clock(most, now=now)}."
    return f"Half of people like you start by {by_clock(half, now=now)}, nine in ten by {by_clock(most, now=now)}."


def by_clock(moment: datetime, *, now: datetime) -> str:
    """``14:20``, or ``Tue 14:20`` on another day."""
    local = localtime(moment)
    if local.second or local.microsecond:
        local = local.replace(second=0, microsecond=0) + MINUTE
    return local.strftime("%H:%M" if local.date() == localtime(now).date() else "%a %H:%M")
