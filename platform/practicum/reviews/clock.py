"""How long interns wait for their mentor, as open to the intern as to the mentor.

Words: an *answer* is a decision on a submission, or a mentor's reply to what an intern wrote last in a thread; it took the
time since the submission came, or since the intern wrote. A *question* is an open thread in which the intern spoke last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.db.models import F, OuterRef, Q, Subquery

from practicum.accounts.models import User
from practicum.internships.models import GOING_ON, Internship
from practicum.reviews.models import Comment, Review, ReviewState
from practicum.reviews.selectors import Waiting, latest_only, reviews_awaiting
from practicum.submissions.models import Submission

LOOKED_BACK = timedelta(days=60)
COUNTED = 20


@dataclass(frozen=True)
class Question:
    """An open thread in which the intern spoke last; ``comment`` is what they wrote, ``waits`` since then."""

    thread: Comment
    said: str
    waits: timedelta

    @property
    def submission(self) -> Submission:
        """What it is about."""
        return self.thread.submission

    @property
    def is_ready(self) -> bool:
        """Nothing but an answer is waited for."""
        return True


@dataclass(frozen=True)
class Clock:
    """The last answers of a mentor: how many, how long in the middle and at most."""

    count: int = 0
    middle: timedelta | None = None
    longest: timedelta | None = None


def inbox_of(mentor: User, *, now: datetime) -> list[Waiting | Question]:
    """All that waits for the mentor, who is blocked longest first; what is still evaluated comes last."""
    lines: list[Waiting | Question] = [*reviews_awaiting(mentor, now=now), *questions_awaiting(mentor, now=now)]
    return sorted(lines, key=lambda line: (not line.is_ready, -line.waits))


def questions_awaiting(mentor: User, *, now: datetime) -> list[Question]:
    """Threads of the mentor's active internships that wait for the mentor's word, the longest first: one query."""
    replies = Comment.objects.filter(reply_to=OuterRef("pk")).order_by("-written_at", "-pk")
    rows = Comment.objects.filter(
        submission__internship__mentor=mentor,
        submission__internship__state__in=GOING_ON,
        reply_to__isnull=True,
        resolved_at__isnull=True,
    ).annotate(
        last_author=Subquery(replies.values("author")[:1]),
        last_at=Subquery(replies.values("written_at")[:1]),
        last_body=Subquery(replies.values("body")[:1]),
    )
    rows = rows.filter(last_author=F("submission__internship__intern")).order_by("last_at", "pk")
    related = ("submission__internship__intern", "submission__internship__cohort", "submission__version__project")
    return [Question(row, row.last_body, now - row.last_at) for row in rows.select_related(*related)[:200]]


def clocks_of(mentors: Iterable[User], *, now: datetime) -> dict[int, Clock]:
    """The clock of each mentor over their last answers in the last sixty days: two queries."""
    ids = [mentor.pk for mentor in mentors]
    took: dict[int, list[tuple[datetime, timedelta]]] = defaultdict(list)
    decided = Review.objects.filter(mentor__in=ids, decided_at__gte=now - LOOKED_BACK)
    decided = decided.exclude(state=ReviewState.OPEN).exclude(submission__internship__isnull=True)
    for mentor_id, at, came in decided.values_list("mentor", "decided_at", "submission__received_at"):
        if at is not None:
            took[mentor_id].append((at, at - came))
    for mentor_id, at, length in _replies(ids, since=now - LOOKED_BACK):
        took[mentor_id].append((at, length))
    return {mentor_id: _clock(took[mentor_id]) for mentor_id in ids}


def clock_of(mentor: User, *, now: datetime) -> Clock:
    """One mentor's clock."""
    return clocks_of([mentor], now=now)[mentor.pk]


def _replies(mentors: list[int], *, since: datetime) -> list[tuple[int, datetime, timedelta]]:
    """Each reply of a mentor to what somebody else wrote last in the thread, and how long that had stood."""
    in_threads = Q(author__in=mentors) | Q(submission__internship__mentor__in=mentors)
    rows = Comment.objects.filter(in_threads, written_at__gte=since).order_by("written_at", "pk")
    last: dict[int, tuple[int, datetime]] = {}
    found = []
    wanted = set(mentors)
    for pk, thread, author, at in rows.values_list("pk", "reply_to", "author", "written_at"):
        before = last.get(thread or pk)
        if author in wanted and before is not None and before[0] not in wanted:
            found.append((author, at, at - before[1]))
        last[thread or pk] = (author, at)
    return found


def _clock(took: list[tuple[datetime, timedelta]]) -> Clock:
    lengths = [length for _, length in sorted(took)[-COUNTED:]]
    if not lengths:
        return Clock()
    return Clock(
        count=len(lengths),
        middle=timedelta(seconds=median(length.total_seconds() for length in lengths)),
        longest=max(lengths),
    )


def own_wait(internship: Internship, *, now: datetime) -> timedelta | None:
    """How long the internship's latest submission has waited for a decision; None when none does."""
    rows = latest_only(Submission.objects.filter(internship=internship))
    rows = rows.filter(Q(review__isnull=True) | Q(review__state=ReviewState.OPEN))
    waiting = rows.values_list("received_at", flat=True).first()
    return None if waiting is None or internship.state not in GOING_ON else now - waiting
