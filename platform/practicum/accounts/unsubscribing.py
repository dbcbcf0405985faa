"""Leaving a mail by its own link, without signing in (RFC 2369, one click by RFC 8058).

A *ticket* is signed and names a person and what they leave: the daily mail, or a kind of notice. It opens nothing else and
never ends, since a mail may be read years later. https://www.rfc-editor.org/rfc/rfc8058
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from practicum.accounts.kinds import BY_SLUG
from practicum.accounts.models import MailWay, NoticeChoice, NoticeSettings, User
from practicum.audit.services import record
from practicum.errors import NotFound

SALT = "practicum.accounts.unsubscribing"
DIGEST = "digest"


@dataclass(frozen=True)
class Leaving:
    """Who leaves what; ``words`` name it."""

    user: User
    what: str

    @property
    def words(self) -> str:
        """What is left, for the page."""
        return "the daily mail" if self.what == DIGEST else f"“{BY_SLUG[self.what].label}” by e-mail"


def address_of(user: User, *, what: str) -> str:
    """The full address that leaves ``what``: ``digest`` or the slug of a kind."""
    ticket = signing.dumps([str(user.uuid), what], salt=SALT)
    return settings.PRACTICUM_SITE_URL + reverse("accounts:unsubscribe", args=[ticket])


def headers_of(user: User, *, what: str) -> dict[str, str]:
    """What mail programs need to offer it as one button."""
    address = address_of(user, what=what)
    return {"List-Unsubscribe": f"<{address}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def leaving_of(ticket: str) -> Leaving:
    """Who leaves what.

    Raises:
        NotFound: the site did not sign this, or there is no such person any more.
    """
    try:
        subject, what = signing.loads(ticket, salt=SALT)
        user = User.objects.filter(uuid=UUID(subject), deleted_at__isnull=True).first()
    except (signing.BadSignature, ValueError, TypeError):
        raise NotFound("This link is not complete. Choose how you are told on your account page.") from None
    if user is None or (what != DIGEST and what not in BY_SLUG):
        raise NotFound("There is nothing to leave any more.")
    return Leaving(user, what)


@transaction.atomic
def leave(leaving: Leaving, *, now: datetime) -> None:
    """It does not come by e-mail any more. Left already, nothing changes."""
    user = leaving.user
    if leaving.what == DIGEST:
        chosen, _ = NoticeSettings.objects.select_for_update().get_or_create(user=user)
        if chosen.digest_hour is None:
            return
        chosen.digest_hour = None
        chosen.save(update_fields=["digest_hour"])
    else:
        choice, _ = NoticeChoice.objects.select_for_update().get_or_create(user=user, kind=leaving.what)
        if choice.mail == MailWay.OFF:
            return
        choice.mail = MailWay.OFF
        choice.save(update_fields=["mail"])
    record("notices.left", subject=user, actor=user, now=now, what=leaving.what)
