"""The worker's half of notices: carry each delivery out once, however many workers there are.

A claim is one conditional UPDATE that raises the token and puts the next try five minutes off; the answer is written
only under that token. A worker killed between sending and writing may send once more after its claim: the Message-ID
and the webhook's id are the same, so that the second copy can be told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import F

from practicum.accounts import mail, webhooks
from practicum.accounts.models import Channel, Delivery, DeliveryState
from practicum.accounts.notice_selectors import settings_of
from practicum.accounts.notices import comes_at_once
from practicum.errors import Fault, Refused
from practicum.lib import counting
from practicum.lib.clock import utc_now

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
BATCH = 20
CLAIM_HOLDS = timedelta(minutes=5)
# A mail server that is away for a night, or a weekend's half, loses no mail.
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440))
UNKNOWN_END = "It was being sent when the worker stopped, too often."
SWITCHED_OFF = "It was switched off before it could be sent."


def send_waiting(now: datetime, *, channel: Channel, clock: Clock = utc_now) -> bool:
    """Try what is due on this way, the longest waiting first; False when nothing was. Never raises for one of them."""
    due = Delivery.objects.filter(channel=channel, state=DeliveryState.WAITING, next_try_at__lte=now)
    found = list(due.values_list("pk", "token")[:BATCH])
    for delivery_id, token in found:
        delivery = _claim(delivery_id, token=token, now=clock())
        if delivery is not None:
            _carry_out(delivery, clock=clock)
    return bool(found)


def _claim(delivery_id: int, *, token: int, now: datetime) -> Delivery | None:
    """The delivery is this worker's for five minutes; None when another was faster."""
    rows = Delivery.objects.filter(pk=delivery_id, token=token, state=DeliveryState.WAITING, next_try_at__lte=now)
    if not rows.update(token=F("token") + 1, tries=F("tries") + 1, next_try_at=now + CLAIM_HOLDS):
        return None
    return Delivery.objects.select_related("notice__user").get(pk=delivery_id)


def _carry_out(delivery: Delivery, *, clock: Clock) -> None:
    """Send it once and write down what came of it."""
    if delivery.tries > len(BACKOFF) + 1:
        _settle(delivery, state=DeliveryState.FAILED, last_error=UNKNOWN_END)
        return
    outcome = "failed"
    try:
        _send(delivery, now=clock())
    except Refused as refusal:
        outcome = "refused"
        _settle(delivery, state=DeliveryState.FAILED, last_error=refusal.message)
    except Fault as fault:
        _try_later(delivery, error=fault.message, now=clock())
    except Exception:
        log.exception("delivery %s could not be sent", delivery.pk)
        _try_later(delivery, error="Something on our side failed.", now=clock())
    else:
        outcome = "sent"
        _settle(delivery, state=DeliveryState.SENT, sent_at=clock(), last_error="")
    counting.DELIVERIES.labels(str(delivery.channel), outcome).inc()


def _send(delivery: Delivery, *, now: datetime) -> None:
    """Hand it on.

    Raises:
        Refused: it is not to be sent any more.
        Fault: it was not taken; later it may be.
    """
    user = delivery.notice.user
    chosen = settings_of(user)
    is_wanted = chosen.by_email if delivery.channel == Channel.MAIL else chosen.webhook_url
    channel = Channel(delivery.channel)
    if not (user.is_active and is_wanted and comes_at_once(user, told=delivery.notice.kind, channel=channel)):
        raise Refused(SWITCHED_OFF)
    if delivery.channel == Channel.MAIL:
        mail.send(mail.message_of(delivery.notice))
    else:
        secret = webhooks.secret_of(user, number=chosen.secret_number)
        webhooks.post(delivery.notice, url=chosen.webhook_url, secret=secret, now=now)


def _try_later(delivery: Delivery, *, error: str, now: datetime) -> None:
    """Again after 1, 5 and 30 minutes, and 2, 6, 12 and 24 hours; then it has failed."""
    if delivery.tries > len(BACKOFF):
        log.warning("%s of notice %s is given up: %s", delivery.channel, delivery.notice_id, error)
        _settle(delivery, state=DeliveryState.FAILED, last_error=error)
    else:
        _settle(delivery, next_try_at=now + BACKOFF[delivery.tries - 1], last_error=error)


def _settle(delivery: Delivery, **changes: object) -> None:
    """Write the outcome, if the claim still holds; what a newer one does is its own."""
    Delivery.objects.filter(pk=delivery.pk, token=delivery.token, state=DeliveryState.WAITING).update(**changes)
