"""Readiness checks: a cohort's choice, taking one, taking it again, its end, and what came of it."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practicum.audit.models import Record
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.internships.application_selectors import csv_of
from practicum.internships.applications import apply, decline, withdraw
from practicum.internships.models import Application, Internship, Offer
from practicum.internships.readiness import check_in_time, end_due, set_checks, start_check
from practicum.internships.readiness_models import CheckAttempt, CohortCheck
from practicum.internships.readiness_selectors import (
    check_of,
    checks_of,
    environment_of,
    may_take,
    remedy_version,
    results_on,
    standing_of,
    standings_of,
)
from practicum.internships.selectors import active_internship_of, current_internship_of
from practicum.internships.services import start_internship
from tests.unit.internships.checks import publish_check
from tests.unit.internships.conftest import ANSWERS

MINUTE = timedelta(minutes=1)


def verbs() -> list[str]:
    return list(Record.objects.order_by("id").values_list("verb", flat=True))


def test_an_admin_chooses_the_checks_of_a_cohort(open_cohort: Any, admin: Any, mentor: Any, now: Any) -> None:
    publish_check(admin, now=now)
    publish_check(admin, now=now, slug="readiness-python", title="Ready for Python", prerequisite="python")

    assert set_checks(
        admin, cohort=open_cohort, wanted={"readiness-ml": "asked", "readiness-python": "offered"}, now=now
    )
    assert not set_checks(
        admin, cohort=open_cohort, wanted={"readiness-python": "offered", "readiness-ml": "asked"}, now=now
    )
    found = checks_of(open_cohort)
    assert sorted((version.project.slug, row.is_asked) for row, version, _ in found) == [
        ("readiness-ml", True),
        ("readiness-python", False),
    ]
    assert set_checks(admin, cohort=open_cohort, wanted={"readiness-python": "asked"}, now=now)
    assert [(row.project.slug, row.is_asked) for row in CohortCheck.objects.all()] == [("readiness-python", True)]
    assert verbs().count("cohort.checks_set") == 2
    with pytest.raises(Forbidden):
        set_checks(mentor, cohort=open_cohort, wanted={}, now=now)
    for wanted in ({"digits": "asked"}, {"readiness-ml": "perhaps"}):
        with pytest.raises(Invalid):
            set_checks(admin, cohort=open_cohort, wanted=wanted, now=now)


def test_taking_a_check_begins_work_on_its_latest_version_with_numbers_of_its_own(
    attempt: Any, application: Any, check: Any, intern: Any, admin: Any, now: Any
) -> None:
    work = active_internship_of(intern)

    assert work == attempt.internship
    assert work is not None
    assert work.is_check
    assert (work.mentor, work.version.project.slug, work.milestones.count()) == (admin, "readiness-ml", 0)
    assert (attempt.number, attempt.variant) == (1, 1 + application.pk % 8)
    assert attempt.until == now + 90 * MINUTE
    assert environment_of(work) == {"PRACTICUM_VARIANT": str(attempt.variant)}
    assert verbs()[-1] == "readiness.started"


def test_taking_it_again_ends_what_goes_on_and_has_other_numbers(
    attempt: Any, application: Any, check: Any, intern: Any, now: Any
) -> None:
    again = start_check(intern, application=application, check=check, after=1, now=now + MINUTE)

    attempt.internship.refresh_from_db()
    assert attempt.internship.state == "ended"
    assert (again.number, again.internship.state) == (2, "active")
    assert again.variant != attempt.variant
    assert verbs()[-2:] == ["readiness.ended", "readiness.started"]


def test_a_button_that_was_pressed_twice_begins_one_attempt(
    attempt: Any, application: Any, check: Any, intern: Any, now: Any
) -> None:
    assert start_check(intern, application=application, check=check, after=0, now=now) == attempt
    assert CheckAttempt.objects.count() == 1


@pytest.mark.parametrize("state", ["declined", "withdrawn", "placed"])
def test_an_application_that_is_over_takes_no_check(
    application: Any, check: Any, intern: Any, now: Any, state: str
) -> None:
    Application.objects.update(state=state)
    application.refresh_from_db()

    assert not may_take(application, now=now)
    with pytest.raises(Conflict, match="not open any more"):
        start_check(intern, application=application, check=check, after=0, now=now)


def test_a_check_is_refused_to_others_in_an_internship_and_after_the_cohort(
    application: Any, check: Any, intern: Any, peer: Any, mentor: Any, admin: Any, version: Any, now: Any
) -> None:
    late = now + timedelta(days=200)
    assert not may_take(application, now=late)
    with pytest.raises(Conflict, match="is over"):
        start_check(intern, application=application, check=check, after=0, now=late)
    with pytest.raises(Forbidden):
        start_check(peer, application=application, check=check, after=0, now=now)
    start_internship(intern, mentor=mentor, cohort=application.cohort, version=version, actor=admin, now=now)
    with pytest.raises(Conflict, match="in an internship"):
        start_check(intern, application=application, check=check, after=0, now=now)
    assert not Internship.with_checks.filter(purpose="readiness").exists()


def test_an_internship_that_begins_ends_the_check(
    attempt: Any, intern: Any, mentor: Any, cohort: Any, version: Any, admin: Any, now: Any
) -> None:
    internship = start_internship(intern, mentor=mentor, cohort=cohort, version=version, actor=admin, now=now)

    attempt.internship.refresh_from_db()
    assert attempt.internship.state == "ended"
    assert active_internship_of(intern) == internship


def test_withdrawing_or_declining_ends_the_check_for_this_cohort_alone(
    attempt: Any, application: Any, other_cohort: Any, intern: Any, admin: Any, now: Any
) -> None:
    other_cohort.entry, other_cohort.apply_until = "open", date(2026, 3, 19)
    other_cohort.save()
    withdraw(apply(intern, cohort=other_cohort, answers=ANSWERS, now=now), now=now)
    assert active_internship_of(intern) == attempt.internship

    decline(admin, application=application, reason="No.", now=now)

    assert active_internship_of(intern) is None


def test_nothing_is_taken_in_once_the_time_is_over_and_the_worker_ends_it(attempt: Any, intern: Any, now: Any) -> None:
    check_in_time(attempt.internship, now=now + 89 * MINUTE)
    assert end_due(now=now + 89 * MINUTE) == 0
    with pytest.raises(Conflict, match="The time of this check was over at 11:30"):
        check_in_time(attempt.internship, now=attempt.until)

    assert end_due(now=attempt.until) == 1
    assert end_due(now=attempt.until) == 0
    assert active_internship_of(intern) is None


def test_the_best_attempt_counts_and_one_of_which_nothing_was_scored_does_not(
    attempt: Any, application: Any, check: Any, intern: Any, reach: Any, now: Any
) -> None:
    (before,) = standing_of(application)
    assert (before.best, before.counted, before.going_on is not None, before.total) == (None, [], True, 2)
    reach(attempt, now=now, sgd=0.9, bagging=0.1)
    reach(attempt, now=now, sgd=0.5, bagging=0.4)
    start_check(intern, application=application, check=check, after=1, now=now)  # a fault of ours stops all its runs
    third = start_check(intern, application=application, check=check, after=2, now=now + MINUTE)
    reach(third, now=now + MINUTE, sgd=0.2, bagging=0.2)

    (standing,) = standing_of(application)

    assert [taking.attempt.number for taking in standing.takings] == [1, 2, 3]
    assert len(standing.counted) == 2
    assert standing.best is not None
    assert (standing.best.attempt.number, standing.best.held, standing.best.is_all_held) == (1, 1, False)
    assert [(result.bar.name, result.is_held) for result in standing.best.results] == [
        ("Repair an SGD loop", True),
        ("Bag weak learners", False),
    ]
    assert standing.shown is not None
    assert standing.shown.attempt == third


def test_a_submission_that_is_scored_again_has_the_newer_figures(
    attempt: Any, application: Any, reach: Any, now: Any
) -> None:
    reach(attempt, now=now, submission=1, sgd=0.9, bagging=0.9)
    reach(attempt, now=now + MINUTE, submission=1, sgd=0.1, bagging=0.9)

    (standing,) = standing_of(application)
    assert standing.best is not None
    assert (standing.best.held, attempt.reached.count()) == (1, 1)


def test_what_is_about_other_numbers_is_said_and_counts_for_nothing(
    attempt: Any, application: Any, reach: Any, now: Any
) -> None:
    other = attempt.variant % 8 + 1
    reach(attempt, now=now, sgd=1.0, bagging=1.0, variant=float(other))

    (standing,) = standing_of(application)

    assert (standing.best, standing.counted) == (None, [])
    assert standing.shown is not None
    assert standing.shown.other_variant == other
    result = results_on(attempt.internship, submission=1)
    assert result is not None
    assert not result.is_own_variant
    assert [line.value for line in result.results] == [None, None]


def test_an_attempt_is_held_to_the_bars_of_the_version_it_was_about(
    attempt: Any, application: Any, admin: Any, reach: Any, now: Any
) -> None:
    reach(attempt, now=now, sgd=0.9, bagging=0.9)
    stricter = [dict(bar, at_least=1.0) for bar in attempt.internship.version.manifest["readiness"]["bars"][:1]]
    publish_check(admin, now=now, bars=stricter)

    (standing,) = standing_of(application)

    assert (standing.version.number, len(standing.asked.bars)) == (2, 1)
    assert standing.best is not None
    assert (standing.best.held, standing.total) == (2, 2)


def test_the_lists_take_as_many_queries_for_one_applicant_as_for_four(
    open_cohort: Any, check: Any, applicants: list[Any], reach: Any, now: Any
) -> None:
    rows = [apply(person, cohort=open_cohort, answers=ANSWERS, now=now) for person in applicants]
    for row in rows:
        reach(start_check(row.applicant, application=row, check=check, after=0, now=now), now=now, sgd=1.0, bagging=0.1)

    def queries(asked: list[Application]) -> int:
        with CaptureQueriesContext(connection) as seen:
            found = standings_of(asked, cohort=open_cohort)
        assert all(standing.best is not None for (standing,) in found.values())
        return len(seen)

    assert queries(rows) == queries(rows[:1]) <= 4


def test_the_csv_has_the_bars_held_beside_each_application(
    open_cohort: Any, attempt: Any, application: Any, applicants: list[Any], reach: Any, now: Any
) -> None:
    silent = apply(applicants[0], cohort=open_cohort, answers=ANSWERS, now=now)
    reach(attempt, now=now, sgd=0.9, bagging=0.1)
    rows = [application, silent]

    first, second = csv.DictReader(csv_of(rows, standings=standings_of(rows, cohort=open_cohort)).splitlines())

    held = {name: value for name, value in first.items() if name.startswith("readiness_ml_")}
    assert held == {
        "readiness_ml_bars_held": "1",
        "readiness_ml_bars": "2",
        "readiness_ml_attempts": "1",
        "readiness_ml_best_at": now.isoformat(),
    }
    assert (second["readiness_ml_bars_held"], second["readiness_ml_attempts"]) == ("", "0")


def test_remedies_are_those_a_check_names_and_no_other_file(check: Any, version: Any) -> None:
    assert remedy_version("readiness-ml", number=1, name="remedy/sgd.ipynb").project == check.project
    for slug, name in (("readiness-ml", "README.md"), ("readiness-ml", "../data.py"), ("digits", "remedy/sgd.ipynb")):
        with pytest.raises(NotFound):
            remedy_version(slug, number=1, name=name)
    with pytest.raises(NotFound):
        check_of(check.cohort, slug="digits")


def test_a_check_is_nothing_a_cohort_can_offer_as_a_project(
    check: Any, open_cohort: Any, version: Any, mentor: Any, admin: Any, client_of: Any
) -> None:
    page = client_of(admin).get("/cohorts/spring/settings/").content.decode()
    wanted = {"project": "readiness-ml", "mentor": "mira", "places": "1"}

    assert client_of(admin).post("/cohorts/spring/offers/", wanted).status_code == 400
    assert 'value="digits"' in page
    assert 'value="readiness-ml"' not in page
    assert not Offer.objects.exists()


def test_a_home_and_an_internship_proper_stay_what_they_were(attempt: Any, intern: Any) -> None:
    assert current_internship_of(intern) is None
