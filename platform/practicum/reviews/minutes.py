"""Minutes at the desk: how long a review takes a mentor, and how long interns waited for it.

Counted is the time in which the desk's window was in sight and the mentor did something in it within the last sixty
seconds (``static/reviews/minutes.js``). The page tells a growing sum for each opening, under the name it was opened
with: told twice or out of order it counts once. The site takes no more than has passed by its own clock since it opened
the page, and no more than four hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID, uuid4

from django.core import signing
from django.db.models import Sum

from practicum.accounts.models import User
from practicum.errors import Invalid
from practicum.internships.models import GOING_ON, is_proper
from practicum.reviews.models import DeskVisit, Review, ReviewState
from practicum.reviews.selectors import latest_only
from practicum.reviews.services import check_mentor
from practicum.submissions.models import Submission

MOST_SECONDS = 4 * 3600
# The page's clock and ours don't tick together.
SLACK_SECONDS = 2
SALT = "reviews.minutes"


@dataclass(frozen=True)
class MentorLine:
    """A mentor's reviews: ``decided`` in the time looked at; minutes in the middle and together; hours interns waited."""

    mentor: User
    decided: int
    middle: timedelta | None
    spent: timedelta
    waited: timedelta
    waiting: int
    longest: timedelta | None


def opening_of(mentor: User, *, submission: Submission, now: datetime) -> str:
    """A name for one opening of the desk, which says whose it is and when it was; signed, so that a page can't say more."""
    opening = {"token": uuid4().hex, "mentor": mentor.pk, "submission": submission.pk, "at": now.isoformat()}
    return signing.dumps(opening, salt=SALT)


def tell(mentor: User, *, submission: Submission, opening: str, seconds: int, now: datetime) -> int:
    """Take the page's word for one opening of the desk; the seconds it stands at.

    Raises:
        NotFound: the submission is not this mentor's to review.
        Invalid: the opening is not one of ours, of this mentor and this submission.
    """
    check_mentor(mentor, submission=submission)
    try:
        told = signing.loads(opening, salt=SALT)
    except signing.BadSignature:
        raise Invalid("This is no opening of the desk.") from None
    if (told["mentor"], told["submission"]) != (mentor.pk, submission.pk):
        raise Invalid("This is another opening of the desk.")
    began = datetime.fromisoformat(told["at"])
    visit, _ = DeskVisit.objects.get_or_create(
        token=UUID(told["token"]),
        defaults={"mentor": mentor, "submission": submission, "began_at": began, "seen_at": now},
    )
    passed = max(0, int((now - began).total_seconds())) + SLACK_SECONDS
    taken = min(max(0, seconds), passed, MOST_SECONDS)
    rows = DeskVisit.objects.filter(pk=visit.pk, seconds__lt=taken)
    return taken if rows.update(seconds=taken, seen_at=now) else visit.seconds


def spent_on(submissions: Iterable[Submission], *, mentor: User) -> dict[int, timedelta]:
    """The mentor's time on each submission, by its id: one query."""
    rows = DeskVisit.objects.filter(submission__in=[row.pk for row in submissions], mentor=mentor, seconds__gt=0)
    sums = rows.order_by().values_list("submission").annotate(Sum("seconds"))
    return {submission_id: timedelta(seconds=seconds) for submission_id, seconds in sums}


def lines_by_mentor(*, since: datetime, now: datetime) -> list[MentorLine]:
    """Every mentor with a decision since then or an intern waiting, by name: four queries."""
    decided: dict[int, list[tuple[int, timedelta]]] = defaultdict(list)
    reviews = Review.objects.filter(decided_at__gte=since).exclude(state=ReviewState.OPEN)
    for mentor_id, submission_id, at, came in reviews.values_list(
        "mentor", "submission", "decided_at", "submission__received_at"
    ):
        if at is not None:
            decided[mentor_id].append((submission_id, at - came))
    spent = _seconds({submission_id for rows in decided.values() for submission_id, _ in rows})
    waiting = _waiting(now=now)
    mentors = User.objects.filter(pk__in={*decided, *waiting}).order_by("name", "pk")
    return [
        _line(mentor, decided=decided[mentor.pk], spent=spent, waits=waiting.get(mentor.pk, [])) for mentor in mentors
    ]


def _seconds(submissions: set[int]) -> dict[tuple[int, int], int]:
    rows = DeskVisit.objects.filter(submission__in=submissions, seconds__gt=0).order_by()
    sums = rows.values_list("mentor", "submission").annotate(Sum("seconds"))
    return {(mentor_id, submission_id): seconds for mentor_id, submission_id, seconds in sums}


def _waiting(*, now: datetime) -> dict[int, list[timedelta]]:
    """How long the submissions that wait now have waited, by mentor."""
    rows = latest_only(Submission.objects.filter(is_proper("internship__"), internship__state__in=GOING_ON))
    rows = rows.exclude(review__state__in=[ReviewState.ACCEPTED, ReviewState.CHANGES])
    found: dict[int, list[timedelta]] = defaultdict(list)
    for mentor_id, came in rows.values_list("internship__mentor", "received_at"):
        if mentor_id is not None:
            found[mentor_id].append(now - came)
    return found


def _line(
    mentor: User,
    *,
    decided: list[tuple[int, timedelta]],
    spent: dict[tuple[int, int], int],
    waits: list[timedelta],
) -> MentorLine:
    seconds = [spent[mentor.pk, submission] for submission, _ in decided if (mentor.pk, submission) in spent]
    return MentorLine(
        mentor=mentor,
        decided=len(decided),
        middle=timedelta(seconds=median(seconds)) if seconds else None,
        spent=timedelta(seconds=sum(seconds)),
        waited=sum((wait for _, wait in decided), timedelta()),
        waiting=len(waits),
        longest=max(waits, default=None),
    )
