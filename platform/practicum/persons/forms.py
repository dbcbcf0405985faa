"""The form of a deletion."""

from __future__ import annotations

from django import forms


class DeletionForm(forms.Form):
    """The username once more, so that nobody deletes anything by accident."""

    certificates = forms.ChoiceField(
        label="Certificates that were issued",
        required=False,
        choices=[
            ("revoke", "Revoke them and delete what they say"),
            ("keep", "Keep them, with the name on them and the work they are about, so that they can still be checked"),
        ],
        initial="revoke",
    )
    username = forms.CharField(
        max_length=31,
        help_text="Type it to confirm.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: object, has_certificates: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        if not has_certificates:
            del self.fields["certificates"]
