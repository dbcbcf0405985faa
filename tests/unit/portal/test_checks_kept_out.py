"""A readiness check is work like any other, and no internship: whatever lists or counts internships leaves it out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import localdate

from practicum.credentials.tasks import without_certificate
from practicum.errors import NotFound
from practicum.evaluation.board import cohorts_with_board, versions_with_board
from practicum.evaluation.finals import choose_final
from practicum.evaluation.models import Run
from practicum.gpus.reservation_selectors import cohorts_to_reserve_for
from practicum.internships import selectors
from practicum.internships.models import Internship, is_proper
from practicum.internships.readiness import start_check
from practicum.internships.selectors import interns_to_place, internship_for, internships_visible_to, latest_work_of
from practicum.portal import selectors as pages
from practicum.portal.attention import rows_for
from practicum.reviews.clock import inbox_of
from practicum.reviews.minutes import lines_by_mentor
from practicum.reviews.selectors import submission_to_review
from practicum.submissions.likeness import compare_next
from practicum.submissions.models import Submission
from practicum.submissions.selectors import submission_for
from tests.unit.internships.conftest import application as application
from tests.unit.internships.conftest import attempt as attempt
from tests.unit.internships.conftest import check as check
from tests.unit.internships.conftest import open_cohort as open_cohort


@pytest.fixture
def work(attempt: Any, mentor: Any, hand_in: Any) -> Internship:
    """The intern's check with something scored. Its mentor is made a mentor here, so that no list leaves it out for that."""
    Internship.with_checks.update(mentor=mentor)
    row = Internship.with_checks.get()
    hand_in(row, number=1, value=0.5)
    return row


LISTS: dict[str, Callable[..., Any]] = {
    "a mentor's interns": lambda c: list(pages.mentored_by(c["mentor"])),
    "what an admin sees": lambda c: list(internships_visible_to(c["admin"])),
    "what its own intern sees": lambda c: list(internships_visible_to(c["intern"])),
    "a cohort's internships": lambda c: list(pages.internships_of_cohort(c["cohort"])),
    "a cohort's own relation": lambda c: list(c["cohort"].internships.all()),
    "who needs attention": lambda c: rows_for(c["admin"], now=c["now"] + timedelta(days=30)),
    "a mentor's inbox": lambda c: inbox_of(c["mentor"], now=c["now"]),
    "minutes of mentors": lambda c: lines_by_mentor(since=c["now"], now=c["now"]),
    "leaderboards": lambda c: cohorts_with_board(c["admin"], slug="readiness-ml"),
    "versions with a board": lambda c: versions_with_board(c["admin"], slug="readiness-ml", cohort=c["cohort"]),
    "cohorts a mentor reserves for": lambda c: list(cohorts_to_reserve_for(c["mentor"], today=localdate(c["now"]))),
    "certificates to come": lambda c: without_certificate(),
    "through a relation": lambda c: list(Submission.objects.filter(is_proper("internship__"))),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_of_internships_leaves_it_out(
    work: Internship, what: str, mentor: Any, admin: Any, intern: Any, cohort: Any, now: Any
) -> None:
    cast = {"mentor": mentor, "admin": admin, "intern": intern, "cohort": cohort, "now": now}
    read = LISTS[what]

    found = read(cast)
    Internship.with_checks.update(purpose="internship", state="completed" if "certificates" in what else "active")

    assert found == []
    assert read(cast), "of an internship proper it would be there"


def test_counts_leave_it_out(work: Internship, intern: Any) -> None:
    (line,) = pages.cohort_lines(today=work.started_on)
    (mentor,) = pages.mentors_with_counts()

    assert (line.active, line.completed) == (0, 0)
    assert mentor.interns == 0  # type: ignore[attr-defined]
    assert intern in pages.people_without_internship()


def test_who_takes_a_check_can_be_placed(work: Internship, intern: Any) -> None:
    assert intern in interns_to_place()


def test_its_pages_are_not_those_of_an_internship(work: Internship, intern: Any, mentor: Any, admin: Any) -> None:
    for person in (intern, mentor, admin):
        with pytest.raises(NotFound):
            internship_for(person, internship_id=work.pk)
    for person in (intern, admin):
        with pytest.raises(NotFound):
            submission_to_review(person, submission_id=work.submissions.get().pk)


def test_nothing_of_it_is_compared_and_nothing_chosen_for_a_board(work: Internship, intern: Any, now: Any) -> None:
    assert not compare_next(now=now)
    with pytest.raises(NotFound):
        choose_final(work.submissions.get(), actor=intern, now=now)


def test_what_was_handed_in_is_seen_by_its_applicant_and_admins(
    work: Internship, intern: Any, peer: Any, mentor: Any, other_mentor: Any, admin: Any, client_of: Any
) -> None:
    handed_in = work.submissions.get()
    for person in (intern, admin):
        assert submission_for(person, submission_id=handed_in.pk) == handed_in
        assert client_of(person).get(f"/submissions/{handed_in.pk}/").status_code == 200
    for person in (peer, mentor, other_mentor):
        with pytest.raises(NotFound):
            submission_for(person, submission_id=handed_in.pk)


def test_a_fault_of_ours_is_told_with_what_an_applicant_can_do(work: Internship, intern: Any, client_of: Any) -> None:
    Run.objects.update(state="failed", fault="ours", reason="Something on our side failed.")

    page = client_of(intern).get(f"/submissions/{work.submissions.get().pk}/").content.decode()

    assert "it counts for nothing. Write to an admin" in page
    assert "Your mentor can run it again" not in page


def test_its_applicant_finds_it_among_their_work_also_when_it_is_over(
    work: Internship, application: Any, check: Any, intern: Any, now: Any
) -> None:
    assert latest_work_of(intern) == work
    again = start_check(intern, application=application, check=check, after=1, now=now)
    assert latest_work_of(intern) == again.internship
    Internship.with_checks.update(state="ended")
    assert selectors.active_internship_of(intern) is None
    assert latest_work_of(intern) is not None
