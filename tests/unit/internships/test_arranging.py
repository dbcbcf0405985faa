"""What admins arrange: cohorts, who is placed, ending early, changing the mentor."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from practicum.accounts.models import User
from practicum.audit.models import Record
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.internships.cohorts import create_cohort
from practicum.internships.models import Cohort, Internship, InternshipState
from practicum.internships.selectors import (
    active_mentors,
    current_internship_of,
    interns_to_place,
    internship_for,
    open_cohorts,
)
from practicum.internships.services import (
    change_mentor,
    complete_internship,
    end_internship,
    start_internship,
)

COHORT: dict[str, Any] = {
    "name": "Summer 2026",
    "slug": "summer",
    "starts_on": date(2026, 6, 1),
    "ends_on": date(2026, 7, 26),
    "idle_minutes": 45,
    "is_idle_kept": False,
    "session_hours": 12,
}


def test_a_cohort_is_made_as_it_was_asked_for(admin: Any, now: Any) -> None:
    cohort = create_cohort(admin, **COHORT, now=now)

    kept = Cohort.objects.get(slug="summer")
    assert {name: getattr(kept, name) for name in COHORT} == COHORT
    assert Record.objects.filter(verb="cohort.created", actor=admin, object_id=str(cohort.pk)).count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"name": " "}, "name", "blank"),
        ({"name": "n" * 121}, "name", "at most 120"),
        ({"slug": ""}, "slug", "blank"),
        ({"slug": "two words"}, "slug", "valid"),
        ({"slug": "spring"}, "slug", "There is a cohort with the short name spring already."),
        ({"ends_on": date(2026, 6, 1)}, "ends_on", "must end after it begins"),
        ({"ends_on": date(2026, 5, 1)}, "ends_on", "must end after it begins"),
        ({"ends_on": date(2029, 6, 1)}, "ends_on", "two years at most"),
        ({"starts_on": date(2026, 1, 1), "ends_on": date(2026, 3, 17)}, "ends_on", "over already"),
        ({"idle_minutes": 4}, "idle_minutes", "5 to 1440 minutes"),
        ({"idle_minutes": 1441}, "idle_minutes", "5 to 1440 minutes"),
        ({"session_hours": 0}, "session_hours", "1 to 168 hours"),
        ({"session_hours": 169}, "session_hours", "1 to 168 hours"),
    ],
)
def test_a_cohort_that_can_not_be_is_refused_by_its_field(
    admin: Any, cohort: Any, now: Any, changes: Any, field: str, told: str
) -> None:
    with pytest.raises((Conflict, Invalid), match=told) as refusal:
        create_cohort(admin, **COHORT | changes, now=now)

    assert refusal.value.facts["field"] == field
    assert not Cohort.objects.exclude(pk=cohort.pk).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"starts_on": date(2026, 1, 1), "ends_on": date(2026, 3, 18)},
        {"ends_on": date(2026, 6, 2)},
        {"idle_minutes": 5, "session_hours": 1},
        {"idle_minutes": 1440, "session_hours": 168},
    ],
)
def test_the_ends_of_what_a_cohort_may_be(admin: Any, now: Any, changes: Any) -> None:
    assert create_cohort(admin, **COHORT | changes, now=now).pk


@pytest.mark.parametrize("who", ["intern", "mentor"])
def test_only_admins_arrange(
    request: pytest.FixtureRequest, internship: Any, other_mentor: Any, now: Any, who: str
) -> None:
    actor = request.getfixturevalue(who)

    with pytest.raises(Forbidden):
        create_cohort(actor, **COHORT, now=now)
    with pytest.raises(Forbidden):
        end_internship(internship, reason="Why not", actor=actor, now=now)
    with pytest.raises(Forbidden):
        change_mentor(internship, mentor=other_mentor, actor=actor, now=now)


@pytest.mark.parametrize("who", ["intern", "mentor"])
def test_nobody_whose_account_is_off_is_placed(
    request: pytest.FixtureRequest, intern: Any, mentor: Any, cohort: Any, version: Any, admin: Any, now: Any, who: str
) -> None:
    request.getfixturevalue(who).is_active = False

    with pytest.raises(Invalid, match="switched off"):
        start_internship(intern, mentor=mentor, cohort=cohort, version=version, actor=admin, now=now)


@pytest.mark.parametrize(("days", "is_open"), [(39, True), (40, False)])
def test_nobody_is_placed_in_a_cohort_that_is_over(
    intern: Any, mentor: Any, cohort: Any, version: Any, admin: Any, now: Any, days: int, is_open: bool
) -> None:
    later = now + timedelta(days=days)

    assert open_cohorts(today=later.date()).filter(pk=cohort.pk).exists() is is_open
    if is_open:
        start_internship(intern, mentor=mentor, cohort=cohort, version=version, actor=admin, now=later)
    else:
        with pytest.raises(Invalid, match="Spring 2026 is over"):
            start_internship(intern, mentor=mentor, cohort=cohort, version=version, actor=admin, now=later)


def test_an_internship_ends_early_for_a_reason_once(internship: Any, intern: Any, admin: Any, now: Any) -> None:
    end_internship(internship, reason="  Moved away. ", actor=admin, now=now)

    internship.refresh_from_db()
    assert internship.state == InternshipState.ENDED
    assert current_internship_of(intern) == internship
    record = Record.objects.get(verb="internship.ended")
    assert (record.actor, record.facts) == (admin, {"reason": "Moved away."})
    with pytest.raises(Conflict, match="ended already"):
        end_internship(internship, reason="Again", actor=admin, now=now)
    with pytest.raises(Conflict, match="ended already"):
        complete_internship(internship, actor=admin, now=now)


@pytest.mark.parametrize("reason", ["", "   ", "r" * 301])
def test_an_internship_does_not_end_without_a_reason(internship: Any, admin: Any, now: Any, reason: str) -> None:
    with pytest.raises(Invalid, match="Say why"):
        end_internship(internship, reason=reason, actor=admin, now=now)

    assert Internship.objects.get().state == InternshipState.ACTIVE


def test_after_one_ended_early_the_intern_begins_another(
    internship: Any, intern: Any, mentor: Any, cohort: Any, version: Any, admin: Any, now: Any
) -> None:
    assert intern not in interns_to_place()
    end_internship(internship, reason="Another project fits better.", actor=admin, now=now)
    assert intern in interns_to_place()

    start_internship(intern, mentor=mentor, cohort=cohort, version=version, actor=admin, now=now)


def test_a_changed_mentor_sees_the_internship_and_the_old_one_does_not(
    internship: Any, mentor: Any, other_mentor: Any, admin: Any, now: Any
) -> None:
    change_mentor(internship, mentor=other_mentor, actor=admin, now=now)

    assert internship_for(other_mentor, internship_id=internship.pk).mentor == other_mentor
    with pytest.raises(NotFound):
        internship_for(mentor, internship_id=internship.pk)
    assert Record.objects.get(verb="internship.mentor_changed").facts == {"old": "mira", "new": "otto"}


@pytest.mark.parametrize(
    ("who", "is_active", "told"),
    [
        ("mentor", True, "is the mentor already"),
        ("peer", True, "no active mentor"),
        ("admin", True, "no active mentor"),
        ("other_mentor", False, "no active mentor"),
    ],
)
def test_who_can_not_become_the_mentor(
    request: pytest.FixtureRequest, internship: Any, admin: Any, now: Any, who: str, is_active: bool, told: str
) -> None:
    person = request.getfixturevalue(who)
    person.is_active = is_active

    with pytest.raises(Invalid, match=told):
        change_mentor(internship, mentor=person, actor=admin, now=now)


@pytest.mark.parametrize("meanwhile", [{"state": "ended"}, {"mentor": "third"}])
def test_a_mentor_is_not_changed_over_what_happened_meanwhile(
    internship: Any, other_mentor: Any, admin: Any, now: Any, meanwhile: Any
) -> None:
    if "mentor" in meanwhile:
        third = User.objects.create(username="third", email="third@example.org", name="Third", role="mentor")
        meanwhile = {"mentor": third}
    Internship.objects.filter(pk=internship.pk).update(**meanwhile)

    with pytest.raises(Conflict, match="ended, or its mentor was changed"):
        change_mentor(internship, mentor=other_mentor, actor=admin, now=now)


def test_mentors_to_choose_from_are_active_mentors(mentor: Any, other_mentor: Any, admin: Any, intern: Any) -> None:
    User.objects.filter(pk=other_mentor.pk).update(is_active=False)

    assert list(active_mentors()) == [mentor]
