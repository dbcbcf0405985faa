"""The bank of comments: one a project, kept by one press, the most used first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from practicum.audit.models import Record
from practicum.errors import Invalid, NotFound
from practicum.reviews import bank, rules, services
from practicum.reviews.models import Snippet

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrendered")]


def keep(mentor: Any, submission: Any, body: str, now: datetime, **more: str) -> Snippet:
    return bank.keep(mentor, submission=submission, body=body, now=now, **more)


def test_the_most_used_comes_first_and_of_the_same_the_last_used(submission: Any, mentor: Any, now: datetime) -> None:
    rows = {body: keep(mentor, submission, body, now) for body in ("never", "once", "twice", "once, later")}
    for minute, body in enumerate(("twice", "once", "once, later", "twice")):
        moment = now + timedelta(minutes=minute)
        bank.use(mentor, submission=submission, snippet_id=rows[body].pk, now=moment)
    assert [row.body for row in bank.bank_of(submission)] == ["twice", "once, later", "once", "never"]


def test_the_same_text_is_kept_once_in_each_place(submission: Any, mentor: Any, now: datetime) -> None:
    first = keep(mentor, submission, "Name the axes.", now)
    bank.use(mentor, submission=submission, snippet_id=first.pk, now=now)
    assert keep(mentor, submission, "  Name the axes.\n", now) == first
    keep(mentor, submission, "Name the axes.", now, rubric_item="writing")
    assert [(row.rubric_item, row.used) for row in bank.bank_of(submission)] == [("", 1), ("writing", 0)]
    assert Record.objects.filter(verb="snippet.kept").count() == 2


def test_a_comment_is_kept_by_one_press_and_only_ones_own(
    submission: Any, mentor: Any, intern: Any, client_of: Any, now: datetime
) -> None:
    own = services.comment(mentor, submission=submission, body="Why **this**?", now=now)
    theirs = services.comment(intern, submission=submission, body="So.", reply_to=own.pk, now=now)
    address, client = reverse("reviews:keep_snippet", args=[submission.pk]), client_of(mentor)
    assert client.post(address, {"comment": own.pk}).url.endswith(f"#comment-{own.pk}")
    assert client.post(address, {"comment": theirs.pk}).status_code == 404
    assert [row.body for row in Snippet.objects.all()] == ["Why **this**?"]


def test_the_bank_is_the_projects(
    submission: Any, stranger_internship: Any, hand_in: Any, mentor: Any, other_mentor: Any, now: datetime
) -> None:
    snippet = keep(mentor, submission, "Name the axes.", now)
    theirs = hand_in(stranger_internship)
    assert list(bank.bank_of(theirs)) == [snippet]
    bank.use(other_mentor, submission=theirs, snippet_id=snippet.pk, now=now)
    with pytest.raises(NotFound):
        bank.use(other_mentor, submission=submission, snippet_id=snippet.pk, now=now)


@pytest.mark.parametrize("who", ["other_mentor", "admin", "intern", "peer"])
def test_only_the_internships_mentor_changes_it(
    who: str, submission: Any, mentor: Any, now: datetime, request: Any
) -> None:
    person, snippet = request.getfixturevalue(who), keep(mentor, submission, "x", now)
    with pytest.raises(NotFound):
        keep(person, submission, "y", now)
    with pytest.raises(NotFound):
        bank.forget(person, submission=submission, snippet_id=snippet.pk, now=now)
    assert Snippet.objects.get() == snippet


@pytest.mark.parametrize(("body", "so_far"), [("", 0), (" \n", 0), ("x" * 4_001, 0), ("x", 500)])
def test_what_the_bank_does_not_take(body: str, so_far: int) -> None:
    with pytest.raises(Invalid):
        rules.check_snippet(body, so_far=so_far)


def test_a_line_that_the_rubric_does_not_have(submission: Any, mentor: Any, now: datetime) -> None:
    with pytest.raises(Invalid):
        keep(mentor, submission, "x", now, rubric_item="beauty")


def test_a_rubric_line_carries_its_snippets_and_forgetting_takes_them_away(
    submission: Any, mentor: Any, intern: Any, client_of: Any, now: datetime
) -> None:
    snippet = keep(mentor, submission, "Say <b>how</b> often.", now, rubric_item="method")
    desk, client = reverse("reviews:desk", args=[submission.pk]), client_of(mentor)
    page = client.get(desk).content.decode()
    assert 'data-body="Say &lt;b&gt;how&lt;/b&gt; often." title=' in page
    assert "Say &lt;b&gt;" not in client_of(intern).get(desk).content.decode()
    client.post(reverse("reviews:forget_snippet", args=[submission.pk, snippet.pk]))
    assert not Snippet.objects.exists()
    assert Record.objects.filter(verb="snippet.forgotten").exists()


OWN = ["Say how often.", "Which control?"]


@pytest.fixture
def own(submission: Any) -> list[str]:
    """The project has snippets for the line \"method\"."""
    submission.version.manifest["rubric"][0]["snippets"] = OWN
    submission.version.save()
    return OWN


def lines_of(submission: Any) -> list[tuple[str, int]]:
    return [(held.body, held.used) for held in bank.by_item(bank.held_for(submission))["method"]]


def use_own(mentor: Any, submission: Any, *, line: int, place: int, now: datetime) -> None:
    bank.use_own(mentor, submission=submission, line=line, place=place, now=now)


def test_a_projects_own_stand_after_what_was_used_or_kept_and_then_where_their_use_puts_them(
    submission: Any, mentor: Any, own: list[str], now: datetime
) -> None:
    assert lines_of(submission) == [("Say how often.", 0), ("Which control?", 0)]
    kept = keep(mentor, submission, "Name the axes.", now, rubric_item="method")
    assert lines_of(submission) == [("Name the axes.", 0), ("Say how often.", 0), ("Which control?", 0)]

    for minutes in (1, 2):
        use_own(mentor, submission, line=0, place=1, now=now + timedelta(minutes=minutes))
    bank.use(mentor, submission=submission, snippet_id=kept.pk, now=now)

    assert lines_of(submission) == [("Which control?", 2), ("Name the axes.", 1), ("Say how often.", 0)]
    learnt = Snippet.objects.get(body="Which control?")
    assert (learnt.kept_by, learnt.used_at) == (None, now + timedelta(minutes=2))
    bank.use(mentor, submission=submission, snippet_id=learnt.pk, now=now)
    assert lines_of(submission)[0] == ("Which control?", 3)


def test_a_text_that_a_mentor_kept_and_the_project_has_is_there_once(
    submission: Any, mentor: Any, own: list[str], now: datetime
) -> None:
    keep(mentor, submission, OWN[1], now, rubric_item="method")
    use_own(mentor, submission, line=0, place=1, now=now)
    assert lines_of(submission) == [("Which control?", 1), ("Say how often.", 0)]
    keep(mentor, submission, OWN[1], now)
    assert [held.rubric_item for held in bank.held_for(submission) if held.body == OWN[1]] == ["method", ""]


@pytest.mark.parametrize(("line", "place"), [(0, 2), (1, 0), (2, 0)])
def test_what_the_project_does_not_say_is_not_counted(
    submission: Any, mentor: Any, own: list[str], now: datetime, line: int, place: int
) -> None:
    with pytest.raises(NotFound):
        use_own(mentor, submission, line=line, place=place, now=now)
    assert not Snippet.objects.exists()


@pytest.mark.parametrize("who", ["other_mentor", "admin", "intern", "peer"])
def test_only_the_internships_mentor_counts_a_use(
    who: str, submission: Any, own: list[str], now: datetime, request: Any
) -> None:
    with pytest.raises(NotFound):
        use_own(request.getfixturevalue(who), submission, line=0, place=0, now=now)
    assert not Snippet.objects.exists()


def test_the_desk_shows_a_projects_own_beside_their_line_and_never_offers_to_forget_them(
    submission: Any, mentor: Any, intern: Any, own: list[str], client_of: Any, now: datetime
) -> None:
    desk, client = reverse("reviews:desk", args=[submission.pk]), client_of(mentor)
    address = reverse("reviews:use_own_snippet", args=[submission.pk, 0, 1])
    page = client.get(desk).content.decode()
    assert f'data-use="{address}" data-body="Which control?" title=' in page
    assert "of the project" in page
    assert "Forget “" not in page
    assert "Which control?" not in client_of(intern).get(desk).content.decode()

    assert client.post(address).status_code == 204

    page = client.get(desk).content.decode()
    assert page.index('data-body="Which control?" title=') < page.index('data-body="Say how often." title=')
    assert "Forget “" not in page
