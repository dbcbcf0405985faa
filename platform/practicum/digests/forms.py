"""The form of a cohort's webhook."""

from __future__ import annotations

from typing import Any

from django import forms

from practicum.digests.models import CohortWebhook
from practicum.digests.services import Telling

KINDS = {
    "tells_reviews": "Work that waits for a review",
    "tells_board": "Who rose on the board, as interns are told it",
    "tells_milestones": "Milestones that were reached",
    "tells_applications": "New applications, by their number",
}
DEFAULTS = {"hour": "8", "tells_reviews": True, "tells_board": True, "tells_milestones": True}


class WebhookForm(forms.Form):
    """Where to, from when on, and what. A saved address is not shown again: an empty box leaves it as it is."""

    url = forms.CharField(
        label="Address of the incoming webhook",
        required=False,
        max_length=500,
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
    )
    hour = forms.TypedChoiceField(
        label="Posted from", choices=[(str(hour), f"{hour:02}:00") for hour in range(24)], coerce=int
    )

    def __init__(self, *args: Any, webhook: CohortWebhook | None, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(webhook, name) for name in ("hour", *KINDS)} if webhook else DEFAULTS
        super().__init__(*args, **kwargs)
        self.webhook = webhook
        for name, label in KINDS.items():
            self.fields[name] = forms.BooleanField(label=label, required=False)
        self.fields["url"].help_text = (
            "One is saved. Leave this empty to keep it."
            if webhook
            else "From the chat's settings (Slack, Mattermost and others take the same). Only admins see that there is one."
        )

    def clean(self) -> dict[str, Any]:
        """An address, typed now or saved before."""
        sent = super().clean() or {}
        if not sent.get("url") and self.webhook is None and "url" not in self.errors:
            self.add_error("url", "Give the address that the chat made for you.")
        return sent

    def kinds(self) -> list[Any]:
        """The boxes to tick."""
        return [self[name] for name in KINDS]

    @property
    def address(self) -> str:
        """The address that was typed, or else the saved one."""
        return self.cleaned_data["url"] or (self.webhook.url if self.webhook else "")

    @property
    def telling(self) -> Telling:
        """What was chosen."""
        return Telling(**{name: self.cleaned_data[name] for name in ("hour", *KINDS)})
