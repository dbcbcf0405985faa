"""Who comes to which project: ranking, the proposal and its conflicts, adjusting, and confirming once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from practicum.accounts.models import Notice
from practicum.catalog.models import Project, ProjectVersion
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.internships.applications import apply, offer_place, withdraw
from practicum.internships.models import Application, Cohort, Internship, Offer, Placement
from practicum.internships.placement_selectors import (
    candidates_of,
    cohort_of_mentor,
    cohorts_to_rank,
    proposal_of,
    ranking_of,
)
from practicum.internships.placements import adjust, confirm, propose, rank_applicants
from tests.conftest import MANIFEST
from tests.unit.internships.conftest import ANSWERS

MATCHING = "/cohorts/spring/matching/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The pages are read at ``now``."""
    monkeypatch.setattr("practicum.internships.placement_views.utc_now", lambda: now)


@pytest.fixture
def pixels(version: Any, admin: Any, now: Any) -> Project:
    """A second project."""
    project = Project.objects.create(slug="pixels", title="Pixels", question="?")
    ProjectVersion.objects.create(
        project=project, number=1, digest="e" * 64, manifest=MANIFEST, mode="toy", image="x", published_at=now,
        published_by=admin,
    )  # fmt: skip
    return project


@pytest.fixture
def offers(open_cohort: Any, version: Any, pixels: Project, mentor: Any, other_mentor: Any) -> dict[str, Offer]:
    """One place on Digits with Mira, two on Pixels with Otto."""
    Cohort.objects.update(capacity=None)
    make = Offer.objects.create
    return {
        "digits": make(cohort=open_cohort, project=version.project, mentor=mentor, places=1),
        "pixels": make(cohort=open_cohort, project=pixels, mentor=other_mentor, places=2),
    }


@pytest.fixture
def seated(offers: Any, open_cohort: Any, applicants: list[Any], admin: Any, now: Any) -> list[Application]:
    """Three who want Digits first and Pixels second, and one who wants Pixels only; all have a place."""
    open_cohort.refresh_from_db()
    rankings = [["digits", "pixels"]] * 3 + [["pixels"]]
    rows = []
    for person, ranking in zip(applicants, rankings, strict=True):
        row = apply(person, cohort=open_cohort, answers=replace(ANSWERS, ranking=ranking), now=now)
        rows.append(offer_place(admin, application=row, now=now))
    return rows


@pytest.fixture
def ranked(seated: list[Application], open_cohort: Any, mentor: Any, other_mentor: Any, now: Any) -> list[Application]:
    """Mira wants the second most; Otto the fourth, then the first three in order."""
    one, two, three, four = (row.pk for row in seated)
    rank_applicants(mentor, cohort=open_cohort, ranked=[two, one], now=now)
    rank_applicants(other_mentor, cohort=open_cohort, ranked=[four, one, two, three], now=now)
    return seated


def placed(cohort: Any) -> dict[str, str | None]:
    return {
        row.application.applicant.username: row.offer and row.offer.project.slug
        for row in Placement.objects.filter(application__cohort=cohort).select_related("offer__project")
    }


def test_a_mentor_sees_who_has_a_place_in_a_cohort_that_offers_with_them(
    seated: list[Application], open_cohort: Any, mentor: Any, admin: Any, now: Any
) -> None:
    withdraw(seated[2], now=now)

    candidates = candidates_of(mentor, cohort=open_cohort)

    assert [(one.application.pk, one.choices) for one in candidates] == [
        (seated[0].pk, ["Digits: first choice"]),
        (seated[1].pk, ["Digits: first choice"]),
        (seated[3].pk, ["Digits: not named"]),
    ]
    assert list(cohorts_to_rank(mentor)) == [open_cohort]
    with pytest.raises(NotFound):
        cohort_of_mentor(admin, slug="spring")


def test_a_mentor_ranks_each_once_and_only_candidates(
    seated: list[Application], open_cohort: Any, mentor: Any, now: Any
) -> None:
    for wrong in ([seated[0].pk, seated[0].pk], [999_999]):
        with pytest.raises(Invalid):
            rank_applicants(mentor, cohort=open_cohort, ranked=wrong, now=now)
    assert ranking_of(mentor, cohort=open_cohort) == []


def test_the_proposal_is_stable_and_says_why(ranked: list[Application], open_cohort: Any, admin: Any, now: Any) -> None:
    assert propose(admin, cohort=open_cohort, now=now) == 3

    assert placed(open_cohort) == {"app1": "pixels", "app2": "digits", "app3": None, "app4": "pixels"}
    proposal = proposal_of(open_cohort)
    assert proposal.conflicts == ["Applicant 3 has no project."]
    why = [proposal.why(row) for row in proposal.placements]
    assert why[:2] == [
        "It is your second choice. All places of Digits went to applicants its mentor ranked higher.",
        "It is your first choice.",
    ]
    assert why[2].startswith("The mentor of Digits chose others. All places of Pixels went to")


def test_an_adjustment_shows_what_it_breaks(
    ranked: list[Application], offers: dict[str, Offer], open_cohort: Any, admin: Any, now: Any
) -> None:
    propose(admin, cohort=open_cohort, now=now)
    first, second = list(proposal_of(open_cohort).placements)[:2]

    adjust(admin, placement=first, offer=offers["digits"], now=now)
    assert "Digits with Mira Mentor has room for 1, and 2 are placed on it." in proposal_of(open_cohort).conflicts
    with pytest.raises(Conflict, match="fewer places"):
        confirm(admin, cohort=open_cohort, seen=proposal_of(open_cohort).seen, now=now)
    adjust(admin, placement=second, offer=offers["pixels"], now=now)

    proposal = proposal_of(open_cohort)
    assert "Applicant 2 and Digits with Mira Mentor would both rather have each other." in proposal.conflicts
    assert [row.is_adjusted for row in proposal.placements] == [True, True, False, False]
    assert "An admin divided the places of Digits otherwise." in proposal.why(proposal.placements[1])


def test_silence_on_either_side_is_a_conflict(
    seated: list[Application], open_cohort: Any, admin: Any, now: Any
) -> None:
    Application.objects.filter(pk=seated[0].pk).update(ranking=[])

    conflicts = proposal_of(open_cohort).conflicts

    assert conflicts == [
        "Applicant 1 named no project.",
        "Mira Mentor has ranked nobody.",
        "Otto Other has ranked nobody.",
    ]


def test_confirming_begins_the_internships_once_and_tells_everybody(
    ranked: list[Application], open_cohort: Any, mentor: Any, admin: Any, now: Any
) -> None:
    propose(admin, cohort=open_cohort, now=now)
    seen = proposal_of(open_cohort).seen

    assert confirm(admin, cohort=open_cohort, seen=seen, now=now) == 3
    assert confirm(admin, cohort=open_cohort, seen=seen, now=now) == 0

    rows = Internship.objects.values_list("intern__username", "version__project__slug", "mentor__username")
    assert sorted(rows) == [("app1", "pixels", "otto"), ("app2", "digits", "mira"), ("app4", "pixels", "otto")]
    assert [Application.objects.get(pk=row.pk).state for row in ranked] == ["placed", "placed", "offered", "placed"]
    told = {notice.user.username: notice for notice in Notice.objects.filter(kind__startswith="matching")}
    assert set(told) == {"app1", "app2", "app3", "app4", "mira", "otto"}
    assert "It is your first choice." in told["app2"].body
    assert told["app3"].subject == "No project in Spring 2026 yet"
    assert told["mira"].body.startswith("Applicant 2: Digits")


def test_a_second_round_fills_only_the_places_that_are_left(
    ranked: list[Application], offers: dict[str, Offer], open_cohort: Any, admin: Any, now: Any
) -> None:
    propose(admin, cohort=open_cohort, now=now)
    confirm(admin, cohort=open_cohort, seen=proposal_of(open_cohort).seen, now=now)
    assert propose(admin, cohort=open_cohort, now=now) == 0
    Offer.objects.filter(pk=offers["pixels"].pk).update(places=3)

    assert propose(admin, cohort=open_cohort, now=now) == 1
    assert confirm(admin, cohort=open_cohort, seen=proposal_of(open_cohort).seen, now=now) == 1
    assert Internship.objects.count() == 4


def test_what_was_not_seen_is_not_confirmed(ranked: list[Application], open_cohort: Any, admin: Any, now: Any) -> None:
    propose(admin, cohort=open_cohort, now=now)
    seen = proposal_of(open_cohort).seen
    withdraw(ranked[0], now=now)

    with pytest.raises(Conflict, match="changed meanwhile"):
        confirm(admin, cohort=open_cohort, seen=seen, now=now)
    assert not Internship.objects.exists()


def test_one_who_is_in_an_internship_already_stops_the_whole_confirmation(
    ranked: list[Application], open_cohort: Any, version: Any, mentor: Any, admin: Any, now: Any
) -> None:
    propose(admin, cohort=open_cohort, now=now)
    Internship.objects.create(
        intern=ranked[3].applicant, mentor=mentor, cohort=open_cohort, version=version, started_on=now.date()
    )

    with pytest.raises(Conflict, match="in an internship already"):
        confirm(admin, cohort=open_cohort, seen=proposal_of(open_cohort).seen, now=now)
    assert Internship.objects.count() == 1
    assert not Notice.objects.filter(kind__startswith="matching").exists()


def test_what_is_confirmed_is_not_adjusted(ranked: list[Application], open_cohort: Any, admin: Any, now: Any) -> None:
    propose(admin, cohort=open_cohort, now=now)
    placement = proposal_of(open_cohort).placements[0]
    confirm(admin, cohort=open_cohort, seen=proposal_of(open_cohort).seen, now=now)

    with pytest.raises(Conflict):
        adjust(admin, placement=placement, offer=None, now=now)


@pytest.mark.parametrize("who", ["intern", "mentor"])
def test_only_admins_match(
    request: pytest.FixtureRequest, ranked: list[Application], open_cohort: Any, admin: Any, now: Any, who: str
) -> None:
    actor = request.getfixturevalue(who)
    propose(admin, cohort=open_cohort, now=now)

    for verb in (
        lambda: propose(actor, cohort=open_cohort, now=now),
        lambda: adjust(actor, placement=Placement.objects.first(), offer=None, now=now),  # type: ignore[arg-type]
        lambda: confirm(actor, cohort=open_cohort, seen="", now=now),
    ):
        with pytest.raises(Forbidden):
            verb()


def test_nothing_is_proposed_where_nobody_is_to_be_placed(open_cohort: Any, admin: Any, now: Any) -> None:
    with pytest.raises(Conflict, match="Nobody has a place"):
        propose(admin, cohort=open_cohort, now=now)


def test_of_two_mentors_of_a_project_the_one_who_wants_the_applicant_more_comes_first(
    ranked: list[Application], open_cohort: Any, version: Any, other_mentor: Any, now: Any
) -> None:
    second = Offer.objects.create(cohort=open_cohort, project=version.project, mentor=other_mentor, places=1)

    wishes = proposal_of(open_cohort).market.wishes

    assert wishes[ranked[0].pk][0] != wishes[ranked[2].pk][0]
    assert wishes[ranked[2].pk][0] == second.pk


def test_a_mentor_ranks_on_the_page_and_a_number_twice_is_refused(
    client_of: Any, mentor: Any, seated: list[Application], open_cohort: Any
) -> None:
    browser, page = client_of(mentor), "/cohorts/spring/ranking/"

    refused = browser.post(page, {f"rank_{seated[0].pk}": "1", f"rank_{seated[1].pk}": "1"})
    assert (refused.status_code, "1 stands twice." in refused.content.decode()) == (400, True)
    sent = {f"rank_{seated[0].pk}": "7", f"rank_{seated[1].pk}": "2", f"rank_{seated[2].pk}": ""}
    assert browser.post(page, sent).status_code == 302
    assert ranking_of(mentor, cohort=open_cohort) == [seated[1].pk, seated[0].pk]


def test_an_admin_proposes_adjusts_and_confirms_on_the_page(
    client_of: Any, admin: Any, ranked: list[Application], offers: dict[str, Offer], open_cohort: Any, other_cohort: Any,
    version: Any, mentor: Any, now: Any,
) -> None:  # fmt: skip
    ada = client_of(admin)
    assert ada.post(f"{MATCHING}propose/").status_code == 302
    row = Placement.objects.get(application=ranked[2])
    foreign = Offer.objects.create(cohort=other_cohort, project=version.project, mentor=mentor, places=1)

    assert ada.post(f"{MATCHING}{row.pk}/", {"offer": foreign.pk}).status_code == 404
    assert ada.post(f"{MATCHING}{row.pk}/", {"offer": "x"}).status_code == 400
    assert ada.post(f"{MATCHING}{row.pk}/", {"offer": ""}).status_code == 302
    page = ada.get(MATCHING)
    assert "It is your first choice." in page.content.decode()
    assert ada.post(f"{MATCHING}confirm/", {"seen": "old"}).status_code == 409
    assert ada.post(f"{MATCHING}confirm/", {"seen": page.context["proposal"].seen}).status_code == 302
    assert Internship.objects.count() == 3
    assert "Begun" in ada.get(MATCHING).content.decode()


def test_the_pages_cost_the_same_however_many_applied(
    client_of: Any,
    admin: Any,
    ranked: list[Application],
    open_cohort: Any,
    django_assert_max_num_queries: Any,
    now: Any,
) -> None:
    propose(admin, cohort=open_cohort, now=now + timedelta(minutes=1))
    ada = client_of(admin)

    with django_assert_max_num_queries(16):
        assert ada.get(MATCHING).status_code == 200
