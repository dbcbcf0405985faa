"""What people who are signed in do with certificates: look for theirs, show them, issue one early, revoke one."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from practicum.accounts.access import PersonRequest, admins_only, interns_only, signed_in, staff_only
from practicum.credentials import selectors, services
from practicum.credentials.forms import RevokeForm, ShowForm
from practicum.credentials.public_views import page
from practicum.errors import Refused
from practicum.lib.clock import utc_now

ROWS_A_PAGE = 50


@signed_in
@require_safe
def certificates(request: PersonRequest) -> HttpResponse:
    """The certificates this person may see whole: an intern's own, a mentor's interns', an admin's all."""
    rows = selectors.certificates_visible_to(request.user)
    facts = {"page": Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page"))}
    return render(request, "credentials/certificates.html", facts)


@interns_only
@require_POST
def show(request: PersonRequest, certificate_id: UUID) -> HttpResponse:
    """The intern decides who sees it, and what of it."""
    certificate = selectors.certificate_for(request.user, certificate_id=certificate_id)
    form = ShowForm(request.POST)
    if not form.is_valid():
        return page(request, certificate_id=certificate_id, show_form=form, status=400)
    services.choose(certificate, actor=request.user, now=utc_now(), **form.cleaned_data)
    messages.success(request, "Saved. “As others see it” shows you what is seen now.")
    return redirect("credentials:certificate", certificate_id)


@staff_only
@require_POST
def early(request: PersonRequest, certificate_id: UUID) -> HttpResponse:
    """The mentor or an admin lets it be issued before the final scores are released."""
    certificate = selectors.certificate_for(request.user, certificate_id=certificate_id)
    services.allow_early(certificate, actor=request.user, now=utc_now())
    messages.success(request, "It is issued as soon as the work has been executed again.")
    return redirect("credentials:certificate", certificate_id)


@admins_only
@require_POST
def revoke(request: PersonRequest, certificate_id: UUID) -> HttpResponse:
    """An admin says that it counts no more."""
    certificate = selectors.certificate_for(request.user, certificate_id=certificate_id)
    form = RevokeForm(request.POST)
    if form.is_valid():
        try:
            services.revoke(certificate, actor=request.user, now=utc_now(), **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, refusal.message)
            return page(request, certificate_id=certificate_id, revoke_form=form, status=refusal.status)
        messages.success(request, "It is revoked.")
        return redirect("credentials:certificate", certificate_id)
    return page(request, certificate_id=certificate_id, revoke_form=form, status=400)
