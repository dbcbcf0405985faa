"""Keeping, using and forgetting what is in a project's bank of comments."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from practicum.accounts.access import PersonRequest, mentors_only
from practicum.lib.clock import utc_now
from practicum.reviews import bank, selectors


@mentors_only
@require_POST
def keep(request: PersonRequest, submission_id: int) -> HttpResponse:
    """Keep one's own comment (``comment``), or a text (``body``) for a line of the rubric (``item``)."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    comment_id = request.POST.get("comment", "")
    if comment_id.isdecimal() and len(comment_id) < 18:
        bank.keep_comment(request.user, submission=submission, comment_id=int(comment_id), now=utc_now())
        where = f"?pane=cells#comment-{comment_id}"
    else:
        body, item = request.POST.get("body", ""), request.POST.get("item", "")
        bank.keep(request.user, submission=submission, body=body, rubric_item=item, now=utc_now())
        where = "?pane=decide"
    messages.success(request, "Kept in the project's bank of comments.")
    return redirect(reverse("reviews:desk", args=[submission.pk]) + where)


@mentors_only
@require_POST
def use(request: PersonRequest, submission_id: int, snippet_id: int) -> HttpResponse:
    """Count a use."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    bank.use(request.user, submission=submission, snippet_id=snippet_id, now=utc_now())
    return HttpResponse(status=204)


@mentors_only
@require_POST
def use_own(request: PersonRequest, submission_id: int, line: int, place: int) -> HttpResponse:
    """Count a use of one of the project's own, by its line of the rubric and place there, from 0."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    bank.use_own(request.user, submission=submission, line=line, place=place, now=utc_now())
    return HttpResponse(status=204)


@mentors_only
@require_POST
def forget(request: PersonRequest, submission_id: int, snippet_id: int) -> HttpResponse:
    """Take one out."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    bank.forget(request.user, submission=submission, snippet_id=snippet_id, now=utc_now())
    messages.success(request, "It is out of the bank.")
    return redirect(reverse("reviews:desk", args=[submission.pk]) + "?pane=decide")
