"""The page of a cohort, which anybody may read, and where an admin sets what stands there."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localdate
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from practicum.accounts.access import PersonRequest, admins_only
from practicum.accounts.models import User
from practicum.errors import Refused
from practicum.internships import cohorts, readiness, selectors
from practicum.internships.application_selectors import application_of
from practicum.internships.forms import ChecksForm, CohortSettingsForm, OfferForm, tell
from practicum.internships.models import Cohort
from practicum.lib.clock import utc_now

UNUSABLE = 400


@require_safe
def cohort(request: HttpRequest, cohort_slug: str) -> HttpResponse:
    """What it is, when, which projects, what is expected, and how to apply."""
    row = selectors.cohort_for(request.user, slug=cohort_slug)
    today = localdate()
    facts = {
        "cohort": row,
        "projects": selectors.offered_projects(row),
        "is_open": row.takes_applications(today=today),
        "is_over": row.ends_on < today,
        "application": application_of(request.user, cohort=row) if isinstance(request.user, User) else None,
    }
    return render(request, "internships/cohort.html", facts)


@admins_only
@require_http_methods(["GET", "POST"])
def settings(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Change what a cohort is."""
    row = selectors.cohort_of_admin(cohort_slug)
    form = CohortSettingsForm(request.POST if request.method == "POST" else None, cohort=row)
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        try:
            changed = cohorts.change_cohort(request.user, cohort_id=row.pk, settings=form.settings(), now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, "The settings are saved." if changed else "Nothing was changed.")
            return redirect("internships:settings", row.slug)
    return _settings_page(request, row, form=form, status=status)


@admins_only
@require_POST
def offer(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Offer a project with a mentor."""
    row = selectors.cohort_of_admin(cohort_slug)
    form, status = OfferForm(request.POST), UNUSABLE
    if form.is_valid():
        try:
            made = cohorts.offer_project(request.user, cohort=row, **form.cleaned_data, now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, f"{row} offers {made}.")
            return redirect("internships:settings", row.slug)
    return _settings_page(request, row, offer_form=form, status=status)


@admins_only
@require_POST
def withdraw(request: PersonRequest, cohort_slug: str, offer_id: int) -> HttpResponse:
    """Offer it no more."""
    row = selectors.cohort_of_admin(cohort_slug)
    gone = selectors.offer_of(row, offer_id=offer_id)
    cohorts.withdraw_offer(request.user, offer=gone, now=utc_now())
    messages.success(request, f"{gone} is offered no more.")
    return redirect("internships:settings", row.slug)


@admins_only
@require_POST
def set_checks(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Choose the readiness checks of a cohort."""
    row = selectors.cohort_of_admin(cohort_slug)
    form = ChecksForm(request.POST, cohort=row)
    if form.is_valid():
        changed = readiness.set_checks(request.user, cohort=row, wanted=form.wanted(), now=utc_now())
        messages.success(request, "The checks are saved." if changed else "Nothing was changed.")
        return redirect("internships:settings", row.slug)
    return _settings_page(request, row, checks_form=form, status=UNUSABLE)


def _settings_page(
    request: PersonRequest,
    row: Cohort,
    *,
    form: CohortSettingsForm | None = None,
    offer_form: OfferForm | None = None,
    checks_form: ChecksForm | None = None,
    status: int,
) -> HttpResponse:
    facts = {
        "cohort": row,
        "form": form or CohortSettingsForm(cohort=row),
        "offer_form": offer_form or OfferForm(),
        "checks_form": checks_form or ChecksForm(cohort=row),
        "offers": selectors.offers_of(row),
    }
    return render(request, "internships/settings.html", facts, status=status)
