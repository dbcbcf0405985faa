"""The accounts of the demo, as its sign-in page lists them. Nothing here is read outside the demo environment."""

from __future__ import annotations

from dataclasses import dataclass

from practicum.accounts.models import Role

PASSWORD = "practicum-demo"  # noqa: S105 -- printed on the sign-in page of the demo


@dataclass(frozen=True)
class DemoAccount:
    """An invented person, and what to look at with their account."""

    username: str
    name: str
    role: Role
    what: str


ACCOUNTS = (
    DemoAccount("ines", "Ines Moreau", Role.INTERN, "has a notebook open and waits for a review"),
    DemoAccount("kofi", "Kofi Mensah", Role.INTERN, "has not started yet"),
    DemoAccount("noor", "Noor Rahman", Role.INTERN, "has just handed in"),
    DemoAccount("tomas", "Tomas Novak", Role.INTERN, "waits for a review"),
    DemoAccount("lin", "Lin Zhao", Role.INTERN, "was asked for changes"),
    DemoAccount("sam", "Sam Whitaker", Role.INTERN, "is done"),
    DemoAccount("nadia", "Nadia Haddad", Role.INTERN, "has applied to the winter cohort"),
    DemoAccount("mira", "Mira Castellano", Role.MENTOR, "of the digits project"),
    DemoAccount("otto", "Otto Lindqvist", Role.MENTOR, "of features without labels"),
    DemoAccount("ada", "Ada Okafor", Role.ADMIN, "sees every GPU, person and run"),
)
