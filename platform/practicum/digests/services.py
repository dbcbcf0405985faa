"""Where a cohort's news is posted, and which: an admin's choice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from practicum.accounts import webhooks
from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.digests.models import CohortWebhook
from practicum.digests.rules import body_of, escaped
from practicum.errors import Fault, Forbidden, Invalid
from practicum.internships.models import Cohort


@dataclass(frozen=True)
class Telling:
    """What is posted, and from which hour on."""

    hour: int
    tells_reviews: bool
    tells_board: bool
    tells_milestones: bool
    tells_applications: bool


class NotPosted(Invalid):
    """The test did not arrive; the message says why."""

    code = "not_posted"


@transaction.atomic
def set_webhook(actor: User, *, cohort: Cohort, url: str, telling: Telling, now: datetime) -> CohortWebhook | None:
    """The cohort's news goes there from now on; an empty address takes the webhook away, and the answer is None.

    Raises:
        Forbidden: the actor is no admin.
        UnfitAddress: the address can't be used.
        Invalid: there is no such hour.
    """
    _check_admin(actor)
    if not url:
        gone = CohortWebhook.objects.filter(cohort=cohort).first()
        if gone is not None:
            record("cohort.webhook_removed", subject=cohort, actor=actor, now=now)
            gone.delete()
        return None
    webhooks.check_address(url)
    if telling.hour not in range(24):
        raise Invalid("Choose an hour of the day, from 0 to 23.", field="hour")
    facts = {"url": url, **asdict(telling)}
    row, _ = CohortWebhook.objects.update_or_create(
        cohort=cohort, defaults=facts, create_defaults=facts | {"made_at": now}
    )
    # The address is a secret of the chat: whoever has it can post there. It is not put on record.
    record("cohort.webhook_set", subject=cohort, actor=actor, now=now, **asdict(telling))
    return row


def send_test(actor: User, *, webhook: CohortWebhook, now: datetime) -> None:
    """Post a line that says nothing but that it came.

    Raises:
        Forbidden: the actor is no admin.
        NotPosted: it did not arrive.
    """
    _check_admin(actor)
    text = f"A test of the daily message of {escaped(webhook.cohort.name)}. There is nothing to do."
    try:
        webhooks.post_json(body_of(text), url=webhook.url)
    except Fault as fault:
        raise NotPosted(fault.message) from fault
    record("cohort.webhook_tested", subject=webhook.cohort, actor=actor, now=now)


def _check_admin(actor: User) -> None:
    if not (actor.is_admin and actor.is_active):
        raise Forbidden("Only admins set where a cohort's news is posted.")
