"""What intern and mentor fill in on the record of their internship."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from practicum.accounts.models import User
from practicum.internships.changes import MESSAGE_LENGTH, Wish
from practicum.internships.check_ins import LONGEST, Note
from practicum.internships.forms import PersonChoice, day, long_text
from practicum.internships.models import ChangeKind, CheckIn, Internship
from practicum.internships.selectors import active_mentors
from practicum.internships.services import REASON_LENGTH


class CheckInForm(forms.Form):
    """Three short answers."""

    went = long_text(label="What went well, what did not?", required=True, length=LONGEST)
    following = long_text(label="What comes next?", required=True, length=LONGEST)
    stuck = long_text(label="Where are you stuck, what do you need?", length=LONGEST)

    def __init__(self, sent: QueryDict | None = None, *, check_in: CheckIn | None) -> None:
        names = ("went", "following", "stuck")
        super().__init__(sent, initial={name: getattr(check_in, name) for name in names} if check_in else None)
        for name in names:
            self.fields[name].widget.attrs["rows"] = 3

    def note(self) -> Note:
        """What was written; the form is valid."""
        return Note(**self.cleaned_data)


class AskForm(forms.Form):
    """What is asked of the other side."""

    kind = forms.ChoiceField(label="You ask for", choices=[("", "Choose one"), *ChangeKind.choices])
    until = day(
        label="Until", help_text="Of more time, the new last day; of a pause, the day it is over.", required=False
    )
    mentor = PersonChoice(
        label="New mentor",
        queryset=User.objects.none(),
        empty_label="Only for another mentor",
        to_field_name="username",
        required=False,
    )
    reason = forms.CharField(label="Why", max_length=REASON_LENGTH, help_text="The other side reads it.")

    def __init__(self, sent: QueryDict | None = None, *, internship: Internship) -> None:
        super().__init__(sent)
        others = active_mentors().exclude(pk=internship.mentor_id)
        self.fields["mentor"].queryset = others  # type: ignore[attr-defined]

    def wish(self) -> Wish:
        """What was asked for; the form is valid."""
        return Wish(**self.cleaned_data)


class AnswerForm(forms.Form):
    """What the other side answers; the button that was pressed says whether they agree."""

    answer = forms.CharField(
        label="Your answer", max_length=REASON_LENGTH, required=False, help_text="Say why if you refuse."
    )
    choice = forms.ChoiceField(choices=[("agree", "Agree"), ("refuse", "Refuse")])

    def words(self) -> dict[str, Any]:
        """What the service takes; the form is valid."""
        return {"is_agreed": self.cleaned_data["choice"] == "agree", "words": self.cleaned_data["answer"]}


class MessageForm(forms.Form):
    """A message to the other side."""

    text = long_text(label="Message", required=True, length=MESSAGE_LENGTH)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].widget.attrs["rows"] = 3
