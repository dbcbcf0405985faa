"""What people fill in about cohorts. Selects list only what may be chosen, and take nothing else."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import slugify

from practicum.accounts.models import User
from practicum.catalog.models import Project
from practicum.catalog.selectors import latest_checks
from practicum.errors import PracticumError
from practicum.internships.cohorts import CAPACITY, IDLE_MINUTES, PLACES, SESSION_HOURS, Settings
from practicum.internships.models import Cohort, Entry
from practicum.internships.placement_selectors import Candidate
from practicum.internships.readiness_selectors import checks_of
from practicum.internships.selectors import active_mentors, published_projects
from practicum.lib.fields import YesOrNoField

LONG_TEXT = 4000


def tell(form: forms.BaseForm, refusal: PracticumError) -> int:
    """Put what a service refused on the field it is about; the status of the page that shows it."""
    field = str(refusal.facts.get("field", ""))
    form.add_error(field if field in form.fields else None, refusal.message)
    return refusal.status


def day(*, label: str, help_text: str = "", required: bool = True) -> forms.DateField:
    """A date, in the browser's own calendar."""
    return forms.DateField(
        label=label,
        help_text=help_text,
        required=required,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )


def long_text(*, label: str, help_text: str = "", required: bool = False, length: int = LONG_TEXT) -> forms.CharField:
    """Some sentences."""
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=required,
        max_length=length,
        widget=forms.Textarea(attrs={"rows": 5}),
    )


class PersonChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A person, by name and username."""

    def label_from_instance(self, person: User) -> str:
        """Two people may have the same name."""
        return f"{person.name} ({person.username})"


class NotebookRules(forms.Form):
    """When notebooks of a cohort stop."""

    idle_minutes = forms.IntegerField(
        label="Stop idle notebooks after (minutes)",
        initial=15,
        min_value=IDLE_MINUTES[0],
        max_value=IDLE_MINUTES[1],
        help_text="Idle: no busy kernel, no process at work, no use of the GPU.",
    )
    is_idle_kept = YesOrNoField(
        label="They stop",
        choices=[("yes", "only once somebody waits who could have the slot"), ("no", "always")],
        help_text="Five minutes' notice is given, and whatever runs until then saves the notebook.",
    )
    session_hours = forms.IntegerField(
        label="Longest session (hours)", initial=12, min_value=SESSION_HOURS[0], max_value=SESSION_HOURS[1]
    )


class CohortForm(NotebookRules):
    """A new cohort."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        label="Short name",
        max_length=60,
        required=False,
        help_text="Stands in addresses. Left empty, it is made from the name.",
    )
    starts_on = day(label="First day", help_text="Milestones are dated from here.")
    ends_on = day(label="Last day")
    field_order = ["name", "slug", "starts_on", "ends_on"]

    def clean(self) -> dict[str, Any]:
        """A short name that was left out is made from the name."""
        cleaned = super().clean() or {}
        if cleaned.get("name") and not cleaned.get("slug") and "slug" not in self.errors:
            cleaned["slug"] = slugify(cleaned["name"])[:60].strip("-")
            if not cleaned["slug"]:
                self.add_error("slug", "Choose a short name of letters and digits; none could be made from the name.")
        return cleaned


class CohortSettingsForm(NotebookRules):
    """Everything an admin may change about a cohort."""

    name = forms.CharField(max_length=120)
    starts_on = day(label="First day", help_text="Milestones that are not reached move along with it.")
    ends_on = day(label="Last day")
    entry = forms.ChoiceField(label="Applications", choices=Entry.choices)
    apply_until = day(label="Apply until", help_text="The last day on which people may apply.", required=False)
    capacity = forms.IntegerField(
        label="Places",
        required=False,
        min_value=CAPACITY[0],
        max_value=CAPACITY[1],
        help_text="Further people are put on the waiting list. Empty: as many as you offer a place.",
    )
    about = long_text(label="What it is", help_text="Stands at the top of the cohort's page.")
    expected = long_text(label="What is expected", help_text="Hours a week, meetings, what interns bring along.")

    def __init__(self, sent: QueryDict | None = None, *, cohort: Cohort) -> None:
        initial = {name: getattr(cohort, name) for name in Settings.__dataclass_fields__}
        super().__init__(sent, initial=initial)

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields under their headings."""
        names = {
            "The cohort": ("name", "starts_on", "ends_on"),
            "Applications": ("entry", "apply_until", "capacity", "about", "expected"),
            "Notebooks": ("idle_minutes", "is_idle_kept", "session_hours"),
        }
        return [(heading, [self[name] for name in group]) for heading, group in names.items()]

    def settings(self) -> Settings:
        """What was chosen; the form is valid."""
        return Settings(**{name: self.cleaned_data[name] for name in Settings.__dataclass_fields__})


class OfferForm(forms.Form):
    """A project, a mentor and a number of places."""

    project = forms.ModelChoiceField(
        queryset=Project.objects.none(), empty_label="Choose a project", to_field_name="slug"
    )
    mentor = PersonChoice(queryset=User.objects.none(), empty_label="Choose a mentor", to_field_name="username")
    places = forms.IntegerField(min_value=PLACES[0], max_value=PLACES[1], initial=2)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = published_projects()  # type: ignore[attr-defined]
        self.fields["mentor"].queryset = active_mentors()  # type: ignore[attr-defined]


class ChecksForm(forms.Form):
    """For each published readiness check, whether applicants take it; the fields' names are the checks' short names."""

    CHOICES = (("", "Not here"), ("offered", "Applicants may take it"), ("asked", "Applicants are asked to take it"))

    def __init__(self, sent: QueryDict | None = None, *, cohort: Cohort) -> None:
        super().__init__(sent, prefix="check")
        chosen = {row.project.slug: row for row, _, _ in checks_of(cohort)}
        for version in latest_checks():
            slug = version.project.slug
            how = ("asked" if chosen[slug].is_asked else "offered") if slug in chosen else ""
            self.fields[slug] = forms.ChoiceField(
                label=version.project.title, choices=self.CHOICES, required=False, initial=how
            )

    def wanted(self) -> dict[str, str]:
        """The checks that were chosen; the form is valid."""
        return {slug: how for slug, how in self.cleaned_data.items() if how}


class RankingForm(forms.Form):
    """A number beside each applicant: 1 for the dearest; empty for who is not taken."""

    def __init__(self, sent: QueryDict | None = None, *, candidates: list[Candidate]) -> None:
        super().__init__(sent)
        self.candidates = candidates
        for one in candidates:
            self.fields[f"rank_{one.application.pk}"] = forms.IntegerField(
                label=f"Rank of {one.application.applicant}",
                required=False,
                min_value=1,
                max_value=9999,
                initial=one.rank,
                widget=forms.NumberInput(attrs={"inputmode": "numeric", "min": 1}),
            )

    def clean(self) -> dict[str, Any]:
        """No number stands twice; gaps are closed."""
        cleaned = super().clean() or {}
        seen: set[int] = set()
        for name, rank in list(cleaned.items()):
            if rank is not None and rank in seen:
                self.add_error(name, f"{rank} stands twice.")
            elif rank is not None:
                seen.add(rank)
        return cleaned

    def ranked(self) -> list[int]:
        """The numbers of the applications in the order; the form is valid."""
        ranks = [(rank, int(name.removeprefix("rank_"))) for name, rank in self.cleaned_data.items() if rank]
        return [number for _, number in sorted(ranks)]

    def rows(self) -> list[tuple[Candidate, forms.BoundField]]:
        """Each applicant with their field."""
        return [(one, self[f"rank_{one.application.pk}"]) for one in self.candidates]
