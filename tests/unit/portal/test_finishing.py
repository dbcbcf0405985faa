"""How an internship gets to its end: milestones marked by hand, and the word that it is completed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from practicum.accounts.models import Notice
from practicum.audit.models import Record
from practicum.internships.models import Internship, Milestone


@pytest.fixture
def mira(mentor: Any, client_of: Any) -> Client:
    """The mentor, signed in."""
    client: Client = client_of(mentor)
    return client


def post(client: Client, internship: Any, path: str, **sent: str) -> Any:
    return client.post(f"/internships/{internship.pk}/{path}/", sent, follow=True)


def test_a_mentor_marks_a_milestone_and_takes_it_back(mira: Client, internship: Any) -> None:
    answer = post(mira, internship, "milestones/1")
    assert "“First run” is reached." in answer.content.decode()
    assert Milestone.objects.get(position=1).reached_at is not None
    post(mira, internship, "milestones/1")
    answer = post(mira, internship, "milestones/1", reached="no")
    assert "“First run” is not reached." in answer.content.decode()
    assert Milestone.objects.get(position=1).reached_at is None
    verbs = Record.objects.filter(verb__startswith="milestone.").order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["milestone.reached", "milestone.taken_back"]


def test_there_is_no_other_milestone(mira: Client, internship: Any) -> None:
    assert post(mira, internship, "milestones/3").status_code == 404


def test_a_mentor_completes_it_and_the_intern_is_told(mira: Client, internship: Any, intern: Any) -> None:
    page = mira.get(f"/internships/{internship.pk}/").content.decode()
    assert "2 milestones are not reached, and the certificate will say so." in page

    answer = post(mira, internship, "complete")

    assert "The internship of Ines Intern is completed." in answer.content.decode()
    assert "Complete the internship" not in answer.content.decode()
    assert "Mark as reached" not in answer.content.decode()
    assert Internship.objects.get().state == "completed"
    assert Notice.objects.filter(user=intern, kind="internship.completed").count() == 1


def test_the_question_says_where_nothing_is_missing(mira: Client, internship: Any, now: Any) -> None:
    Milestone.objects.update(reached_at=now)
    assert "Every milestone is reached." in mira.get(f"/internships/{internship.pk}/").content.decode()


@pytest.mark.parametrize(("state", "told"), [("paused", "It is paused"), ("completed", "ended"), ("ended", "ended")])
def test_what_does_not_go_on_is_not_completed(mira: Client, internship: Any, state: str, told: str) -> None:
    Internship.objects.update(state=state)
    answer = post(mira, internship, "complete")
    assert answer.status_code == 409
    assert told in answer.content.decode()
    if state != "paused":
        assert post(mira, internship, "milestones/1").status_code == 409
        assert post(mira, internship, "milestones/1", reached="no").status_code == 409


def test_nobody_else_does(internship: Any, intern: Any, other_mentor: Any, client_of: Any) -> None:
    for person in (intern, other_mentor):
        for path in ("complete", "milestones/1"):
            assert post(client_of(person), internship, path).status_code == 404
    assert Internship.objects.get().state == "active"
    assert not Milestone.objects.filter(reached_at__isnull=False).exists()


def test_an_intern_sees_no_such_button(internship: Any, intern: Any, client_of: Any) -> None:
    page = client_of(intern).get(f"/internships/{internship.pk}/").content.decode()
    assert "Complete the internship" not in page
    assert "Mark as reached" not in page
