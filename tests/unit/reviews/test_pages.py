"""The inbox, the desk and the notebook as pages: who gets them, what they say, with which headers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from practicum.reviews import services
from practicum.reviews.models import Comment, Review

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unrendered")]
CSP = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'"
)


def url(name: str, *arguments: int) -> str:
    return reverse(f"reviews:{name}", args=arguments)


def decide(client: Any, submission: Any, **posted: Any) -> Any:
    facts = {"decision": "accepted", "points-1": "5", "points-2": "4", "summary": "Well told."} | posted
    return client.post(url("decide", submission.pk), facts)


@pytest.mark.parametrize(
    ("who", "desk", "inbox", "write"),
    [
        ("mentor", 200, 200, 302),
        ("intern", 200, 404, 404),
        ("admin", 200, 404, 404),
        ("peer", 404, 404, 404),
        ("stranger", 404, 404, 404),
        ("other_mentor", 404, 200, 404),
    ],
)
def test_who_may_see_and_decide(
    who: str, desk: int, inbox: int, write: int, submission: Any, client_of: Any, request: Any
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert client.get(url("inbox")).status_code == inbox
    assert client.get(url("desk", submission.pk)).status_code == desk
    assert client.get(url("notebook", submission.pk)).status_code == desk
    assert decide(client, submission).status_code == write
    assert Review.objects.exists() == (write == 302)


def test_the_outsider_is_sent_to_sign_in(submission: Any, client: Any) -> None:
    for name, arguments in (("inbox", ()), ("desk", (submission.pk,)), ("notebook", (submission.pk,))):
        assert client.get(url(name, *arguments)).url.startswith(reverse("accounts:sign_in"))


def test_the_notebook_is_served_as_a_sandboxed_page(submission: Any, mentor: Any, client_of: Any) -> None:
    response = client_of(mentor).get(url("notebook", submission.pk) + "?theme=dark")
    assert response.headers["Content-Security-Policy"] == CSP
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response.headers["Cache-Control"]
    assert response.content.decode().startswith('<html lang="en" data-theme="dark">')


def test_only_the_notebook_may_be_framed(submission: Any, mentor: Any, client_of: Any) -> None:
    response = client_of(mentor).get(url("desk", submission.pk))
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("theme", ['"><script>alert(1)</script>', "darkest", ""])
def test_the_theme_is_one_of_two(theme: str, submission: Any, mentor: Any, client_of: Any) -> None:
    response = client_of(mentor).get(url("notebook", submission.pk), {"theme": theme})
    assert response.content.decode().startswith('<html lang="en">')


def test_the_frame_has_no_rights_and_links_lead_to_its_cells(submission: Any, mentor: Any, client_of: Any) -> None:
    page = client_of(mentor).get(url("desk", submission.pk)).content.decode()
    address = url("notebook", submission.pk)
    assert f'<iframe name="notebook" title="The notebook" sandbox src="{address}"' in page
    assert f'target="notebook" href="{address}#cell-c2"' in page
    assert " onclick" not in page
    assert "<script>" not in page


def test_a_notebook_that_cannot_be_shown_says_why(
    submission: Any, mentor: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from practicum.reviews import rendering, views

    problem = rendering.Rendered("invalid", "It has <b>no</b> cells.", "")
    monkeypatch.setattr(views, "render_notebook", lambda *_, **__: problem)
    response = client_of(mentor).get(url("notebook", submission.pk))
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"] == CSP
    assert "Not a valid notebook" in response.content.decode()
    assert "&lt;b&gt;no&lt;/b&gt;" in response.content.decode()


def test_an_empty_inbox_says_so(mentor: Any, client_of: Any) -> None:
    assert "Nothing to review" in client_of(mentor).get(url("inbox")).content.decode()


def test_the_inbox_lists_what_waits(submission: Any, mentor: Any, client_of: Any) -> None:
    page = client_of(mentor).get(url("inbox")).content.decode()
    assert "1 thing waits for you" in page
    assert url("desk", submission.pk) in page
    assert "0.950" in page


def test_comment_reply_settle_on_the_pages(submission: Any, mentor: Any, intern: Any, client_of: Any) -> None:
    desk, theirs = client_of(mentor), client_of(intern)
    written = desk.post(url("comment", submission.pk), {"cell": "c2", "body": "Why **this**?"})
    first = Comment.objects.get()
    assert written.url.endswith(f"?pane=cells#comment-{first.pk}")
    assert "Why <strong>this</strong>?" in theirs.get(url("desk", submission.pk)).content.decode()
    theirs.post(url("comment", submission.pk), {"reply_to": str(first.pk), "body": "So."})
    assert Comment.objects.get(reply_to=first).author == intern
    assert theirs.post(url("resolve", submission.pk, first.pk)).status_code == 404
    desk.post(url("resolve", submission.pk, first.pk))
    first.refresh_from_db()
    assert first.resolved_at is not None


def test_a_refused_comment_is_not_lost(submission: Any, mentor: Any, client_of: Any) -> None:
    response = client_of(mentor).post(url("comment", submission.pk), {"cell": "gone", "body": "My long thought"})
    assert response.status_code == 400
    assert "no such cell" in response.content.decode()
    response = client_of(mentor).post(url("comment", submission.pk), {"cell": "c2", "body": "   "})
    assert response.status_code == 400
    assert not Comment.objects.exists()


@pytest.mark.parametrize("reply_to", ["999", "-1", "x", "9" * 40])
def test_a_reply_to_nothing_of_this_submission_is_refused(
    reply_to: str, submission: Any, intern: Any, client_of: Any
) -> None:
    response = client_of(intern).post(url("comment", submission.pk), {"reply_to": reply_to, "body": "x"})
    assert response.status_code in (400, 404)
    assert not Comment.objects.exists()


def test_a_refused_decision_shows_what_was_written(submission: Any, mentor: Any, client_of: Any) -> None:
    response = decide(client_of(mentor), submission, **{"points-2": "", "summary": "My careful words"})
    page = response.content.decode()
    assert response.status_code == 400
    assert "“writing” has none yet" in page
    assert "My careful words" in page
    assert 'name="points-1" value="5" checked' in page
    assert not Review.objects.exists()


@pytest.mark.parametrize("points", ["6", "-1", "1.5", "x", "9" * 20, "٣"])
def test_points_outside_the_rubric_are_refused(points: str, submission: Any, mentor: Any, client_of: Any) -> None:
    assert decide(client_of(mentor), submission, **{"points-1": points}).status_code in (302, 400)
    review = Review.objects.first()
    assert review is None or 0 <= review.rubric["method"] <= 5


def test_the_pressed_button_decides(submission: Any, mentor: Any, client_of: Any) -> None:
    decide(client_of(mentor), submission, decision=["", "changes"])
    assert Review.objects.get().state == "changes"


def test_extra_fields_change_nothing(submission: Any, mentor: Any, client_of: Any, other_mentor: Any) -> None:
    decide(client_of(mentor), submission, state="accepted", mentor=other_mentor.pk, decided_at="2020-01-01", user="1")
    review = Review.objects.get()
    assert review.mentor == mentor
    assert review.decided_at is not None
    assert review.decided_at.year > 2020


def test_a_fresh_decision_is_taken_back_from_the_page(submission: Any, mentor: Any, client_of: Any) -> None:
    client = client_of(mentor)
    decide(client, submission)
    assert "Take this decision back" in client.get(url("desk", submission.pk)).content.decode()
    client.post(url("undo", submission.pk))
    page = client.get(url("desk", submission.pk)).content.decode()
    assert Review.objects.get().state == "open"
    assert "Well told." in page
    assert 'name="points-1" value="5" checked' in page


def test_the_intern_sees_no_draft_and_no_form(
    submission: Any, mentor: Any, intern: Any, client_of: Any, now: Any
) -> None:
    services.decide(
        mentor, submission=submission, decision="changes", rubric={"method": 2}, summary="Secret draft", now=now
    )
    services.undo(mentor, submission=submission, now=now + timedelta(minutes=1))
    page = client_of(intern).get(url("desk", submission.pk)).content.decode()
    assert "Secret draft" not in page
    assert "Being reviewed" not in page
    assert url("decide", submission.pk) not in page
    assert url("undo", submission.pk) not in page


@pytest.mark.parametrize("name", ["comment", "decide", "undo"])
def test_a_get_changes_nothing(name: str, submission: Any, mentor: Any, client_of: Any) -> None:
    assert client_of(mentor).get(url(name, submission.pk)).status_code == 405


def test_the_pieces_for_other_pages_are_harmless(submission: Any, mentor: Any, now: Any, rf: Any) -> None:
    from django.template.loader import render_to_string

    from practicum.reviews.selectors import feedback_on

    services.comment(mentor, submission=submission, body="<script>x</script>", now=now)
    request = rf.get("/")
    request.user = mentor
    html = render_to_string("reviews/_feedback.html", {"feedback": feedback_on(submission)}, request=request)
    assert "1 comment, 1 open" in " ".join(html.split())
    assert "<script" not in html
