"""Signing in and out, and one's own account."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from practicum.accounts import demo, factors, federation, notices, services, throttle
from practicum.accounts.access import PersonRequest, account_holder, address_of, next_of
from practicum.accounts.forms import NameForm, NoticeForm, PasswordForm, SignInForm
from practicum.accounts.models import User
from practicum.accounts.notice_selectors import last_deliveries_of, settings_of
from practicum.accounts.selectors import username_of
from practicum.errors import Invalid, TooMany
from practicum.lib.clock import utc_now

NO_MATCH = "No account with that name and password. Check both, capital letters too."


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page; it leads on to ``next`` if that is a page of this site."""
    target = next_of(request)
    if request.user.is_authenticated:
        return redirect(target)
    form = SignInForm(request.POST if request.method == "POST" else None, initial={"account": request.GET.get("as")})
    status = 200
    if request.method == "POST" and form.is_valid():
        answer = _try_sign_in(request, form=form, target=target)
        if isinstance(answer, HttpResponse):
            return answer
        status = answer
    accounts = demo.ACCOUNTS if settings.PRACTICUM_ENV == "demo" else ()
    facts = {
        "form": form,
        "next": target,
        "demo_accounts": accounts,
        "demo_password": demo.PASSWORD,
        "ways": settings.PRACTICUM_WAYS_IN,
    }
    return render(request, "accounts/sign_in.html", facts, status=status)


def _try_sign_in(request: HttpRequest, *, form: SignInForm, target: str) -> HttpResponse | int:
    """Sign the person in, or ask for their second factor; or put the one message on the form: the status of its page."""
    account, address, now = form.cleaned_data["account"], address_of(request), utc_now()
    try:
        throttle.check_open(account, address=address, now=now)
    except TooMany as refusal:
        form.add_error(None, refusal.message)
        return refusal.status
    username = username_of(account)
    user = authenticate(request, username=username, password=form.cleaned_data["password"])
    if user is None or not settings.PRACTICUM_WAYS_IN.takes_password_of(username):
        throttle.note_failure(account, address=address, now=now)
        form.add_error(None, NO_MATCH)
        return 200
    throttle.forget_failures(account, address=address)
    # allauth's: it asks for the second factor where there is one, and signs in.
    return cast(HttpResponse, perform_password_login(request, {}, Login(user=user, redirect_url=target)))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session, and with it the hub's."""
    if request.user.is_authenticated:
        services.end_hub_access(request.user, now=utc_now())
    logout(request)
    messages.success(request, "You are signed out. Running notebooks go on until they are idle.")
    return redirect(settings.LOGIN_URL)


@account_holder
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def account(request: PersonRequest) -> HttpResponse:
    """One's own name, password and notices; the button that was pressed says which form was sent."""
    user, sent = request.user, request.POST.get("form")
    must_choose = user.must_choose_password
    name_form = NameForm(request.POST if sent == "name" else None, initial={"name": user.name})
    password_form = PasswordForm(request.POST if sent == "password" else None, user=user)
    if sent == "name" and name_form.is_valid():
        services.rename(user, name=name_form.cleaned_data["name"], now=utc_now())
        messages.success(request, "Your name is changed.")
        return redirect("accounts:account")
    if sent == "password" and password_form.is_valid():
        services.change_password(user, password=password_form.cleaned_data["password"], now=utc_now())
        update_session_auth_hash(request, user)
        messages.success(request, "Your password is changed. Every other browser was signed out.")
        return redirect(next_of(request) if must_choose else "accounts:account")
    notice_form = _notice_form(user, sent=request.POST if sent == "notices" else None)
    if sent == "notices" and _choose_channels(user, form=notice_form):
        messages.success(request, "Saved. Send yourself a test to see that it comes.")
        return redirect("accounts:account")
    facts: dict[str, Any] = {
        "name_form": name_form,
        "password_form": password_form,
        "notice_form": notice_form,
        "is_mail_on": notices.is_mail_on(),
        "saved": settings_of(user),
        "deliveries": last_deliveries_of(user),
        "next": next_of(request),
        "ways": settings.PRACTICUM_WAYS_IN,
        "joined": federation.joined_providers(user),
        "has_factor": factors.has_factor(user),
    }
    return render(request, "accounts/account.html", facts, status=422 if sent else 200)


def _notice_form(user: User, *, sent: QueryDict | None) -> NoticeForm:
    saved = settings_of(user)
    return NoticeForm(sent, initial={"by_email": saved.by_email, "webhook_url": saved.webhook_url})


def _choose_channels(user: User, *, form: NoticeForm) -> bool:
    """Save the form; False, with the reason on it, where it can't be taken."""
    if not form.is_valid():
        return False
    try:
        notices.choose_channels(user, now=utc_now(), **form.cleaned_data)
    except Invalid as refusal:
        form.add_error("webhook_url", refusal.message)
    return not form.errors
