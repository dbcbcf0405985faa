"""Two admins, two tabs: real threads, real transactions."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from practicum.accounts.models import Notice
from practicum.errors import Conflict
from practicum.internships.applications import apply, offer_place, withdraw
from practicum.internships.changes import Wish, answer, ask
from practicum.internships.invitations import invitation_of, invite, join_as, token_of
from practicum.internships.models import Application, Change, Internship, MentorRanking, Offer
from practicum.internships.placement_selectors import proposal_of
from practicum.internships.placements import confirm, propose
from practicum.internships.readiness import start_check
from practicum.internships.readiness_models import CheckAttempt
from tests.unit.gpus.test_concurrency import at_once
from tests.unit.internships.conftest import ANSWERS


def states() -> list[str]:
    return sorted(Application.objects.values_list("state", flat=True))


def test_two_seats_are_given_twice_however_many_are_offered_one_at_once(
    shared_database: None, open_cohort: Any, applicants: list[Any], admin: Any, now: Any
) -> None:
    sent = [apply(person, cohort=open_cohort, answers=ANSWERS, now=now) for person in applicants]

    at_once([lambda row=row: offer_place(admin, application=row, now=now) for row in sent])  # type: ignore[misc]

    assert states() == ["offered", "offered", "waitlisted", "waitlisted"]
    seated = Application.objects.filter(state="offered")
    at_once([lambda row=row: withdraw(row, now=now) for row in seated])  # type: ignore[misc]
    assert states() == ["offered", "offered", "withdrawn", "withdrawn"]


def test_a_proposal_confirmed_in_two_tabs_begins_each_internship_once(
    shared_database: None, open_cohort: Any, version: Any, mentor: Any, applicants: list[Any], admin: Any, now: Any
) -> None:
    Offer.objects.create(cohort=open_cohort, project=version.project, mentor=mentor, places=2)
    sent = [apply(person, cohort=open_cohort, answers=ANSWERS, now=now) for person in applicants[:2]]
    for row in sent:
        offer_place(admin, application=row, now=now)
    MentorRanking.objects.create(cohort=open_cohort, mentor=mentor, ranked=[row.pk for row in sent], changed_at=now)
    propose(admin, cohort=open_cohort, now=now)
    seen = proposal_of(open_cohort).seen

    counts = at_once([lambda: confirm(admin, cohort=open_cohort, seen=seen, now=now)] * 4)

    assert sorted(counts) == [0, 0, 0, 2]
    assert Internship.objects.count() == 2
    assert Notice.objects.filter(kind="matching.placed").count() == 2


def test_a_link_is_used_by_one(
    shared_database: None, open_cohort: Any, applicants: list[Any], admin: Any, now: Any
) -> None:
    (row,) = invite(admin, cohort=open_cohort, addresses=["new@example.org"], now=now)
    used: list[Any] = []

    def use(person: Any) -> None:
        with suppress(Conflict):
            join_as(person, invitation=invitation_of(token_of(row)), now=now)
            used.append(person)

    at_once([lambda person=person: use(person) for person in applicants])  # type: ignore[misc]

    row.refresh_from_db()
    assert used == [row.used_by]


def test_a_request_is_answered_once(shared_database: None, internship: Any, intern: Any, mentor: Any, now: Any) -> None:
    change = ask(intern, internship=internship, wish=Wish("end", "A job."), now=now)
    told: list[bool] = []

    def reply(is_agreed: bool) -> None:
        with suppress(Conflict):
            answer(mentor, change=Change.objects.get(pk=change.pk), is_agreed=is_agreed, words="So be it.", now=now)
            told.append(is_agreed)

    at_once([lambda yes=yes: reply(yes) for yes in (True, False, True, False)])  # type: ignore[misc]

    (is_agreed,) = told
    internship.refresh_from_db()
    assert (internship.state == "ended") is is_agreed


def test_a_check_begun_in_four_tabs_while_the_matching_is_confirmed_leaves_one_thing_that_goes_on(
    shared_database: None, open_cohort: Any, check: Any, version: Any, mentor: Any, intern: Any, admin: Any, now: Any
) -> None:
    row = apply(intern, cohort=open_cohort, answers=ANSWERS, now=now)
    at_once([lambda: start_check(intern, application=row, check=check, after=0, now=now)] * 4)
    assert CheckAttempt.objects.count() == 1
    offer_place(admin, application=row, now=now)
    Offer.objects.create(cohort=open_cohort, project=version.project, mentor=mentor, places=1)
    MentorRanking.objects.create(cohort=open_cohort, mentor=mentor, ranked=[row.pk], changed_at=now)
    propose(admin, cohort=open_cohort, now=now)
    seen = proposal_of(open_cohort).seen

    def take() -> None:
        with suppress(Conflict):
            start_check(intern, application=row, check=check, after=1, now=now)

    at_once([take, lambda: confirm(admin, cohort=open_cohort, seen=seen, now=now), take])

    going_on = Internship.with_checks.filter(intern=intern, state="active")
    assert [one.purpose for one in going_on] == ["internship"]
