"""Questions about a cohort's webhook."""

from __future__ import annotations

from practicum.digests.models import CohortPost, CohortWebhook, OutgoingState
from practicum.internships.models import Cohort


def webhook_of(cohort: Cohort) -> CohortWebhook | None:
    """Where its news is posted, if anywhere."""
    return CohortWebhook.objects.filter(cohort=cohort).select_related("cohort").first()


def last_post_of(webhook: CohortWebhook) -> CohortPost | None:
    """The last day on which there was something to say."""
    return CohortPost.objects.filter(webhook=webhook).exclude(state=OutgoingState.NOTHING).order_by("-day").first()
