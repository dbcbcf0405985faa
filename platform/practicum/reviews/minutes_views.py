"""What the desk tells of the time spent at it, and the sums of it for admins."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from practicum.accounts.access import PersonRequest, admins_only, mentors_only
from practicum.lib.clock import utc_now
from practicum.reviews import minutes, selectors

LOOKED_BACK = timedelta(days=28)
MOST_DIGITS = 6


@mentors_only
@require_POST
def tell(request: PersonRequest, submission_id: int) -> JsonResponse:
    """The seconds of one ``opening`` so far."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    told = request.POST.get("seconds", "")
    seconds = int(told) if told.isdecimal() and len(told) <= MOST_DIGITS else 0
    opening = request.POST.get("opening", "")
    taken = minutes.tell(request.user, submission=submission, opening=opening, seconds=seconds, now=utc_now())
    return JsonResponse({"seconds": taken})


@admins_only
@require_safe
def sums(request: PersonRequest) -> HttpResponse:
    """Minutes a review and hours waited, by mentor, over four weeks."""
    now = utc_now()
    lines = minutes.lines_by_mentor(since=now - LOOKED_BACK, now=now)
    facts = {
        "lines": lines,
        "days": LOOKED_BACK.days,
        "decided": sum(line.decided for line in lines),
        "spent": sum((line.spent for line in lines), timedelta()),
        "waited": sum((line.waited for line in lines), timedelta()),
        "waiting": sum(line.waiting for line in lines),
    }
    return render(request, "reviews/minutes.html", facts)
