"""Where people apply: by an account they have, by signing up, or by the link of an invitation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings as site_settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from practicum.accounts import throttle
from practicum.accounts.access import PersonRequest, address_of, interns_only
from practicum.accounts.models import User
from practicum.accounts.notices import is_mail_on
from practicum.accounts.selectors import has_account
from practicum.errors import Invalid, NotFound, PracticumError, Refused
from practicum.internships import applications, invitations, readiness, selectors
from practicum.internships.application_forms import AddressForm, ApplicationForm, JoinForm
from practicum.internships.application_selectors import application_of, own_application, waitlist_place
from practicum.internships.forms import tell
from practicum.internships.models import Application, ApplicationState, Cohort, Entry, Invitation
from practicum.internships.readiness_selectors import check_of, checks_of, may_take, standing_of
from practicum.lib.clock import utc_now
from practicum.lib.sent_fields import note_let_in

UNUSABLE = 400
HOUR = timedelta(hours=1)
MAILS_AN_ADDRESS, MAILS_A_CALLER = 3, 30


@interns_only
@require_http_methods(["GET", "POST"])
def apply(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Apply, look at what one sent, and change it until the deadline."""
    cohort = selectors.cohort_for(request.user, slug=cohort_slug)
    projects = selectors.offered_projects(cohort)
    application = application_of(request.user, cohort=cohort)
    form = ApplicationForm(
        request.POST if request.method == "POST" else None, projects=projects, application=application
    )
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        try:
            applications.apply(request.user, cohort=cohort, answers=form.answers(), now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            messages.success(request, "Your application is changed." if application else "Your application is sent.")
            return redirect("internships:apply", cohort.slug)
    facts = _facts_of_application(request.user, cohort) | {"form": form, "projects": projects}
    return render(request, "internships/apply.html", facts, status=status)


def _facts_of_application(person: User, cohort: Cohort) -> dict[str, Any]:
    application = application_of(person, cohort=cohort)
    try:
        applications.check_may_apply(person, cohort=cohort, now=utc_now())
        refusal = ""
    except Refused as error:
        refusal = error.message
    is_closed = application is not None and application.state not in (
        ApplicationState.RECEIVED,
        ApplicationState.OFFERED,
        ApplicationState.WAITLISTED,
    )
    return {
        "cohort": cohort,
        "application": application,
        "place": waitlist_place(application) if application else 0,
        "refusal": refusal,
        "may_write": not refusal and not is_closed,
        "is_in_time": cohort.takes_applications(today=localdate()),
        **_facts_of_checks(application, cohort=cohort),
    }


def _facts_of_checks(application: Application | None, *, cohort: Cohort) -> dict[str, Any]:
    if application is None:
        return {"asked_checks": checks_of(cohort)}
    checks = standing_of(application)
    busy_with = next((each.project.slug for each in checks if each.going_on), "")
    return {"checks": checks, "may_take": may_take(application, now=utc_now()), "busy_with": busy_with}


@interns_only
@require_POST
def start_check(request: PersonRequest, cohort_slug: str, check_slug: str) -> HttpResponse:
    """Take a readiness check, or take it again; then to the notebook. ``after``: how many attempts the page showed."""
    cohort = selectors.cohort_for(request.user, slug=cohort_slug)
    application = own_application(request.user, cohort=cohort)
    check = check_of(cohort, slug=check_slug)
    after = request.POST.get("after", "")
    if not after.isdecimal():
        raise Invalid("Begin a check with the button on the page of your application.")
    attempt = readiness.start_check(
        request.user, application=application, check=check, after=int(after[:4]), now=utc_now()
    )
    messages.success(request, f"{check.project}: it has begun, with the numbers {attempt.variant}.")
    return redirect("workspaces:notebook")


@interns_only
@require_POST
def withdraw(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Take one's application back."""
    cohort = selectors.cohort_for(request.user, slug=cohort_slug)
    applications.withdraw(own_application(request.user, cohort=cohort), now=utc_now())
    messages.success(request, "Your application is withdrawn.")
    return redirect("internships:apply", cohort.slug)


@interns_only
@require_POST
def undo(request: PersonRequest, cohort_slug: str) -> HttpResponse:
    """Take the withdrawal back."""
    cohort = selectors.cohort_for(request.user, slug=cohort_slug)
    applications.undo_withdrawal(own_application(request.user, cohort=cohort), now=utc_now())
    messages.success(request, "Your application counts again.")
    return redirect("internships:apply", cohort.slug)


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest, cohort_slug: str) -> HttpResponse:
    """Ask for the link that makes an account; the answer is the same whether the address has one already."""
    cohort = selectors.cohort_for(request.user, slug=cohort_slug)
    if request.user.is_authenticated:
        return redirect("internships:apply", cohort.slug)
    if cohort.entry != Entry.OPEN:
        raise NotFound
    is_demo = site_settings.PRACTICUM_ENV == "demo"
    facts: dict[str, Any] = {"cohort": cohort, "is_possible": is_mail_on() or is_demo}
    form = AddressForm(request.POST if request.method == "POST" else None)
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid() and facts["is_possible"]:
        email = form.cleaned_data["email"]
        try:
            _take_turn(request, email=email)
            asked = invitations.ask_to_join(cohort=cohort, email=email, now=utc_now())
        except PracticumError as refusal:
            status = tell(form, refusal)
        else:
            link = invitations.link_of(asked) if asked and is_demo and not is_mail_on() else ""
            return render(request, "internships/sign_up_sent.html", facts | {"email": email, "link": link})
    return render(request, "internships/sign_up.html", facts | {"form": form}, status=status)


def _take_turn(request: HttpRequest, *, email: str) -> None:
    now = utc_now()
    throttle.take_turn("sign-up-caller", who=address_of(request), limit=MAILS_A_CALLER, window=HOUR, now=now)
    throttle.take_turn("sign-up-email", who=email, limit=MAILS_AN_ADDRESS, window=HOUR, now=now)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """The link of an invitation: make an account, or go on with one's own. Opening it alone changes nothing."""
    invitation = invitations.invitation_of(token)
    if isinstance(request.user, User):
        if request.method == "POST":
            note_let_in()
            invitations.join_as(request.user, invitation=invitation, now=utc_now())
            return redirect("internships:apply", invitation.cohort.slug)
        if invitation.used_by_id == request.user.pk:
            return redirect("internships:apply", invitation.cohort.slug)
    invitations.check_open(invitation, now=utc_now())
    if request.user.is_authenticated or has_account(invitation.email):
        return render(request, "internships/join_known.html", {"invitation": invitation, "cohort": invitation.cohort})
    return _join_as_new(request, invitation=invitation)


def _join_as_new(request: HttpRequest, *, invitation: Invitation) -> HttpResponse:
    form = JoinForm(request.POST if request.method == "POST" else None)
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        wanted = {name: form.cleaned_data[name] for name in ("username", "name", "password")}
        try:
            person = invitations.join_as_new(invitation, **wanted, now=utc_now())
        except Refused as refusal:
            status = tell(form, refusal)
        else:
            login(request, person)
            messages.success(request, "Your account is there. Now apply.")
            return redirect(reverse("internships:apply", args=[invitation.cohort.slug]))
    facts = {"form": form, "invitation": invitation, "cohort": invitation.cohort}
    return render(request, "internships/join.html", facts, status=status)
