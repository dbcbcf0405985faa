"""The record of every verb, as admins search it and take it away.

Words: a *record* is one verb (``audit.models.Record``). Records come newest first, by their number, which grows with time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.timezone import make_aware

from practicum.audit.models import Record
from practicum.lib import spreadsheet

PLATFORM = "practicum"
AT_ONCE = 2_000
COLUMNS = ("number", "at", "actor", "verb", "object_type", "object_id", "facts")
# Where a record's object has a page of its own.
PAGES = {
    "accounts.user": ("persons:account", int),
    "credentials.certificate": ("credentials:certificate", str),
    "gpus.reservation": ("gpus:reservation", int),
    "gpus.server": ("gpus:server", str),
    "internships.internship": ("portal:internship", int),
    "submissions.submission": ("portal:submission", int),
}


@dataclass(frozen=True)
class Wanted:
    """Which records: ``text`` anywhere in verb, object or facts; ``actor`` a username, or ``practicum`` for the platform
    itself; ``area`` the first word of the verb; ``first`` and ``last`` day, in the site's time. Empty: all.
    """

    text: str = ""
    actor: str = ""
    area: str = ""
    first: date | None = None
    last: date | None = None


def records(wanted: Wanted) -> QuerySet[Record]:
    """The records wanted, newest first, each with who did it."""
    rows = Record.objects.select_related("actor").order_by("-pk")
    if wanted.actor == PLATFORM:
        rows = rows.filter(actor__isnull=True)
    elif wanted.actor:
        rows = rows.filter(actor__username=wanted.actor)
    if wanted.area:
        rows = rows.filter(Q(verb=wanted.area) | Q(verb__startswith=f"{wanted.area}."))
    if wanted.first:
        rows = rows.filter(at__gte=_midnight(wanted.first))
    if wanted.last:
        rows = rows.filter(at__lt=_midnight(wanted.last + timedelta(days=1)))
    for word in wanted.text.split():
        rows = rows.annotate(told=Cast("facts", TextField())).filter(
            Q(verb__icontains=word) | Q(object_type__icontains=word) | Q(object_id=word) | Q(told__icontains=word)
        )
    return rows


def areas() -> list[str]:
    """The first words of all verbs there are, in order."""
    return sorted(
        {verb.partition(".")[0] for verb in Record.objects.order_by().values_list("verb", flat=True).distinct()}
    )


def page_of(record: Record) -> str:
    """The address of the page of what the verb was done to; empty where it has none."""
    if record.object_type not in PAGES:
        return ""
    name, kind = PAGES[record.object_type]
    try:
        return reverse(name, args=[kind(record.object_id)])
    except ValueError:
        return ""


def csv_lines(wanted: Wanted) -> Iterator[str]:
    """The records as CSV, line by line; the facts are one cell of JSON."""
    rows = ((row | {"facts": json.dumps(row["facts"])}).values() for row in _rows(wanted))
    return spreadsheet.csv_lines(COLUMNS, rows)


def json_lines(wanted: Wanted) -> Iterator[str]:
    """The records as JSON, one on each line."""
    for row in _rows(wanted):
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _rows(wanted: Wanted) -> Iterator[dict[str, Any]]:
    for record in records(wanted).iterator(chunk_size=AT_ONCE):
        yield {
            "number": record.pk,
            "at": _written(record.at),
            "actor": record.actor.username if record.actor else PLATFORM,
            "verb": record.verb,
            "object_type": record.object_type,
            "object_id": record.object_id,
            "facts": record.facts,
        }


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.min))
