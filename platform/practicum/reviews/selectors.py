"""Questions about reviews: what waits for a mentor, what was said, what an intern should read.

Words: a submission *counts* unless it was taken back (its last run is cancelled); the *latest* of an internship is the
newest that counts. Only the latest waits for a review and is decided on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from practicum.accounts.models import User
from practicum.errors import NotFound
from practicum.evaluation.models import Run, RunState
from practicum.internships.models import GOING_ON, Internship, InternshipState, is_proper
from practicum.reviews import rules
from practicum.reviews.models import Comment, Review, ReviewState
from practicum.reviews.scores import Comparison, compare
from practicum.reviews.threads import Thread, in_threads
from practicum.submissions.models import Submission
from practicum.submissions.selectors import submissions_visible_to

BY_ATTEMPT = Prefetch("runs", queryset=Run.objects.select_related("score").order_by("-attempt"), to_attr="by_attempt")


@dataclass(frozen=True)
class Waiting:
    """A line of the inbox; ``waits`` since it was handed in."""

    submission: Submission
    run: Run | None
    comparison: Comparison
    waits: timedelta

    @property
    def is_ready(self) -> bool:
        """Its evaluation has ended."""
        return self.run is not None and not self.run.is_open

    @property
    def is_begun(self) -> bool:
        """The mentor has written something already."""
        return hasattr(self.submission, "review")


@dataclass(frozen=True)
class Feedback:
    """What an intern reads about one submission."""

    submission: Submission
    review: Review | None
    points: list[PointsLine]
    threads: list[Thread]

    @property
    def unresolved(self) -> int:
        """Threads that are not settled."""
        return sum(not thread.is_resolved for thread in self.threads)


@dataclass(frozen=True)
class PointsLine:
    """An item of the rubric and the points given, if any."""

    name: str
    question: str
    most: int
    points: int | None

    @property
    def choices(self) -> range:
        """The points one may give."""
        return range(self.most + 1)


def submission_to_review(user: User, *, submission_id: int) -> Submission:
    """The submission of an internship ``user`` may see, with all the desk needs. Baselines and checks are not reviewed.

    Raises:
        NotFound: there is none, or it is not theirs to see.
    """
    rows = submissions_visible_to(user).filter(is_proper("internship__")).select_related("review__mentor")
    submission = rows.filter(pk=submission_id).prefetch_related(BY_ATTEMPT).first()
    if submission is None:
        raise NotFound
    return submission


def internship_of(submission: Submission) -> Internship:
    """The internship of a submission that is reviewed.

    Raises:
        NotFound: it is a baseline; those have none.
    """
    if submission.internship is None:
        raise NotFound
    return submission.internship


def counting(submissions: QuerySet[Submission]) -> QuerySet[Submission]:
    """Those that were not taken back."""
    last = Run.objects.filter(submission=OuterRef("pk")).order_by("-attempt").values("state")[:1]
    return submissions.annotate(last_state=Subquery(last)).exclude(
        last_state=RunState.CANCELLED, last_state__isnull=False
    )


def latest_only(submissions: QuerySet[Submission]) -> QuerySet[Submission]:
    """Of each internship the newest that counts."""
    newer = Submission.objects.filter(internship=OuterRef("internship"), number__gt=OuterRef("number"))
    return counting(submissions).filter(~Exists(counting(newer)))


def is_latest(submission: Submission) -> bool:
    """No newer submission of the internship counts, and this one does."""
    return latest_only(Submission.objects.filter(pk=submission.pk)).exists()


def last_run(submission: Submission) -> Run | None:
    """Its newest run."""
    runs = runs_of(submission)
    return runs[0] if runs else None


def runs_of(submission: Submission) -> list[Run]:
    """Its runs, the newest first, with their scores."""
    loaded: list[Run] | None = getattr(submission, "by_attempt", None)
    return list(submission.runs.select_related("score").order_by("-attempt")) if loaded is None else loaded


def standing_of(submission: Submission) -> rules.Standing:
    """What a decision asks for, as it is now."""
    run = last_run(submission)
    state = Internship.objects.values_list("state", flat=True).get(pk=internship_of(submission).pk)
    return rules.Standing(
        internship_active=state == InternshipState.ACTIVE,
        is_latest=is_latest(submission),
        is_scored=run is not None and run.state == RunState.SCORED,
        is_decided=Review.objects.filter(submission=submission).exclude(state=ReviewState.OPEN).exists(),
    )


def reviews_awaiting(mentor: User, *, now: datetime) -> list[Waiting]:
    """The latest submission of each of the mentor's active internships that nobody decided on.

    Those whose evaluation has ended come first, among them the longest waiting. A fixed number of queries.
    """
    rows = Submission.objects.filter(
        is_proper("internship__"), internship__mentor=mentor, internship__state__in=GOING_ON
    )
    rows = latest_only(rows).filter(Q(review__isnull=True) | Q(review__state=ReviewState.OPEN))
    rows = rows.select_related("internship__intern", "internship__cohort", "version__project", "review")
    submissions = list(rows.prefetch_related(BY_ATTEMPT).order_by("received_at", "pk"))
    comparisons = compare(submissions, exact=True)
    waiting = [
        Waiting(submission=row, run=last_run(row), comparison=comparisons[row.pk], waits=now - row.received_at)
        for row in submissions
    ]
    return sorted(waiting, key=lambda line: not line.is_ready)


def decided_recently(mentor: User, *, limit: int = 10) -> list[Review]:
    """The mentor's last decisions, the newest first."""
    decided = Review.objects.filter(mentor=mentor).exclude(state=ReviewState.OPEN)
    rows = decided.select_related("submission__internship__intern", "submission__version__project")
    return list(rows.order_by("-decided_at", "-pk")[:limit])


def review_state_of(submission: Submission) -> ReviewState | None:
    """How far the review is; None when nobody has begun."""
    review = review_of(submission)
    return None if review is None else ReviewState(review.state)


def review_of(submission: Submission) -> Review | None:
    """The review, if there is one."""
    return Review.objects.select_related("mentor").filter(submission=submission).first()


def threads(submission: Submission) -> list[Thread]:
    """What was said, in threads, the first begun first: one query."""
    return in_threads(
        Comment.objects.filter(submission=submission).select_related("author").order_by("written_at", "pk")
    )


def rounds(internship: Internship) -> list[Submission]:
    """Every submission of an internship, the newest first, with run, score and review."""
    rows = Submission.objects.filter(internship=internship).select_related("review", "version")
    return list(rows.prefetch_related(BY_ATTEMPT).order_by("-number")[:50])


def points_of(submission: Submission, *, review: Review | None) -> list[PointsLine]:
    """The rubric's items with the points given."""
    given = review.rubric if review is not None else {}
    return [
        PointsLine(str(item["name"]), str(item["question"]), int(item["points"]), given.get(item["name"]))
        for item in submission.version.manifest["rubric"]
    ]


def feedback_on(submission: Submission) -> Feedback:
    """Decision, points and threads of one submission. A review being written stays the mentor's until it is decided."""
    review = review_of(submission)
    decided = review if review is not None and review.state != ReviewState.OPEN else None
    given = points_of(submission, review=decided)
    return Feedback(submission=submission, review=decided, points=given, threads=threads(submission))


def feedback_for(intern: User) -> Feedback | None:
    """What the intern should read next: of the submission last decided or commented on; None if there is none."""
    own = Submission.objects.filter(internship__intern=intern)
    said = Comment.objects.filter(submission__in=own).exclude(author=intern).order_by("-written_at").first()
    decided = Review.objects.filter(submission__in=own, decided_at__isnull=False).order_by("-decided_at").first()
    moments = [(said.written_at, said.submission_id)] if said else []
    if decided and decided.decided_at:
        moments.append((decided.decided_at, decided.submission_id))
    if not moments:
        return None
    return feedback_on(own.select_related("version__project", "internship__intern").get(pk=max(moments)[1]))
