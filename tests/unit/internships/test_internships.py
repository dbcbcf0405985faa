"""Internships: who sees them, and what their dates are."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from practicum.errors import Conflict, Invalid, NotFound
from practicum.internships.selectors import days_left, internship_for, next_milestone
from practicum.internships.services import complete_internship, reach_milestone, start_internship


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("intern", True),
        ("mentor", True),
        ("admin", True),
        ("peer", False),
        ("other_mentor", False),
        ("stranger", False),
    ],
)
def test_an_internship_is_seen_by_its_intern_its_mentor_and_admins_only(
    who: str, sees: bool, internship: Any, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    if sees:
        assert internship_for(user, internship_id=internship.pk) == internship
    else:
        with pytest.raises(NotFound):
            internship_for(user, internship_id=internship.pk)


def test_milestones_fall_on_the_last_day_of_their_week(internship: Any) -> None:
    assert [m.due_on for m in internship.milestones.all()] == [date(2026, 3, 8), date(2026, 3, 22)]


def test_an_intern_has_one_active_internship(
    internship: Any, intern: Any, mentor: Any, cohort: Any, version: Any, admin: Any, now: Any
) -> None:
    with pytest.raises(Conflict, match="already"):
        start_internship(intern, mentor=mentor, cohort=cohort, version=version, actor=admin, now=now)


def test_an_internship_needs_an_intern_and_a_mentor(
    intern: Any, peer: Any, cohort: Any, version: Any, admin: Any, now: Any
) -> None:
    with pytest.raises(Invalid, match="roles"):
        start_internship(intern, mentor=peer, cohort=cohort, version=version, actor=admin, now=now)


def test_reaching_a_milestone_twice_is_recorded_once(internship: Any, mentor: Any, now: Any) -> None:
    first = next_milestone(internship)
    assert first is not None
    assert reach_milestone(first, actor=mentor, now=now)
    assert not reach_milestone(first, actor=mentor, now=now)
    assert next_milestone(internship) != first


def test_a_completed_internship_cannot_be_completed_again(internship: Any, mentor: Any, now: Any) -> None:
    complete_internship(internship, actor=mentor, now=now)
    with pytest.raises(Conflict):
        complete_internship(internship, actor=mentor, now=now)


def test_days_left_never_go_below_zero(internship: Any) -> None:
    assert days_left(internship, today=date(2026, 4, 20)) == 6
    assert days_left(internship, today=date(2026, 6, 1)) == 0
