"""The pages on which a person, or an admin for them, takes their data away and has them deleted."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from practicum.accounts.access import PersonRequest, admins_only, signed_in
from practicum.accounts.models import User
from practicum.accounts.selectors import account_by_id
from practicum.audit.services import record
from practicum.errors import Refused
from practicum.lib.clock import utc_now
from practicum.persons import selectors, services
from practicum.persons.export import zip_of
from practicum.persons.forms import DeletionForm


@signed_in
@require_safe
def own(request: PersonRequest) -> HttpResponse:
    """One's own data: take them away, see what a deletion would do, ask for it or take it back."""
    return _page(request, person=request.user)


@signed_in
@require_safe
def export_own(request: PersonRequest) -> StreamingHttpResponse:
    """All that is kept about oneself, as a ZIP."""
    return _exported(request, person=request.user)


@signed_in
@require_POST
def ask_own(request: PersonRequest) -> HttpResponse:
    """Ask for the deletion of one's own data."""
    return _asked(request, person=request.user)


@signed_in
@require_POST
def take_back_own(request: PersonRequest) -> HttpResponse:
    """Keep everything after all."""
    return _taken_back(request, person=request.user)


@admins_only
@require_safe
def account(request: PersonRequest, account_id: int) -> HttpResponse:
    """The same page for an admin, about somebody."""
    return _page(request, person=account_by_id(account_id))


@admins_only
@require_safe
def export(request: PersonRequest, account_id: int) -> StreamingHttpResponse:
    """All that is kept about somebody, as that person may see it."""
    return _exported(request, person=account_by_id(account_id))


@admins_only
@require_POST
def ask(request: PersonRequest, account_id: int) -> HttpResponse:
    """Ask for the deletion of somebody's data."""
    return _asked(request, person=account_by_id(account_id))


@admins_only
@require_POST
def take_back(request: PersonRequest, account_id: int) -> HttpResponse:
    """Keep everything of somebody after all."""
    return _taken_back(request, person=account_by_id(account_id))


def _page(request: PersonRequest, *, person: User, form: DeletionForm | None = None, status: int = 200) -> HttpResponse:
    has_certificates = selectors.has_certificates(person)
    facts = {
        "person": person,
        "is_own": person.pk == request.user.pk,
        "deletion": services.open_deletion_of(person),
        "fates": selectors.fates_of(person),
        "form": form or DeletionForm(has_certificates=has_certificates),
        "grace_days": services.GRACE.days,
    }
    return render(request, "persons/data.html", facts, status=status)


def _exported(request: PersonRequest, *, person: User) -> StreamingHttpResponse:
    now = utc_now()
    record("account.exported", subject=person, actor=request.user, now=now)
    site = urlsplit(settings.PRACTICUM_SITE_URL).netloc
    headers = {
        "Content-Disposition": f'attachment; filename="practicum-{person.username}-{now:%Y-%m-%d}.zip"',
        "Cache-Control": "private, no-store",
    }
    pieces: Iterator[bytes] = zip_of(person, site=site, now=now)
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)


def _asked(request: PersonRequest, *, person: User) -> HttpResponse:
    form = DeletionForm(request.POST, has_certificates=selectors.has_certificates(person))
    if not form.is_valid():
        return _page(request, person=person, form=form, status=400)
    keeps = form.cleaned_data.get("certificates") == "keep"
    username = form.cleaned_data["username"]
    try:
        services.ask(request.user, person=person, username=username, keeps_certificates=keeps, now=utc_now())
    except Refused as refusal:
        field = refusal.facts.get("field")
        form.add_error(str(field) if field else None, refusal.message)
        return _page(request, person=person, form=form, status=refusal.status)
    messages.success(request, "The deletion is asked for. Until it begins it can be taken back here.")
    return _back(request, person=person)


def _taken_back(request: PersonRequest, *, person: User) -> HttpResponse:
    services.take_back(request.user, person=person, now=utc_now())
    messages.success(request, "Taken back: nothing is deleted.")
    return _back(request, person=person)


def _back(request: PersonRequest, *, person: User) -> HttpResponse:
    return redirect("persons:own") if person.pk == request.user.pk else redirect("persons:account", person.pk)
