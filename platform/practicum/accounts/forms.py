"""The forms of sign-in and account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password

from practicum.accounts.kinds import Kind
from practicum.accounts.models import MailWay, NoticeChoice, User
from practicum.accounts.notices import Way

HOURS = [("", "No daily mail"), *((str(hour), f"{hour:02}:00") for hour in range(24))]


class SignInForm(forms.Form):
    """A username or e-mail address, and a password."""

    account = forms.CharField(
        label="Username or e-mail",
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "current-password"}),
    )


class NameForm(forms.Form):
    """The name other people see."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))


class PasswordForm(forms.Form):
    """The password in use, and the next one twice."""

    current = forms.CharField(
        label="Current password",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    password = forms.CharField(
        label="New password",
        strip=False,
        max_length=1000,
        help_text="At least ten characters; three or four unrelated words are good.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="New password again",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_current(self) -> str:
        """It must be the password of the account."""
        current: str = self.cleaned_data["current"]
        if not self.user.check_password(current):
            raise forms.ValidationError("This is not your current password.")
        return current

    def clean_password(self) -> str:
        """It must be hard to guess, and another than now."""
        password: str = self.cleaned_data["password"]
        if self.user.check_password(password):
            raise forms.ValidationError("This is the password you have now; choose another.")
        validate_password(password, self.user)
        return password

    def clean(self) -> dict[str, Any]:
        """Both must be the same."""
        cleaned = super().clean() or {}
        if "password" in cleaned and cleaned["password"] != cleaned.get("again"):
            self.add_error("again", "This is not the same as the new password.")
        return cleaned


class NoticeForm(forms.Form):
    """How to be told."""

    by_email = forms.BooleanField(label="By e-mail", required=False)
    webhook_url = forms.CharField(
        label="By webhook, to this address",
        required=False,
        max_length=500,
        help_text="For a chat or a program of yours: each notice is posted to it as signed JSON. Empty: no webhook.",
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
    )


class KindsForm(forms.Form):
    """When the daily mail comes, and how each kind of notice does: two fields a kind, ``mail-…`` and ``webhook-…``."""

    digest_hour = forms.TypedChoiceField(
        label="The daily mail, from",
        required=False,
        choices=HOURS,
        coerce=int,
        empty_value=None,
        help_text="What needs you that day, and the notices you put into it. Where there is nothing, nothing is sent.",
    )

    def __init__(self, *args: Any, choices: list[tuple[Kind, NoticeChoice]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kinds = [kind for kind, _ in choices]
        for kind, chosen in choices:
            self.fields[f"mail-{kind.slug}"] = forms.ChoiceField(
                label=f"{kind.label}: by e-mail", choices=MailWay.choices, initial=chosen.mail
            )
            self.fields[f"webhook-{kind.slug}"] = forms.BooleanField(
                label=f"{kind.label}: to the webhook", required=False, initial=chosen.webhook
            )

    def rows(self) -> list[tuple[Kind, Any, Any]]:
        """Each kind with its two fields, for the table."""
        return [(kind, self[f"mail-{kind.slug}"], self[f"webhook-{kind.slug}"]) for kind in self.kinds]

    @property
    def ways(self) -> dict[str, Way]:
        """What was chosen, by the kind's slug."""
        sent = self.cleaned_data
        return {kind.slug: Way(sent[f"mail-{kind.slug}"], sent[f"webhook-{kind.slug}"]) for kind in self.kinds}
