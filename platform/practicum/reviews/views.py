"""The inbox, the desk, and the notebook inside it."""

from __future__ import annotations

import json
import re

from django.contrib import messages
from django.http import HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from practicum.accounts.access import PersonRequest, mentors_only, signed_in
from practicum.accounts.models import User
from practicum.errors import NotFound, Refused
from practicum.evaluation.selectors import again_of
from practicum.internships.readiness_selectors import remedy_version
from practicum.lib.clock import utc_now
from practicum.reviews import clock, drafts, minutes, selectors, services
from practicum.reviews import desk as desk_page
from practicum.reviews.rendering import Rendered, render_executed, render_notebook, render_remedy
from practicum.reviews.rounds import rendered_since
from practicum.submissions.models import Submission
from practicum.submissions.selectors import submission_for
from practicum.workspaces.help_selectors import requests_for

SANDBOX = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
THEMES = ("light", "dark")
OPENING = '<html lang="en">'
FOLD = re.compile(r'<details class="fold" id="fold-([0-9]+)">')
MOST_FOLDS = 200


@mentors_only
@require_safe
def inbox(request: PersonRequest) -> HttpResponse:
    """What waits for this mentor, and what they decided last."""
    now = utc_now()
    decided = selectors.decided_recently(request.user)
    spent = minutes.spent_on([review.submission for review in decided], mentor=request.user)
    facts = {
        "help": requests_for(request.user, now=now),
        "waiting": clock.inbox_of(request.user, now=now),
        "clock": clock.clock_of(request.user, now=now),
        "decided": [(review, spent.get(review.submission_id)) for review in decided],
        "now": now,
    }
    return render(request, "reviews/inbox.html", facts)


@signed_in
@require_safe
def desk(request: PersonRequest, submission_id: int) -> HttpResponse:
    """The notebook beside what is said about it. The intern reads and replies; the mentor also decides."""
    return _desk(request, submission=selectors.submission_to_review(request.user, submission_id=submission_id))


@signed_in
@require_safe
@xframe_options_sameorigin
def notebook(request: PersonRequest, submission_id: int) -> HttpResponse:
    """The rendered notebook, a hostile page: sandboxed by its own header wherever it is opened.

    As it was handed in; with ``?since`` what changed since the last round, with the folds open that ``open`` numbers;
    with ``?again`` as it ended when the platform ran it from clean.
    """
    submission = submission_for(request.user, submission_id=submission_id)
    rendered = _rendered(request.user, submission=submission, asked=request.GET)
    return sandboxed(request, rendered=rendered, theme=request.GET.get("theme", ""), folds=request.GET.get("open", ""))


@signed_in
@require_safe
@xframe_options_sameorigin
def remedy(request: PersonRequest, check_slug: str, number: int, remedy: str) -> HttpResponse:
    """A notebook that helps against a gap of a readiness check, rendered like every other: in the sandbox."""
    version = remedy_version(check_slug, number=number, name=remedy)
    rendered = render_remedy(version, name=remedy, now=utc_now())
    return sandboxed(request, rendered=rendered, theme=request.GET.get("theme", ""), folds=request.GET.get("open", ""))


def sandboxed(request: PersonRequest, *, rendered: Rendered, theme: str, folds: str = "") -> HttpResponse:
    """The rendered page, or why there is none, under the policy that lets nothing run and nothing be asked for."""
    if rendered.is_ok:
        chosen = f'<html lang="en" data-theme="{theme}">' if theme in THEMES else OPENING
        response = HttpResponse(_unfolded(rendered.html.replace(OPENING, chosen, 1), folds=folds))
    else:
        facts = {"rendered": rendered, "theme": theme if theme in THEMES else ""}
        response = render(request, "reviews/notebook_problem.html", facts)
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _unfolded(html: str, *, folds: str) -> str:
    """The page with some of its folds open. Only our own template writes this tag: what interns write has no id."""
    asked = set(folds.split(",")[:MOST_FOLDS]) - {""}
    if not asked:
        return html
    return FOLD.sub(lambda found: f"{found[0][:-1]} open>" if found[1] in asked else found[0], html)


def _rendered(user: User, *, submission: Submission, asked: QueryDict) -> Rendered:
    """As handed in, what changed, or as it ended on the hidden inputs: that one is for mentors and admins."""
    if "since" in asked:
        since = rendered_since(submission, now=utc_now())
        if since is not None and since.is_ok:
            return since
    if "again" not in asked:
        return render_notebook(submission, now=utc_now())
    found = again_of(submission, user=user)
    if found is None or found.run is None:
        raise NotFound("No notebook of this submission was run again.")
    return render_executed(found.run, now=utc_now())


@signed_in
@require_POST
def comment(request: PersonRequest, submission_id: int) -> HttpResponse:
    """A comment on a cell or the whole, or a reply."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    reply_to = request.POST.get("reply_to", "")
    try:
        written = services.comment(
            request.user,
            submission=submission,
            body=request.POST.get("body", ""),
            cell_id=request.POST.get("cell", ""),
            on_output="on_output" in request.POST,
            reply_to=int(reply_to) if reply_to.isdecimal() and len(reply_to) < 18 else None,
            now=utc_now(),
        )
    except NotFound:
        raise
    except Refused as error:
        return _desk(request, submission=submission, error=error)
    box = drafts.box_of(cell=request.POST.get("cell", ""), reply_to=reply_to)
    drafts.forget_box(request.user, submission=submission, box=box)
    return redirect(f"{reverse('reviews:desk', args=[submission.pk])}?pane=cells#comment-{written.pk}")


@mentors_only
@require_POST
def draft(request: PersonRequest, submission_id: int) -> JsonResponse:
    """Keep what is being typed: ``fields`` as JSON, ``seen`` the version known. 409 with the other window's text."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    seen = request.POST.get("seen", "")
    try:
        fields = json.loads(request.POST.get("fields", ""))
        known = int(seen) if seen.isdecimal() and len(seen) < 9 else 0
        version = drafts.save_draft(request.user, submission=submission, fields=fields, seen=known, now=utc_now())
    except (ValueError, RecursionError):
        return JsonResponse({"message": "A draft is a text for each box."}, status=400)
    except NotFound:
        raise
    except Refused as error:
        return JsonResponse({"message": error.message, **error.facts}, status=error.status)
    return JsonResponse({"version": version})


@mentors_only
@require_POST
def resolve(request: PersonRequest, submission_id: int, comment_id: int) -> HttpResponse:
    """Settle a thread, or open it again (``reopen``)."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    settled = "reopen" not in request.POST
    services.resolve(request.user, submission=submission, comment_id=comment_id, resolved=settled, now=utc_now())
    return redirect(f"{reverse('reviews:desk', args=[submission.pk])}?pane=cells#comment-{comment_id}")


@mentors_only
@require_POST
def decide(request: PersonRequest, submission_id: int) -> HttpResponse:
    """Accept, or ask for changes. A refusal shows the desk again with what was written."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    # Before its buttons the form has an empty field of this name; a script fills it while it asks for confirmation.
    decision = next((value for value in reversed(request.POST.getlist("decision")) if value), "")
    seen = request.POST.get("seen", "")
    try:
        services.decide(
            request.user,
            submission=submission,
            decision=decision,
            rubric=desk_page.points_from(request.POST, submission=submission),
            summary=request.POST.get("summary", ""),
            seen=int(seen) if seen.isdecimal() and len(seen) < 9 else None,
            now=utc_now(),
        )
    except NotFound:
        raise
    except Refused as error:
        return _desk(request, submission=submission, error=error)
    drafts.forget_draft(request.user, submission=submission)
    intern = selectors.internship_of(submission).intern.get_short_name()
    messages.success(request, f"Your decision is sent; {intern} sees it now. You can take it back for 10 minutes.")
    return redirect(f"{reverse('reviews:desk', args=[submission.pk])}?pane=decide")


@mentors_only
@require_POST
def undo(request: PersonRequest, submission_id: int) -> HttpResponse:
    """Take one's fresh decision back."""
    submission = selectors.submission_to_review(request.user, submission_id=submission_id)
    services.undo(request.user, submission=submission, now=utc_now())
    messages.success(request, "The decision is taken back. What you had written is still here.")
    return redirect(f"{reverse('reviews:desk', args=[submission.pk])}?pane=decide")


def _desk(request: PersonRequest, *, submission: Submission, error: Refused | None = None) -> HttpResponse:
    pane = request.GET.get("pane", "")
    if error is not None:
        pane = "decide" if "summary" in request.POST else "cells"
    facts = desk_page.facts_for(request.user, submission=submission, pane=pane, now=utc_now())
    if error is not None:
        facts |= {"error": error} | desk_page.as_written(request.POST, submission=submission)
    return render(request, "reviews/desk.html", facts, status=error.status if error else 200)
