"""What asks for attention: each signal from its first moment on, in words; and messages between the sides."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from practicum.accounts.models import Notice
from practicum.errors import Forbidden, Invalid
from practicum.internships.changes import write_to
from practicum.internships.record_selectors import timeline_of
from practicum.internships.signals import Facts, signals_of
from tests.conftest import NOW

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
MIDNIGHT = NOW.replace(hour=0)
DAILY, TUE_THU = frozenset(range(5)), frozenset({1, 3})
# A Wednesday at ten, in the third week; the second week's check-in is written.
WELL = Facts(
    began=NOW - 16 * DAY,
    seen_at=NOW - HOUR,
    usual_weekdays=DAILY,
    handed_in_at=NOW - DAY,
    usual_hand_in=2,
    interns_check_in=NOW - 5 * DAY,
    checked_in_through=MIDNIGHT - 2 * DAY,
)


def kinds(*, now: datetime = NOW, **changes: Any) -> dict[str, str]:
    facts = Facts(**{name: getattr(WELL, name) for name in Facts.__dataclass_fields__} | changes)
    return {signal.kind: signal.words for signal in signals_of(facts, now=now)}


def test_who_works_and_is_answered_raises_no_signal() -> None:
    assert kinds() == {}


@pytest.mark.parametrize(
    ("changes", "before", "kind", "words"),
    [
        (
            {"seen_at": None, "handed_in_at": None, "began": NOW - 2 * DAY},
            {"seen_at": None, "handed_in_at": None, "began": NOW - 2 * DAY + SECOND},
            "not-seen",
            "Has not begun, 2 days in.",
        ),
        (
            {"idle_visits": 2},
            {"idle_visits": 1},
            "no-run",
            "Opened the notebook 2 times in a row, and ran nothing in it.",
        ),
        (
            {"gpu_days": 2, "gpu_unused": 4 * HOUR},
            {"gpu_days": 1, "gpu_unused": 8 * HOUR},
            "gpu-unused",
            "Held a GPU for 4 hours on 2 days, and nothing ran on it.",
        ),
        (
            {"gpu_days": 2, "gpu_unused": 5 * HOUR},
            {"gpu_days": 2, "gpu_unused": 4 * HOUR - SECOND},
            "gpu-unused",
            "Held a GPU for 5 hours on 2 days, and nothing ran on it.",
        ),
        (
            {"same_error": 3, "error": "ValueError in predict.py"},
            {"same_error": 2, "error": "ValueError in predict.py"},
            "same-error",
            "The last 3 submissions ended the same way: ValueError in predict.py.",
        ),
        (
            {"no_better": 5, "best_at": NOW - 7 * DAY},
            {"no_better": 5, "best_at": NOW - 7 * DAY + SECOND},
            "plateau",
            "The last 5 scores were no better than the best before.",
        ),
        (
            {"no_better": 6, "best_at": NOW - 8 * DAY},
            {"no_better": 4, "best_at": NOW - 8 * DAY},
            "plateau",
            "The last 6 scores were no better than the best before.",
        ),
        ({"in_line": 3 * HOUR}, {"in_line": 3 * HOUR - SECOND}, "in-line", "3 hours in line in a week."),
        (
            {"review_waits_since": NOW - 5 * DAY},
            {"review_waits_since": NOW - 5 * DAY + SECOND},
            "review-waits",
            "The mentor has not reviewed what was handed in 5 days ago.",
        ),
        (
            {"check_in_waits_since": NOW - 5 * DAY},
            {"check_in_waits_since": NOW - 5 * DAY + SECOND},
            "silent-mentor",
            "The mentor has not written the check-in for 5 days.",
        ),
        (
            {"request_waits_since": NOW - 5 * DAY},
            {"request_waits_since": NOW - 5 * DAY + SECOND},
            "request-waits",
            "What the intern asked for 5 days ago is not answered.",
        ),
    ],
)
def test_a_signal_is_raised_from_its_first_moment_on(changes: Any, before: Any, kind: str, words: str) -> None:
    assert kinds(**changes) == {kind: words}
    assert kinds(**before) == {}


# The Wednesday of ``NOW`` is due, and the Thursday after it.
@pytest.mark.parametrize(
    ("weekdays", "seen_at", "shown_at"),
    [
        (DAILY, NOW - DAY, MIDNIGHT + 2 * DAY),  # Wednesday missed, and Thursday
        (DAILY, NOW + 2 * DAY, MIDNIGHT + 7 * DAY),  # seen on Friday; Monday and Tuesday missed
        (TUE_THU, NOW - DAY, MIDNIGHT + 3 * DAY),  # Thursday missed, and another day
        (frozenset(), NOW - DAY, NOW + 6 * DAY),  # no rhythm: a week of working days
        (None, NOW - DAY, NOW - DAY + 60 * HOUR),  # not known yet
    ],
)
def test_who_misses_a_day_on_which_they_are_mostly_there_is_not_seen(
    weekdays: Any, seen_at: datetime, shown_at: datetime
) -> None:
    given = {"usual_weekdays": weekdays, "seen_at": seen_at, "handed_in_at": seen_at, "interns_check_in": NOW}
    given |= {"checked_in_through": NOW + 5 * DAY}

    days = (shown_at - seen_at).days

    assert kinds(now=shown_at - SECOND, **given) == {}
    assert kinds(now=shown_at, **given) == {"not-seen": f"Not seen at work for {days} day{'s' * (days > 1)}."}


@pytest.mark.parametrize(
    ("weekdays", "usual", "shown_at"),
    [
        (DAILY, 2, NOW + 7 * DAY),  # never before five working days
        (DAILY, 6, MIDNIGHT + 10 * DAY),  # due on the sixth, a Thursday, and a day more
        (TUE_THU, 3, MIDNIGHT + 10 * DAY),  # Thursday, Tuesday, Thursday
        (TUE_THU, None, MIDNIGHT + 9 * DAY + 12 * HOUR),  # not known: a week of theirs and a day, and half a day more
    ],
)
def test_who_works_and_hands_in_later_than_ever_has_handed_in_nothing(
    weekdays: Any, usual: int | None, shown_at: datetime
) -> None:
    given = {"usual_weekdays": weekdays, "usual_hand_in": usual, "handed_in_at": NOW, "interns_check_in": NOW}
    given |= {"checked_in_through": NOW + 5 * DAY}

    assert kinds(now=shown_at - SECOND, seen_at=shown_at, **given) == {}
    assert list(kinds(now=shown_at, seen_at=shown_at, **given)) == ["no-submission"]


def test_a_milestone_is_overdue_when_a_working_day_and_a_half_have_passed_since_it_was_due() -> None:
    given = {"overdue": "First run", "overdue_since": date(2026, 3, 15)}  # a Sunday

    assert kinds(now=MIDNIGHT - DAY + 12 * HOUR - SECOND, **given) == {}
    assert kinds(now=MIDNIGHT - DAY + 12 * HOUR, **given) == {"overdue": "“First run” was due 2 days ago."}


def test_a_week_without_a_check_in_is_told_of_on_the_second_day_of_the_next() -> None:
    told = MIDNIGHT - DAY + 12 * HOUR  # Tuesday noon; the last check-in was for the first week
    given = {"checked_in_through": MIDNIGHT - 9 * DAY, "interns_check_in": told - 11 * DAY}

    assert kinds(now=told - SECOND, **given) == {}
    assert kinds(now=told, **given) == {"no-check-in": "No check-in for 11 days."}


def test_after_a_pause_everything_counts_from_its_end() -> None:
    long_ago = NOW - 20 * DAY
    facts = {
        "seen_at": long_ago, "handed_in_at": long_ago, "interns_check_in": long_ago, "checked_in_through": long_ago,
        "no_better": 5, "best_at": long_ago, "began": NOW - HOUR,
    }  # fmt: skip

    assert kinds(**facts) == {}


@pytest.mark.parametrize(("who", "told"), [("intern", "mentor"), ("mentor", "intern"), ("admin", "intern")])
def test_a_message_reaches_the_other_side_and_stays_on_record(
    request: pytest.FixtureRequest, internship: Any, now: Any, who: str, told: str
) -> None:
    author, reader = request.getfixturevalue(who), request.getfixturevalue(told)

    write_to(author, internship=internship, text=" How is it? ", now=now)

    notice = Notice.objects.get()
    assert (notice.user, notice.subject, notice.body) == (reader, f"{author} writes to you", "How is it?")
    assert timeline_of(internship)[-1].message == f"{author} wrote: “How is it?”"


@pytest.mark.parametrize("who", ["peer", "other_mentor"])
def test_nobody_else_writes(request: pytest.FixtureRequest, internship: Any, now: Any, who: str) -> None:
    with pytest.raises(Forbidden):
        write_to(request.getfixturevalue(who), internship=internship, text="Hello", now=now)


@pytest.mark.parametrize("text", ["", "  ", "x" * 1001])
def test_a_message_says_something(internship: Any, intern: Any, now: Any, text: str) -> None:
    with pytest.raises(Invalid):
        write_to(intern, internship=internship, text=text, now=now)
