"""Who works where in the demo. The accounts themselves are in ``accounts.demo``, where the sign-in page lists them."""

from __future__ import annotations

from practicum.accounts.demo import ACCOUNTS as LISTED
from practicum.accounts.demo import PASSWORD, DemoAccount
from practicum.accounts.models import Role

__all__ = ["APPLICANTS", "CAST", "PASSWORD", "PLACES"]

# Who applied with Nadia; the sign-in page lists only her.
APPLICANTS = (
    DemoAccount("emil", "Emil Vasile", Role.INTERN, "has a place in the winter cohort"),
    DemoAccount("hana", "Hana Sato", Role.INTERN, "has a place in the winter cohort"),
    DemoAccount("jonas", "Jonas Bauer", Role.INTERN, "has a place in the winter cohort"),
    DemoAccount("leila", "Leila Amari", Role.INTERN, "waits for a place in the winter cohort"),
    DemoAccount("pedro", "Pedro Alves", Role.INTERN, "has just applied to the winter cohort"),
)
CAST = (*LISTED, *APPLICANTS)

# intern: (mentor, project)
PLACES = {
    "ines": ("mira", "digits"),
    "kofi": ("mira", "digits"),
    "noor": ("mira", "digits"),
    "tomas": ("otto", "features-without-labels"),
    "lin": ("otto", "features-without-labels"),
    "sam": ("mira", "digits"),
}
