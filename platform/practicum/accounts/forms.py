"""The forms of sign-in and account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password

from practicum.accounts.models import User


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
