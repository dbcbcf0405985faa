"""How a certificate's facts are written, the same on the page and on paper: ``{% load certificates %}``."""

from __future__ import annotations

from django import template

from practicum.credentials import wording

register = template.Library()

DIGEST_LENGTH = 19

register.filter("written_day", wording.day_of)
register.filter("verdict_words", wording.verdict_words)


@register.filter
def short_digest(digest: str) -> str:
    """The beginning of a digest; all of it is in the signed document."""
    return f"{digest[:DIGEST_LENGTH]}…"
