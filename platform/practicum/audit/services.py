"""Writing the record. Call it inside the transaction that makes the verb true."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Model

from practicum.audit.models import Record


def record(verb: str, *, subject: Model, actor: AbstractBaseUser | None, now: datetime, **facts: Any) -> Record:
    """Append one record: ``actor`` (None: the platform) did ``verb`` to ``subject``. ``facts`` must be JSON values."""
    return Record.objects.create(
        at=now,
        actor=cast(Any, actor),  # the user model lies above this room
        verb=verb,
        object_type=subject._meta.label_lower,
        object_id=str(subject.pk),
        facts=facts,
    )


def record_all(verb: str, entries: Iterable[tuple[Model, dict[str, Any]]], *, now: datetime) -> None:
    """Append one record for each subject and its facts, in one go: the platform did ``verb`` to all of them."""
    Record.objects.bulk_create(
        Record(at=now, verb=verb, object_type=subject._meta.label_lower, object_id=str(subject.pk), facts=facts)
        for subject, facts in entries
    )


def record_of_the_site(verb: str, *, now: datetime, **facts: Any) -> Record:
    """Append one record of what was done to the site as a whole, by whoever runs its server."""
    return Record.objects.create(at=now, verb=verb, object_type="site", object_id="site", facts=facts)
