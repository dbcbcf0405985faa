"""Fields of forms that more than one room uses."""

from __future__ import annotations

from typing import Any

from django import forms


class YesOrNoField(forms.TypedChoiceField):
    """A yes or no that is chosen in words. Its choices are ``yes``, ``no`` and, where it may be left open, an empty one, which
    is None.
    """

    def __init__(self, **more: Any) -> None:
        told = {"invalid_choice": "Choose one of the list."}
        super().__init__(coerce=lambda chosen: chosen == "yes", empty_value=None, error_messages=told, **more)

    def prepare_value(self, value: Any) -> Any:
        """The choice of what the form begins with; what was sent stays as it is."""
        return {None: "", False: "no", True: "yes"}.get(value, value)
