"""Check-ins and a pause, in Chromium: each side writes, asks, answers; the record keeps it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import localdate

from practicum.internships.changes import Wish, ask
from practicum.internships.check_ins import Note, check_in
from practicum.internships.models import Cohort, Internship
from practicum.lib.clock import utc_now

pytestmark = pytest.mark.browser


@pytest.fixture
def internship_today(people: dict[str, Any]) -> Internship:
    """The intern's internship, with a cohort that goes on today."""
    today = localdate()
    Cohort.objects.update(starts_on=today - timedelta(days=15), ends_on=today + timedelta(days=40))
    return Internship.objects.select_related("cohort", "intern", "mentor").get(pk=people["internship"].pk)


def test_both_sides_check_in_and_agree_on_a_pause(internship_today: Internship, visit: Callable[..., Any]) -> None:
    page_of = f"/internships/{internship_today.pk}/record/"
    intern, mentor = visit("intern"), visit("mentor")
    page = intern.go("/")
    page.get_by_role("link", name="Check-ins and changes").click()
    page.get_by_label("What went well").fill("The first run works.")
    page.get_by_label("What comes next").fill("A second layer.")
    page.get_by_role("button", name="Keep it").click()
    page.get_by_text("Your check-in is kept.").wait_for()

    page = mentor.go(page_of)
    page.get_by_text("The intern has written.").wait_for()
    assert page.get_by_text("The first run works.").count() == 0
    page.get_by_label("What went well").fill("Good questions.")
    page.get_by_label("What comes next").fill("The review.")
    page.get_by_role("button", name="Keep it").click()
    page.get_by_text("The first run works.").wait_for()

    page = intern.go(page_of)
    page.get_by_text("Good questions.").wait_for()
    page.get_by_label("You ask for").select_option("pause")
    page.get_by_label("Why").fill("Exams.")
    page.get_by_role("button", name="Ask for it").click()
    page.get_by_text("Say until which day.").wait_for()
    assert page.get_by_label("Why").input_value() == "Exams."
    page.get_by_label("Until").fill((localdate() + timedelta(days=7)).isoformat())
    page.get_by_role("button", name="Ask for it").click()
    page.get_by_text("It is asked for.").wait_for()

    page = mentor.go(page_of)
    page.get_by_label("Your answer").fill("Good luck.")
    page.get_by_role("button", name="Agree").click()
    page.get_by_text("Paused since").wait_for()
    page = intern.go("/notebook/")
    assert page.get_by_role("button", name="Start").count() == 0
    page = intern.go(page_of)
    page.get_by_text("Mira Mentor agreed. “Good luck.”").wait_for()
    page.get_by_role("button", name="Go on now").click()
    page.get_by_text("The internship goes on.").wait_for()
    assert Internship.objects.get(pk=internship_today.pk).state == "active"
    assert mentor.complaints == []
    assert [said for said in intern.complaints if "400 (Bad Request)" not in said] == []


def test_a_mentor_sees_who_is_silent_writes_and_is_answered(
    internship_today: Internship, visit: Callable[..., Any]
) -> None:
    mentor, intern = visit("mentor"), visit("intern")
    page = mentor.go("/")
    page.get_by_role("link", name="Who needs attention").click()
    page.get_by_text("Has not begun, 15 days in.").wait_for()
    page.get_by_role("link", name="Write to Ines Intern").click()
    page.get_by_label("Message").fill("How are you getting on?")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Your message is on its way.").wait_for()

    page = intern.go("/")
    page.get_by_text("Has not begun, 15 days in.").wait_for()
    page.get_by_role("link", name="Say how it is").click()
    page.get_by_text("Mira Mentor wrote: “How are you getting on?”").wait_for()
    page.get_by_label("Message").fill("I was ill. I begin tomorrow.")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Ines Intern wrote: “I was ill. I begin tomorrow.”").wait_for()
    assert intern.complaints == mentor.complaints == []


def test_the_record_is_quiet_and_fits_a_phone(internship_today: Internship, visit: Callable[..., Any]) -> None:
    now = utc_now()
    until = localdate() + timedelta(days=90)
    ask(internship_today.intern, internship=internship_today, wish=Wish("extension", "w" * 300, until=until), now=now)
    for person in (internship_today.intern, internship_today.mentor):
        check_in(person, internship=internship_today, note=Note("w" * 400, "More", "Data"), now=now)
    for who in ("intern", "mentor", "admin"):
        for dark in (False, True):
            window = visit(who, phone=True, dark=dark)

            page = window.go(f"/internships/{internship_today.pk}/record/")

            assert window.complaints == []
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
