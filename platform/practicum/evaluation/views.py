"""Upload a submission, take it back, have it run again. The leaderboard is in ``board_views``."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from practicum.accounts.access import PersonRequest, interns_only, signed_in, staff_only
from practicum.errors import NotFound, Refused
from practicum.evaluation import services
from practicum.evaluation.uploads import archive_of, check_length
from practicum.internships.models import Internship
from practicum.internships.selectors import active_internship_of
from practicum.lib.clock import utc_now
from practicum.submissions.models import Source
from practicum.submissions.rules import megabytes
from practicum.submissions.selectors import submission_for
from practicum.submissions.services import caps_of


@csrf_exempt
@interns_only
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: PersonRequest) -> HttpResponse:
    """The upload page. How long an upload is, is looked at before any of it, the form's own token included, is read."""
    internship = active_internship_of(request.user)
    if internship is None:
        raise NotFound("You are in no project just now.")
    if request.method == "POST":
        try:
            check_length(request)
        except Refused as refusal:
            return _upload_page(request, internship=internship, refusal=refusal)
    return _upload(request, internship=internship)


@csrf_protect
def _upload(request: HttpRequest, *, internship: Internship) -> HttpResponse:
    if request.method != "POST":
        return _upload_page(request, internship=internship)
    person = cast(PersonRequest, request).user
    try:
        submission = services.hand_in(
            internship, archive=archive_of(request), source=Source.UPLOAD, actor=person, now=utc_now()
        )
    except Refused as refusal:
        return _upload_page(request, internship=internship, refusal=refusal)
    return redirect("portal:submission", submission.pk)


def _upload_page(request: HttpRequest, *, internship: Internship, refusal: Refused | None = None) -> HttpResponse:
    caps = caps_of(internship.version)
    facts = {
        "internship": internship,
        "caps": caps,
        "archive_mb": megabytes(caps.archive_bytes),
        "artifact_mb": megabytes(caps.artifact_bytes),
        "refusal": refusal,
    }
    return render(request, "evaluation/upload.html", facts, status=refusal.status if refusal else 200)


@staff_only
@require_POST
def rerun(request: PersonRequest, submission_id: int) -> HttpResponse:
    """Evaluate a submission once more."""
    submission = submission_for(request.user, submission_id=submission_id)
    services.rerun(submission, actor=request.user, now=utc_now())
    messages.success(request, "It is in line once more.")
    return redirect("portal:submission", submission.pk)


@staff_only
@require_POST
def rescore(request: PersonRequest, submission_id: int) -> HttpResponse:
    """Evaluate a submission once more, scored by the evaluate.py of the project's latest version."""
    submission = submission_for(request.user, submission_id=submission_id)
    run = services.rescore(submission, actor=request.user, now=utc_now())
    messages.success(request, f"It is in line to be scored by version {run.judging_version.number}.")
    return redirect("portal:submission", submission.pk)


@signed_in
@require_POST
def cancel(request: PersonRequest, submission_id: int) -> HttpResponse:
    """Take an open evaluation back. A project's baseline is the staff's to take back."""
    submission = submission_for(request.user, submission_id=submission_id)
    if submission.is_baseline and request.user.is_intern:
        raise NotFound
    services.cancel(submission, actor=request.user, now=utc_now())
    messages.success(request, "The evaluation was taken back.")
    return redirect("portal:submission", submission.pk)
