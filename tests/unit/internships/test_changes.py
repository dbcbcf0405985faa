"""What intern and mentor ask of each other: who answers, when an admin may, and that what is agreed on happens."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from practicum.accounts.models import Notice
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships.changes import Wish, answer, ask, go_on, take_back
from practicum.internships.models import Change, Internship, Milestone
from practicum.internships.record_selectors import timeline_of
from practicum.internships.selectors import (
    active_internship_of,
    current_internship_of,
    days_left,
    interns_to_place,
    internship_for,
)
from practicum.internships.services import complete_internship, resume_due, start_internship

EXTENSION = Wish("extension", "I was ill for two weeks.", until=date(2026, 5, 10))
PAUSE = Wish("pause", "Exams.", until=date(2026, 3, 25))
END = Wish("end", "I found a job.")


def fresh(internship: Any) -> Any:
    return Internship.objects.select_related("cohort", "intern", "mentor").get(pk=internship.pk)


def agreed(internship: Any, *, wish: Wish, by: Any, now: Any) -> Any:
    """The intern asks, ``by`` agrees."""
    change = ask(internship.intern, internship=internship, wish=wish, now=now)
    answer(by, change=change, is_agreed=True, words="", now=now)
    return fresh(internship)


def test_the_other_side_is_told_and_answers(internship: Any, intern: Any, mentor: Any, now: Any) -> None:
    change = ask(intern, internship=internship, wish=EXTENSION, now=now)

    told = Notice.objects.get(user=mentor)
    assert told.subject == "Ines Intern asks: More time, until 10 May 2026"
    assert "I was ill for two weeks." in told.body
    with pytest.raises(Forbidden):
        answer(intern, change=change, is_agreed=True, words="", now=now)
    answer(mentor, change=change, is_agreed=True, words="Get well.", now=now)
    assert "Get well." in Notice.objects.get(user=intern).body
    with pytest.raises(Conflict, match="answered"):
        answer(mentor, change=change, is_agreed=False, words="No.", now=now)


@pytest.mark.parametrize("who", ["peer", "other_mentor", "admin"])
def test_only_the_two_sides_ask(request: pytest.FixtureRequest, internship: Any, now: Any, who: str) -> None:
    with pytest.raises(Forbidden):
        ask(request.getfixturevalue(who), internship=internship, wish=END, now=now)


def test_an_admin_answers_only_after_three_days_of_silence(
    internship: Any, intern: Any, mentor: Any, admin: Any, now: Any
) -> None:
    change = ask(mentor, internship=internship, wish=END, now=now)

    with pytest.raises(Forbidden, match="three days"):
        answer(admin, change=change, is_agreed=True, words="", now=now + timedelta(days=2, hours=23))
    answer(admin, change=change, is_agreed=True, words="", now=now + timedelta(days=3))
    assert fresh(internship).state == "ended"
    assert Notice.objects.filter(kind="change.answered").count() == 2


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (Wish("extension", " ", until=date(2026, 5, 10)), "reason"),
        (Wish("extension", "x" * 301, until=date(2026, 5, 10)), "reason"),
        (Wish("extension", "Why"), "until"),
        (Wish("extension", "Why", until=date(2026, 4, 26)), "until"),
        (Wish("extension", "Why", until=date(2026, 10, 27)), "until"),
        (Wish("pause", "Why", until=date(2026, 3, 18)), "until"),
        (Wish("pause", "Why", until=date(2026, 9, 17)), "until"),
        (Wish("mentor", "Why"), "mentor"),
        (Wish("holiday", "Why"), "kind"),
    ],
)
def test_what_can_not_be_asked_for_is_refused_by_its_field(
    internship: Any, intern: Any, now: Any, wish: Wish, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        ask(intern, internship=internship, wish=wish, now=now)

    assert refusal.value.facts["field"] == field
    assert not Change.objects.exists()


def test_a_refusal_needs_a_reason_and_changes_nothing(internship: Any, intern: Any, mentor: Any, now: Any) -> None:
    change = ask(intern, internship=internship, wish=END, now=now)

    with pytest.raises(Invalid):
        answer(mentor, change=change, is_agreed=False, words=" ", now=now)
    answer(mentor, change=change, is_agreed=False, words="Let us talk first.", now=now)
    assert fresh(internship).state == "active"


def test_the_same_is_not_asked_for_twice_at_a_time(internship: Any, intern: Any, mentor: Any, now: Any) -> None:
    change = ask(intern, internship=internship, wish=END, now=now)
    with pytest.raises(Conflict, match="already"):
        ask(mentor, internship=internship, wish=END, now=now)

    with pytest.raises(Forbidden):
        take_back(mentor, change=change, now=now)
    take_back(intern, change=change, now=now)
    with pytest.raises(Conflict):
        take_back(intern, change=change, now=now)
    assert ask(mentor, internship=internship, wish=END, now=now).pk


def test_an_extension_moves_the_last_day_and_what_lies_ahead(internship: Any, mentor: Any, now: Any) -> None:
    first, second = internship.milestones.all()
    Milestone.objects.filter(pk=first.pk).update(reached_at=now)

    row = agreed(internship, wish=EXTENSION, by=mentor, now=now)

    assert (row.last_day, days_left(row, today=date(2026, 4, 26))) == (date(2026, 5, 10), 14)
    assert [m.due_on for m in row.milestones.all()] == [first.due_on, second.due_on + timedelta(days=14)]


def test_paused_there_is_no_active_internship_but_still_this_one(
    internship: Any, intern: Any, mentor: Any, cohort: Any, version: Any, admin: Any, now: Any
) -> None:
    agreed(internship, wish=PAUSE, by=mentor, now=now)

    assert active_internship_of(intern) is None
    assert current_internship_of(intern) == internship
    assert intern not in interns_to_place()
    with pytest.raises(Conflict, match="already"):
        start_internship(intern, mentor=mentor, cohort=cohort, version=version, actor=admin, now=now)
    with pytest.raises(Conflict, match="paused already"):
        ask(intern, internship=fresh(internship), wish=PAUSE, now=now)


@pytest.mark.parametrize("who", ["intern", "mentor", "admin"])
def test_a_pause_ends_early_and_what_lies_ahead_moves_by_its_days(
    request: pytest.FixtureRequest, internship: Any, mentor: Any, now: Any, who: str
) -> None:
    due = [m.due_on for m in internship.milestones.all()]
    agreed(internship, wish=PAUSE, by=mentor, now=now)

    go_on(request.getfixturevalue(who), internship=internship, now=now + timedelta(days=4))

    row = fresh(internship)
    assert (row.state, row.last_day, row.paused_on, row.back_on) == ("active", date(2026, 4, 30), None, None)
    assert [m.due_on for m in row.milestones.all()] == [day + timedelta(days=4) for day in due]
    with pytest.raises(Conflict):
        go_on(mentor, internship=internship, now=now)


def test_a_pause_ends_by_itself_on_its_day(internship: Any, mentor: Any, now: Any) -> None:
    agreed(internship, wish=PAUSE, by=mentor, now=now)

    assert resume_due(now=now + timedelta(days=6)) == 0
    assert resume_due(now=now + timedelta(days=7)) == 1
    assert resume_due(now=now + timedelta(days=8)) == 0
    assert (fresh(internship).state, fresh(internship).last_day) == ("active", date(2026, 5, 3))


def test_another_mentor_has_it_and_is_told(internship: Any, mentor: Any, other_mentor: Any, now: Any) -> None:
    agreed(internship, wish=Wish("mentor", "Another field.", mentor=other_mentor), by=mentor, now=now)

    assert internship_for(other_mentor, internship_id=internship.pk).mentor == other_mentor
    assert Notice.objects.get(user=other_mentor).subject == "You are the mentor of Ines Intern"


def test_when_it_is_over_what_was_asked_for_lapses(internship: Any, intern: Any, mentor: Any, now: Any) -> None:
    change = ask(intern, internship=internship, wish=EXTENSION, now=now)

    complete_internship(internship, actor=mentor, now=now)

    change.refresh_from_db()
    assert change.state == "lapsed"
    with pytest.raises(Conflict):
        ask(intern, internship=fresh(internship), wish=EXTENSION, now=now)


def test_the_timeline_has_both_reasons_in_order_and_none_that_is_only_for_admins(
    internship: Any, intern: Any, mentor: Any, admin: Any, now: Any
) -> None:
    from practicum.internships.services import end_internship

    change = ask(intern, internship=internship, wish=PAUSE, now=now + timedelta(hours=1))
    answer(mentor, change=change, is_agreed=False, words="Not now.", now=now + timedelta(hours=2))
    end_internship(internship, reason="Secret of admins", actor=admin, now=now + timedelta(hours=3))

    assert [event.message for event in timeline_of(internship)] == [
        "The internship began",
        "Ines Intern asked: A pause, until 25 March 2026. “Exams.”",
        "Mira Mentor refused. “Not now.”",
        "The internship ended early",
    ]
