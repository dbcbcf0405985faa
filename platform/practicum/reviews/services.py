"""What mentors and interns do at the desk: begin a review, comment, reply, resolve, decide, take a decision back.

Each checks first that the person belongs to the submission's internship: anybody else gets the same refusal as for a
submission that isn't there. A decision is one conditional update on the review's state: of two at once, one is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Invalid, NotFound
from practicum.internships.models import Milestone
from practicum.internships.selectors import next_milestone
from practicum.internships.services import reach_milestone, take_back_milestone
from practicum.reviews import rules, telling
from practicum.reviews.models import Comment, Review, ReviewState
from practicum.reviews.rounds import cells_of
from practicum.reviews.selectors import internship_of, standing_of
from practicum.submissions.models import Submission


def check_mentor(actor: User, *, submission: Submission) -> None:
    """Let only the internship's mentor pass.

    Raises:
        NotFound: it is somebody else.
    """
    if not actor.is_mentor or internship_of(submission).mentor_id != actor.pk:
        raise NotFound


def check_party(actor: User, *, submission: Submission) -> None:
    """Let only the internship's mentor and its intern pass.

    Raises:
        NotFound: it is somebody else.
    """
    if internship_of(submission).intern_id != actor.pk:
        check_mentor(actor, submission=submission)


@transaction.atomic
def open_review(mentor: User, *, submission: Submission, now: datetime) -> Review:
    """The submission's review, begun now if nobody has.

    Raises:
        NotFound: the submission is not this mentor's to review.
    """
    check_mentor(mentor, submission=submission)
    review, is_new = Review.objects.get_or_create(
        submission=submission, defaults={"mentor": mentor, "opened_at": now, "state": ReviewState.OPEN}
    )
    if is_new:
        record("review.opened", subject=review, actor=mentor, now=now, submission=submission.pk)
    return review


def comment(
    author: User,
    *,
    submission: Submission,
    body: str,
    now: datetime,
    cell_id: str = "",
    on_output: bool = False,
    reply_to: int | None = None,
) -> Comment:
    """Say something on a cell or its output, on the whole submission, or as a reply. An intern replies; a mentor may
    also begin. A reply to a thread of an earlier round goes on there.

    Raises:
        NotFound: the submission or the comment replied to is not theirs.
        Invalid: it is empty, too long, on a cell that isn't there, or an intern's without something to reply to.
    """
    check_party(author, submission=submission)
    answered = _answered(submission, reply_to=reply_to)
    begun_on = answered.submission if answered else submission
    text = rules.check_comment(body, so_far=begun_on.comments.count())
    if answered is None and author.pk == internship_of(submission).intern_id:
        raise Invalid("Reply to one of your mentor's comments; to say more, hand in again with a report.md.")
    if answered is None and cell_id:
        _check_cell(submission, cell_id=cell_id, on_output=on_output, now=now)
    with transaction.atomic():
        if author.is_mentor:
            open_review(author, submission=submission, now=now)
        written = Comment.objects.create(
            submission=begun_on,
            author=author,
            cell_id=answered.cell_id if answered else cell_id,
            on_output=answered.on_output if answered else bool(cell_id) and on_output,
            reply_to=answered,
            body=text,
            written_at=now,
        )
        record("comment.written", subject=written, actor=author, now=now, submission=submission.pk)
    return written


def _answered(submission: Submission, *, reply_to: int | None) -> Comment | None:
    """The first comment of the thread replied to."""
    if reply_to is None:
        return None
    found = _said_until(submission).select_related("reply_to__submission", "submission").filter(pk=reply_to).first()
    if found is None:
        raise NotFound
    return found.reply_to or found


def _said_until(submission: Submission) -> QuerySet[Comment]:
    """What was said on this submission and on earlier ones of its internship."""
    internship = internship_of(submission)
    return Comment.objects.filter(submission__internship=internship, submission__number__lte=submission.number)


def _check_cell(submission: Submission, *, cell_id: str, on_output: bool, now: datetime) -> None:
    cell = next((cell for cell in cells_of(submission, now=now) if cell.id == cell_id), None)
    if cell is None:
        raise Invalid("This notebook has no such cell; comment on the whole submission instead.")
    if on_output and not cell.has_output:
        raise Invalid("This cell has no output; comment on the cell itself.")


@transaction.atomic
def resolve(actor: User, *, submission: Submission, comment_id: int, now: datetime, resolved: bool = True) -> bool:
    """Settle a thread, or open it again; False if it was so already.

    Raises:
        NotFound: the thread is not on a submission this mentor reviews.
    """
    check_mentor(actor, submission=submission)
    thread = _said_until(submission).filter(pk=comment_id, reply_to__isnull=True)
    first = thread.first()
    if first is None:
        raise NotFound
    moved = Comment.objects.filter(pk=first.pk, resolved_at__isnull=resolved).update(
        resolved_at=now if resolved else None
    )
    if moved:
        record("comment.resolved" if resolved else "comment.reopened", subject=first, actor=actor, now=now)
    return bool(moved)


@transaction.atomic
def decide(
    mentor: User,
    *,
    submission: Submission,
    decision: str,
    rubric: Mapping[str, object],
    summary: str,
    now: datetime,
    seen: int | None = None,
) -> Review:
    """Accept the submission or ask for changes. Accepting reaches the internship's next milestone.

    ``seen``: the review's version that the mentor decided upon; None where it is known to be the newest.

    Raises:
        NotFound: the submission is not this mentor's to review.
        Invalid: decision, points or summary can't be used.
        Conflict: it was decided on meanwhile, a newer one is there, the internship has ended, or it has no score.
    """
    check_mentor(mentor, submission=submission)
    rules.check_decision(decision, standing=standing_of(submission), summary=summary)
    is_accepted = decision == ReviewState.ACCEPTED
    points = rules.check_rubric(rubric, rubric=submission.version.manifest["rubric"], complete=is_accepted)
    review = open_review(mentor, submission=submission, now=now)
    seen = review.version if seen is None else seen
    moved = Review.objects.filter(pk=review.pk, state=ReviewState.OPEN, version=seen).update(
        state=decision, mentor=mentor, rubric=points, summary=summary.strip(), decided_at=now, version=seen + 1
    )
    if not moved:
        raise Conflict("The review was decided on or taken back since you opened it. Look at it as it is now.")
    milestone = next_milestone(internship_of(submission)) if is_accepted else None
    if milestone is not None:
        reach_milestone(milestone, actor=mentor, now=now)
    record("review.decided", subject=review, actor=mentor, now=now, decision=decision, submission=submission.pk)
    review.refresh_from_db()
    telling.decided(review, now=now)
    return review


@transaction.atomic
def undo(mentor: User, *, submission: Submission, now: datetime) -> Review:
    """Take one's own fresh decision back: the review is being written again, with its points and summary as a draft.

    Raises:
        NotFound: the submission is not this mentor's to review.
        Conflict: there is no decision, it is too old or another's, or something came after it.
    """
    check_mentor(mentor, submission=submission)
    review = Review.objects.filter(submission=submission).first()
    if review is None or review.decided_at is None:
        raise Conflict("There is no decision to take back.")
    is_author, decided_at = review.mentor_id == mentor.pk, review.decided_at
    rules.check_undo(standing=standing_of(submission), is_author=is_author, decided_at=decided_at, now=now)
    moved = Review.objects.filter(pk=review.pk, state=review.state, decided_at=decided_at).update(
        state=ReviewState.OPEN, decided_at=None, version=F("version") + 1
    )
    if not moved:
        raise Conflict("The review has changed meanwhile; look at it again.")
    if review.state == ReviewState.ACCEPTED:
        reached = Milestone.objects.filter(internship=internship_of(submission), reached_at=decided_at)
        for milestone in reached:
            take_back_milestone(milestone, reached_at=decided_at, actor=mentor, now=now)
    record("review.undone", subject=review, actor=mentor, now=now, decision=review.state, submission=submission.pk)
    review.refresh_from_db()
    return review
