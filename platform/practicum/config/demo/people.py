"""Accounts of invented people, with the demo's password."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.hashers import make_password

from practicum.accounts.demo import DemoAccount
from practicum.accounts.models import Role, User
from practicum.audit.services import record
from practicum.config.demo.cast import CAST, PASSWORD
from practicum.lib.clock import utc_now

# Beyond the demo's own twelve interns.
OTHERS = (
    "Amara Diallo", "Bence Kovacs", "Chiara Ricci", "Dmitri Orlov", "Elif Yildiz", "Farid Rahimi", "Greta Nilsson",
    "Hugo Laurent", "Ivana Petrovic", "Jun Tanaka", "Karim Saleh", "Lucia Ortega", "Mateo Silva", "Nele Vermeer",
    "Oskar Wolski", "Priya Nair", "Rosa Marino", "Santiago Cruz", "Thea Jensen", "Umar Siddiqui", "Vera Horak",
)  # fmt: skip
STAFF = ("ada", "mira", "otto")


def account(person: DemoAccount, *, now: datetime | None = None, password: str = "") -> User:
    """The person's account, made now if it isn't there; ``password`` is a hash made before, for many at once."""
    found = User.objects.filter(username=person.username).first()
    if found:
        return found
    user = User.objects.create(
        username=person.username,
        email=f"{person.username}@example.org",
        password=password or make_password(PASSWORD),
        name=person.name,
        role=person.role,
    )
    record("account.created", subject=user, actor=None, now=now or utc_now(), role=str(user.role))
    return user


def interns() -> list[DemoAccount]:
    """Everybody who can be an intern of a scenario, the demo's own first."""
    others = [DemoAccount(name.split()[0].lower(), name, Role.INTERN, "is in a scenario") for name in OTHERS]
    return [*(person for person in CAST if person.role == Role.INTERN), *others]


def known() -> set[str]:
    """The user names of all of them, staff included."""
    return {*(person.username for person in CAST), *(person.username for person in interns())}


def accounts_of(persons: Sequence[DemoAccount], *, now: datetime) -> dict[str, User]:
    """Their accounts by user name, and those of admin and mentors."""
    password = make_password(PASSWORD)
    staff = [person for person in CAST if person.username in STAFF]
    return {person.username: account(person, now=now, password=password) for person in (*staff, *persons)}
