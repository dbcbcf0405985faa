"""What admins fill in about people. Selects list only what may be chosen, and take nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms

from practicum.accounts.models import Role, User
from practicum.accounts.selectors import accounts_matching
from practicum.catalog.models import ProjectVersion
from practicum.catalog.selectors import versions_to_work_on
from practicum.internships.forms import PersonChoice
from practicum.internships.models import Cohort, Internship
from practicum.internships.selectors import active_mentors, interns_to_place, open_cohorts
from practicum.internships.services import REASON_LENGTH

STATES = {"on": True, "off": False}


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
            "version": versions_to_work_on(),
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
