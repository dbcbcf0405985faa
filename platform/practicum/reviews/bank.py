"""The bank of comments of a project: what its mentors found worth saying again, the most used first.

Every mentor who reviews a submission of the project uses the same bank. With a *rubric item* a snippet stands under that
line of the rubric; without, in the bank at large. The same text is kept once in each place. The project's *own* snippets
are those that its ``project.toml`` gives to a line of the rubric: each is in the bank from the first time it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Held:
    """A text as the desk shows it. ``pk``: of its row in the bank, None before its first use.

    ``own``: by line of the rubric and place, from 0, where the submission's version of the project says it.
    """

    body: str
    rubric_item: str
    used: int
    pk: int | None
    own: tuple[int, int] | None

    @property
    def key(self) -> str:
        """Tells it from the others of the page."""
        if self.own is None or self.pk is not None:
            return str(self.pk)
        line, place = self.own
        return f"own-{line}-{place}"


def held_for(submission: Submission) -> list[Held]:
    """The bank as ``bank_of`` has it, and then the project's own snippets that nobody used yet, as the project has them."""
    own = _own(submission)
    place_of = {(item, digest_bytes(body.encode())): place for place, (item, body) in own.items()}
    found = []
    for row in bank_of(submission):
        place = place_of.get((row.rubric_item, row.digest))
        if place is not None:
            del own[place]
        found.append(Held(row.body, row.rubric_item, row.used, row.pk, place))
    return found + [Held(body, item, 0, None, place) for place, (item, body) in own.items()]


def _own(submission: Submission) -> dict[tuple[int, int], tuple[str, str]]:
    """Line of the rubric and text of each own snippet, by its place."""
    return {
        (line, place): (str(item["name"]), str(body))
        for line, item in enumerate(submission.version.manifest["rubric"])
        for place, body in enumerate(item.get("snippets", ()))
    }


def by_item(held: Iterable[Held]) -> dict[str, list[Held]]:
    """The first few of each line of the rubric."""
    found: dict[str, list[Held]] = {}
    for one in held:
        line = found.setdefault(one.rubric_item, [])
        if one.rubric_item and len(line) < SHOWN_A_LINE:
            line.append(one)
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
    if not _count_use(bank_of(submission).filter(pk=snippet_id), now=now):
        raise NotFound


@transaction.atomic
def use_own(mentor: User, *, submission: Submission, line: int, place: int, now: datetime) -> None:
    """Count that one of the project's own was put into a comment.

    Raises:
        NotFound: the project has none there, or the submission is not this mentor's to review.
    """
    check_mentor(mentor, submission=submission)
    if (line, place) not in (own := _own(submission)):
        raise NotFound
    item, body = own[line, place]
    snippet, _ = Snippet.objects.get_or_create(
        project=submission.version.project,
        rubric_item=item,
        digest=digest_bytes(body.encode()),
        defaults={"body": body, "used_at": now},
    )
    _count_use(Snippet.objects.filter(pk=snippet.pk), now=now)


def _count_use(snippets: QuerySet[Snippet], *, now: datetime) -> int:
    return snippets.update(used=F("used") + 1, used_at=now)


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
