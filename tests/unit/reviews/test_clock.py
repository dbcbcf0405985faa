"""Who is blocked longest, and how long answers take: the same figures for mentor and intern."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practicum.reviews import clock, services

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrendered")]
HOUR = timedelta(hours=1)


def ask(mentor: Any, intern: Any, submission: Any, at: datetime, body: str = "How?") -> Any:
    """A thread in which the intern asks back, an hour after it was begun."""
    thread = services.comment(mentor, submission=submission, body="Mend this.", now=at - HOUR)
    services.comment(intern, submission=submission, body=body, reply_to=thread.pk, now=at)
    return thread


def test_reviews_and_questions_stand_in_one_line_by_how_long_they_wait(
    internship: Any, peer_internship: Any, hand_in: Any, mentor: Any, intern: Any, now: datetime
) -> None:
    first = hand_in(internship, ago=9 * HOUR)
    thread = ask(mentor, intern, first, now - 5 * HOUR)
    services.decide(mentor, submission=first, decision="changes", rubric={}, summary="x", now=now - 4 * HOUR)
    early = hand_in(peer_internship, ago=8 * HOUR)
    running = hand_in(internship, ago=7 * HOUR, state="running")
    lines = clock.inbox_of(mentor, now=now)
    assert [(line.submission, line.waits) for line in lines] == [
        (early, 8 * HOUR),
        (first, 5 * HOUR),
        (running, 7 * HOUR),
    ]
    assert isinstance(lines[1], clock.Question)
    assert (lines[1].thread, lines[1].said) == (thread, "How?")


@pytest.mark.parametrize("end", ["answered", "settled", "internship over", "internship paused", "nothing"])
def test_a_question_waits_until_the_mentor_speaks_or_settles(
    end: str, internship: Any, submission: Any, mentor: Any, intern: Any, now: datetime
) -> None:
    thread = ask(mentor, intern, submission, now - HOUR)
    if end == "answered":
        services.comment(mentor, submission=submission, body="So.", reply_to=thread.pk, now=now)
    elif end == "settled":
        services.resolve(mentor, submission=submission, comment_id=thread.pk, now=now)
    elif end.startswith("internship"):
        internship.state = "ended" if end == "internship over" else "paused"
        internship.save()
    waits = end in ("internship paused", "nothing")
    assert len(clock.questions_awaiting(mentor, now=now)) == waits
    assert len(clock.inbox_of(mentor, now=now)) >= waits


def test_the_clock_has_decisions_and_replies(
    internship: Any, peer_internship: Any, hand_in: Any, mentor: Any, intern: Any, now: datetime
) -> None:
    assert clock.clock_of(mentor, now=now) == clock.Clock()
    first, theirs = hand_in(internship, ago=10 * HOUR), hand_in(peer_internship, ago=3 * HOUR)
    services.decide(mentor, submission=first, decision="changes", rubric={}, summary="x", now=now - 4 * HOUR)
    services.decide(mentor, submission=theirs, decision="changes", rubric={}, summary="x", now=now - HOUR)
    thread = ask(mentor, intern, first, now - 2 * HOUR)
    services.comment(mentor, submission=first, body="So.", reply_to=thread.pk, now=now - HOUR)
    services.comment(mentor, submission=first, body="And so.", reply_to=thread.pk, now=now)
    assert clock.clock_of(mentor, now=now) == clock.Clock(count=3, middle=2 * HOUR, longest=6 * HOUR)
    assert clock.clock_of(mentor, now=now + timedelta(days=90)) == clock.Clock()


def test_only_the_last_twenty_count(internship: Any, hand_in: Any, mentor: Any, now: datetime) -> None:
    for number in range(1, 26):
        row = hand_in(internship, ago=timedelta(days=26 - number))
        took = HOUR if number > 5 else 12 * HOUR
        services.decide(mentor, submission=row, decision="changes", rubric={}, summary="x", now=row.received_at + took)
    assert clock.clock_of(mentor, now=now) == clock.Clock(count=20, middle=HOUR, longest=HOUR)


def test_mentor_and_intern_read_the_same(
    internship: Any, hand_in: Any, mentor: Any, intern: Any, client_of: Any, now: datetime
) -> None:
    from practicum.lib.clock import utc_now

    late = utc_now() - now
    first = hand_in(internship, ago=-late + 9 * HOUR)
    services.decide(
        mentor, submission=first, decision="changes", rubric={}, summary="x", now=first.received_at + 5 * HOUR
    )
    hand_in(internship, ago=-late + 2 * HOUR)
    inbox = " ".join(client_of(mentor).get(reverse("reviews:inbox")).content.decode().split())
    home = " ".join(client_of(intern).get("/").content.decode().split())
    assert "Your answers take 5 h in the middle and 5 h at most, over the last 1. Your interns see the same." in inbox
    assert "Your latest submission has waited for a review for 2 h. Mira's answers take 5 h in the middle" in home


def queries_of(mentor: Any, now: datetime) -> int:
    with CaptureQueriesContext(connection) as captured:
        clock.inbox_of(mentor, now=now)
        clock.clock_of(mentor, now=now)
    return len(captured)


def test_the_inbox_takes_as_many_queries_for_many_as_for_one(
    internship: Any, peer_internship: Any, hand_in: Any, mentor: Any, intern: Any, peer: Any, now: datetime
) -> None:
    ask(mentor, intern, hand_in(internship), now)
    one = queries_of(mentor, now)
    for _ in range(3):
        ask(mentor, peer, hand_in(peer_internship), now)
    assert queries_of(mentor, now) == one
