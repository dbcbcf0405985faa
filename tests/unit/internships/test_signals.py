"""What asks for attention: each signal from its first moment on, in words; and messages between the sides."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from practicum.accounts.models import Notice
from practicum.errors import Forbidden, Invalid
from practicum.internships.changes import write_to
from practicum.internships.record_selectors import timeline_of
from practicum.internships.signals import Facts, signals_of
from tests.conftest import NOW

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
WELL = Facts(began=NOW - 30 * DAY, seen_at=NOW - HOUR, handed_in_at=NOW - DAY, interns_check_in=NOW - DAY)


def kinds(**changes: Any) -> dict[str, str]:
    facts = Facts(**{name: getattr(WELL, name) for name in Facts.__dataclass_fields__} | changes)
    return {signal.kind: signal.words for signal in signals_of(facts, now=NOW)}


def test_who_works_and_is_answered_raises_no_signal() -> None:
    assert kinds() == {}


@pytest.mark.parametrize(
    ("changes", "before", "kind", "words"),
    [
        ({"seen_at": NOW - 4 * DAY}, {"seen_at": NOW - 4 * DAY + SECOND}, "not-seen", "Not seen at work for 4 days."),
        (
            {"seen_at": None, "handed_in_at": None, "began": NOW - 4 * DAY},
            {"seen_at": None, "handed_in_at": None, "began": NOW - 3 * DAY},
            "not-seen",
            "Has not begun, 4 days in.",
        ),
        (
            {"handed_in_at": NOW - 10 * DAY},
            {"handed_in_at": NOW - 10 * DAY + SECOND},
            "no-submission",
            "Nothing handed in for 10 days.",
        ),
        (
            {"overdue": "First run", "overdue_since": date(2026, 3, 17)},
            {"overdue": "", "overdue_since": None},
            "overdue",
            "“First run” was due 1 day ago.",
        ),
        ({"no_better": 3}, {"no_better": 2}, "plateau", "The last 3 scores were no better than the best before."),
        (
            {"interns_check_in": NOW - 10 * DAY},
            {"interns_check_in": NOW - 10 * DAY + SECOND},
            "no-check-in",
            "No check-in for 10 days.",
        ),
        ({"in_line": 3 * HOUR}, {"in_line": 3 * HOUR - SECOND}, "in-line", "3 hours in line in a week."),
        (
            {"review_waits_since": NOW - 3 * DAY},
            {"review_waits_since": NOW - 3 * DAY + SECOND},
            "review-waits",
            "The mentor has not reviewed what was handed in 3 days ago.",
        ),
        (
            {"check_in_waits_since": NOW - 4 * DAY},
            {"check_in_waits_since": NOW - 4 * DAY + SECOND},
            "silent-mentor",
            "The mentor has not written the check-in for 4 days.",
        ),
    ],
)
def test_a_signal_is_raised_from_its_first_moment_on(changes: Any, before: Any, kind: str, words: str) -> None:
    assert kinds(**changes) == {kind: words}
    assert kinds(**before) == {}


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
