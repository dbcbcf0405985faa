"""The leaderboard's page, what mentors and admins set on it, and the submission an intern lets count."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from practicum.accounts.access import PersonRequest, interns_only, signed_in, staff_only
from practicum.errors import Invalid
from practicum.evaluation import board, finals
from practicum.evaluation.board_export import csv_of
from practicum.evaluation.forms import CloseForm
from practicum.evaluation.standings import ladder_of
from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now
from practicum.submissions.selectors import submission_for

FIRST_ROWS = 50
FEW_MORE = 10


@signed_in
@require_safe
def leaderboard(request: PersonRequest, slug: str) -> HttpResponse:
    """The board of one cohort on one project: its first rows, or with ``?all=1`` all of them."""
    return _page(request, slug=slug, cohort_slug=request.GET.get("cohort", ""), number=request.GET.get("version", ""))


def _first_rows(rows: list[board.Row]) -> list[board.Row]:
    """The first places, and the viewer's own and the baseline wherever they stand; all where few more are left."""
    if len(rows) <= FIRST_ROWS + FEW_MORE:
        return rows
    return [row for place, row in enumerate(rows) if place < FIRST_ROWS or row.is_own or row.is_baseline]


def _page(
    request: PersonRequest,
    *,
    slug: str,
    cohort_slug: str,
    number: str = "",
    form: CloseForm | None = None,
    status: int = 200,
) -> HttpResponse:
    now = utc_now()
    shown, cohorts = board.board_for(request.user, slug=slug, cohort_slug=cohort_slug, number=number, now=now)
    versions = board.versions_with_board(request.user, slug=slug, cohort=shown.cohort) if shown.cohort else []
    facts: dict[str, Any] = {
        "board": shown,
        "rows": shown.rows if "all" in request.GET else _first_rows(shown.rows),
        "cohorts": cohorts,
        "versions": versions,
        "version": shown.version,
        "project": shown.version.project,
        "metric": shown.version.metric,
        "ladder": ladder_of(shown.version),
        "is_closed": shown.terms is not None and shown.terms.is_closed(now=now),
        "form": form or CloseForm(closes_at=shown.terms.closes_at if shown.terms else None),
    }
    return render(request, "evaluation/leaderboard.html", facts, status=status)


@staff_only
@require_safe
def export(request: PersonRequest, slug: str, cohort_slug: str) -> HttpResponse:
    """The board as CSV."""
    number = request.GET.get("version", "")
    shown, _ = board.board_for(request.user, slug=slug, cohort_slug=cohort_slug, number=number, now=utc_now())
    response = HttpResponse(csv_of(shown), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="leaderboard-{slug}-{cohort_slug}.csv"'
    return response


@staff_only
@require_POST
def close(request: PersonRequest, slug: str, cohort_slug: str) -> HttpResponse:
    """Set when the board closes."""
    cohort, project = board.board_run_by(request.user, slug=slug, cohort_slug=cohort_slug)
    form = CloseForm(request.POST)
    if form.is_valid():
        try:
            finals.set_close(
                cohort, project=project, closes_at=form.cleaned_data["closes_at"], actor=request.user, now=utc_now()
            )
        except Invalid as refusal:
            form.add_error("closes_at", refusal.message)
        else:
            messages.success(request, "The time of the close is set.")
            return _back(slug, cohort=cohort)
    return _page(request, slug=slug, cohort_slug=cohort_slug, form=form, status=400)


@staff_only
@require_POST
def names(request: PersonRequest, slug: str, cohort_slug: str) -> HttpResponse:
    """Hide names from interns (``hidden=yes``), or show them (``hidden=no``)."""
    cohort, project = board.board_run_by(request.user, slug=slug, cohort_slug=cohort_slug)
    hidden = {"yes": True, "no": False}.get(request.POST.get("hidden", ""))
    if hidden is None:
        raise Invalid("'hidden' must be yes or no.", field="hidden")
    finals.hide_names(cohort, project=project, hidden=hidden, actor=request.user, now=utc_now())
    messages.success(request, "Interns see neutral names now." if hidden else "Interns see names now.")
    return _back(slug, cohort=cohort)


@staff_only
@require_POST
def release(request: PersonRequest, slug: str, cohort_slug: str) -> HttpResponse:
    """Show interns the final scores."""
    cohort, project = board.board_run_by(request.user, slug=slug, cohort_slug=cohort_slug)
    finals.release_final(cohort, project=project, actor=request.user, now=utc_now())
    messages.success(request, "The final scores are released.")
    return _back(slug, cohort=cohort)


def _back(slug: str, *, cohort: Cohort) -> HttpResponse:
    return redirect(f"{reverse('evaluation:leaderboard', args=[slug])}?cohort={cohort.slug}")


@interns_only
@require_POST
def choose(request: PersonRequest, submission_id: int) -> HttpResponse:
    """Let this submission count for the final ranking."""
    submission = submission_for(request.user, submission_id=submission_id)
    finals.choose_final(submission, actor=request.user, now=utc_now())
    messages.success(request, f"Submission {submission.number} counts now.")
    return redirect("portal:submission", submission.pk)
