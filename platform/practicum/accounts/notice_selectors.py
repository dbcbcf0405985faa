"""Questions about notices."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from practicum.accounts.kinds import BY_SLUG, Kind, kind_of, kinds_for
from practicum.accounts.mail import ADDRESS_REFUSED
from practicum.accounts.models import (
    Channel,
    Delivery,
    DeliveryState,
    MailWay,
    Notice,
    NoticeChoice,
    NoticeSettings,
    User,
)
from practicum.errors import NotFound


def settings_of(user: User) -> NoticeSettings:
    """How this person wants to be told; the defaults where they never said."""
    return NoticeSettings.objects.filter(user=user).first() or NoticeSettings(user=user)


def choice_of(user: User, *, told: str) -> NoticeChoice:
    """How a notice that names itself ``told`` reaches this person; the defaults where they never said."""
    kind = kind_of(told)
    slug = kind.slug if kind else ""
    found = NoticeChoice.objects.filter(user=user, kind=slug).first() if slug else None
    return found or NoticeChoice(user=user, kind=slug)


def choices_of(user: User) -> list[tuple[Kind, NoticeChoice]]:
    """Every kind that a person of this role is ever told, with how it reaches them."""
    chosen = {row.kind: row for row in NoticeChoice.objects.filter(user=user)}
    return [(kind, chosen.get(kind.slug) or NoticeChoice(user=user, kind=kind.slug)) for kind in kinds_for(user.role)]


def notices_for_digest(user: User, *, since: datetime, until: datetime) -> list[Notice]:
    """What happened in between of the kinds that this person wants in the daily mail, the oldest first."""
    chosen = NoticeChoice.objects.filter(user=user, mail=MailWay.DIGEST).values_list("kind", flat=True)
    wanted = {BY_SLUG[slug] for slug in chosen if slug in BY_SLUG}
    rows = Notice.objects.filter(user=user, made_at__gt=since, made_at__lte=until).order_by("made_at", "pk")
    return [row for row in rows if kind_of(row.kind) in wanted] if wanted else []


def notices_of(user: User) -> QuerySet[Notice]:
    """Everything the person was told, the newest first."""
    return Notice.objects.filter(user=user)


def notice_of(user: User, *, notice_id: UUID) -> Notice:
    """One of the person's notices.

    Raises:
        NotFound: it is not theirs.
    """
    notice = Notice.objects.filter(pk=notice_id, user=user).first()
    if notice is None:
        raise NotFound
    return notice


def unread_count(user: User) -> int:
    """How many notices the person has not seen."""
    return Notice.objects.filter(user=user, read_at__isnull=True).count()


def last_deliveries_of(user: User) -> list[Delivery]:
    """The newest delivery on each way out, for the account page."""
    rows = Delivery.objects.filter(notice__user=user).select_related("notice").order_by("-notice__made_at", "-pk")
    newest = [rows.filter(channel=channel).first() for channel in ("mail", "webhook")]
    return [delivery for delivery in newest if delivery is not None]


def untaken_mail() -> QuerySet[Delivery]:
    """Mails that wait because the mail server did not take them, whoever they are for."""
    waiting = Delivery.objects.filter(channel=Channel.MAIL, state=DeliveryState.WAITING)
    return waiting.exclude(last_error__in=("", ADDRESS_REFUSED))
