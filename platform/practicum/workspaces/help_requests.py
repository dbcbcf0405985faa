"""What interns and mentors do about help in a running notebook; each step one conditional UPDATE with its record.

::

    asked ──▶ reading ◀──▶ hands_asked ──▶ hands
      └───────────┴──────────────┴───────────┴──▶ ended

The intern asks, and so lets their mentor read; only the intern lets them work in it; either ends it, and so does
its time, or the end of what it stands on. With hands a mentor is in one notebook at a time: the scripts of one intern's
JupyterLab run in the mentor's browser, and must find no other's door open.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Invalid, Stale
from practicum.internships.models import InternshipState
from practicum.lib.digest import digest_bytes
from practicum.workspaces import help_rules as rules
from practicum.workspaces import help_selectors as selectors
from practicum.workspaces import telling
from practicum.workspaces.models import OPEN_HELP_STATES, HelpNotebook, HelpRequest, HelpState, SessionState
from practicum.workspaces.selectors import open_session_of

WITHDRAWN = "The intern took it back."
BY_INTERN = "The intern ended it."
BY_MENTOR = "The mentor ended it."
TOO_OLD = (
    "Your notebook does not say who is in it, so nobody can be shown out of it again. "
    "Stop it and open it again from the site; then ask once more."
)


class Busy(Conflict):
    """The mentor has their hands in another notebook."""

    code = "busy"


@transaction.atomic
def ask(user: User, *, topic: str, minutes: int, now: datetime) -> HelpRequest:
    """The intern's mentor is asked to help in the running notebook and may read it once they come.

    Raises:
        Invalid: no topic, or minutes that nobody offers.
        Conflict: no notebook runs, or it is for a readiness check; the internship is paused, or help was asked for already.
    """
    topic = " ".join(topic.split())
    if (fault := rules.unfit_topic(topic)) is not None:
        raise Invalid(fault, field="topic")
    if minutes not in rules.MINUTES:
        raise Invalid("Choose 15, 30 or 60 minutes.", field="minutes")
    session = open_session_of(user)
    if session is None or session.state != SessionState.RUNNING:
        raise Conflict("Help is given in a running notebook. Open yours first.")
    if session.internship.is_check:
        raise Conflict("A readiness check has no mentor yet. Look things up, and take it again as often as you like.")
    if session.internship.state != InternshipState.ACTIVE:
        raise Conflict("Your internship is paused.")
    _end_what_is_over(session.help_requests.filter(state__in=OPEN_HELP_STATES), now=now)
    try:
        with transaction.atomic():
            request = HelpRequest.objects.create(
                session=session, mentor=session.internship.mentor, topic=topic, minutes=minutes, asked_at=now
            )
    except IntegrityError:
        raise Conflict("You have asked for help already.") from None
    record("help.asked", subject=request, actor=user, now=now, minutes=minutes, session=str(session.pk))
    telling.help_asked(request, now=now)
    return request


@transaction.atomic
def open_request(request: HelpRequest, *, now: datetime) -> None:
    """Its mentor is there and reads; its time runs from now.

    Raises:
        Conflict: it is over.
        Stale: it is opened already.
    """
    _check_ground(request, now=now)
    until = rules.until(minutes=request.minutes, lease_until=request.session.lease.lease_until, now=now)
    changes = {"state": HelpState.READING, "opened_at": now, "until": until}
    _move(request, states=[HelpState.ASKED], changes=changes)
    record("help.opened", subject=request, actor=request.mentor, now=now, until=until.isoformat())


@transaction.atomic
def ask_for_hands(request: HelpRequest, *, now: datetime) -> None:
    """The mentor asks to work in the notebook; the intern is shown the question.

    Raises:
        Conflict: it is over.
        Busy: they may work in another notebook now.
        Stale: they don't read it, or have asked.
    """
    _check_ground(request, now=now)
    _check_hands(request)
    _move(request, states=[HelpState.READING], changes={"state": HelpState.HANDS_ASKED})
    record("help.hands_asked", subject=request, actor=request.mentor, now=now)


@transaction.atomic
def allow_hands(request: HelpRequest, *, now: datetime) -> None:
    """The intern lets the mentor work in the notebook until the time is up or somebody ends it.

    Raises:
        Conflict: it is over, or the notebook could not show anybody out.
        Busy: the mentor works in another notebook.
        Stale: nobody asks.
    """
    _check_ground(request, now=now)
    if not rules.is_heard(request.heard_at, now=now):
        raise Conflict(TOO_OLD)
    _check_hands(request)
    changes = {"state": HelpState.HANDS, "allowed_at": now}
    try:
        with transaction.atomic():
            _move(request, states=[HelpState.HANDS_ASKED], changes=changes)
    except IntegrityError:
        raise _busy(request) from None
    record("help.hands_allowed", subject=request, actor=request.session.user, now=now)


@transaction.atomic
def refuse_hands(request: HelpRequest, *, now: datetime) -> None:
    """The intern does not; the mentor goes on reading.

    Raises:
        Stale: nobody asks.
    """
    _move(request, states=[HelpState.HANDS_ASKED], changes={"state": HelpState.READING})
    record("help.hands_refused", subject=request, actor=request.session.user, now=now)


def end_by(user: User, request: HelpRequest, *, now: datetime) -> None:
    """The intern or the mentor ends it; ended already, nothing changes."""
    is_intern = user.pk == request.session.user_id
    was_alone = request.state == HelpState.ASKED
    reason = BY_MENTOR if not is_intern else WITHDRAWN if was_alone else BY_INTERN
    _end(request, reason=reason, actor=user, now=now)


def settle(*, now: datetime) -> int:
    """End what has lost its ground or whose time is up; how many."""
    return _end_what_is_over(selectors.open_requests(), now=now)


def hear(request: HelpRequest, *, now: datetime) -> None:
    """The notebook asked who may come in."""
    HelpRequest.objects.filter(pk=request.pk).update(heard_at=now)


@transaction.atomic
def take_notebook(request: HelpRequest, *, path: str, content: bytes, now: datetime) -> None:
    """What the intern saved, for the mentor who reads; of more than a few, those saved last are kept.

    Raises:
        Invalid: the path names no notebook.
        Conflict: nobody reads.
    """
    if not rules.is_notebook_path(path):
        raise Invalid("'path' must name a notebook.", field="path")
    # Locked, so that nothing is kept of what ends meanwhile.
    row = HelpRequest.objects.select_for_update().get(pk=request.pk)
    if not row.may_read:
        raise Conflict("Nobody reads this notebook now.")
    changes = {"digest": digest_bytes(content), "content": content, "sent_at": now}
    HelpNotebook.objects.update_or_create(request=row, path=path, defaults=changes)
    kept = row.notebooks.values_list("pk", flat=True)[: rules.MOST_NOTEBOOKS]
    row.notebooks.exclude(pk__in=list(kept)).delete()


def _check_ground(request: HelpRequest, *, now: datetime) -> None:
    if not request.is_open:
        raise Conflict("This is over.")
    if (reason := selectors.reason_to_end(request, now=now)) is not None:
        raise Conflict(f"This is over. {reason}")


def _check_hands(request: HelpRequest) -> None:
    if selectors.has_hands_elsewhere(request.mentor):
        raise _busy(request)


def _busy(request: HelpRequest) -> Busy:
    return Busy(f"{request.mentor.name} works in another intern's notebook now; one at a time. End that first.")


def _end_what_is_over(requests: Iterable[HelpRequest], *, now: datetime) -> int:
    ended = 0
    for request in requests:
        if (reason := selectors.reason_to_end(request, now=now)) is not None:
            ended += _end(request, reason=reason, actor=None, now=now)
    return ended


@transaction.atomic
def _end(request: HelpRequest, *, reason: str, actor: User | None, now: datetime) -> bool:
    """It is over: nobody reads, what was read is gone, and the worker takes back what the hub was asked for."""
    changes = {"state": HelpState.ENDED, "ended_at": now, "ended_by": actor, "reason": reason}
    try:
        _move(request, states=OPEN_HELP_STATES, changes=changes)
    except Stale:
        return False
    request.notebooks.all().delete()
    had_hands = request.allowed_at is not None
    record("help.ended", subject=request, actor=actor, now=now, reason=reason, had_hands=had_hands)
    return True


def _move(request: HelpRequest, *, states: Iterable[HelpState], changes: dict[str, Any]) -> None:
    """Change the request if it is in one of ``states``.

    Raises:
        Stale: it is not.
    """
    if not HelpRequest.objects.filter(pk=request.pk, state__in=list(states)).update(**changes):
        raise Stale("This has moved on meanwhile. Look at the page again.")
    request.refresh_from_db(fields=list(changes))
