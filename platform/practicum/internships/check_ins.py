"""The check-in of a week: each side writes in five minutes, and both see both once both wrote or a week has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.timezone import localdate

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden, Invalid
from practicum.internships import telling
from practicum.internships.changes import is_side
from practicum.internships.models import GOING_ON, CheckIn, Internship
from practicum.internships.rules import is_shown

LONGEST = 1000


@dataclass(frozen=True)
class Note:
    """What went well or not, what comes next, and where one is stuck."""

    went: str
    following: str
    stuck: str


@transaction.atomic
def check_in(actor: User, *, internship: Internship, note: Note, now: datetime) -> CheckIn:
    """Write this week's, or change it while the other side has not seen it.

    Raises:
        Forbidden: the actor is neither its intern nor its mentor.
        Invalid: something is missing or too long.
        Conflict: the internship is over or has not begun, or the other side has seen this week's.
    """
    if not is_side(actor, internship=internship):
        raise Forbidden("Only the intern and the mentor write check-ins.")
    week = internship.cohort.week(today=localdate(now))
    if internship.state not in GOING_ON or week == 0:
        raise Conflict("Check-ins are written while the internship goes on.")
    for field in ("went", "following", "stuck"):
        text = getattr(note, field)
        if len(text) > LONGEST or (field != "stuck" and not text.strip()):
            raise Invalid(f"Write something, at most {LONGEST} characters.", field=field)
    is_mentors = actor.pk == internship.mentor_id
    Internship.objects.select_for_update().get(pk=internship.pk)
    both = {row.is_mentors: row for row in CheckIn.objects.filter(internship=internship, week=week)}
    mine, theirs = both.get(is_mentors), both.get(not is_mentors)
    if mine is not None and is_shown(mine.written_at, other_wrote=theirs is not None, now=now):
        raise Conflict("The other side has seen this week's check-in, so it stays as it is.")
    said = {"went": note.went.strip(), "following": note.following.strip(), "stuck": note.stuck.strip()}
    row, is_new = CheckIn.objects.update_or_create(
        internship=internship, week=week, is_mentors=is_mentors, defaults=said | {"author": actor, "written_at": now}
    )
    record("check_in.written", subject=row, actor=actor, now=now, week=week)
    if is_new:
        telling.checked_in(row, is_complete=theirs is not None, now=now)
    return row
