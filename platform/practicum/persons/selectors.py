"""What a deletion would delete, anonymise and keep, counted for one person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps

from practicum.accounts.models import User
from practicum.credentials.models import Certificate, CertificateState
from practicum.persons.register import LINES, OF_INTERNSHIP, Line, What

# How the rows are found of which a program of its own takes care.
WAYS = {
    "accounts.User": "pk",
    "audit.Record": "actor",
    "credentials.Certificate": OF_INTERNSHIP,
    "credentials.SignedDocument": f"certificate__{OF_INTERNSHIP}",
    "internships.Invitation": "used_by",
    "submissions.Submission": OF_INTERNSHIP,
}
TITLES = {
    What.DELETE: "Deleted",
    What.ANONYMISE: "Emptied: the row stays, what it said goes",
    What.KEEP: "Kept, with an account without a name",
}


@dataclass(frozen=True)
class Fate:
    """Some rows of a person, how many, and why this becomes of them."""

    told: str
    count: int
    why: str


def fates_of(person: User) -> list[tuple[str, list[Fate]]]:
    """What becomes of all that is kept about this person, as far as there is any: a query for each line of the register."""
    counted = [(line, count) for line in LINES if (count := _count(line, person=person))]
    return [
        (title, list(_together((line, count) for line, count in counted if line.what == what)))
        for what, title in TITLES.items()
    ]


def _count(line: Line, *, person: User) -> int:
    way = line.of or WAYS.get(line.model, "")
    return apps.get_model(line.model)._default_manager.filter(**{way: person.pk}).count() if way else 0


def _together(counted: Iterator[tuple[Line, int]] | Any) -> Iterator[Fate]:
    """Lines that are told in the same words are one."""
    found: dict[tuple[str, str], int] = {}
    for line, count in counted:
        found[line.told, line.why] = found.get((line.told, line.why), 0) + count
    return (Fate(told, count, why) for (told, why), count in found.items())


def has_certificates(person: User) -> bool:
    """They have an issued certificate, and so a choice."""
    return Certificate.objects.filter(internship__intern=person, state=CertificateState.ISSUED).exists()
