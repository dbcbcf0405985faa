"""Questions about notices."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from practicum.accounts.models import Delivery, Notice, NoticeSettings, User
from practicum.errors import NotFound


def settings_of(user: User) -> NoticeSettings:
    """How this person wants to be told; the defaults where they never said."""
    return NoticeSettings.objects.filter(user=user).first() or NoticeSettings(user=user)


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
