"""Telling people what happened: on the site always, by e-mail and webhook as they chose.

``notify`` only writes rows, inside the transaction that makes the news true: no news is told that did not happen, and
none is lost. The worker carries them out (:mod:`practicum.accounts.sending`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from practicum.accounts import webhooks
from practicum.accounts.kinds import BY_SLUG
from practicum.accounts.models import Channel, Delivery, MailWay, Notice, NoticeChoice, NoticeSettings, User
from practicum.accounts.notice_selectors import choice_of, notice_of, settings_of
from practicum.audit.services import record
from practicum.errors import Conflict, Invalid, TooMany

KEPT_FOR = timedelta(days=90)
SUBJECT_LENGTH = 120
BODY_LENGTH = 2_000
TEST_EVERY = timedelta(minutes=1)
TEST = "test"


class NoWebhook(Conflict):
    """There is no webhook to send a test to."""

    code = "no_webhook"


@transaction.atomic
def notify(user: User, *, kind: str, subject: str, body: str, path: str, key: str, now: datetime) -> Notice:
    """Tell ``user``; what was told under this ``key`` before is not told again. ``path`` is a page of this site."""
    if not url_has_allowed_host_and_scheme(path, allowed_hosts=None):
        raise ValueError(f"{path!r} is no page of this site")
    notice, is_new = Notice.objects.get_or_create(
        user=user,
        key=key,
        defaults={
            "kind": kind,
            "subject": " ".join(subject.split())[:SUBJECT_LENGTH],
            "body": body.strip()[:BODY_LENGTH],
            "path": path,
            "made_at": now,
        },
    )
    if is_new and user.is_active:
        ways = [Delivery(notice=notice, channel=channel, next_try_at=now) for channel in channels_of(user, told=kind)]
        Delivery.objects.bulk_create(ways)
    return notice


def channels_of(user: User, *, told: str) -> list[Channel]:
    """The ways out of the site that a notice takes which names itself ``told``."""
    chosen = settings_of(user)
    channels = [Channel.MAIL] if is_mail_on() and chosen.by_email and user.email else []
    channels = [*channels, Channel.WEBHOOK] if chosen.webhook_url else channels
    return [channel for channel in channels if comes_at_once(user, told=told, channel=channel)] if channels else []


def comes_at_once(user: User, *, told: str, channel: Channel) -> bool:
    """The person has not switched this kind off on this way, nor put it into the daily mail."""
    choice = choice_of(user, told=told)
    return choice.mail == MailWay.NOW if channel == Channel.MAIL else choice.webhook


def is_mail_on() -> bool:
    """This site has a mail server."""
    return bool(settings.EMAIL_HOST)


@transaction.atomic
def choose_channels(user: User, *, by_email: bool, webhook_url: str, now: datetime) -> None:
    """From now on ``user`` is told so; an empty address switches the webhook off.

    Raises:
        UnfitAddress: the webhook's address can't be used.
    """
    if webhook_url:
        webhooks.check_address(webhook_url)
    chosen, _ = NoticeSettings.objects.select_for_update().get_or_create(user=user)
    chosen.by_email, chosen.webhook_url = by_email, webhook_url
    chosen.save(update_fields=["by_email", "webhook_url"])
    record("notices.chosen", subject=chosen, actor=user, now=now, by_email=by_email, has_webhook=bool(webhook_url))


@dataclass(frozen=True)
class Way:
    """How one kind of notice is to come."""

    mail: str
    webhook: bool


@transaction.atomic
def choose_kinds(user: User, *, ways: Mapping[str, Way], digest_hour: int | None, now: datetime) -> None:
    """From now on each kind comes so, and the daily mail from that hour on; None: there is none.

    Raises:
        Invalid: there is no such kind, way or hour.
    """
    if digest_hour is not None and digest_hour not in range(24):
        raise Invalid("Choose an hour of the day, from 0 to 23.", field="digest_hour")
    if set(ways) - set(BY_SLUG) or {way.mail for way in ways.values()} - set(MailWay.values):
        raise Invalid("Choose ways of the list.")
    chosen, _ = NoticeSettings.objects.select_for_update().get_or_create(user=user)
    chosen.digest_hour = digest_hour
    chosen.save(update_fields=["digest_hour"])
    for kind, way in ways.items():
        facts = {"mail": way.mail, "webhook": way.webhook}
        NoticeChoice.objects.update_or_create(user=user, kind=kind, defaults=facts)
    told = {kind: way.mail for kind, way in ways.items() if way.mail != MailWay.NOW}
    record("notices.kinds_chosen", subject=chosen, actor=user, now=now, mail=told, digest_hour=digest_hour)


@transaction.atomic
def renew_secret(user: User, *, now: datetime) -> str:
    """A new signing secret for the person's webhook; what is sent from now on is signed with it."""
    chosen, _ = NoticeSettings.objects.select_for_update().get_or_create(user=user)
    chosen.secret_number += 1
    chosen.save(update_fields=["secret_number"])
    record("notices.secret_renewed", subject=chosen, actor=user, now=now)
    return webhooks.secret_of(user, number=chosen.secret_number)


def send_test(user: User, *, now: datetime) -> Notice:
    """A notice that says nothing but that it came.

    Raises:
        NoWebhook: the person is told on the site only.
        TooMany: one went out less than a minute ago.
    """
    if not channels_of(user, told=TEST):
        raise NoWebhook("Choose e-mail or give the address of a webhook first, and save it.")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if Notice.objects.filter(user=user, kind=TEST, made_at__gt=now - TEST_EVERY).exists():
            raise TooMany("A test went out less than a minute ago; wait a little.")
        return notify(
            user,
            kind=TEST,
            subject="A test of your notices",
            body="You asked for this test on your account page.\nThere is nothing to do.",
            path=reverse("accounts:account"),
            key=f"test:{now.isoformat()}",
            now=now,
        )


def mark_read(user: User, *, notice_id: UUID, now: datetime) -> Notice:
    """The person has seen it.

    Raises:
        NotFound: it is not theirs.
    """
    notice = notice_of(user, notice_id=notice_id)
    if Notice.objects.filter(pk=notice.pk, read_at__isnull=True).update(read_at=now):
        notice.read_at = now
    return notice


def mark_all_read(user: User, *, now: datetime) -> int:
    """The person has seen everything up to now; how many were unread."""
    return Notice.objects.filter(user=user, read_at__isnull=True, made_at__lte=now).update(read_at=now)


def prune(*, now: datetime) -> int:
    """Forget notices older than 90 days; returns how many."""
    _, counts = Notice.objects.filter(made_at__lt=now - KEPT_FOR).delete()
    return counts.get(Notice._meta.label, 0)
