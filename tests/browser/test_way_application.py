"""From nobody to an applicant with a place, in Chromium: sign-up, application, answer, withdrawal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import localdate

from practicum.internships.invitations import token_of
from practicum.internships.models import Application, Cohort, Invitation, Offer
from tests.browser.conftest import faults_on_a_phone
from tests.tools.accessibility import faults_of

pytestmark = pytest.mark.browser


@pytest.fixture
def open_cohort(people: dict[str, Any], settings: Any) -> Any:
    """A cohort next month that everybody may apply to, with one place; its demo site sends no mail."""
    settings.EMAIL_HOST, settings.PRACTICUM_ENV = "", "demo"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    today = localdate()
    row = Cohort.objects.create(
        slug="next",
        name="Next cohort",
        starts_on=today + timedelta(days=30),
        ends_on=today + timedelta(days=90),
        entry="open",
        apply_until=today + timedelta(days=10),
        capacity=1,
    )
    internship = people["internship"]
    Offer.objects.create(cohort=row, project=internship.version.project, mentor=internship.mentor, places=2)
    return row


def test_a_stranger_signs_up_applies_gets_a_place_and_gives_it_back(
    open_cohort: Any, visit: Callable[..., Any], live_server: Any, settings: Any
) -> None:
    settings.PRACTICUM_SITE_URL = live_server.url
    nora = visit()
    page = nora.go("/cohorts/next/")
    page.get_by_role("link", name="Apply", exact=True).click()
    page.get_by_label("Your e-mail address").fill("nora@example.org")
    page.get_by_role("button", name="Mail me the link").click()
    page.get_by_role("link", name="Make the account").click()
    page.get_by_label("Your name").fill("Nora New")
    page.get_by_label("Username").fill("nora")
    page.get_by_label("Password", exact=True).fill("three unrelated words")
    page.get_by_label("Password again").fill("three unrelated word")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_text("This is not the same as the password above.").wait_for()
    assert page.get_by_label("Username").input_value() == "nora"
    page.get_by_label("Password", exact=True).fill("three unrelated words")
    page.get_by_label("Password again").fill("three unrelated words")
    page.get_by_role("button", name="Make the account").click()

    page.get_by_label("Your background").fill("I have trained small networks.")
    page.get_by_label("Python: installing packages").check()
    page.get_by_label("Working with GPUs").check()
    page.get_by_label("First choice").select_option("digits")
    page.get_by_role("button", name="Send the application").click()
    page.get_by_text("This field is required.").first.wait_for()
    assert page.get_by_label("Python: installing packages").is_checked()
    page.get_by_label("Hours a week").fill("12")
    page.get_by_label("Hardware of your own").select_option("small")
    page.get_by_role("button", name="Send the application").click()
    page.get_by_text("Your application is sent.").wait_for()

    admin = visit("admin")
    page = admin.go("/people/?cohort=next")
    page.get_by_role("link", name="Applications").click()
    page.get_by_role("link", name="Nora New").click()
    page.get_by_role("button", name="Offer a place").click()
    page.get_by_text("Nora New has a place.").wait_for()
    page = nora.go("/notices/")
    page.get_by_text("You have a place in Next cohort").first.wait_for()

    page = nora.go("/cohorts/next/apply/")
    page.get_by_role("button", name="Withdraw").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    page.get_by_text("You have withdrawn it.").wait_for()
    page.get_by_role("button", name="I want to come after all").click()
    page.get_by_text("Your application counts again.").wait_for()
    assert Application.objects.get().state == "offered"
    assert admin.complaints == []
    assert [said for said in nora.complaints if "400 (Bad Request)" not in said] == []


@pytest.mark.parametrize(
    ("who", "paths"),
    [
        ("", ["/cohorts/next/sign-up/", "/join/{token}/"]),
        ("intern", ["/cohorts/next/apply/"]),
        (
            "admin",
            [
                "/cohorts/next/applications/",
                "/cohorts/next/applications/{application}/",
                "/cohorts/next/invitations/",
            ],
        ),
    ],
)
def test_the_pages_are_quiet_and_fit_a_phone(
    open_cohort: Any, people: dict[str, Any], visit: Callable[..., Any], now: Any, who: str, paths: list[str]
) -> None:
    invitation = Invitation.objects.create(
        cohort=open_cohort,
        email="a.rather.long.name.of.somebody@department.university.example.org",
        invited_by=people["admin"],
        made_at=now,
        expires_at=now + timedelta(days=3650),
    )
    application = Application.objects.create(
        cohort=open_cohort,
        applicant=people["intern"],
        background="word " * 200,
        hours_a_week=12,
        prerequisites=["ml"],
        hardware="large",
        wishes=["gpus"],
        ranking=["digits"],
        sent_at=now,
        changed_at=now,
    )
    there = [path.format(token=token_of(invitation), application=application.pk) for path in paths]
    assert faults_on_a_phone(visit, who, there) == []
    seldom = {"": f"/join/{token_of(invitation)}/", "admin": f"/cohorts/next/applications/{application.pk}/"}
    if who in seldom:
        assert faults_of(visit(who).go(seldom[who])) == []
