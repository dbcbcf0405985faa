"""One's notices: the list, what was read, and the webhook's secret and test."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from practicum.accounts import notices
from practicum.accounts.access import PersonRequest, signed_in
from practicum.accounts.notice_selectors import notices_of, unread_count
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
