"""The form of a cohort's retention: a number of days for each part, or none."""

from __future__ import annotations

from django import forms

from practicum.persons.models import Part, Retention
from practicum.persons.retention_rules import FEWEST_DAYS, MOST_DAYS, PROPOSED


class RetentionForm(forms.Form):
    """Empty: for good. Before anything was set, the usual days are proposed."""

    def __init__(self, *args: object, retention: Retention | None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        for part in Part:
            self.fields[part.value] = forms.IntegerField(
                label=part.label,
                required=False,
                min_value=FEWEST_DAYS,
                max_value=MOST_DAYS,
                initial=retention.days(part) if retention else PROPOSED[part.value],
                help_text="Days after the cohort's end; empty: for good.",
            )

    @property
    def days(self) -> dict[str, int | None]:
        """What was put in, by part."""
        return {part.value: self.cleaned_data[part.value] for part in Part}
