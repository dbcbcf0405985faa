"""What becomes true when mentors and interns act, and who may."""

from __future__ import annotations

from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from practicum.audit.models import Record
from practicum.errors import Conflict, Invalid, NotFound
from practicum.reviews import services
from practicum.reviews.models import Comment, Review
from practicum.reviews.selectors import review_state_of
from practicum.reviews.threads import Remark

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrendered")]
ALL_POINTS = {"method": 5, "writing": 4}


def accept(mentor: Any, submission: Any, now: datetime, **changed: Any) -> Review:
    facts = {"decision": "accepted", "rubric": ALL_POINTS, "summary": "Well told."} | changed
    return services.decide(mentor, submission=submission, now=now, **facts)


@pytest.mark.parametrize("who", ["other_mentor", "admin", "intern", "peer", "stranger"])
def test_only_the_internships_mentor_reviews(who: str, submission: Any, now: datetime, request: Any) -> None:
    person = request.getfixturevalue(who)
    with pytest.raises(NotFound):
        services.open_review(person, submission=submission, now=now)
    with pytest.raises(NotFound):
        accept(person, submission, now)
    with pytest.raises(NotFound):
        services.undo(person, submission=submission, now=now)
    assert not Review.objects.exists()


@pytest.mark.parametrize("who", ["other_mentor", "admin", "peer", "stranger"])
def test_nobody_else_comments_or_replies(who: str, submission: Any, mentor: Any, now: datetime, request: Any) -> None:
    first = services.comment(mentor, submission=submission, body="Why?", now=now)
    with pytest.raises(NotFound):
        services.comment(request.getfixturevalue(who), submission=submission, body="x", reply_to=first.pk, now=now)
    with pytest.raises(NotFound):
        services.resolve(request.getfixturevalue(who), submission=submission, comment_id=first.pk, now=now)
    assert Comment.objects.count() == 1


def test_a_review_is_begun_once(submission: Any, mentor: Any, now: datetime) -> None:
    first = services.open_review(mentor, submission=submission, now=now)
    assert services.open_review(mentor, submission=submission, now=now + timedelta(hours=1)) == first
    assert Record.objects.filter(verb="review.opened").count() == 1


def test_a_mentors_comment_begins_the_review_and_an_intern_replies(
    submission: Any, mentor: Any, intern: Any, now: datetime
) -> None:
    first = services.comment(mentor, submission=submission, body="Why?", cell_id="c2", now=now)
    assert review_state_of(submission) == "open"
    reply = services.comment(intern, submission=submission, body="Because.", reply_to=first.pk, now=now)
    again = services.comment(mentor, submission=submission, body="I see.", reply_to=reply.pk, now=now)
    assert (reply.reply_to, reply.cell_id) == (first, "c2")
    assert again.reply_to == first, "a thread has one level"


def test_an_intern_begins_no_thread(submission: Any, intern: Any, now: datetime) -> None:
    with pytest.raises(Invalid):
        services.comment(intern, submission=submission, body="Look!", now=now)


def test_a_comment_is_on_a_cell_that_is_there(submission: Any, mentor: Any, now: datetime) -> None:
    with pytest.raises(Invalid):
        services.comment(mentor, submission=submission, body="Why?", cell_id="c3", now=now)
    assert not Review.objects.exists()


def test_a_reply_stays_on_its_submission(
    submission: Any, peer_internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    first = services.comment(mentor, submission=submission, body="Why?", now=now)
    with pytest.raises(NotFound):
        services.comment(mentor, submission=hand_in(peer_internship), body="x", reply_to=first.pk, now=now)


def test_a_thread_is_settled_and_opened_again(submission: Any, mentor: Any, intern: Any, now: datetime) -> None:
    first = services.comment(mentor, submission=submission, body="Why?", now=now)
    reply = services.comment(intern, submission=submission, body="So.", reply_to=first.pk, now=now)
    assert services.resolve(mentor, submission=submission, comment_id=first.pk, now=now)
    assert not services.resolve(mentor, submission=submission, comment_id=first.pk, now=now)
    assert services.resolve(mentor, submission=submission, comment_id=first.pk, resolved=False, now=now)
    first.refresh_from_db()
    assert first.resolved_at is None
    with pytest.raises(NotFound):
        services.resolve(mentor, submission=submission, comment_id=reply.pk, now=now)


def test_accepting_reaches_the_next_milestone(submission: Any, mentor: Any, internship: Any, now: datetime) -> None:
    review = accept(mentor, submission, now)
    assert (review.state, review.rubric, review.decided_at) == ("accepted", ALL_POINTS, now)
    assert [m.reached_at for m in internship.milestones.all()] == [now, None]
    assert Record.objects.filter(verb="review.decided", facts__decision="accepted").exists()


def test_asking_for_changes_reaches_nothing(submission: Any, mentor: Any, internship: Any, now: datetime) -> None:
    review = accept(mentor, submission, now, decision="changes", rubric={"method": 2})
    assert (review.state, review.rubric) == ("changes", {"method": 2})
    assert not internship.milestones.filter(reached_at__isnull=False).exists()


def test_a_second_decision_is_refused(submission: Any, mentor: Any, now: datetime) -> None:
    accept(mentor, submission, now)
    with pytest.raises(Conflict):
        accept(mentor, submission, now, decision="changes")
    assert Review.objects.get().state == "accepted"


def test_a_refused_decision_leaves_nothing(submission: Any, mentor: Any, now: datetime) -> None:
    with pytest.raises(Invalid):
        accept(mentor, submission, now, rubric={"method": 5})
    assert not Review.objects.exists()


@pytest.mark.parametrize("state", ["queued", "running", "invalid", "failed", None])
def test_without_a_score_only_changes_can_be_asked_for(
    state: str | None, internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    submission = hand_in(internship, state=state)
    with pytest.raises(Conflict):
        accept(mentor, submission, now)
    assert accept(mentor, submission, now, decision="changes").state == "changes"


def test_an_older_submission_is_not_decided_on(
    submission: Any, internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    newer = hand_in(internship)
    with pytest.raises(Conflict):
        accept(mentor, submission, now)
    assert accept(mentor, newer, now).state == "accepted"


def test_one_taken_back_does_not_hide_the_one_before(
    submission: Any, internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    taken_back = hand_in(internship, state="cancelled")
    with pytest.raises(Conflict):
        accept(mentor, taken_back, now, decision="changes")
    assert accept(mentor, submission, now).state == "accepted"


def test_a_decision_taken_back_takes_its_milestone_along(
    submission: Any, mentor: Any, internship: Any, now: datetime
) -> None:
    accept(mentor, submission, now)
    review = services.undo(mentor, submission=submission, now=now + timedelta(minutes=5))
    assert (review.state, review.decided_at, review.summary) == ("open", None, "Well told.")
    assert not internship.milestones.filter(reached_at__isnull=False).exists()
    assert Record.objects.filter(verb="review.undone", facts__decision="accepted").exists()
    assert accept(mentor, submission, now + timedelta(minutes=6), decision="changes").state == "changes"


def test_after_a_new_submission_the_decision_stays(
    submission: Any, internship: Any, hand_in: Any, mentor: Any, now: datetime
) -> None:
    accept(mentor, submission, now, decision="changes")
    hand_in(internship)
    with pytest.raises(Conflict):
        services.undo(mentor, submission=submission, now=now)


def test_a_new_mentor_decides_in_the_place_of_the_old_one(
    submission: Any, internship: Any, mentor: Any, other_mentor: Any, now: datetime
) -> None:
    services.open_review(mentor, submission=submission, now=now)
    internship.mentor = other_mentor
    internship.save()
    submission.refresh_from_db()
    with pytest.raises(NotFound):
        accept(mentor, submission, now)
    assert accept(other_mentor, submission, now).mentor == other_mentor


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](https://elsewhere.example/pixel.png)",
        '<a href="https://elsewhere.example" onclick="x()">x</a>',
        '<https://x.example/" onmouseover=alert(1)>',
    ],
)
def test_a_comments_body_is_shown_harmless(body: str) -> None:
    found = elements(str(Remark(Comment(body=body)).html))
    assert {tag for tag, _ in found} <= {"p", "a"}
    for _, attributes in found:
        assert set(attributes) <= {"href", "rel"}
        assert attributes.get("href", "https:").startswith("https:")


def elements(html: str) -> list[tuple[str, dict[str, str]]]:
    """Every element with its attributes, as a browser's parser would find them."""
    found: list[tuple[str, dict[str, str]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, {name: value or "" for name, value in attrs}))

    Reader().feed(html)
    return found
