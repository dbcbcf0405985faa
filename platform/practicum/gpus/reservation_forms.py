"""What is typed to ask for slots, and to answer. Days and times are those of the site's time zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.forms.utils import from_current_timezone

from practicum.accounts.models import User
from practicum.gpus.models import Pool
from practicum.gpus.reservation_rules import Booking
from practicum.gpus.reservation_selectors import cohorts_to_reserve_for, pools_to_reserve
from practicum.gpus.reservations import ANSWER_LENGTH, PURPOSE_LENGTH
from practicum.internships.models import Cohort

FIELD_OF = {"starts_at": "begins", "ends_at": "ends"}


def _clock(label: str, *, help_text: str = "") -> forms.TimeField:
    return forms.TimeField(
        label=label, help_text=help_text, widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    )


class ReservationForm(forms.Form):
    """A day, two times, slots, a pool, a cohort, and what for. ``booking`` after it was found valid."""

    day = forms.DateField(label="Day", widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
    begins = _clock("From")
    ends = _clock("To", help_text="Up to 24 hours; an earlier time than “From” is on the next day.")
    slots = forms.IntegerField(
        label="Slots", widget=forms.NumberInput(attrs={"inputmode": "numeric", "min": 1, "step": 1})
    )
    pool = forms.ModelChoiceField(queryset=Pool.objects.none(), empty_label="Choose a pool", to_field_name="slug")
    cohort = forms.ModelChoiceField(queryset=Cohort.objects.none(), empty_label="Choose a cohort", to_field_name="slug")
    purpose = forms.CharField(
        label="What it is for", max_length=PURPOSE_LENGTH, help_text="In a few words; the admin who answers reads it."
    )

    booking: Booking

    def __init__(self, *args: Any, user: User, today: date, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows: dict[str, QuerySet[Any]] = {
            "cohort": cohorts_to_reserve_for(user, today=today),
            "pool": pools_to_reserve(),
        }
        for name, queryset in rows.items():
            self.fields[name].queryset = queryset  # type: ignore[attr-defined]
            only = list(queryset[:2])
            if len(only) == 1:
                self.fields[name].initial = only[0].slug
        self.fields["begins"].help_text = f"In the site's time zone, {zone}."

    def clean(self) -> dict[str, Any]:
        """Make two moments of a day and two times."""
        cleaned = super().clean() or {}
        day, begins, ends = cleaned.get("day"), cleaned.get("begins"), cleaned.get("ends")
        if not (day and begins is not None and ends is not None):
            return cleaned
        if begins == ends:
            self.add_error("ends", "It must end after it begins.")
            return cleaned
        try:
            last = day + timedelta(days=1) if ends < begins else day
            starts_at, ends_at = _moment("begins", day, begins), _moment("ends", last, ends)
        except OverflowError:
            self.add_error("day", "Choose a day within the next year.")
            return cleaned
        except forms.ValidationError as error:
            self.add_error(None, error)
            return cleaned
        if not self.errors:
            cohort = cleaned["cohort"]
            self.booking = Booking(None, cohort.pk, cohort.name, cleaned["slots"], starts_at, ends_at)
        return cleaned

    def tell(self, refusals: Iterable[tuple[str, str]]) -> None:
        """Put what was refused on the fields it is about."""
        for field, sentence in refusals:
            self.add_error(FIELD_OF.get(field, field), sentence)


def _moment(field: str, day: date, clock: Any) -> datetime:
    """In UTC.

    Raises:
        ValidationError: on this day the clocks are moved, and this time comes twice or not at all.
    """
    try:
        moment = from_current_timezone(datetime.combine(day, clock))
    except forms.ValidationError as error:
        sentence = (
            f"The clocks are moved on that day, and {clock:%H:%M} comes twice or not at all. Choose another time."
        )
        raise forms.ValidationError({field: sentence}) from error
    if moment is None:
        raise AssertionError("a moment was given")
    return moment


class AnswerForm(forms.Form):
    """What whoever asked gets to read."""

    answer = forms.CharField(
        label="Your answer",
        max_length=ANSWER_LENGTH,
        required=False,
        help_text="Whoever asked reads it. A refusal needs one.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class ReasonForm(forms.Form):
    """Why what was granted is given up."""

    answer = forms.CharField(
        label="Why",
        max_length=ANSWER_LENGTH,
        required=False,
        help_text="Whoever asked for it reads it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
