"""Who works where in the demo. The accounts themselves are in ``accounts.demo``, where the sign-in page lists them."""

from __future__ import annotations

from practicum.accounts.demo import ACCOUNTS as CAST
from practicum.accounts.demo import PASSWORD

__all__ = ["CAST", "PASSWORD", "PLACES"]

# intern: (mentor, project)
PLACES = {
    "ines": ("mira", "digits"),
    "kofi": ("mira", "digits"),
    "noor": ("mira", "digits"),
    "tomas": ("otto", "features-without-labels"),
    "lin": ("otto", "features-without-labels"),
    "sam": ("mira", "digits"),
}
