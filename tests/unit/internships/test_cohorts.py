"""What an admin sets about a cohort, what it offers, and what its page tells to whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from practicum.audit.models import Record
from practicum.catalog.models import Project
from practicum.errors import Forbidden, Invalid
from practicum.internships.cohorts import Settings, change_cohort, offer_project, withdraw_offer
from practicum.internships.models import Cohort, Milestone, Offer

PAGE = "/cohorts/spring/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, now: Any) -> None:
    """The pages are read at ``now``."""
    monkeypatch.setattr("practicum.internships.cohort_views.utc_now", lambda: now)
    monkeypatch.setattr("practicum.internships.cohort_views.localdate", lambda: now.date())


@pytest.fixture
def settings_now(cohort: Any) -> Settings:
    """The cohort as it is."""
    return Settings(**{name: getattr(cohort, name) for name in Settings.__dataclass_fields__})


@pytest.fixture
def public(cohort: Any) -> Any:
    """The cohort, open for applications."""
    cohort.entry, cohort.apply_until = "open", date(2026, 3, 20)
    cohort.about, cohort.expected = "Eight weeks of <b>work</b>.", "Ten hours a week."
    cohort.save()
    return cohort


def sent(settings: Settings, **changes: Any) -> dict[str, Any]:
    """The settings as a browser sends them."""
    values = {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
    values["is_idle_kept"] = "yes" if settings.is_idle_kept else "no"
    return {name: "" if value is None else value for name, value in (values | changes).items()}


def test_settings_are_changed_and_said_in_the_record(admin: Any, cohort: Any, settings_now: Any, now: Any) -> None:
    wanted = replace(
        settings_now, entry="open", apply_until=date(2026, 3, 30), capacity=6, idle_minutes=20, is_idle_kept=True
    )

    changed = change_cohort(admin, cohort_id=cohort.pk, settings=wanted, now=now)

    assert set(changed) == {"entry", "apply_until", "capacity", "idle_minutes", "is_idle_kept"}
    kept = Cohort.objects.get(pk=cohort.pk)
    assert all(getattr(kept, name) == getattr(wanted, name) for name in Settings.__dataclass_fields__)
    assert Record.objects.get(verb="cohort.changed").facts == {"changed": changed}
    assert change_cohort(admin, cohort_id=cohort.pk, settings=wanted, now=now) == []


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"name": " "}, "name", "blank"),
        ({"ends_on": date(2026, 3, 1)}, "ends_on", "must end after it begins"),
        ({"ends_on": date(2026, 3, 10)}, "ends_on", "over already"),
        ({"entry": "open"}, "apply_until", "until when"),
        ({"entry": "invitation", "apply_until": date(2026, 4, 27)}, "apply_until", "after the cohort's last day"),
        ({"entry": "anybody"}, "entry", "not a valid choice"),
        ({"capacity": 0}, "capacity", "1 to 10000"),
        ({"idle_minutes": 4}, "idle_minutes", "5 to 1440 minutes"),
        ({"session_hours": 169}, "session_hours", "1 to 168 hours"),
    ],
)
def test_settings_that_can_not_be_are_refused_by_their_field(
    admin: Any, cohort: Any, settings_now: Any, now: Any, changes: Any, field: str, told: str
) -> None:
    with pytest.raises(Invalid, match=told) as refusal:
        change_cohort(admin, cohort_id=cohort.pk, settings=replace(settings_now, **changes), now=now)

    assert refusal.value.facts["field"] == field
    assert not Record.objects.filter(verb="cohort.changed").exists()


def test_a_cohort_that_is_over_can_still_be_described(admin: Any, cohort: Any, settings_now: Any, now: Any) -> None:
    later = now + timedelta(days=90)

    assert change_cohort(admin, cohort_id=cohort.pk, settings=replace(settings_now, about="Done."), now=later)


def test_milestones_ahead_move_with_the_first_day(
    admin: Any, internship: Any, cohort: Any, settings_now: Any, now: Any
) -> None:
    first, second = internship.milestones.all()
    Milestone.objects.filter(pk=first.pk).update(reached_at=now)

    change_cohort(admin, cohort_id=cohort.pk, settings=replace(settings_now, starts_on=date(2026, 3, 9)), now=now)

    assert [m.due_on for m in internship.milestones.all()] == [first.due_on, second.due_on + timedelta(days=7)]


@pytest.mark.parametrize("who", ["intern", "mentor"])
def test_only_admins_change_a_cohort(
    request: pytest.FixtureRequest, cohort: Any, version: Any, mentor: Any, settings_now: Any, now: Any, who: str
) -> None:
    actor = request.getfixturevalue(who)
    offer = Offer.objects.create(cohort=cohort, project=version.project, mentor=mentor, places=1)

    with pytest.raises(Forbidden):
        change_cohort(actor, cohort_id=cohort.pk, settings=settings_now, now=now)
    with pytest.raises(Forbidden):
        offer_project(actor, cohort=cohort, project=version.project, mentor=mentor, places=3, now=now)
    with pytest.raises(Forbidden):
        withdraw_offer(actor, offer=offer, now=now)
    assert Offer.objects.get().places == 1


def test_an_offer_made_again_changes_its_places(admin: Any, cohort: Any, version: Any, mentor: Any, now: Any) -> None:
    for places in (2, 3):
        offer_project(admin, cohort=cohort, project=version.project, mentor=mentor, places=places, now=now)

    assert Offer.objects.get().places == 3


@pytest.mark.parametrize(
    ("who", "slug", "places", "field"),
    [("intern", "digits", 1, "mentor"), ("mentor", "bare", 1, "project"), ("mentor", "digits", 0, "places")],
)
def test_what_can_not_be_offered(
    request: pytest.FixtureRequest, admin: Any, cohort: Any, version: Any, now: Any, who: str, slug: str, places: int,
    field: str,
) -> None:  # fmt: skip
    Project.objects.create(slug="bare", title="Bare", question="?")
    project, person = Project.objects.get(slug=slug), request.getfixturevalue(who)

    with pytest.raises(Invalid) as refusal:
        offer_project(admin, cohort=cohort, project=project, mentor=person, places=places, now=now)

    assert refusal.value.facts["field"] == field


def test_anybody_reads_the_page_of_a_cohort_one_may_apply_to(public: Any, version: Any, mentor: Any) -> None:
    Offer.objects.create(cohort=public, project=version.project, mentor=mentor, places=2)

    text = Client().get(PAGE).content.decode()

    for told in ("2 March to 26 April 2026, 8 weeks", "Eight weeks of &lt;b&gt;work&lt;/b&gt;.", "Ten hours a week."):
        assert told in text
    for told in ("Digits", "How few pixels?", "2 places", "With Mira Mentor", "You may apply until 20 March 2026."):
        assert told in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"apply_until": date(2026, 3, 18)}, "You may apply until 18 March 2026."),
        ({"apply_until": date(2026, 3, 17)}, "The time to apply is over. It ended on 17 March 2026."),
        ({"starts_on": date(2026, 1, 1), "ends_on": date(2026, 3, 17)}, "This cohort is over."),
    ],
)
def test_the_page_says_how_it_stands(public: Any, changes: Any, told: str) -> None:
    Cohort.objects.filter(pk=public.pk).update(**changes)

    assert told in Client().get(PAGE).content.decode()


def test_a_cohort_nobody_may_apply_to_is_for_people_with_an_account(cohort: Any, client_of: Any, intern: Any) -> None:
    assert Client().get(PAGE).status_code == 404
    assert client_of(intern).get(PAGE).status_code == 200


def test_the_settings_page_saves_or_keeps_what_was_typed(
    client_of: Any, admin: Any, cohort: Any, settings_now: Any
) -> None:
    ada = client_of(admin)

    refused = ada.post(f"{PAGE}settings/", sent(settings_now, entry="open", about="Typed text"))
    saved = ada.post(f"{PAGE}settings/", sent(settings_now, entry="open", apply_until="2026-03-20", is_idle_kept="yes"))

    assert (refused.status_code, saved.status_code) == (400, 302)
    assert "Say until when" in refused.content.decode()
    assert "Typed text" in refused.content.decode()
    cohort.refresh_from_db()
    assert (cohort.entry, cohort.apply_until, cohort.is_idle_kept) == ("open", date(2026, 3, 20), True)


def test_offers_are_made_and_withdrawn_on_the_settings_page(
    client_of: Any, admin: Any, cohort: Any, other_cohort: Any, version: Any, mentor: Any
) -> None:
    ada = client_of(admin)

    assert ada.post(f"{PAGE}offers/", {"project": "digits", "mentor": "ada", "places": 2}).status_code == 400
    assert ada.post(f"{PAGE}offers/", {"project": "digits", "mentor": "mira", "places": 2}).status_code == 302
    offer = Offer.objects.get()
    assert ada.post(f"/cohorts/autumn/offers/{offer.pk}/withdraw/").status_code == 404
    assert ada.post(f"{PAGE}offers/{offer.pk}/withdraw/").status_code == 302
    assert not Offer.objects.exists()
