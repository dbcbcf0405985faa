"""Planned maintenance: announced by an admin, told to everybody beforehand and while it lasts.

It lies in a file beside the site's own, not in a row: it must be told while the database is the thing that is being worked on,
and reading it costs a page no query. What is announced and taken back is in the record of verbs.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.timezone import get_current_timezone_name, localtime

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.audit.services import record
from practicum.errors import Conflict, Invalid
from practicum.evaluation.models import OPEN_RUN_STATES, Run
from practicum.workspaces.models import OPEN_SESSION_STATES, Session

FILE = "maintenance.json"
TOLD_BEFORE = timedelta(hours=48)
LONGEST = timedelta(days=7)
FARTHEST = timedelta(days=60)
MESSAGE_LENGTH = 300


@dataclass(frozen=True)
class Maintenance:
    """From when to when, and what people should know."""

    starts_at: datetime
    ends_at: datetime
    message: str
    # When it was announced first: by this those who were told of it are found.
    since: str = ""

    def is_told(self, *, now: datetime) -> bool:
        """It is near enough for everybody to be told on every page."""
        return self.starts_at - TOLD_BEFORE <= now < self.ends_at

    def is_on(self, *, now: datetime) -> bool:
        """It has begun."""
        return self.starts_at <= now < self.ends_at


def planned(*, now: datetime) -> Maintenance | None:
    """What is announced and not over; None where nothing is. A file that can't be read announces nothing."""
    try:
        held = json.loads(_file().read_text())
        found = Maintenance(
            datetime.fromisoformat(held["starts_at"]), datetime.fromisoformat(held["ends_at"]), str(held["message"]),
            str(held.get("since", "")),
        )  # fmt: skip
        return found if now < found.ends_at else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def announce(*, starts_at: datetime, ends_at: datetime, message: str, actor: User, now: datetime) -> Maintenance:
    """Everybody is told from two days before; what was announced before is replaced. Whoever has a notebook open, or work that
    waits or runs, is told at once, as they chose to be.

    Raises:
        Invalid: it is over already, ends before it begins, is too long or too far away.
    """
    if ends_at <= starts_at:
        raise Invalid("It has to end after it begins.", field="ends_at")
    if ends_at <= now:
        raise Invalid("It would be over already.", field="ends_at")
    if ends_at - starts_at > LONGEST:
        raise Invalid(f"At most {LONGEST.days} days can be announced.", field="ends_at")
    if starts_at - now > FARTHEST:
        raise Invalid(f"At most {FARTHEST.days} days ahead can be announced.", field="starts_at")
    before = planned(now=now)
    is_same = before is not None and (before.starts_at, before.ends_at) == (starts_at, ends_at)
    since = before.since if before is not None and is_same else now.isoformat()
    made = Maintenance(starts_at, ends_at, message.strip()[:MESSAGE_LENGTH], since)
    times = {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    with transaction.atomic():
        record("maintenance.announced", subject=actor, actor=actor, now=now, **times)
        if before is not None and not is_same:
            _tell_off(before, now=now)
        for person in people_at_work():
            _tell(person, made, now=now)
        _write(json.dumps({**times, "message": made.message, "since": since}))
    return made


def withdraw(*, actor: User, now: datetime) -> None:
    """Nobody is told any more.

    Raises:
        Conflict: nothing is announced.
    """
    found = planned(now=now)
    if found is None:
        raise Conflict("No maintenance is announced.")
    with transaction.atomic():
        record("maintenance.withdrawn", subject=actor, actor=actor, now=now, starts_at=found.starts_at.isoformat())
        _tell_off(found, now=now)
        _file().unlink(missing_ok=True)


def people_at_work() -> QuerySet[User]:
    """Who has a notebook open or in line, or a run that waits or goes on."""
    notebooks = Session.objects.filter(state__in=OPEN_SESSION_STATES).values("user")
    runs = Run.objects.filter(state__in=OPEN_RUN_STATES).values("submission__internship__intern")
    return User.objects.filter(Q(pk__in=notebooks) | Q(pk__in=runs))


def _tell(person: User, announced: Maintenance, *, now: datetime) -> None:
    body = f"The site is worked on {_term(announced)}. {announced.message or 'Save what you have open before.'}"
    notify(
        person, kind="maintenance.announced", subject=f"Maintenance {_term(announced)}", body=body,
        path=reverse("portal:status"), key=_key(announced), now=now,
    )  # fmt: skip


def _tell_off(announced: Maintenance, *, now: datetime) -> None:
    """Whoever was told of it is told that it does not take place."""
    for person in User.objects.filter(notices__key=_key(announced)):
        notify(
            person, kind="maintenance.withdrawn", subject=f"No maintenance {_term(announced)}", body="It was taken back.",
            path=reverse("portal:status"), key=f"{_key(announced)}:withdrawn", now=now,
        )  # fmt: skip


def _key(announced: Maintenance) -> str:
    return f"maintenance:{announced.since}:{announced.starts_at.timestamp():.0f}"


def _term(announced: Maintenance) -> str:
    starts, ends = localtime(announced.starts_at), localtime(announced.ends_at)
    until = f"{ends:%H:%M}" if starts.date() == ends.date() else f"{ends:%A %d %B, %H:%M}"
    return f"from {starts:%A %d %B, %H:%M} to {until} ({get_current_timezone_name()})"


def _file() -> Path:
    return Path(settings.PRACTICUM_DATA_DIR) / FILE


def _write(text: str) -> None:
    """As a whole: no page ever reads half of it."""
    file = _file()
    with NamedTemporaryFile("w", dir=file.parent, prefix=f".{FILE}.", delete=False) as fresh:
        fresh.write(text)
    try:
        Path(fresh.name).chmod(0o644)
        Path(fresh.name).replace(file)
    except OSError:
        with suppress(OSError):
            Path(fresh.name).unlink()
        raise
