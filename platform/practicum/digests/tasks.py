"""What the worker does for this room: make each day's rows once their hour has come, send them, forget old ones."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.accounts.notices import is_mail_on
from practicum.digests import rules
from practicum.digests.models import CohortPost, CohortWebhook, Digest, OutgoingState
from practicum.digests.needs import needs_of
from practicum.digests.news import news_of
from practicum.digests.sending import send_due

BATCH = 20
KEPT_FOR = timedelta(days=90)
LOOKS_BACK = timedelta(days=1)
DEFAULT_HOUR = 8


def step(now: datetime) -> bool:
    """Make what is due and send what waits; False where there was nothing to do."""
    made = [make(person, now=now) for person in people_due(now)] if is_mail_on() else []
    posts = [make_post(webhook, now=now) for webhook in webhooks_due(now)]
    return any([*made, *posts, send_due(now)])


def prune(*, now: datetime) -> None:
    """Forget the rows of days that are long over."""
    for model in (Digest, CohortPost):
        model._default_manager.filter(made_at__lt=now - KEPT_FOR).delete()


def people_due(now: datetime) -> list[User]:
    """Who has no row for today, and whose hour has come by the site's clock."""
    local = localtime(now)
    chosen = Q(notice_settings__by_email=True, notice_settings__digest_hour__lte=local.hour)
    if local.hour >= DEFAULT_HOUR:
        chosen |= Q(notice_settings__isnull=True)
    rows = User.objects.filter(chosen, is_active=True, must_choose_password=False).exclude(email="")
    return list(rows.exclude(digests__day=local.date()).order_by("pk")[:BATCH])


def make(person: User, *, now: datetime) -> bool:
    """Today's row of this person: their mail, or that there is nothing. False where somebody else made it first."""
    last = Digest.objects.filter(user=person).order_by("-day").first()
    since = max(last.made_at, now - KEPT_FOR) if last else now - LOOKS_BACK
    sections = rules.filled(needs_of(person, since=since, now=now))
    facts = {
        "made_at": now,
        "next_try_at": now,
        "state": OutgoingState.WAITING if sections else OutgoingState.NOTHING,
        "subject": rules.subject_of(sections)[:120] if sections else "",
        "body": rules.mail_of(person.get_short_name(), sections) if sections else "",
    }
    try:
        with transaction.atomic():
            Digest.objects.create(user=person, day=localtime(now).date(), **facts)
    except IntegrityError:
        return False
    return True


def webhooks_due(now: datetime) -> list[CohortWebhook]:
    """Webhooks without a row for today, whose hour has come, of cohorts that are not long over."""
    local = localtime(now)
    rows = CohortWebhook.objects.filter(hour__lte=local.hour, cohort__ends_on__gte=local.date() - timedelta(days=30))
    return list(rows.exclude(posts__day=local.date()).select_related("cohort").order_by("pk")[:BATCH])


def make_post(webhook: CohortWebhook, *, now: datetime) -> bool:
    """Today's row of this webhook. False where somebody else made it first."""
    last = CohortPost.objects.filter(webhook=webhook).order_by("-day").first()
    since = last.made_at if last else now - LOOKS_BACK
    news = news_of(webhook, before=last.board if last else None, since=since, now=now)
    sections = rules.filled(news.sections)
    facts = {
        "made_at": now,
        "next_try_at": now,
        "board": news.board,
        "state": OutgoingState.WAITING if sections else OutgoingState.NOTHING,
        "body": rules.chat_of(webhook.cohort.name, sections) if sections else "",
    }
    try:
        with transaction.atomic():
            CohortPost.objects.create(webhook=webhook, day=localtime(now).date(), **facts)
    except IntegrityError:
        return False
    return True
