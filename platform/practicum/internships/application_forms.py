"""What applicants fill in, and what admins do with it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.http import QueryDict

from practicum.accounts.models import User
from practicum.internships.application_selectors import applications_matching
from practicum.internships.applications import HOURS, Answers
from practicum.internships.forms import long_text
from practicum.internships.models import Application, ApplicationState, Cohort, Hardware, Prerequisite, Wish
from practicum.internships.selectors import OfferedProject
from practicum.internships.services import REASON_LENGTH

RANKED = 5
PLACES_IN_WORDS = ("First", "Second", "Third", "Fourth", "Fifth")


def _several(*, label: str, choices: Any, help_text: str = "") -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, choices=choices, help_text=help_text, required=False, widget=forms.CheckboxSelectMultiple
    )


class ApplicationForm(forms.Form):
    """What is asked of an applicant; as many choices of a project as there are projects, five at most."""

    background = long_text(
        label="Your background",
        help_text="What you have studied or built, and why you want to come. Some sentences are enough.",
        required=True,
        length=3000,
    )
    hours_a_week = forms.IntegerField(label="Hours a week you have for it", min_value=HOURS[0], max_value=HOURS[1])
    prerequisites = _several(
        label="What of this do you have?",
        choices=Prerequisite.choices,
        help_text="Nothing here keeps you out. It says what to begin with.",
    )
    hardware = forms.ChoiceField(
        label="Hardware of your own you can bring", choices=[("", "Choose one"), *Hardware.choices]
    )
    hardware_note = forms.CharField(
        label="Which", required=False, max_length=300, help_text="If you know it: model and memory."
    )
    wishes = _several(label="What do you wish to learn?", choices=Wish.choices)
    wishes_note = long_text(label="Anything else you wish to learn", length=1000)

    def __init__(
        self,
        sent: QueryDict | None = None,
        *,
        projects: list[OfferedProject],
        application: Application | None,
    ) -> None:
        initial = _initial(application) if application is not None else {}
        super().__init__(sent, initial=initial)
        titles = [(offered.version.project.slug, offered.version.project.title) for offered in projects]
        self.rank_names = [f"rank_{number}" for number in range(1, min(RANKED, len(titles)) + 1)]
        for name, word in zip(self.rank_names, PLACES_IN_WORDS, strict=False):
            self.fields[name] = forms.ChoiceField(
                label=f"{word} choice", choices=[("", "None"), *titles], required=False
            )

    def clean(self) -> dict[str, Any]:
        """No project is chosen twice."""
        cleaned = super().clean() or {}
        seen: set[str] = set()
        for name in self.rank_names:
            chosen = cleaned.get(name)
            if chosen and chosen in seen:
                self.add_error(name, "You chose this project above already.")
            seen.add(chosen or "")
        return cleaned

    def ranks(self) -> list[forms.BoundField]:
        """The choices of projects."""
        return [self[name] for name in self.rank_names]

    def answers(self) -> Answers:
        """What was filled in; the form is valid."""
        names = set(Answers.__dataclass_fields__) - {"ranking"}
        ranking = [chosen for name in self.rank_names if (chosen := self.cleaned_data[name])]
        return Answers(**{name: self.cleaned_data[name] for name in names}, ranking=ranking)


def _initial(application: Application) -> dict[str, Any]:
    ranks = {f"rank_{number}": slug for number, slug in enumerate(application.ranking, start=1)}
    return {name: getattr(application, name) for name in Answers.__dataclass_fields__} | ranks


class AddressForm(forms.Form):
    """Where the link is mailed to."""

    email = forms.EmailField(label="Your e-mail address", widget=forms.EmailInput(attrs={"autocomplete": "email"}))


class JoinForm(forms.Form):
    """A new account for who holds a link."""

    name = forms.CharField(
        label="Your name",
        max_length=120,
        help_text="As you write it. Others see it.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    username = forms.CharField(
        max_length=31,
        help_text="2 to 31 lower-case letters, digits and hyphens. It never changes.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "username"}),
    )
    password = forms.CharField(
        strip=False,
        max_length=1000,
        help_text="At least ten characters; three or four unrelated words are good.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="Password again",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Both passwords are the same, and hard to guess."""
        cleaned = super().clean() or {}
        if "password" in cleaned:
            if cleaned["password"] != cleaned.get("again"):
                self.add_error("again", "This is not the same as the password above.")
            try:
                validate_password(
                    cleaned["password"], User(username=cleaned.get("username", ""), name=cleaned.get("name", ""))
                )
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


class InviteForm(forms.Form):
    """Whom to invite."""

    addresses = forms.CharField(
        label="E-mail addresses", help_text="One a line.", widget=forms.Textarea(attrs={"rows": 4}), max_length=15_000
    )

    def lines(self) -> list[str]:
        """The addresses."""
        return str(self.cleaned_data["addresses"]).replace(",", "\n").splitlines()


class DeclineForm(forms.Form):
    """Why somebody gets no place."""

    reason = forms.CharField(
        label="Why there is no place", max_length=REASON_LENGTH, help_text="The applicant reads exactly this."
    )


class ApplicationFilter(forms.Form):
    """What the list is narrowed down to; what can't be understood narrows nothing."""

    q = forms.CharField(label="Name or e-mail", max_length=100, required=False)
    state = forms.ChoiceField(choices=[("", "Every state"), *ApplicationState.choices], required=False)
    prerequisite = forms.ChoiceField(
        label="Has", choices=[("", "Anything"), ("ml", "Machine learning"), ("python", "Python"), ("cuda", "CUDA")],
        required=False,
    )  # fmt: skip
    hardware = forms.ChoiceField(choices=[("", "Any hardware"), *Hardware.choices], required=False)

    def applications(self, cohort: Cohort) -> list[Application]:
        """The applications that match."""
        self.is_valid()
        asked = self.cleaned_data
        return applications_matching(
            cohort,
            text=asked.get("q", ""),
            state=asked.get("state", ""),
            prerequisite=asked.get("prerequisite", ""),
            hardware=asked.get("hardware", ""),
        )
