"""The forms of the leaderboard's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils.timezone import localtime

WRITTEN = "%Y-%m-%dT%H:%M"


class CloseForm(forms.Form):
    """When the board closes; empty: at the end of the cohort's last day."""

    closes_at = forms.DateTimeField(
        label="Closes at",
        required=False,
        input_formats=[WRITTEN, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "form-control"}, format=WRITTEN),
        error_messages={"invalid": "Write a date and a time, such as 2026-04-20T18:00."},
    )

    def __init__(self, *args: Any, closes_at: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["closes_at"].initial = closes_at and localtime(closes_at)
