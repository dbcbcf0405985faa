"""The homes, an internship, a submission, the people, and the health check."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.utils.timezone import localdate
from django.views.decorators.http import require_safe

from practicum.accounts.access import PersonRequest, admins_only, interns_only, signed_in, staff_only
from practicum.accounts.models import Role
from practicum.credentials.selectors import certificate_of
from practicum.evaluation.standings import standings_of
from practicum.gpus.selectors import usage_series
from practicum.internships.application_selectors import applications_of, open_to
from practicum.internships.models import GOING_ON, Internship, InternshipState
from practicum.internships.placement_selectors import cohorts_to_rank
from practicum.internships.selectors import (
    active_internship_of,
    current_internship_of,
    days_left,
    internship_for,
    latest_work_of,
)
from practicum.lib.clock import utc_now
from practicum.portal import charts, selectors, submissions
from practicum.portal import health as parts_of_system
from practicum.portal.attention import own_row, rows_for
from practicum.portal.forms import EndForm, MentorForm
from practicum.portal.maintenance import planned
from practicum.portal.standing import standings
from practicum.reviews.clock import clock_of, own_wait
from practicum.reviews.selectors import feedback_for, reviews_awaiting
from practicum.workspaces.help_selectors import requests_for
from practicum.workspaces.selectors import open_session_of, sessions_of_internship
from practicum.workspaces.standing import standing_of

ROWS_A_PAGE = 50
LISTED = 200


@signed_in
@require_safe
def home(request: PersonRequest) -> HttpResponse:
    """The home of the person's role."""
    homes = {Role.INTERN: _intern_home, Role.MENTOR: _mentor_home, Role.ADMIN: _admin_home}
    return homes[Role(request.user.role)](request)


def _intern_home(request: PersonRequest) -> HttpResponse:
    internship = current_internship_of(request.user)
    if internship is None:
        person = request.user
        waiting = {
            "applications": applications_of(person),
            "cohorts": open_to(person, today=localdate()),
            "check": active_internship_of(person),
        }
        return render(request, "portal/home_waiting.html", waiting)
    today = localdate()
    (progress,) = selectors.progress_of([internship], today=today, viewer=request.user)
    standing = progress.standing
    session = open_session_of(request.user)
    lines = selectors.submission_lines(internship, standing=standing, limit=5)
    facts: dict[str, Any] = {
        "progress": progress,
        "internship": internship,
        "check": None if internship.state in GOING_ON else active_internship_of(request.user),
        "days_left": days_left(internship, today=today),
        "session": session,
        "gpu_line": standing_of(session, now=utc_now()) if session is not None else None,
        "lines": lines,
        "finding": selectors.finding_of_best(standing, lines=lines),
        "feedback": feedback_for(request.user),
        "certificate": certificate_of(internship.pk),
        "clock": clock_of(internship.mentor, now=utc_now()),
        "wait": own_wait(internship, now=utc_now()),
        "chart": charts.progress(standing, cohort=internship.cohort),
        "own_row": own_row(progress, now=utc_now()),
    }
    return render(request, "portal/home_intern.html", facts)


def _mentor_home(request: PersonRequest) -> HttpResponse:
    rows = selectors.progress_of(selectors.mentored_by(request.user), today=localdate(), viewer=request.user)
    facts = {
        "rows": rows,
        "waiting": reviews_awaiting(request.user, now=utc_now()),
        "to_rank": cohorts_to_rank(request.user),
        "help": requests_for(request.user, now=utc_now()),
    }
    return render(request, "portal/home_mentor.html", facts)


def _admin_home(request: PersonRequest) -> HttpResponse:
    now = utc_now()
    facts = {
        "counts": selectors.counts(now=now),
        "parts": parts_of_system.parts(now=now),
        "cohorts": selectors.cohort_lines(today=localdate()),
        "records": selectors.recent_records(),
        "chart": charts.usage(usage_series(now=now)),
    }
    return render(request, "portal/home_admin.html", facts)


@signed_in
@require_safe
def internship(request: PersonRequest, internship_id: int) -> HttpResponse:
    """One internship, to its intern, its mentor and admins."""
    return internship_page(request, internship_for(request.user, internship_id=internship_id))


def internship_page(
    request: PersonRequest,
    row: Internship,
    *,
    mentor_form: MentorForm | None = None,
    end_form: EndForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of an internship the person may see; to admins of an active one with what they may do to it."""
    today = localdate()
    (progress,) = selectors.progress_of([row], today=today, viewer=request.user)
    standing = progress.standing
    facts: dict[str, Any] = {
        "progress": progress,
        "internship": row,
        "days_left": days_left(row, today=today),
        "lines": selectors.submission_lines(row, standing=standing, limit=100),
        "sessions": sessions_of_internship(row),
        "feedback": feedback_for(row.intern),
        "certificate": certificate_of(row.pk),
        "chart": charts.progress(standing, cohort=row.cohort),
        "may_finish": not request.user.is_intern and row.state == InternshipState.ACTIVE,
    }
    if request.user.is_admin and row.state in GOING_ON:
        facts |= {"mentor_form": mentor_form or MentorForm(internship=row), "end_form": end_form or EndForm()}
    return render(request, "portal/internship.html", facts, status=status)


@staff_only
@require_safe
def attention(request: PersonRequest) -> HttpResponse:
    """Whose work asks for attention, and why: a mentor's interns, or everybody's."""
    rows = rows_for(request.user, now=utc_now())
    needing = [row for row in rows if row.signals]
    facts = {"rows": rows, "needing": needing, "quiet": [row for row in rows if not row.signals]}
    return render(request, "portal/attention.html", facts)


@interns_only
@require_safe
def own_submissions(request: PersonRequest) -> HttpResponse:
    """What this intern has handed in."""
    internship = latest_work_of(request.user)
    facts: dict[str, Any] = {"internship": internship, "lines": []}
    if internship is not None:
        standing = standings_of([internship])[internship.pk]
        facts["lines"] = selectors.submission_lines(internship, standing=standing, limit=LISTED)
    return render(request, "portal/submissions.html", facts)


@admins_only
@require_safe
def people(request: PersonRequest) -> HttpResponse:
    """Cohorts, and the internships of the one that was chosen (``?cohort=``), a page at a time."""
    cohorts = selectors.cohort_lines(today=localdate())
    by_slug = {line.cohort.slug: line for line in cohorts}
    in_progress = next((line for line in cohorts if line.state == "active"), cohorts[0] if cohorts else None)
    chosen = by_slug.get(request.GET.get("cohort", ""), in_progress)
    facts: dict[str, Any] = {
        "cohorts": cohorts,
        "chosen": chosen,
        "mentors": selectors.mentors_with_counts(),
        "unplaced": selectors.people_without_internship()[:ROWS_A_PAGE],
    }
    if chosen is not None:
        page = Paginator(selectors.internships_of_cohort(chosen.cohort), ROWS_A_PAGE).get_page(request.GET.get("page"))
        rows = selectors.progress_of(page.object_list, today=localdate(), viewer=request.user)
        facts |= {"page": page, "rows": rows, "chosen_query": QueryDict(f"cohort={chosen.cohort.slug}")}
    return render(request, "portal/people.html", facts)


@signed_in
@require_safe
def submission(request: PersonRequest, submission_id: int) -> HttpResponse:
    """One submission: its timeline, then its score, its place, its review, its files."""
    facts = submissions.page_of(request.user, submission_id=submission_id)
    return render(request, "portal/submission.html", facts | {"seen": submissions.mark_of(facts)})


@signed_in
@require_safe
def submission_live(request: PersonRequest, submission_id: int) -> HttpResponse:
    """The part of the page that changes; nothing (204) while it is as the page has it (``?seen=``)."""
    facts = submissions.page_of(request.user, submission_id=submission_id)
    seen = submissions.mark_of(facts)
    if seen == request.GET.get("seen"):
        return HttpResponse(status=204)
    return render(request, "portal/submission_live.html", facts | {"seen": seen})


@signed_in
@require_safe
def status(request: PersonRequest) -> HttpResponse:
    """What works just now, for whoever is signed in; it renews itself."""
    now = utc_now()
    facts = {"standings": standings(now=now), "now": now, "planned": planned(now=now)}
    return render(request, "portal/status.html", facts)


@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    """Whether the site works, for whoever watches it: 503 where a part does not, and ``failing`` names it. No names of
    machines, no versions.
    """
    now = utc_now()
    away = parts_of_system.failing(now=now)
    beat = parts_of_system.worker_seen_at()
    body = {
        "status": "failing" if away else "ok",
        "database": "failing" if "database" in away else "ok",
        "worker": None if beat is None else round((now - beat).total_seconds(), 1),
        "failing": away,
    }
    response = JsonResponse(body, status=503 if away else 200, headers={"Cache-Control": "no-store"})
    response._has_been_logged = True  # type: ignore[attr-defined]  # who watches asks every few seconds
    return response
