"""What needs a person today: of each role its own, then the notices they put into the daily mail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.urls import reverse
from django.utils.timezone import localdate

from practicum.accounts.models import Role, User
from practicum.accounts.notice_selectors import notices_for_digest
from practicum.digests.rules import Line, Section, days
from practicum.evaluation.models import Fault, Run, RunState
from practicum.gpus.models import ServerState
from practicum.gpus.selectors import silent_servers
from practicum.internships.models import (
    GOING_ON,
    Application,
    ApplicationState,
    Change,
    ChangeState,
    CheckIn,
    Internship,
    Milestone,
)
from practicum.internships.rules import SILENCE
from practicum.persons.models import OPEN_DELETION_STATES, Deletion
from practicum.portal.attention import rows_for
from practicum.reviews.clock import Question, inbox_of
from practicum.reviews.models import Comment

AHEAD = timedelta(days=3)
DAY = timedelta(days=1)
# Signals that the mail says in a section of its own.
SAID_ELSEWHERE = ("review-waits", "silent-mentor")


def needs_of(person: User, *, since: datetime, now: datetime) -> list[Section]:
    """The sections of this person's mail; one without lines has nothing to say."""
    return [*_of_role(person, since=since, now=now), _told(person, since=since, now=now)]


def _of_role(person: User, *, since: datetime, now: datetime) -> list[Section]:
    if person.role == Role.INTERN:
        return _of_intern(person, since=since, now=now)
    return _of_mentor(person, now=now) if person.role == Role.MENTOR else _of_admin(since=since, now=now)


def address(name: str, *arguments: Any) -> str:
    """The full address of a page."""
    return f"{settings.PRACTICUM_SITE_URL}{reverse(name, args=arguments)}"


def _told(person: User, *, since: datetime, now: datetime) -> Section:
    rows = notices_for_digest(person, since=since, until=now)
    return Section("What happened", [Line(row.subject, row.url) for row in rows])


def _of_mentor(mentor: User, *, now: datetime) -> list[Section]:
    return [
        Section("Reviews and questions that wait for you", [_waiting(line) for line in inbox_of(mentor, now=now)]),
        Section("Requests to answer", list(_requests(mentor, internships=_going_on(mentor=mentor)))),
        Section("Check-ins to answer", list(_check_ins(_going_on(mentor=mentor), is_mentors=True))),
        Section("Who needs attention", list(_attention(mentor, now=now))),
    ]


def _waiting(line: Any) -> Line:
    submission = line.submission
    what = "a question on" if isinstance(line, Question) else "submission"
    still = "" if line.is_ready else ", still being evaluated"
    words = f"{submission.internship.intern}: {what} #{submission.number}, {days(line.waits.days)}{still}"
    return Line(words, address("reviews:desk", submission.pk))


def _going_on(**of: User) -> list[Internship]:
    rows = Internship.objects.filter(state__in=GOING_ON, **of)
    return list(rows.select_related("intern", "mentor", "cohort").order_by("intern__name", "pk"))


def _requests(person: User, *, internships: list[Internship]) -> Iterable[Line]:
    rows = Change.objects.filter(internship__in=internships, state=ChangeState.OPEN).exclude(asked_by=person)
    for row in rows.select_related("asked_by", "mentor").order_by("asked_at", "pk"):
        yield Line(f"{row.asked_by} asks: {row.what}", address("internships:record", row.internship_id))


def _check_ins(internships: list[Internship], *, is_mentors: bool) -> Iterable[Line]:
    """Of each internship the last week for which the other side wrote and this one did not."""
    written: dict[int, dict[bool, int]] = {}
    for row in CheckIn.objects.filter(internship__in=internships).order_by("week"):
        written.setdefault(row.internship_id, {})[row.is_mentors] = row.week
    for internship in internships:
        weeks = written.get(internship.pk, {})
        theirs = weeks.get(not is_mentors, 0)
        if theirs > weeks.get(is_mentors, 0):
            other = internship.intern if is_mentors else internship.mentor
            yield Line(f"{other} wrote that of week {theirs}", address("internships:record", internship.pk))


def _attention(mentor: User, *, now: datetime) -> Iterable[Line]:
    for row in rows_for(mentor, now=now):
        words = " ".join(signal.words for signal in row.signals if signal.kind not in SAID_ELSEWHERE)
        if words:
            yield Line(f"{row.internship.intern}: {words}", address("portal:internship", row.internship.pk))


def _of_intern(intern: User, *, since: datetime, now: datetime) -> list[Section]:
    internships = _going_on(intern=intern)
    return [
        Section("Your next milestone", list(_milestones(internships, now=now))),
        Section("Comments on your work", list(_comments(intern, since=since, now=now))),
        Section("Requests to answer", list(_requests(intern, internships=internships))),
        Section("Check-ins to answer", list(_check_ins(internships, is_mentors=False))),
    ]


def _milestones(internships: list[Internship], *, now: datetime) -> Iterable[Line]:
    today = localdate(now)
    for internship in internships:
        step = Milestone.objects.filter(internship=internship, reached_at__isnull=True).order_by("position").first()
        if step is None or internship.paused_on is not None or step.due_on > today + AHEAD:
            continue
        was = "was" if step.due_on < today else "is"
        words = f"“{step.title}” {was} due on {step.due_on:%-d %B}"
        yield Line(words, address("portal:internship", internship.pk))


def _comments(intern: User, *, since: datetime, now: datetime) -> Iterable[Line]:
    """What others wrote on this intern's work since the last mail, a line for each submission."""
    rows = Comment.objects.filter(submission__internship__intern=intern, written_at__gt=since, written_at__lte=now)
    counted = rows.exclude(author=intern).order_by("submission").values_list("submission", "submission__number")
    for pk, number, count in counted.annotate(count=Count("pk")):
        words = f"{count} new comment{'' if count == 1 else 's'} on submission #{number}"
        yield Line(words, address("reviews:desk", pk))


def _of_admin(*, since: datetime, now: datetime) -> list[Section]:
    return [
        Section("Applications to answer", list(_applications())),
        Section("Servers that are silent", list(_silent(now=now))),
        Section("Evaluations that fail by our fault", list(_failing(since=since))),
        Section("Requests nobody answered for three days", list(_unanswered(now=now))),
        Section("Deletions of data that wait", list(_held(now=now))),
    ]


def _applications() -> Iterable[Line]:
    rows = Application.objects.filter(state=ApplicationState.RECEIVED).order_by("cohort")
    for slug, name, count in rows.values_list("cohort__slug", "cohort__name").annotate(count=Count("pk")):
        yield Line(f"{name}: {count}", address("internships:applications", slug))


def _silent(*, now: datetime) -> Iterable[Line]:
    for server in silent_servers(now=now).exclude(state=ServerState.OFFLINE):
        seen = "never reported" if server.seen_at is None else f"last seen {server.seen_at:%-d %B, %H:%M} UTC"
        yield Line(f"{server.name}, {seen}", address("gpus:server", server.name))


def _failing(*, since: datetime) -> Iterable[Line]:
    rows = Run.objects.filter(state=RunState.FAILED, fault=Fault.OURS, finished_at__gt=since)
    for run in rows.select_related("submission__internship__intern", "submission__version__project")[:50]:
        words = f"{run.submission.version.project.title}: {run.reason or 'no reason is known'}"
        yield Line(words, address("portal:submission", run.submission_id))


def _unanswered(*, now: datetime) -> Iterable[Line]:
    rows = Change.objects.filter(state=ChangeState.OPEN, asked_at__lte=now - SILENCE)
    for row in rows.select_related("asked_by", "mentor").order_by("asked_at", "pk"):
        yield Line(f"{row.asked_by}: {row.what}", address("internships:record", row.internship_id))


def _held(*, now: datetime) -> Iterable[Line]:
    rows = Deletion.objects.filter(state__in=OPEN_DELETION_STATES, due_at__lte=now - DAY).exclude(waits_for="")
    for row in rows.select_related("user"):
        yield Line(f"{row.user}: {row.waits_for}", address("persons:account", row.user_id))
