"""Rounds: which one is the last, which threads come along, what was answered, and two who decide at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practicum.errors import Conflict, Invalid, NotFound
from practicum.reviews import rounds, services
from practicum.reviews.models import Comment, Review
from practicum.reviews.scores import among_cohort
from tests.unit.reviews.conftest import code, markdown, notebook_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrendered")]


def ask_for_changes(mentor: Any, submission: Any, now: datetime, *said: tuple[str, str]) -> list[Comment]:
    written = [services.comment(mentor, submission=submission, body=body, cell_id=cell, now=now) for cell, body in said]
    services.decide(mentor, submission=submission, decision="changes", rubric={}, summary="Again.", now=now)
    return written


def carried(submission: Any, now: datetime) -> list[tuple[str, str, str]]:
    since = rounds.since_last_round(submission, now=now)
    assert since is not None
    return [(row.thread.first.comment.body, row.cell_id, row.thread.answer) for row in since.carried]


def test_a_first_round_has_none_before_it(submission: Any, now: datetime) -> None:
    assert rounds.since_last_round(submission, now=now) is None


def test_the_last_round_is_the_newest_a_mentor_wrote_on(
    internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    first = hand_in(internship)
    ask_for_changes(mentor, first, now)
    hand_in(internship)
    third = hand_in(internship)
    since = rounds.since_last_round(third, now=now)
    assert since is not None
    assert since.before == first
    assert since.counts == [("changed", 1)]
    assert since.unchanged == 1


def test_threads_that_are_open_come_along_with_what_was_done_about_them(
    internship: Any, hand_in: Any, mentor: Any, intern: Any, now: datetime
) -> None:
    first = hand_in(internship)
    replied, *_, settled = ask_for_changes(
        mentor,
        first,
        now,
        ("c1", "replied"),
        ("c1", "not yet"),
        ("c2", "in the cell"),
        ("", "whole"),
        ("c1", "settled"),
    )
    services.resolve(mentor, submission=first, comment_id=settled.pk, now=now - timedelta(hours=2))
    services.comment(intern, submission=first, reply_to=replied.pk, body="So.", now=now)
    second = hand_in(internship, ago=timedelta(minutes=1))
    assert carried(second, now) == [
        ("replied", "c1", "replied"),
        ("not yet", "c1", ""),
        ("in the cell", "c2", "changed"),
        ("whole", "", ""),
    ]


def test_a_thread_stands_on_the_cell_that_its_cell_became(
    internship: Any, hand_in: Any, mentor: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from practicum.reviews import rendering

    steps = {(1, 2): {"c1": "x1", "c2": "x2"}, (2, 3): {"x1": "c2"}}

    def changed(before: Any, after: Any, *, now: datetime) -> Any:
        pairs = steps[before.number, after.number]
        states = dict.fromkeys(pairs.values(), "same")
        return rendering.Rendered("ok", "", "", (), rendering.Changes(states, {}, (), pairs, (), ()))

    monkeypatch.setattr(rounds, "render_changes", changed)
    first = hand_in(internship)
    ask_for_changes(mentor, first, now, ("c1", "stays"), ("c2", "is gone"))
    services.open_review(mentor, submission=hand_in(internship), now=now)
    assert carried(hand_in(internship, ago=timedelta(0)), now) == [("stays", "c2", ""), ("is gone", "", "gone")]


def test_a_settled_thread_stays_in_sight_for_the_round_it_was_settled_in(
    internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    [thread] = ask_for_changes(mentor, hand_in(internship), now, ("c1", "Why?"))
    second = hand_in(internship, ago=timedelta(minutes=5))
    assert services.resolve(mentor, submission=second, comment_id=thread.pk, now=now)
    assert carried(second, now) == [("Why?", "c1", "")]
    services.open_review(mentor, submission=second, now=now)
    assert carried(hand_in(internship, ago=timedelta(minutes=-1)), now) == []


def test_a_carried_thread_is_replied_to_and_settled_in_the_next_round(
    internship: Any, hand_in: Any, mentor: Any, intern: Any, now: datetime
) -> None:
    first = hand_in(internship)
    [thread] = ask_for_changes(mentor, first, now, ("c2", "Why?"))
    second = hand_in(internship)
    reply = services.comment(intern, submission=second, reply_to=thread.pk, body="So.", now=now)
    assert (reply.submission, reply.reply_to) == (first, thread)
    with pytest.raises(NotFound):
        services.comment(mentor, submission=first, reply_to=_on(mentor, second, now), body="x", now=now)


def _on(mentor: Any, submission: Any, now: datetime) -> int:
    return services.comment(mentor, submission=submission, body="Later", now=now).pk


def test_nobody_reaches_a_thread_of_another_internship(
    internship: Any, peer_internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    [thread] = ask_for_changes(mentor, hand_in(internship), now, ("c2", "Why?"))
    theirs = hand_in(peer_internship)
    with pytest.raises(NotFound):
        services.resolve(mentor, submission=theirs, comment_id=thread.pk, now=now)
    with pytest.raises(NotFound):
        services.comment(mentor, submission=theirs, reply_to=thread.pk, body="x", now=now)


def test_a_comment_on_an_output_needs_one(submission: Any, mentor: Any, now: datetime) -> None:
    with pytest.raises(Invalid):
        services.comment(mentor, submission=submission, body="x", cell_id="c2", on_output=True, now=now)
    assert not Comment.objects.exists()


def test_of_two_who_decide_upon_the_same_review_one_is_told(submission: Any, mentor: Any, now: datetime) -> None:
    seen = services.open_review(mentor, submission=submission, now=now).version
    services.decide(mentor, submission=submission, decision="changes", rubric={}, summary="A", now=now, seen=seen)
    services.undo(mentor, submission=submission, now=now)
    with pytest.raises(Conflict):
        services.decide(mentor, submission=submission, decision="changes", rubric={}, summary="B", now=now, seen=seen)
    assert Review.objects.get().summary == "A"


def test_who_comes_second_keeps_the_text(submission: Any, mentor: Any, client_of: Any, now: datetime) -> None:
    address, client = reverse("reviews:decide", args=[submission.pk]), client_of(mentor)
    sent = {"decision": "changes", "summary": "The first", "seen": "0"}
    assert client.post(address, sent).status_code == 302
    answer = client.post(address, sent | {"summary": "My long and careful words"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "What you had written" in page
    assert "My long and careful words" in page
    assert Review.objects.get().summary == "The first"


def test_the_desk_of_a_second_round_tells_what_changed_first(
    internship: Any, peer_internship: Any, hand_in: Any, mentor: Any, client_of: Any, now: datetime
) -> None:
    ask_for_changes(mentor, hand_in(internship, score=0.9), now, ("c2", "Why?"))
    hand_in(peer_internship, score=0.93)
    second = hand_in(internship, score=0.95)
    page = " ".join(client_of(mentor).get(reverse("reviews:desk", args=[second.pk])).content.decode().split())
    notebook = reverse("reviews:notebook", args=[second.pk])
    assert f'src="{notebook}?since=1"' in page
    for words in ("1 changed", "was 0.900", "better than 1 of 1 other, median 0.930", "1 unchanged cell<"):
        assert words in page
    assert "1 of 1 open one answered" in page
    assert page.index("<code>0.1</code>") < page.index("<code>0.05</code>")
    opened = client_of(mentor).get(f"{notebook}?since=1&open=1,x,-2").content.decode()
    assert '<details class="fold" id="fold-1" open>' in opened
    assert '<details class="fold" id="fold-1">' in client_of(mentor).get(f"{notebook}?since=1").content.decode()


def test_the_desk_takes_as_many_queries_for_many_threads(
    internship: Any, hand_in: Any, mentor: Any, client_of: Any, now: datetime
) -> None:
    first = hand_in(internship)
    ask_for_changes(mentor, first, now, ("c2", "Why?"))
    address, client = reverse("reviews:desk", args=[hand_in(internship).pk]), client_of(mentor)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
        return len(captured)

    queries()
    few = queries()
    for number in range(5):
        services.comment(mentor, submission=first, body=f"And {number}?", cell_id="c1", now=now)
    assert queries() == few <= 36


def test_in_a_cohort_of_one_there_is_nothing_to_stand_among(submission: Any) -> None:
    assert among_cohort(submission, score=0.95, exact=True) is None


def test_where_the_last_notebook_cannot_be_read_the_whole_one_is_shown(
    internship: Any, hand_in: Any, mentor: Any, client_of: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from practicum.reviews import rendering

    ask_for_changes(mentor, hand_in(internship), now, ("c2", "Why?"))
    second = hand_in(internship, notebook=notebook_of(markdown("x"), code("y")))
    broken = rendering.Rendered("invalid", "The file is not a notebook.", "")
    monkeypatch.setattr(rounds, "render_changes", lambda *_, **__: broken)
    page = client_of(mentor).get(reverse("reviews:desk", args=[second.pk])).content.decode()
    assert "The file is not a notebook." in page
    assert "?since=1" not in page
    assert "Why?" in page
