"""What intern and mentor ask of each other: more time, a pause, another mentor, an early end; and what the other answers.

Who is asked has three days; after them an admin may answer too. What was agreed on happens in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.timezone import localdate

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships import services, telling
from practicum.internships.models import GOING_ON, Change, ChangeKind, ChangeState, Internship, InternshipState
from practicum.internships.rules import is_silent, unfit_until
from practicum.internships.services import REASON_LENGTH, check_mentor

MESSAGE_LENGTH = 1000


@dataclass(frozen=True)
class Wish:
    """What is asked for, and why."""

    kind: str
    reason: str
    until: date | None = None
    mentor: User | None = None


def is_side(person: User, *, internship: Internship) -> bool:
    """This person is the internship's intern or its mentor."""
    return person.pk in (internship.intern_id, internship.mentor_id)


def may_answer(person: User, *, change: Change, now: datetime) -> bool:
    """This person is the side that was asked, or an admin after silence."""
    internship = change.internship
    if person.is_admin:
        return is_silent(change.asked_at, now=now)
    asked = internship.mentor_id if change.asked_by_id == internship.intern_id else internship.intern_id
    return person.pk == asked


@transaction.atomic
def ask(actor: User, *, internship: Internship, wish: Wish, now: datetime) -> Change:
    """Ask the other side, who is told.

    Raises:
        Forbidden: the actor is neither its intern nor its mentor.
        Invalid: reason, day or mentor can't be used; ``field`` says which.
        Conflict: the internship is over, or the same is asked for already.
    """
    if not is_side(actor, internship=internship):
        raise Forbidden("Only the intern and the mentor ask each other. Admins change it on the internship's page.")
    _check_wish(wish, internship=internship, today=localdate(now))
    is_pause = wish.kind == ChangeKind.PAUSE
    if internship.state not in GOING_ON or (is_pause and internship.state != InternshipState.ACTIVE):
        raise Conflict("This internship is over, or is paused already.")
    has_day = wish.kind in (ChangeKind.PAUSE, ChangeKind.EXTENSION)
    try:
        with transaction.atomic():
            change = Change.objects.create(
                internship=internship,
                kind=wish.kind,
                asked_by=actor,
                asked_at=now,
                reason=wish.reason.strip(),
                until=wish.until if has_day else None,
                mentor=wish.mentor if wish.kind == ChangeKind.MENTOR else None,
            )
    except IntegrityError as clash:
        raise Conflict("This is asked for already, and not answered yet.") from clash
    record("change.asked", subject=change, actor=actor, now=now, kind=wish.kind)
    telling.asked(change, now=now)
    return change


def _check_wish(wish: Wish, *, internship: Internship, today: date) -> None:
    if wish.kind not in ChangeKind.values:
        raise Invalid("Choose what you ask for.", field="kind")
    _check_words(wish.reason, field="reason")
    if wish.kind in (ChangeKind.PAUSE, ChangeKind.EXTENSION):
        is_pause = wish.kind == ChangeKind.PAUSE
        unfit = unfit_until(wish.until, is_pause=is_pause, last_day=internship.last_day, today=today)
        if unfit:
            raise Invalid(unfit, field="until")
    if wish.kind == ChangeKind.MENTOR:
        if wish.mentor is None:
            raise Invalid("Choose a mentor.", field="mentor")
        check_mentor(internship, mentor=wish.mentor)


def _check_words(words: str, *, field: str) -> None:
    if not words.strip() or len(words.strip()) > REASON_LENGTH:
        raise Invalid(f"Say why, in at most {REASON_LENGTH} characters.", field=field)


@transaction.atomic
def answer(actor: User, *, change: Change, is_agreed: bool, words: str, now: datetime) -> Change:
    """Agree, and it happens; or refuse, and say why. Who asked is told.

    Raises:
        Forbidden: the actor was not asked, or is an admin and the other side still has time.
        Invalid: it is refused without a reason, or the words are too long.
        Conflict: it was answered or taken back, or can't be done any more.
    """
    if not may_answer(actor, change=change, now=now):
        raise Forbidden("The other side answers this; an admin may after three days of silence.")
    words = words.strip()
    if not is_agreed or words:
        _check_words(words, field="answer")
    state = ChangeState.AGREED if is_agreed else ChangeState.REFUSED
    rows = Change.objects.filter(pk=change.pk, state=ChangeState.OPEN)
    if not rows.update(state=state, answer=words, answered_by=actor, answered_at=now):
        raise Conflict("This was answered or taken back already.")
    change.refresh_from_db()
    record("change.agreed" if is_agreed else "change.refused", subject=change, actor=actor, now=now, kind=change.kind)
    telling.replied(change, now=now)
    if is_agreed:
        _carry_out(change, actor=actor, now=now)
    return change


def _carry_out(change: Change, *, actor: User, now: datetime) -> None:
    internship = change.internship
    if change.kind == ChangeKind.END:
        services.close_early(internship, reason=change.reason, actor=actor, now=now)
    elif change.kind == ChangeKind.MENTOR:
        assert change.mentor is not None
        services.hand_over(internship, mentor=change.mentor, actor=actor, now=now)
        telling.became_mentor(change, now=now)
    else:
        assert change.until is not None
        act = services.pause if change.kind == ChangeKind.PAUSE else services.extend
        act(internship, until=change.until, actor=actor, now=now)


@transaction.atomic
def take_back(actor: User, *, change: Change, now: datetime) -> None:
    """Who asked does not want it any more.

    Raises:
        Forbidden: somebody else asked.
        Conflict: it was answered already.
    """
    if change.asked_by_id != actor.pk:
        raise Forbidden("Only who asked takes it back.")
    rows = Change.objects.filter(pk=change.pk, state=ChangeState.OPEN)
    if not rows.update(state=ChangeState.TAKEN_BACK, answered_at=now):
        raise Conflict("This was answered already.")
    record("change.taken_back", subject=change, actor=actor, now=now)


@transaction.atomic
def go_on(actor: User, *, internship: Internship, now: datetime) -> None:
    """End a pause before its day; either side may, and the other is told.

    Raises:
        Forbidden: the actor is neither side, nor an admin.
        Conflict: it is not paused.
    """
    if not (actor.is_admin or is_side(actor, internship=internship)):
        raise Forbidden("Only the intern, the mentor and admins end a pause.")
    services.resume(internship, actor=actor, now=now)
    telling.resumed(internship, by=actor, now=now)


@transaction.atomic
def write_to(actor: User, *, internship: Internship, text: str, now: datetime) -> None:
    """A message to the other side, kept on record; an admin writes to the intern.

    Raises:
        Forbidden: the actor is neither side, nor an admin.
        Invalid: it is empty or too long.
    """
    if not (actor.is_admin or is_side(actor, internship=internship)):
        raise Forbidden("Only the intern, the mentor and admins write here.")
    text = text.strip()
    if not text or len(text) > MESSAGE_LENGTH:
        raise Invalid(f"Write something, at most {MESSAGE_LENGTH} characters.", field="text")
    kept = record("internship.message", subject=internship, actor=actor, now=now, text=text)
    telling.wrote(internship, by=actor, text=text, key=str(kept.pk), now=now)
