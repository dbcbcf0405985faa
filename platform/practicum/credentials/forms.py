"""What is filled in about certificates."""

from __future__ import annotations

from django import forms

from practicum.credentials import rules
from practicum.credentials.models import Visibility
from practicum.credentials.offline.verifier import MOST_BYTES
from practicum.credentials.services import REASON_LENGTH

TICK = {"class": "form-check-input"}


class ShowForm(forms.Form):
    """Who sees a certificate, and what of it."""

    visibility = forms.ChoiceField(label="Who may see it", choices=Visibility, widget=forms.RadioSelect(attrs=TICK))
    parts = forms.MultipleChoiceField(
        label="What they see",
        choices=rules.PARTS.items(),
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs=TICK),
    )


class RevokeForm(forms.Form):
    """Why a certificate counts no more."""

    reason = forms.CharField(
        label="Why it is revoked",
        max_length=REASON_LENGTH,
        help_text="Whoever can see the certificate reads this.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class CheckForm(forms.Form):
    """A certificate somebody was given: as a file, or by its address."""

    file = forms.FileField(
        label="The certificate’s file",
        required=False,
        help_text="credential.json. It is read and forgotten.",
        widget=forms.FileInput(attrs={"accept": ".json,application/json"}),
    )
    address = forms.CharField(
        label="Or its address",
        required=False,
        max_length=300,
        help_text="As it stands on the certificate, or behind its QR code.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )

    def content(self) -> bytes | None:
        """What was uploaded, one byte more than is read at most; None where it was an address."""
        held = self.cleaned_data.get("file")
        return held.read(MOST_BYTES + 1) if held else None


class PortfolioForm(forms.Form):
    """An intern's own page."""

    headline = forms.CharField(
        max_length=120, required=False, help_text="One line under your name.", widget=forms.TextInput()
    )
    words = forms.CharField(
        label="In your own words",
        max_length=4000,
        required=False,
        help_text="What you found out, and what you want to do next. Markdown is understood.",
        widget=forms.Textarea(attrs={"rows": 9}),
    )
    is_public = forms.BooleanField(
        label="Everybody may see this page", required=False, widget=forms.CheckboxInput(attrs=TICK)
    )
