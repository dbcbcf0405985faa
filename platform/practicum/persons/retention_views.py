"""The page on which an admin says for how long a cohort's files are kept, and sees what would go."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.views.decorators.http import require_http_methods

from practicum.accounts.access import PersonRequest, admins_only
from practicum.internships.selectors import cohort_of_admin
from practicum.lib.clock import utc_now
from practicum.persons import retention, retention_selectors
from practicum.persons.retention_forms import RetentionForm


@admins_only
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Read and change it."""
    cohort, now = cohort_of_admin(cohort_slug), utc_now()
    row = retention_selectors.retention_of(cohort)
    form = RetentionForm(request.POST if request.method == "POST" else None, retention=row)
    if form.is_valid():
        retention.set_days(request.user, cohort=cohort, days=form.days, now=now)
        messages.success(request, "Saved. What goes is told of two weeks ahead.")
        return redirect("persons:retention", cohort.slug)
    today = localtime(now).date()
    facts = {
        "cohort": cohort,
        "retention": row,
        "form": form,
        "outlooks": retention_selectors.outlooks(cohort, retention=row, today=today),
        "ended_on": retention.ended_on(cohort),
        "today": today,
    }
    return render(request, "persons/retention.html", facts, status=400 if form.is_bound else 200)
