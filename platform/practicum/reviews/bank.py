"""The bank of comments of a project: what its mentors found worth saying again, the most used first.

Every mentor who reviews a submission of the project uses the same bank. With a *rubric item* a snippet stands under that
line of the rubric; without, in the bank at large. The same text is kept once in each place.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Invalid, NotFound
from practicum.lib.digest import digest_bytes
from practicum.reviews import rules
from practicum.reviews.models import Comment, Snippet
from practicum.reviews.selectors import internship_of
from practicum.reviews.services import check_mentor
from practicum.submissions.models import Submission

SHOWN = 200
SHOWN_A_LINE = 6


def bank_of(submission: Submission) -> QuerySet[Snippet]:
    """The bank of the submission's project, the most used first, of those the one used last."""
    return Snippet.objects.filter(project=submission.version.project_id)


def snippets_by_item(snippets: Iterable[Snippet]) -> dict[str, list[Snippet]]:
    """The first few of each line of the rubric."""
    found: dict[str, list[Snippet]] = {}
    for snippet in snippets:
        line = found.setdefault(snippet.rubric_item, [])
        if snippet.rubric_item and len(line) < SHOWN_A_LINE:
            line.append(snippet)
    return found


@transaction.atomic
def keep(mentor: User, *, submission: Submission, body: str, now: datetime, rubric_item: str = "") -> Snippet:
    """Put a text into the bank; what is there already stays as it is.

    Raises:
        NotFound: the submission is not this mentor's to review.
        Invalid: it is empty or too long, there is no such line in the rubric, or the bank is full.
    """
    check_mentor(mentor, submission=submission)
    names = [str(item["name"]) for item in submission.version.manifest["rubric"]]
    if rubric_item and rubric_item not in names:
        raise Invalid("The project's rubric has no such line.")
    text = rules.check_snippet(body, so_far=bank_of(submission).count())
    snippet, is_new = Snippet.objects.get_or_create(
        project=submission.version.project,
        rubric_item=rubric_item,
        digest=digest_bytes(text.encode()),
        defaults={"body": text, "kept_by": mentor, "used_at": now},
    )
    if is_new:
        record("snippet.kept", subject=snippet, actor=mentor, now=now, project=submission.version.project.slug)
    return snippet


def keep_comment(mentor: User, *, submission: Submission, comment_id: int, now: datetime) -> Snippet:
    """Put the mentor's own comment into the bank.

    Raises:
        NotFound: there is no such comment of theirs on this internship.
    """
    check_mentor(mentor, submission=submission)
    own = Comment.objects.filter(author=mentor, submission__internship=internship_of(submission))
    comment = own.filter(pk=comment_id).first()
    if comment is None:
        raise NotFound
    return keep(mentor, submission=submission, body=comment.body, now=now)


def use(mentor: User, *, submission: Submission, snippet_id: int, now: datetime) -> None:
    """Count that it was put into a comment: what is used comes first.

    Raises:
        NotFound: it is not in this project's bank, or the submission is not this mentor's to review.
    """
    check_mentor(mentor, submission=submission)
    if not bank_of(submission).filter(pk=snippet_id).update(used=F("used") + 1, used_at=now):
        raise NotFound


@transaction.atomic
def forget(mentor: User, *, submission: Submission, snippet_id: int, now: datetime) -> None:
    """Take a text out of the bank.

    Raises:
        NotFound: it is not in this project's bank, or the submission is not this mentor's to review.
    """
    check_mentor(mentor, submission=submission)
    snippet = bank_of(submission).filter(pk=snippet_id).first()
    if snippet is None:
        raise NotFound
    record("snippet.forgotten", subject=snippet, actor=mentor, now=now, body=snippet.body[:200])
    snippet.delete()
