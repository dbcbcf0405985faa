"""How a certificate's facts are written, the same on the page and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import segno

OUTCOMES = {
    "better": "better than the baseline",
    "worse": "worse than the baseline",
    "not distinguishable": "not distinguishable from the baseline",
}


@cache
def qr_of(address: str) -> str:
    """A QR code of the address as a picture that a page may hold in its own text."""
    return segno.make(address, error="m", micro=False).svg_data_uri(scale=4, border=2, dark="#1c2321", light="#ffffff")


def day_of(text: str) -> str:
    """A date as it is written on paper: ``3 April 2026``."""
    return f"{date.fromisoformat(text):%-d %B %Y}"


def verdict_words(score: Mapping[str, Any]) -> str:
    """What the score is beside its baseline, in words."""
    baseline, verdict = score.get("baseline"), score.get("verdict")
    if not baseline or not verdict:
        return "there was no baseline to compare it with"
    return f"{OUTCOMES[verdict['outcome']]} of {baseline['value']:.{score['digits']}f}"
