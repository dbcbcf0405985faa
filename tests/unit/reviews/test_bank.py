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
    assert 'data-body="Say &lt;b&gt;how&lt;/b&gt; often." data-into="summary"' in page
    assert "Say &lt;b&gt;" not in client_of(intern).get(desk).content.decode()
    client.post(reverse("reviews:forget_snippet", args=[submission.pk, snippet.pk]))
    assert not Snippet.objects.exists()
    assert Record.objects.filter(verb="snippet.forgotten").exists()
