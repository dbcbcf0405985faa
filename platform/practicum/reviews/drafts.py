"""Drafts: what a mentor types on the desk is kept on the site until it is sent.

A draft is its mentor's own; nobody else is shown it, and saving it is no verb that the record holds. Two windows of one
mentor don't write over one another: a save is one conditional update on the version it knows.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from practicum.accounts.models import User
from practicum.errors import Conflict
from practicum.reviews import rules
from practicum.reviews.models import Draft
from practicum.reviews.services import check_mentor
from practicum.submissions.models import Submission


def draft_of(mentor: User, *, submission: Submission) -> Draft | None:
    """What the mentor has typed and not sent."""
    return Draft.objects.filter(mentor=mentor, submission=submission).first()


def save_draft(mentor: User, *, submission: Submission, fields: object, seen: int, now: datetime) -> int:
    """Keep ``fields`` in place of what was kept; the draft's new version. ``seen``: the version known, 0 for none.

    Raises:
        NotFound: the submission is not this mentor's to review.
        Invalid: the fields can't be kept.
        Conflict: another window has saved meanwhile; its ``version`` and ``fields`` come along.
    """
    check_mentor(mentor, submission=submission)
    kept = rules.check_draft(fields)
    rows = Draft.objects.filter(mentor=mentor, submission=submission)
    if rows.filter(version=seen).update(fields=kept, version=seen + 1, saved_at=now):
        return seen + 1
    if seen == 0:
        try:
            with transaction.atomic():
                return Draft.objects.create(mentor=mentor, submission=submission, fields=kept, saved_at=now).version
        except IntegrityError:
            pass
    there = rows.first()
    raise Conflict(
        "This was also written in another window.",
        version=there.version if there else 0,
        fields=there.fields if there else {},
    )


@transaction.atomic
def forget_box(mentor: User, *, submission: Submission, box: str) -> None:
    """Forget one box, since its text was sent. The version stays: a window that saves the others is not in the way."""
    draft = Draft.objects.select_for_update().filter(mentor=mentor, submission=submission).first()
    if draft is not None and draft.fields.pop(box, None) is not None:
        draft.save(update_fields=["fields"])


def forget_draft(mentor: User, *, submission: Submission) -> None:
    """Forget all of it, since the decision was sent. Boxes of comments stay."""
    draft = draft_of(mentor, submission=submission)
    if draft is not None:
        left = {box: text for box, text in draft.fields.items() if box.startswith(("body-", "reply-"))}
        Draft.objects.filter(pk=draft.pk, version=draft.version).update(fields=left)


def box_of(*, cell: str, reply_to: str) -> str:
    """The name of the box that a comment was typed into."""
    return f"reply-{reply_to}" if reply_to else f"body-{cell or 'whole'}"
