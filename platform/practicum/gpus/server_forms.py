"""What admins fill in about servers."""

from __future__ import annotations

from typing import Any

from django import forms

from practicum.gpus.servers import FINISH_MINUTES, SHARES

FINISH_CHOICES = (("let", "Let them finish"), ("ask", "Ask them to finish"))


class ServerForm(forms.Form):
    """A new server."""

    name = forms.SlugField(
        max_length=60,
        help_text="Letters, digits and hyphens, for example gpu-2. It stands on every page that shows its GPUs.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )


class DrainForm(forms.Form):
    """How a server is drained."""

    finish = forms.ChoiceField(label="Notebooks that run", choices=FINISH_CHOICES, initial="let")
    minutes = forms.IntegerField(
        label="Minutes they have",
        initial=60,
        min_value=FINISH_MINUTES[0],
        max_value=FINISH_MINUTES[1],
        required=False,
        help_text="Counts only if you ask them to finish. What still runs then is ended; files are kept.",
    )

    def clean(self) -> dict[str, Any]:
        """To ask people to finish needs a time."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("finish") == "ask" and not cleaned.get("minutes") and "minutes" not in self.errors:
            self.add_error("minutes", "Say how many minutes they have.")
        return cleaned


class SharesForm(forms.Form):
    """Into how many slots a GPU is divided."""

    gpu = forms.CharField(max_length=80, widget=forms.HiddenInput)
    shares = forms.IntegerField(label="Shares", min_value=SHARES[0], max_value=SHARES[1])
