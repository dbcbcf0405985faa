"""How a certificate's facts are written, the same on the page and on paper: ``{% load certificates %}``."""

from __future__ import annotations

from django import template

from practicum.credentials import printing

register = template.Library()

DIGEST_LENGTH = 19

register.filter("written_day", printing.day_of)
register.filter("verdict_words", printing.verdict_words)


@register.filter
def short_digest(digest: str) -> str:
    """The beginning of a digest; all of it is in the signed document."""
    return f"{digest[:DIGEST_LENGTH]}…"
