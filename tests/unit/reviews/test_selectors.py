"""What waits for whom, and what an intern reads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from practicum.internships.models import InternshipState
from practicum.reviews import selectors, services

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrendered")]
POINTS = {"method": 5, "writing": 4}


def waiting(mentor: Any, now: datetime) -> list[Any]:
    return [line.submission for line in selectors.reviews_awaiting(mentor, now=now)]


def test_the_longest_waiting_comes_first_and_what_still_runs_last(
    internship: Any, peer_internship: Any, stranger_internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    hand_in(stranger_internship)
    running = hand_in(internship, state="running", ago=timedelta(days=2))
    scored = hand_in(peer_internship, ago=timedelta(minutes=5))
    lines = selectors.reviews_awaiting(mentor, now=now)
    assert [line.submission for line in lines] == [scored, running]
    assert [line.is_ready for line in lines] == [True, False]
    assert [line.waits for line in lines] == [timedelta(minutes=5), timedelta(days=2)]


@pytest.mark.parametrize("state", ["scored", "invalid", "failed", "queued", "running", None])
def test_a_submission_waits_in_every_state(
    state: str | None, internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    assert waiting(mentor, now) == []
    submission = hand_in(internship, state=state)
    assert waiting(mentor, now) == [submission]


def test_only_the_latest_that_was_not_taken_back_waits(
    internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    hand_in(internship)
    second = hand_in(internship)
    hand_in(internship, state="cancelled")
    assert waiting(mentor, now) == [second]


def test_a_decision_ends_the_waiting_until_something_new_comes(
    internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    first = hand_in(internship)
    services.open_review(mentor, submission=first, now=now)
    assert waiting(mentor, now) == [first]
    services.decide(mentor, submission=first, decision="changes", rubric={}, summary="More.", now=now)
    assert waiting(mentor, now) == []
    assert [review.submission for review in selectors.decided_recently(mentor)] == [first]
    second = hand_in(internship)
    assert waiting(mentor, now) == [second]


def test_an_ended_internship_does_not_wait(internship: Any, hand_in: Any, mentor: Any, now: datetime) -> None:
    hand_in(internship)
    internship.state = InternshipState.COMPLETED
    internship.save()
    assert waiting(mentor, now) == []


def test_scores_are_compared_with_the_baseline_and_the_round_before(
    internship: Any, hand_in: Any, version: Any, mentor: Any, now: datetime
) -> None:
    version.manifest["anchors"] = [{"name": "b", "value": 0.9, "source": "measured", "baseline": True}]
    version.save()
    internship.refresh_from_db()
    hand_in(internship, score=0.5)
    hand_in(internship, state="invalid")
    hand_in(internship, score=0.8)
    [line] = selectors.reviews_awaiting(mentor, now=now)
    found = line.comparison
    assert (found.score, found.baseline, found.before) == (0.8, 0.9, 0.5)
    assert found.difference == pytest.approx(-0.1)
    assert (found.is_better, found.is_progress) == (False, True)


def queries_of(mentor: Any, now: datetime) -> int:
    with CaptureQueriesContext(connection) as captured:
        selectors.reviews_awaiting(mentor, now=now)
    return len(captured)


def test_the_inbox_takes_as_many_queries_for_two_as_for_one(
    internship: Any, peer_internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    hand_in(internship)
    one = queries_of(mentor, now)
    hand_in(peer_internship)
    hand_in(peer_internship)
    assert queries_of(mentor, now) == one <= 11


def test_an_intern_reads_decisions_but_not_drafts(submission: Any, intern: Any, mentor: Any, now: datetime) -> None:
    assert selectors.feedback_for(intern) is None
    services.comment(mentor, submission=submission, body="Why?", now=now)
    feedback = selectors.feedback_for(intern)
    assert feedback is not None
    assert (feedback.submission, feedback.review, feedback.unresolved) == (submission, None, 1)
    services.decide(mentor, submission=submission, decision="accepted", rubric=POINTS, summary="", now=now)
    decided = selectors.feedback_for(intern)
    assert decided is not None
    assert decided.review is not None
    assert [(line.name, line.points, line.most) for line in decided.points] == [("method", 5, 5), ("writing", 4, 5)]


def test_feedback_is_on_what_was_spoken_of_last(
    internship: Any, hand_in: Any, intern: Any, mentor: Any, now: datetime
) -> None:
    first = hand_in(internship)
    services.decide(mentor, submission=first, decision="changes", rubric={}, summary="More.", now=now)
    second = hand_in(internship)
    assert selectors.feedback_for(intern).submission == first  # type: ignore[union-attr]
    services.comment(mentor, submission=second, body="Better.", now=now + timedelta(minutes=1))
    assert selectors.feedback_for(intern).submission == second  # type: ignore[union-attr]
