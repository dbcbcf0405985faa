"""What admins fill in about people. Selects list only what may be chosen, and take nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils.text import slugify

from practicum.accounts.models import Role, User
from practicum.accounts.selectors import accounts_matching
from practicum.catalog.models import ProjectVersion
from practicum.catalog.selectors import latest_versions
from practicum.errors import PracticumError
from practicum.internships.models import Cohort, Internship
from practicum.internships.selectors import active_mentors, interns_to_place, open_cohorts
from practicum.internships.services import IDLE_MINUTES, REASON_LENGTH, SESSION_HOURS
from practicum.lib.fields import YesOrNoField

STATES = {"on": True, "off": False}


def tell(form: forms.BaseForm, refusal: PracticumError) -> int:
    """Put what a service refused on the field it is about; the status of the page that shows it."""
    field = str(refusal.facts.get("field", ""))
    form.add_error(field if field in form.fields else None, refusal.message)
    return refusal.status


def _day(*, label: str, help_text: str = "") -> forms.DateField:
    return forms.DateField(
        label=label, help_text=help_text, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )


class PersonChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A person, by name and username."""

    def label_from_instance(self, person: User) -> str:
        """Two people may have the same name."""
        return f"{person.name} ({person.username})"


class ProjectChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """The latest version of a project, by its title."""

    def label_from_instance(self, version: ProjectVersion) -> str:
        """The data it was prepared from matters: toy data are for trying out."""
        return f"{version.project.title}, version {version.number}, {version.get_mode_display().lower()}"


class AccountForm(forms.Form):
    """A new account."""

    name = forms.CharField(max_length=120, help_text="As the person writes it.")
    username = forms.CharField(
        max_length=31,
        help_text="2 to 31 lower-case letters, digits and hyphens. It names the notebook's volume and never changes.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(choices=Role.choices, initial=Role.INTERN)


class AccountFilter(forms.Form):
    """What the list of accounts is narrowed down to; what can't be understood narrows nothing."""

    q = forms.CharField(label="Name, username or e-mail", max_length=100, required=False)
    role = forms.ChoiceField(choices=[("", "Every role"), *Role.choices], required=False)
    state = forms.ChoiceField(choices=[("", "On and off"), ("on", "On"), ("off", "Switched off")], required=False)

    def accounts(self) -> Any:
        """The accounts that match."""
        self.is_valid()
        asked = self.cleaned_data
        return accounts_matching(
            text=asked.get("q", ""), role=asked.get("role", ""), is_active=STATES.get(asked.get("state", ""))
        )


class CohortForm(forms.Form):
    """A new cohort."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        label="Short name",
        max_length=60,
        required=False,
        help_text="Stands in addresses. Left empty, it is made from the name.",
    )
    starts_on = _day(label="First day", help_text="Milestones are dated from here.")
    ends_on = _day(label="Last day")
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

    def clean(self) -> dict[str, Any]:
        """A short name that was left out is made from the name."""
        cleaned = super().clean() or {}
        if cleaned.get("name") and not cleaned.get("slug") and "slug" not in self.errors:
            cleaned["slug"] = slugify(cleaned["name"])[:60].strip("-")
            if not cleaned["slug"]:
                self.add_error("slug", "Choose a short name of letters and digits; none could be made from the name.")
        return cleaned


class InternshipForm(forms.Form):
    """An intern, a mentor, a cohort, a project."""

    intern = PersonChoice(queryset=User.objects.none(), empty_label="Choose an intern", to_field_name="username")
    mentor = PersonChoice(queryset=User.objects.none(), empty_label="Choose a mentor", to_field_name="username")
    cohort = forms.ModelChoiceField(queryset=Cohort.objects.none(), empty_label="Choose a cohort", to_field_name="slug")
    version = ProjectChoice(
        label="Project",
        queryset=ProjectVersion.objects.none(),
        empty_label="Choose a project",
        help_text="The version that is the latest now; later ones do not change it.",
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = {
            "intern": interns_to_place(),
            "mentor": active_mentors(),
            "cohort": open_cohorts(today=today),
            "version": latest_versions(),
        }
        for name, queryset in rows.items():
            self.fields[name].queryset = queryset  # type: ignore[attr-defined]

    def has_choices(self, name: str) -> bool:
        """There is something to choose in this field."""
        return bool(self.fields[name].queryset.exists())  # type: ignore[attr-defined]


class MentorForm(forms.Form):
    """Another mentor for an internship."""

    mentor = PersonChoice(
        label="New mentor",
        queryset=User.objects.none(),
        empty_label="Choose a mentor",
        to_field_name="username",
    )

    def __init__(self, *args: Any, internship: Internship, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = active_mentors().exclude(pk=internship.mentor_id)
        self.fields["mentor"].queryset = others  # type: ignore[attr-defined]


class EndForm(forms.Form):
    """Why an internship ends early."""

    reason = forms.CharField(
        label="Why it ends early",
        max_length=REASON_LENGTH,
        help_text="Kept in the record; the intern does not read it.",
    )
