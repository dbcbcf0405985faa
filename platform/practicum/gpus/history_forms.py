"""What an admin chooses to look at: how long, how far back, which cohort, which pool."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django import forms

from practicum.gpus.history import Choice
from practicum.gpus.history_rules import window_of
from practicum.gpus.models import Pool
from practicum.internships.models import Cohort

WINDOWS = [("day", "One day"), ("week", "One week"), ("four-weeks", "Four weeks")]
DEFAULT = "week"
MOST_BACK = 520


class HistoryForm(forms.Form):
    """All optional: without any, the week up to now, of everybody."""

    window = forms.ChoiceField(
        choices=WINDOWS, required=False, error_messages={"invalid_choice": "Choose one of the three."}
    )
    cohort = forms.ModelChoiceField(
        Cohort.objects.all(),
        to_field_name="slug",
        required=False,
        empty_label="All cohorts",
        error_messages={"invalid_choice": "There is no such cohort; choose one of the list."},
    )
    pool = forms.ModelChoiceField(
        Pool.objects.all(),
        to_field_name="slug",
        required=False,
        empty_label="All pools",
        error_messages={"invalid_choice": "There is no such pool; choose one of the list."},
    )
    back = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_BACK,
        widget=forms.HiddenInput,
        error_messages={"invalid": "How far back must be a whole number."},
    )

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> HistoryForm:
        """The form as the address asks for it, the usual window where it names none."""
        named = {name: value for name in cls.base_fields if (value := asked.get(name))}
        return cls({"window": DEFAULT} | named)

    @property
    def back_by(self) -> int:
        """How many windows before the present one."""
        return self.cleaned_data.get("back") or 0

    def choice(self, *, now: datetime) -> Choice:
        """What was chosen, after validation; where a field is wrong, as if it had been left alone."""
        chosen = self.cleaned_data
        window = window_of(chosen.get("window") or DEFAULT, back=self.back_by, now=now)
        return Choice(window=window, cohort=chosen.get("cohort"), pool=chosen.get("pool"))
