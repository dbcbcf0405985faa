"""Where admins read applications, answer them, and invite people."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from practicum.accounts.access import PersonRequest, admins_only
from practicum.accounts.notices import is_mail_on
from practicum.errors import Conflict, Refused
from practicum.internships import applications as verbs
from practicum.internships import invitations as inviting
from practicum.internships.application_forms import ApplicationFilter, DeclineForm, InviteForm
from practicum.internships.application_selectors import (
    application_for_admin,
    applications_matching,
    csv_of,
    invitation_for_admin,
    invitations_of,
    seats_of,
    survey_of,
    waitlist_place,
)
from practicum.internships.forms import tell
from practicum.internships.models import Application, ApplicationState, Cohort, Invitation
from practicum.internships.readiness_selectors import standing_of, standings_of
from practicum.internships.selectors import cohort_of_admin
from practicum.lib.clock import utc_now

ROWS_A_PAGE = 50
UNUSABLE = 400


@admins_only
@require_safe
def applications(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Everybody who applied, narrowed down as asked, and what they answered as plots."""
    cohort = cohort_of_admin(cohort_slug)
    narrowing = ApplicationFilter(request.GET)
    page = Paginator(narrowing.applications(cohort), ROWS_A_PAGE).get_page(request.GET.get("page"))
    standings = standings_of(page.object_list, cohort=cohort)
    facts = {
        "cohort": cohort,
        "standings": standings,
        "has_checks": any(standings.values()),
        "narrowing": narrowing,
        "is_narrowed": any(request.GET.get(name) for name in narrowing.fields),
        "page": page,
        "seats": seats_of(cohort),
        "survey": survey_of(applications_matching(cohort)),
    }
    return render(request, "internships/applications.html", facts)


@admins_only
@require_safe
def applications_csv(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """The same rows as a file, narrowed down in the same way."""
    cohort = cohort_of_admin(cohort_slug)
    rows = ApplicationFilter(request.GET).applications(cohort)
    text = csv_of(rows, standings=standings_of(rows, cohort=cohort))
    headers = {"Content-Disposition": f'attachment; filename="applications-{cohort.slug}.csv"'}
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)


@admins_only
@require_safe
def application(request: PersonRequest, cohort_slug: str, application_id: int) -> HttpResponse:
    """One application."""
    cohort = cohort_of_admin(cohort_slug)
    row = application_for_admin(cohort, application_id=application_id)
    return _application_page(request, row, form=DeclineForm())


@admins_only
@require_POST
def offer_place(request: PersonRequest, cohort_slug: str, application_id: int) -> HttpResponse:
    """Offer a place."""
    row = application_for_admin(cohort_of_admin(cohort_slug), application_id=application_id)
    row = verbs.offer_place(request.user, application=row, now=utc_now())
    is_listed = row.state == ApplicationState.WAITLISTED
    messages.success(request, f"{row.applicant} {'is on the waiting list' if is_listed else 'has a place'}.")
    return redirect("internships:application", cohort_slug, row.pk)


@admins_only
@require_POST
def decline(request: PersonRequest, cohort_slug: str, application_id: int) -> HttpResponse:
    """Decline, with the reason the applicant reads."""
    row = application_for_admin(cohort_of_admin(cohort_slug), application_id=application_id)
    form, status = DeclineForm(request.POST), UNUSABLE
    if form.is_valid():
        try:
            verbs.decline(request.user, application=row, reason=form.cleaned_data["reason"], now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, f"The application of {row.applicant} is declined.")
            return redirect("internships:application", cohort_slug, row.pk)
    return _application_page(request, row, form=form, status=status)


def _application_page(
    request: PersonRequest, row: Application, *, form: DeclineForm, status: int = 200
) -> HttpResponse:
    facts = {
        "cohort": row.cohort,
        "application": row,
        "place": waitlist_place(row),
        "seats": seats_of(row.cohort),
        "form": form,
        "checks": standing_of(row),
        "may_offer": row.state in (ApplicationState.RECEIVED, ApplicationState.DECLINED),
        "may_decline": row.state in (ApplicationState.RECEIVED, ApplicationState.OFFERED, ApplicationState.WAITLISTED),
    }
    return render(request, "internships/application.html", facts, status=status)


@admins_only
@require_http_methods(["GET", "POST"])
def invitations(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Whom admins invited; more can be."""
    cohort = cohort_of_admin(cohort_slug)
    form = InviteForm(request.POST if request.method == "POST" else None)
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        try:
            made = inviting.invite(request.user, cohort=cohort, addresses=form.lines(), now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, _said_of(len(made)))
            return redirect("internships:invitations", cohort.slug)
    return _invitations_page(request, cohort, form=form, status=status)


def _said_of(count: int) -> str:
    if not count:
        return "They were all invited already."
    return f"{count} {'person is' if count == 1 else 'people are'} invited."


def _invitations_page(request: PersonRequest, cohort: Cohort, *, form: InviteForm, status: int) -> HttpResponse:
    now = utc_now()
    rows = [
        {"invitation": row, "state": row.state_at(now), "link": inviting.link_of(row)} for row in invitations_of(cohort)
    ]
    facts = {"cohort": cohort, "form": form, "rows": rows, "is_mail_on": is_mail_on()}
    return render(request, "internships/invitations.html", facts, status=status)


def _invitation(cohort_slug: str, invitation_id: int) -> Invitation:
    return invitation_for_admin(cohort_of_admin(cohort_slug), invitation_id=invitation_id)


@admins_only
@require_POST
def revoke(request: PersonRequest, cohort_slug: str, invitation_id: int) -> HttpResponse:
    """Take an invitation back."""
    row = _invitation(cohort_slug, invitation_id)
    inviting.revoke(request.user, invitation=row, now=utc_now())
    messages.success(request, f"The invitation of {row.email} is taken back.")
    return redirect("internships:invitations", cohort_slug)


@admins_only
@require_POST
def send_again(request: PersonRequest, cohort_slug: str, invitation_id: int) -> HttpResponse:
    """Mail an invitation once more."""
    row = _invitation(cohort_slug, invitation_id)
    inviting.check_open(row, now=utc_now())
    if not inviting.deliver(row, now=utc_now()):
        raise Conflict("The mail was not sent. Copy the link from the list and pass it on yourself.")
    messages.success(request, f"It is mailed to {row.email} again.")
    return redirect("internships:invitations", cohort_slug)
