"""What an internship's record shows to whom: check-ins, requests, and the timeline of what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.timezone import localdate

from practicum.accounts.models import User
from practicum.audit.models import Record
from practicum.errors import NotFound
from practicum.internships.changes import is_side, may_answer
from practicum.internships.models import Change, ChangeState, CheckIn, Internship, Milestone
from practicum.internships.rules import is_shown

VERBS = {
    "internship.started": ("active", "The internship began"),
    "internship.completed": ("completed", "The internship was completed"),
    "internship.ended": ("failed", "The internship ended early"),
    "internship.extended": ("changes", "The last day was moved"),
    "internship.paused": ("changes", "A pause began"),
    "internship.resumed": ("active", "It went on"),
    "internship.mentor_changed": ("changes", "Another mentor took over"),
}


@dataclass(frozen=True)
class Event:
    """A line of the timeline, as ``components/timeline.html`` draws it."""

    at: datetime
    state: str
    message: str


@dataclass(frozen=True)
class Week:
    """A week's check-in as one person sees it; a side that is hidden yet is ``None`` and ``waits``."""

    number: int
    interns: CheckIn | None
    mentors: CheckIn | None
    waits: str

    @property
    def sides(self) -> list[CheckIn]:
        """What can be read of it."""
        return [side for side in (self.interns, self.mentors) if side is not None]


def weeks_of(internship: Internship, *, viewer: User, now: datetime) -> list[Week]:
    """The check-ins, the latest first. Each side sees its own at once; admins see what both sides see."""
    by_week: dict[int, dict[bool, CheckIn]] = {}
    for row in CheckIn.objects.filter(internship=internship).select_related("author"):
        by_week.setdefault(row.week, {})[row.is_mentors] = row
    return [_week(number, sides, viewer=viewer, now=now) for number, sides in by_week.items()]


def _week(number: int, sides: dict[bool, CheckIn], *, viewer: User, now: datetime) -> Week:
    def seen(is_mentors: bool) -> CheckIn | None:
        row = sides.get(is_mentors)
        if row is None or row.author_id == viewer.pk:
            return row
        return row if is_shown(row.written_at, other_wrote=(not is_mentors) in sides, now=now) else None

    hidden = [side for is_mentors, side in ((False, "intern"), (True, "mentor")) if is_mentors in sides]
    hidden = [side for side in hidden if seen(side == "mentor") is None]
    return Week(number, seen(False), seen(True), waits=hidden[0] if hidden else "")


def own_check_in(internship: Internship, *, viewer: User, now: datetime) -> CheckIn | None:
    """What this person wrote this week, or None."""
    week = internship.cohort.week(today=localdate(now))
    is_mentors = viewer.pk == internship.mentor_id
    return CheckIn.objects.filter(internship=internship, week=week, is_mentors=is_mentors).first()


def may_check_in(internship: Internship, *, viewer: User, now: datetime) -> bool:
    """This person has something to write this week, or may still change it."""
    if not is_side(viewer, internship=internship) or internship.state not in ("active", "paused"):
        return False
    week = internship.cohort.week(today=localdate(now))
    sides = {row.is_mentors: row for row in CheckIn.objects.filter(internship=internship, week=week)}
    mine = sides.get(viewer.pk == internship.mentor_id)
    is_seen = mine is not None and is_shown(mine.written_at, other_wrote=len(sides) == 2, now=now)
    return week > 0 and not is_seen


def change_of(internship: Internship, *, change_id: int) -> Change:
    """A request in this internship, which the caller may see.

    Raises:
        NotFound: there is none.
    """
    rows = Change.objects.select_related("internship__cohort", "internship__intern", "internship__mentor", "mentor")
    change = rows.filter(internship=internship, pk=change_id).first()
    if change is None:
        raise NotFound
    return change


def open_changes(internship: Internship, *, viewer: User, now: datetime) -> list[dict[str, Any]]:
    """Requests that are not answered, with what this person may do about each."""
    rows = Change.objects.filter(internship=internship, state=ChangeState.OPEN)
    return [
        {
            "change": row,
            "may_answer": may_answer(viewer, change=row, now=now),
            "is_own": row.asked_by_id == viewer.pk,
        }
        for row in rows.select_related("asked_by", "mentor", "internship")
    ]


def timeline_of(internship: Internship) -> list[Event]:
    """What happened, from the first: from the record, without the reasons that only admins keep."""
    rows = Record.objects.filter(object_type=internship._meta.label_lower, object_id=str(internship.pk))
    events = [Event(row.at, *VERBS[row.verb]) for row in rows.filter(verb__in=VERBS)]
    for row in rows.filter(verb="internship.message").select_related("actor"):
        events.append(Event(row.at, "kept", f"{row.actor} wrote: “{row.facts['text']}”"))
    for milestone in Milestone.objects.filter(internship=internship, reached_at__isnull=False):
        assert milestone.reached_at is not None
        events.append(Event(milestone.reached_at, "reached", f"Milestone reached: {milestone.title}"))
    for note in CheckIn.objects.filter(internship=internship).select_related("author"):
        events.append(Event(note.written_at, "kept", f"{note.author} wrote the check-in of week {note.week}"))
    for change in Change.objects.filter(internship=internship).select_related("asked_by", "answered_by", "mentor"):
        events += _events_of(change)
    return sorted(events, key=lambda event: event.at)


def _events_of(change: Change) -> list[Event]:
    events = [Event(change.asked_at, "queued", f"{change.asked_by} asked: {change.what}. “{change.reason}”")]
    if change.answered_at is None:
        return events
    said = f" “{change.answer}”" if change.answer else ""
    words = {
        ChangeState.AGREED: ("accepted", f"{change.answered_by} agreed.{said}"),
        ChangeState.REFUSED: ("invalid", f"{change.answered_by} refused.{said}"),
        ChangeState.TAKEN_BACK: ("quiet", f"{change.asked_by} took it back: {change.what}"),
        ChangeState.LAPSED: ("quiet", f"Nobody needs to answer any more: {change.what}"),
    }
    return [*events, Event(change.answered_at, *words[ChangeState(change.state)])]
