"""Where an admin announces planned maintenance, and takes it back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from practicum.accounts.access import PersonRequest, admins_only
from practicum.errors import Invalid
from practicum.internships.forms import tell
from practicum.lib.clock import utc_now
from practicum.portal import maintenance as announcing

UNUSABLE = 400
MINUTES = "%Y-%m-%dT%H:%M"


def _moment(label: str, *, help_text: str = "") -> forms.DateTimeField:
    widget = forms.DateTimeInput(format=MINUTES, attrs={"type": "datetime-local"})
    return forms.DateTimeField(label=label, help_text=help_text, input_formats=[MINUTES], widget=widget)


class MaintenanceForm(forms.Form):
    """From when to when, in the site's time zone, and a sentence."""

    starts_at = _moment("From")
    ends_at = _moment("To")
    message = forms.CharField(
        label="What people should know",
        max_length=announcing.MESSAGE_LENGTH,
        required=False,
        help_text="A sentence or two: whether notebooks go on, and what to save before.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["starts_at"].help_text = f"In the site's time zone, {settings.TIME_ZONE}."


@admins_only
@require_http_methods(["GET", "POST"])
def maintenance(request: PersonRequest) -> HttpResponse:
    """What is announced, and the form."""
    now = utc_now()
    form = MaintenanceForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            announcing.announce(**form.cleaned_data, actor=request.user, now=now)
        except Invalid as refusal:
            tell(form, refusal)
        else:
            said = "Whoever has a notebook or work under way is told now, everybody on every page from two days before."
            messages.success(request, f"It is announced. {said}")
            return redirect("portal:maintenance")
    facts = {"form": form, "planned": announcing.planned(now=now)}
    return render(request, "portal/maintenance.html", facts, status=UNUSABLE if form.errors else 200)


@admins_only
@require_POST
def withdraw_maintenance(request: PersonRequest) -> HttpResponse:
    """Take it back."""
    announcing.withdraw(actor=request.user, now=utc_now())
    messages.success(request, "It is taken back, and nobody is told any more.")
    return redirect("portal:maintenance")
