"""One's notices: the list, what was read, how each kind comes and how to leave it, the webhook's secret and test."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import get_current_timezone_name
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from practicum.accounts import notices, unsubscribing
from practicum.accounts.access import PersonRequest, signed_in
from practicum.accounts.forms import KindsForm
from practicum.accounts.notice_selectors import choices_of, notices_of, settings_of, unread_count
from practicum.errors import Refused
from practicum.lib.clock import utc_now

ROWS_A_PAGE = 30


@signed_in
@require_safe
def notice_list(request: PersonRequest) -> HttpResponse:
    """Everything the person was told, the newest first."""
    page = Paginator(notices_of(request.user), ROWS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "accounts/notices.html", {"page": page, "unread": unread_count(request.user)})


@signed_in
@require_POST
def read(request: PersonRequest, *, notice_id: UUID) -> HttpResponse:
    """Mark it read, and go where it leads (``open``) or back to the list."""
    notice = notices.mark_read(request.user, notice_id=notice_id, now=utc_now())
    return redirect(notice.path if request.POST.get("open") else "accounts:notices")


@signed_in
@require_POST
def read_all(request: PersonRequest) -> HttpResponse:
    """Mark everything read."""
    notices.mark_all_read(request.user, now=utc_now())
    return redirect("accounts:notices")


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def kinds(request: PersonRequest) -> HttpResponse:
    """How each kind of notice comes, and when the daily mail does."""
    choices, saved = choices_of(request.user), settings_of(request.user)
    sent = request.POST if request.method == "POST" else None
    hour = "" if saved.digest_hour is None else str(saved.digest_hour)
    form = KindsForm(sent, choices=choices, initial={"digest_hour": hour})
    if form.is_valid():
        hour_chosen = form.cleaned_data["digest_hour"]
        notices.choose_kinds(request.user, ways=form.ways, digest_hour=hour_chosen, now=utc_now())
        messages.success(request, "Saved.")
        return redirect("accounts:kinds")
    facts = {"form": form, "saved": saved, "is_mail_on": notices.is_mail_on(), "time_zone": get_current_timezone_name()}
    return render(request, "accounts/kinds.html", facts, status=400 if form.errors else 200)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, ticket: str) -> HttpResponse:
    """Leave a mail by its link. A GET changes nothing, for mail programs open links; the signed ticket stands for the person."""
    leaving = unsubscribing.leaving_of(ticket)
    if request.method == "POST":
        unsubscribing.leave(leaving, now=utc_now())
    facts = {"leaving": leaving, "is_left": request.method == "POST"}
    return render(request, "accounts/unsubscribe.html", facts)


@never_cache
@signed_in
@require_POST
def renew_secret(request: PersonRequest) -> HttpResponse:
    """A new signing secret, shown in this answer and never again."""
    secret = notices.renew_secret(request.user, now=utc_now())
    return render(request, "accounts/webhook_secret.html", {"secret": secret})


@signed_in
@require_POST
def send_test(request: PersonRequest) -> HttpResponse:
    """Send oneself a test."""
    try:
        notices.send_test(request.user, now=utc_now())
    except Refused as refusal:
        messages.warning(request, refusal.message)
    else:
        messages.success(request, "A test is on its way. Look at this page again in a few seconds for what came of it.")
    return redirect("accounts:account")
