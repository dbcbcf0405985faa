"""When a notebook is idle, and what follows: decision tables and properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.workspaces.rules import Announce, Keep, Report, Stop, Verdict, Watch, has_executed, verdict, warning

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def watch(*, idle: float, stop_in: float | None = None, ends_in: float = 600, heard: float | None = 0.2) -> Watch:
    """Idle for so many minutes, with 45 allowed."""
    return Watch(
        active_at=NOW - minutes(idle),
        reported_at=None if heard is None else NOW - minutes(heard),
        lease_until=NOW + minutes(ends_in),
        idle_after=minutes(45),
        stop_at=None if stop_in is None else NOW + minutes(stop_in),
    )


IDLE = Stop(reason="Nothing ran in it for 45 minutes. Its files are kept.")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (watch(idle=0), Keep()),
        (watch(idle=39), Keep()),
        (watch(idle=40), Announce(NOW + minutes(5))),
        (watch(idle=44), Announce(NOW + minutes(5))),
        (watch(idle=90), Announce(NOW + minutes(5))),
        (watch(idle=43, stop_in=2), Announce(NOW + minutes(2))),
        (watch(idle=45, stop_in=0), IDLE),
        (watch(idle=90, stop_in=3), Announce(NOW + minutes(3))),
        (watch(idle=2, stop_in=3), Keep()),
        (watch(idle=45, stop_in=0, heard=None), Keep()),
        (watch(idle=45, stop_in=0, heard=3), Keep()),
        (watch(idle=44, ends_in=2), Announce(NOW + minutes(2))),
        (watch(idle=0, ends_in=6), Keep()),
        (watch(idle=0, ends_in=5), Announce(NOW + minutes(5))),
        (watch(idle=0, ends_in=5, heard=None), Announce(NOW + minutes(5))),
        (watch(idle=0, ends_in=0), Stop(reason="Its time was up.")),
        (watch(idle=42, stop_in=-1, ends_in=600), Announce(NOW + minutes(5))),
    ],
)
def test_idle_notebooks_are_announced_then_stopped(seen: Watch, expected: Verdict) -> None:
    assert verdict(seen, now=NOW) == expected


@given(idle=st.floats(0, 200), stop_in=st.none() | st.floats(-60, 60), ends_in=st.floats(0.1, 600))
def test_nobody_is_stopped_for_idleness_without_an_announcement_before(
    idle: float, stop_in: float | None, ends_in: float
) -> None:
    seen = watch(idle=idle, stop_in=stop_in, ends_in=ends_in)
    if isinstance(verdict(seen, now=NOW), Stop):
        assert seen.stop_at is not None
        assert seen.stop_at <= NOW
        assert NOW - seen.active_at >= seen.idle_after


@given(idle=st.floats(0, 200), ends_in=st.floats(0.1, 600))
def test_an_idle_announcement_leaves_five_minutes_or_what_is_left_of_the_lease(idle: float, ends_in: float) -> None:
    match verdict(watch(idle=idle, ends_in=ends_in), now=NOW):
        case Announce(stop_at=stop_at):
            assert stop_at == NOW + minutes(ends_in) or stop_at - NOW >= minutes(5)


@given(stop_in=st.floats(-60, 60))
def test_activity_withdraws_an_announcement(stop_in: float) -> None:
    assert verdict(watch(idle=0, stop_in=stop_in), now=NOW) == Keep()


@pytest.mark.parametrize(
    ("executed_at", "is_work"),
    [(None, False), (NOW - minutes(1), True), (NOW - minutes(11), False), (NOW + minutes(60), False)],
)
def test_a_cell_that_ran_since_is_work(executed_at: datetime | None, is_work: bool) -> None:
    report = Report(busy_kernels=0, cpu_seconds=0.0, last_execution_at=executed_at, seconds=15)
    assert has_executed(report, active_at=NOW - minutes(10), now=NOW) is is_work


def asked_back(*, idle: float, in_minutes: float, stop_in: float | None = None) -> Watch:
    """A lent slot whose owners need it."""
    seen = watch(idle=idle, stop_in=stop_in)
    return replace(seen, reclaim_at=NOW + minutes(in_minutes), reclaim_reason="Its owners need it.")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (asked_back(idle=0, in_minutes=2), Announce(NOW + minutes(2))),
        (asked_back(idle=0, in_minutes=2, stop_in=2), Announce(NOW + minutes(2))),
        (asked_back(idle=0, in_minutes=0, stop_in=0), Stop(reason="Its owners need it.")),
        (asked_back(idle=44, in_minutes=2), Announce(NOW + minutes(2))),
        (asked_back(idle=44, in_minutes=2, stop_in=4), Announce(NOW + minutes(2))),
        (asked_back(idle=44, in_minutes=8, stop_in=4), Announce(NOW + minutes(4))),
        (asked_back(idle=45, in_minutes=8, stop_in=0), IDLE),
    ],
)
def test_a_slot_that_was_asked_back_is_announced_whatever_runs_on_it(seen: Watch, expected: Verdict) -> None:
    assert verdict(seen, now=NOW) == expected


def test_the_warning_says_what_ends_it() -> None:
    idle = watch(idle=42, stop_in=3)
    assert warning(replace(idle, stop_at=None), now=NOW) is None
    assert "in 3 minutes unless something runs" in (warning(idle, now=NOW) or "")
    assert "session ends in 1 minute." in (warning(watch(idle=0, stop_in=1, ends_in=1), now=NOW) or "")
    lent = asked_back(idle=0, in_minutes=2, stop_in=2)
    assert warning(lent, now=NOW) == "Its owners need it. This notebook stops in 2 minutes. Its files are kept."
