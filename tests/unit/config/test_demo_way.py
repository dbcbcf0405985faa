"""The demo's next cohort: what it shows, made by the services, and made once."""

from __future__ import annotations

from typing import Any

import pytest

from practicum.accounts.models import User
from practicum.catalog.models import Project, ProjectVersion
from practicum.config.demo import way
from practicum.config.demo.cast import CAST
from practicum.config.management.commands.seed_demo import account, third_week_cohort
from practicum.internships.models import Application, CheckIn, Placement
from practicum.internships.placement_selectors import proposal_of
from practicum.internships.readiness import set_checks
from practicum.internships.readiness_models import CohortCheck
from practicum.internships.record_selectors import weeks_of
from practicum.internships.services import start_internship
from tests.unit.internships.checks import publish_check


@pytest.fixture
def people(version: Any) -> dict[str, User]:
    """The demo's cast."""
    return {person.username: account(person) for person in CAST}


@pytest.fixture
def versions(version: Any) -> dict[str, ProjectVersion]:
    """Both projects of the demo."""
    project = Project.objects.create(slug="features-without-labels", title="Features", question="?")
    second = ProjectVersion.objects.get(pk=version.pk)
    second.pk, second.project, second._state.adding = None, project, True
    second.save()
    return {"digits": version, "features-without-labels": second}


def test_the_next_cohort_has_applications_a_waiting_list_and_a_proposal_without_a_blocking_pair(
    people: dict[str, User], versions: dict[str, ProjectVersion], now: Any
) -> None:
    for _ in range(2):
        cohort = way.upcoming_cohort(people, versions=versions, today=now.date(), now=now)

    states = dict(Application.objects.values_list("applicant__username", "state"))
    assert states == {
        **dict.fromkeys(("nadia", "emil", "hana", "jonas"), "offered"), "leila": "waitlisted", "pedro": "received",
    }  # fmt: skip
    placed = dict(Placement.objects.values_list("application__applicant__username", "offer__project__slug"))
    features = "features-without-labels"
    assert placed == {"emil": "digits", "hana": features, "jonas": None, "nadia": "digits"}
    assert proposal_of(cohort).conflicts == ["Jonas Bauer has no project."]


def test_nadia_takes_the_check_of_machine_learning_and_an_admins_later_choice_stays(
    people: dict[str, User], versions: dict[str, ProjectVersion], now: Any
) -> None:
    cohort = way.upcoming_cohort(people, versions=versions, today=now.date(), now=now)
    assert way.begun_check(cohort, checks=[], people=people, now=now) is None
    checks = [publish_check(people["ada"], now=now), publish_check(people["ada"], now=now, slug="readiness-python")]

    begun = way.begun_check(cohort, checks=checks, people=people, now=now)
    set_checks(people["ada"], cohort=cohort, wanted={"readiness-ml": "offered"}, now=now)

    assert begun is not None
    assert way.begun_check(cohort, checks=checks, people=people, now=now) == begun
    assert begun.internship.intern == people["nadia"]
    assert [(row.project.slug, row.is_asked) for row in CohortCheck.objects.all()] == [("readiness-ml", False)]


def test_the_check_ins_of_the_demo_are_written_once_and_this_week_waits_for_ines(
    people: dict[str, User], versions: dict[str, ProjectVersion], now: Any
) -> None:
    cohort = third_week_cohort(today=now.date())
    internship = start_internship(
        people["ines"], mentor=people["mira"], cohort=cohort, version=versions["digits"], actor=people["ada"], now=now
    )
    for _ in range(2):
        way.check_ins(internship, now=now)

    assert CheckIn.objects.count() == 5
    assert [week.waits for week in weeks_of(internship, viewer=people["ines"], now=now)] == ["mentor", "", ""]
