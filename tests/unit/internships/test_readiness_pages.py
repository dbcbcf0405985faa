"""Readiness checks on the pages: the applicant's, the cohort's settings, and beside each application."""

from __future__ import annotations

from typing import Any

import pytest

from practicum.internships.applications import apply, offer_place
from practicum.internships.models import Internship, Offer
from practicum.internships.placements import propose
from practicum.internships.readiness import start_check
from practicum.internships.readiness_models import CheckAttempt, CohortCheck
from tests.unit.internships.checks import publish_check
from tests.unit.internships.conftest import ANSWERS

APPLY = "/cohorts/spring/apply/"
START = "/cohorts/spring/apply/checks/readiness-ml/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The pages are read at ``now``."""
    for room in ("application_views", "placement_views", "admission_views", "cohort_views"):
        monkeypatch.setattr(f"practicum.internships.{room}.utc_now", lambda: now, raising=False)
    monkeypatch.setattr("practicum.internships.application_views.localdate", lambda: now.date())
    monkeypatch.setattr("practicum.portal.templatetags.practicum.utc_now", lambda: now)


def page_of(client: Any, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_who_has_not_applied_reads_what_will_be_asked(check: Any, intern: Any, client_of: Any) -> None:
    page = page_of(client_of(intern), APPLY)

    assert "Ready for machine learning" in page
    assert "about 30 minutes, asked for" in page
    assert "Take it" not in page


def test_a_check_is_taken_gone_on_with_and_taken_again(
    application: Any, check: Any, intern: Any, client_of: Any, reach: Any, now: Any
) -> None:
    client = client_of(intern)
    page = page_of(client, APPLY)
    assert "Not taken yet" in page
    assert "Take it<" in page
    assert client.get(START).status_code == 405
    assert client.post(START).status_code == 400
    answer = client.post(START, {"after": "0"})
    assert (answer.status_code, answer["Location"]) == (302, "/notebook/")
    attempt = CheckAttempt.objects.get()
    assert "Going on" in page_of(client, APPLY)
    assert f"attempt 1, with the numbers {attempt.variant}" in page_of(client, APPLY)

    reach(attempt, now=now, sgd=0.9, bagging=0.25)
    page = page_of(client, APPLY)
    assert "Take it again with other numbers" in page
    assert "0.90, and the line is at 0.80." in page
    assert "0.25, and the line is at 0.50." in page
    assert "The learners vote on what they were trained on." in page
    assert "The gradients are added up" not in page
    assert '<code class="path">readiness-ml/remedy/bagging.ipynb</code>' in page
    assert 'href="/projects/readiness-ml/1/remedies/remedy/bagging.ipynb"' in page
    assert 'href="https://doi.org/10.1007/BF00058655"' in page


def test_other_numbers_are_said_in_words(
    application: Any, attempt: Any, intern: Any, client_of: Any, reach: Any, now: Any
) -> None:
    other = attempt.variant % 8 + 1
    reach(attempt, now=now, sgd=1.0, bagging=1.0, variant=float(other))

    page = page_of(client_of(intern), APPLY)

    assert f"What you handed in last is about the numbers {other}, but this attempt has the numbers" in page
    assert "No bar is counted." in page
    assert "Held" not in page


def test_a_check_of_another_cohort_or_person_does_not_exist(
    application: Any, check: Any, intern: Any, peer: Any, mentor: Any, client_of: Any
) -> None:
    assert client_of(peer).post(START, {"after": "0"}).status_code == 404
    assert client_of(mentor).post(START, {"after": "0"}).status_code == 404
    assert client_of(intern).post("/cohorts/spring/apply/checks/digits/", {"after": "0"}).status_code == 404
    assert not Internship.with_checks.exists()


def test_an_admin_sets_the_checks_on_the_page_of_settings(
    open_cohort: Any, admin: Any, client_of: Any, now: Any
) -> None:
    client = client_of(admin)
    assert "No check is published yet." in page_of(client, "/cohorts/spring/settings/")
    publish_check(admin, now=now)
    publish_check(admin, now=now, slug="readiness-python", title="Ready for Python")
    wanted = {"check-readiness-ml": "asked", "check-readiness-python": ""}

    assert client.post("/cohorts/spring/checks/", wanted).status_code == 302
    assert client.post("/cohorts/spring/checks/", {"check-readiness-ml": "always"}).status_code == 400

    assert [(row.project.slug, row.is_asked) for row in CohortCheck.objects.all()] == [("readiness-ml", True)]
    assert '<option value="asked" selected>' in page_of(client, "/cohorts/spring/settings/")


def test_what_is_held_stands_beside_each_application(
    application: Any,
    attempt: Any,
    version: Any,
    mentor: Any,
    admin: Any,
    peer: Any,
    client_of: Any,
    reach: Any,
    now: Any,
) -> None:
    Offer.objects.create(cohort=application.cohort, project=version.project, mentor=mentor, places=1)
    reach(attempt, now=now, sgd=0.9, bagging=0.25)
    offer_place(admin, application=application, now=now)
    offer_place(admin, application=apply(peer, cohort=application.cohort, answers=ANSWERS, now=now), now=now)
    propose(admin, cohort=application.cohort, now=now)
    pages = {
        "/cohorts/spring/applications/": admin,
        "/cohorts/spring/matching/": admin,
        "/cohorts/spring/ranking/": mentor,
    }

    for path, person in pages.items():
        page = page_of(client_of(person), path)
        assert '1 of 2</span> <span class="muted">(1 attempt, <time' in page, path
        assert "not taken" in page, path
    assert "Repair an SGD loop (held), Bag weak learners (gap)." in page_of(
        client_of(mentor), "/cohorts/spring/ranking/"
    )
    page = page_of(client_of(admin), f"/cohorts/spring/applications/{application.pk}/")
    assert "1 of 2 bars held" in page
    assert "Nothing follows from it by itself." in page
    text = client_of(admin).get("/cohorts/spring/applications.csv").content.decode()
    assert "readiness_ml_bars_held" in text.splitlines()[0]


def test_without_checks_the_lists_have_no_column_of_them(
    open_cohort: Any, application: Any, admin: Any, client_of: Any
) -> None:
    assert "Bars held" not in page_of(client_of(admin), "/cohorts/spring/applications/")


def test_a_home_and_the_projects_name_the_check(attempt: Any, intern: Any, client_of: Any) -> None:
    client = client_of(intern)

    assert "your readiness check goes on" in page_of(client, "/")
    assert "Ready for machine learning" in page_of(client, "/notebook/")
    assert "the best of it counts" in page_of(client, "/submissions/")
    page = page_of(client, "/projects/")
    assert page.index("Readiness checks") < page.index("Ready for machine learning")


def test_whose_internship_is_over_finds_the_check_at_home_too(
    internship: Any, check: Any, open_cohort: Any, intern: Any, client_of: Any, now: Any
) -> None:
    Internship.objects.update(state="completed", completed_at=now)
    row = apply(intern, cohort=open_cohort, answers=ANSWERS, now=now)
    assert "readiness check goes on" not in page_of(client_of(intern), "/")

    start_check(intern, application=row, check=check, after=0, now=now)

    assert "your readiness check goes on" in page_of(client_of(intern), "/")


def test_a_remedial_notebook_is_rendered_in_the_sandbox(check: Any, peer: Any, client_of: Any) -> None:
    answer = client_of(peer).get("/projects/readiness-ml/1/remedies/remedy/sgd.ipynb")

    assert answer.status_code == 200
    assert "What a step of SGD is" in answer.content.decode()
    assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert client_of(peer).get("/projects/readiness-ml/1/remedies/README.md").status_code == 404


def test_a_time_that_is_over_shows_no_button_to_go_on(attempt: Any, intern: Any, client_of: Any) -> None:
    Internship.with_checks.update(state="ended")

    page = page_of(client_of(intern), APPLY)

    assert "Go on" not in page
    assert "Take it again with other numbers" in page
