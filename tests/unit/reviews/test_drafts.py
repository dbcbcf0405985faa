"""Drafts: kept for one mentor and one submission, never written over by another window, gone once sent."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from django.urls import reverse

from practicum.errors import Conflict, Invalid, NotFound
from practicum.reviews import drafts, rules
from practicum.reviews.models import Draft

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrendered")]


def save(mentor: Any, submission: Any, now: datetime, *, seen: int = 0, **fields: str) -> int:
    return drafts.save_draft(mentor, submission=submission, fields=fields, seen=seen, now=now)


def test_what_is_typed_is_kept_and_grows(submission: Any, mentor: Any, now: datetime) -> None:
    first = save(mentor, submission, now, summary="Half a")
    assert save(mentor, submission, now, seen=first, summary="Half a thought") == first + 1
    assert Draft.objects.get().fields == {"summary": "Half a thought"}


@pytest.mark.parametrize("seen", [0, 7])
def test_another_window_is_not_written_over(seen: int, submission: Any, mentor: Any, now: datetime) -> None:
    save(mentor, submission, now, summary="This window")
    with pytest.raises(Conflict) as refused:
        save(mentor, submission, now, seen=seen, summary="That window")
    assert refused.value.facts == {"version": 1, "fields": {"summary": "This window"}}
    assert Draft.objects.get().fields == {"summary": "This window"}
    assert save(mentor, submission, now, seen=1, summary="That window, by choice") == 2


@pytest.mark.parametrize("who", ["other_mentor", "admin", "intern", "peer"])
def test_only_the_internships_mentor_has_one(who: str, submission: Any, now: datetime, request: Any) -> None:
    with pytest.raises(NotFound):
        save(request.getfixturevalue(who), submission, now, summary="x")


def test_a_new_mentor_does_not_see_the_old_ones(
    submission: Any, internship: Any, mentor: Any, other_mentor: Any, client_of: Any, now: datetime
) -> None:
    save(mentor, submission, now, summary="Only mine")
    internship.mentor = other_mentor
    internship.save()
    page = client_of(other_mentor).get(reverse("reviews:desk", args=[submission.pk])).content.decode()
    assert "Only mine" not in page


@pytest.mark.parametrize(
    "fields",
    [None, [], "x", {"a": 1}, {"a": "x\0"}, {"a" * 81: "x"}, {"a": "x" * 8_001}, {str(n): "x" for n in range(301)}],
)
def test_a_draft_is_a_text_for_each_box(fields: Any) -> None:
    with pytest.raises(Invalid):
        rules.check_draft(fields)


def test_a_draft_has_a_most_and_no_empty_boxes() -> None:
    assert rules.check_draft({"a": "", "b": "x"}) == {"b": "x"}
    with pytest.raises(Invalid):
        rules.check_draft({str(n): "x" * 8_000 for n in range(26)})


def test_a_sent_comment_leaves_the_draft_and_the_rest_stays(
    submission: Any, mentor: Any, client_of: Any, now: datetime
) -> None:
    version = save(mentor, submission, now, **{"body-c2": "Why?", "summary": "Later"})
    client_of(mentor).post(reverse("reviews:comment", args=[submission.pk]), {"cell": "c2", "body": "Why?"})
    assert Draft.objects.get().fields == {"summary": "Later"}
    assert save(mentor, submission, now, seen=version, summary="Later on") == version + 1


def test_a_decision_ends_the_draft_of_its_words_but_not_of_comments(
    submission: Any, mentor: Any, client_of: Any, now: datetime
) -> None:
    save(mentor, submission, now, **{"body-c1": "Also", "summary": "More.", "points-1": "3"})
    client_of(mentor).post(
        reverse("reviews:decide", args=[submission.pk]), {"decision": "changes", "summary": "More.", "seen": "0"}
    )
    assert Draft.objects.get().fields == {"body-c1": "Also"}


def test_the_page_saves_and_is_told_of_the_other_window(
    submission: Any, mentor: Any, client_of: Any, now: datetime
) -> None:
    address, client = reverse("reviews:draft", args=[submission.pk]), client_of(mentor)
    sent = {"seen": "0", "fields": json.dumps({"summary": "One"})}
    assert client.post(address, sent).json() == {"version": 1}
    answer = client.post(address, sent | {"fields": json.dumps({"summary": "Two"})})
    assert answer.status_code == 409
    assert answer.json()["fields"] == {"summary": "One"}
    assert "One" in client.get(reverse("reviews:desk", args=[submission.pk])).content.decode()
    for broken in ("", "[", "[]", "[" * 100_000):
        assert client.post(address, {"seen": "1", "fields": broken}).status_code == 400
