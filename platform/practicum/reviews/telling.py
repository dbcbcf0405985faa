"""What interns are told about a review."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from practicum.accounts.notices import notify
from practicum.reviews.models import Review, ReviewState
from practicum.reviews.selectors import internship_of


def decided(review: Review, *, now: datetime) -> None:
    """The intern reads that there is a decision; one that is taken back and made again is told again."""
    number = review.submission.number
    is_accepted = review.state == ReviewState.ACCEPTED
    notify(
        internship_of(review.submission).intern,
        kind="review.decided",
        subject=f"Submission {number} is accepted" if is_accepted else f"Changes are asked for in submission {number}",
        body=f"{review.mentor} has reviewed your submission {number}.\n"
        + ("Read the review." if is_accepted else "Read the review, make the changes and hand in again."),
        path=reverse("reviews:desk", args=[review.submission_id]),
        key=f"review.decided:{review.pk}:{now.isoformat()}",
        now=now,
    )
