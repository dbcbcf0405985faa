"""Sending what is made, each row at most once, however many workers there are and wherever one dies.

A claim is one conditional UPDATE to ``sending``. A refusal that we saw puts the row back, for later; a row whose claim ended
without an answer may have gone out, so it is given up rather than sent a second time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from practicum.accounts import mail, webhooks
from practicum.accounts.notice_selectors import settings_of
from practicum.accounts.unsubscribing import DIGEST
from practicum.digests.models import CohortPost, Digest, OutgoingState
from practicum.digests.rules import body_of
from practicum.errors import Fault, Refused

log = logging.getLogger(__name__)

CLAIM_HOLDS = timedelta(minutes=5)
BACKOFF = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
BATCH = 20
UNKNOWN_END = "It was being sent when the worker stopped; it may have arrived, so it is not sent again."
NOT_WANTED = "It was switched off before it could be sent."
Row = Any  # a Digest or a CohortPost: each table is asked the same


def send_due(now: datetime) -> bool:
    """Send what waits; False when nothing did. Never raises for one of them."""
    return any([_send_of(Digest, now=now, send=_mail), _send_of(CohortPost, now=now, send=_post)])


def _send_of(model: Any, *, now: datetime, send: Callable[[Row], None]) -> bool:
    lost = model.objects.filter(state=OutgoingState.SENDING, next_try_at__lte=now)
    lost.update(state=OutgoingState.FAILED, last_error=UNKNOWN_END, body="")
    due = model.objects.filter(state=OutgoingState.WAITING, next_try_at__lte=now).order_by("next_try_at", "pk")
    found = list(due.values_list("pk", "token")[:BATCH])
    for pk, token in found:
        rows = model.objects.filter(pk=pk, token=token, state=OutgoingState.WAITING)
        if rows.update(
            state=OutgoingState.SENDING, token=F("token") + 1, tries=F("tries") + 1, next_try_at=now + CLAIM_HOLDS
        ):
            _carry_out(model.objects.get(pk=pk), send=send, now=now)
    return bool(found)


def _carry_out(row: Row, *, send: Callable[[Row], None], now: datetime) -> None:
    try:
        send(row)
    except Refused as refusal:
        _settle(row, state=OutgoingState.FAILED, last_error=refusal.message[:300], body="")
    except Fault as fault:
        _try_later(row, error=fault.message, now=now)
    else:
        _settle(row, state=OutgoingState.SENT, sent_at=now, last_error="", body="")


def _try_later(row: Row, *, error: str, now: datetime) -> None:
    """It was not taken. Again after a minute, ten and an hour; then it has failed."""
    if row.tries > len(BACKOFF):
        log.warning("%s is given up: %s", row, error)
        _settle(row, state=OutgoingState.FAILED, last_error=error[:300], body="")
    else:
        _settle(
            row, state=OutgoingState.WAITING, next_try_at=now + BACKOFF[row.tries - 1], last_error=error[:300]
        )  # fmt: skip


def _settle(row: Row, **changes: Any) -> None:
    type(row).objects.filter(pk=row.pk, token=row.token, state=OutgoingState.SENDING).update(**changes)


def _mail(digest: Digest) -> None:
    """Raises: Refused: it is not wanted any more. NotMailed: the mail server did not take it."""
    user, chosen = digest.user, settings_of(digest.user)
    if not user.is_active or not chosen.by_email or chosen.digest_hour is None:
        raise Refused(NOT_WANTED)
    mark = f"digest-{digest.day.isoformat()}-{user.uuid}"
    mail.send(mail.message(user, subject=digest.subject, body=digest.body, mark=mark, leaves=DIGEST))


def _post(post: CohortPost) -> None:
    """Raises: UnfitAddress, NotTaken: as :func:`webhooks.post_json`."""
    webhooks.post_json(body_of(post.body), url=post.webhook.url)
