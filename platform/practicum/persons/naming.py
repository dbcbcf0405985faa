"""A person's name and address in texts that stay: in what the site wrote about them, in others' words, in the record.

The full name and the e-mail address are found as whole words, in any text of any row that leads to a person; the username
where it is the whole of a fact in the record. A first name alone, or a name of one word, is not looked for: it may be
anybody's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.urls import reverse

from practicum.accounts.models import Notice, User
from practicum.audit.models import Record
from practicum.catalog.models import ProjectVersion
from practicum.credentials.models import Certificate, SignedDocument
from practicum.internships.models import Application, Internship
from practicum.persons.fields import personal_models, texts_of
from practicum.persons.register import GONE

# Facts of the record that are somebody's own words.
OWN_WORDS = ("answer", "body", "purpose", "reason", "text")
# Notices that repeat what one side of an internship wrote to the other.
TOLD_IN_OWN_WORDS = ("change.answered", "change.asked", "internship.message")
# Texts that a signature or a digest holds as they are: a person's own certificates are emptied before this, where they did not
# choose to keep them; those of a mentor's interns go on naming the mentor.
SEALED = (Certificate, SignedDocument, ProjectVersion)


@dataclass(frozen=True)
class Names:
    """What is looked for, and what stands there afterwards."""

    username: str
    name: str
    email: str
    new_username: str
    new_name: str
    new_email: str

    @property
    def sought(self) -> dict[str, str]:
        """Each text that is looked for, and what takes its place."""
        found = {self.email: self.new_email} if self.email else {}
        return found | ({self.name: self.new_name} if " " in self.name.strip() else {})

    def in_text(self, text: str) -> str:
        """The text without them."""
        for old, new in self.sought.items():
            text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _, new=new: new, text, flags=re.IGNORECASE)  # type: ignore[misc]
        return text

    def in_value(self, value: Any) -> Any:
        """The same for everything inside a JSON value; the username where it is all there is."""
        if isinstance(value, str):
            return self.new_username if value == self.username else self.in_text(value)
        if isinstance(value, list):
            return [self.in_value(one) for one in value]
        if isinstance(value, dict):
            return {key: self.in_value(one) for key, one in value.items()}
        return value


def forget_names(person: User, *, names: Names) -> None:
    """Nothing that stays says any more who this account belonged to. Doing it twice changes nothing more."""
    _forget_told_words(person)
    for model in sorted(personal_models() - {User, Record, *SEALED}, key=lambda model: model._meta.label):
        for field in texts_of(model):
            _sweep(model, field, names=names)
    _sweep_record(person, names=names)


def _forget_told_words(person: User) -> None:
    own = [reverse("internships:record", args=[pk]) for pk in person.internships.values_list("pk", flat=True)]
    theirs = Q(path__in=own) | Q(subject__startswith=f"{person} ") | Q(body__startswith=f"{person} answered.")
    Notice.objects.filter(theirs, kind__in=TOLD_IN_OWN_WORDS).delete()


def _sweep(model: type[models.Model], field: str, *, names: Names) -> None:
    is_json = isinstance(model._meta.get_field(field), models.JSONField)
    for pk, value in _rows_with(model._default_manager.all(), field, names=names).values_list("pk", field):
        changed = names.in_value(value) if is_json else names.in_text(value)
        if changed != value:
            model._default_manager.filter(pk=pk).update(**{field: changed})


def _rows_with(rows: Any, field: str, *, names: Names) -> Any:
    """Rows whose field has one of them in it; JSON may be kept with letters beyond ASCII escaped."""
    found = Q(pk__in=())
    for old in names.sought:
        found |= Q(swept__icontains=old) | Q(swept__icontains=json.dumps(old)[1:-1])
    return rows.annotate(swept=Cast(field, TextField())).filter(found)


@transaction.atomic
def _sweep_record(person: User, *, names: Names) -> None:
    """The verbs, times and things stay; names and own words in the facts go."""
    mine = Q(actor=person) | _about(person)
    for record in Record.objects.filter(mine):
        facts = {key: GONE if key in OWN_WORDS else names.in_value(value) for key, value in record.facts.items()}
        _rewrite(record, facts=facts)
    told = Record.objects.annotate(swept=Cast("facts", TextField())).filter(swept__icontains=f'"{names.username}"')
    for record in [*told, *_rows_with(Record.objects.all(), "facts", names=names)]:
        _rewrite(record, facts=names.in_value(record.facts))


def _rewrite(record: Record, *, facts: dict[str, Any]) -> None:
    if facts != record.facts:
        Record.objects.put_under_pseudonym(record, facts=facts)


def _about(person: User) -> Q:
    """Records of what was done to this person's account, applications, internships and certificates."""
    things: list[tuple[type[models.Model], Any]] = [
        (User, [person.pk]),
        (Application, person.applications.values_list("pk", flat=True)),
        (Internship, person.internships.values_list("pk", flat=True)),
        (Certificate, Certificate.objects.filter(internship__intern=person).values_list("pk", flat=True)),
    ]
    found = Q(pk__in=())
    for model, keys in things:
        found |= Q(object_type=model._meta.label_lower, object_id__in=[str(key) for key in keys])
    return found
