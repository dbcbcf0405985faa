"""E-mails to people: plain text, short, with the address of the page where it goes on and the way out of them."""

from __future__ import annotations

import smtplib
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from practicum.accounts import unsubscribing
from practicum.accounts.kinds import kind_of
from practicum.accounts.models import Notice, User
from practicum.errors import Fault

ADDRESS_REFUSED = "The mail server refused the address."


class NotMailed(Fault):
    """The mail server did not take it; the message says why."""

    code = "mail"


def message_of(notice: Notice) -> EmailMessage:
    """The mail. Its Message-ID is the notice's, so that a second copy would be known as one."""
    kind = kind_of(notice.kind)
    return message(
        notice.user,
        subject=notice.subject,
        body=f"{notice.body}\n\n{notice.url}",
        mark=str(notice.pk),
        leaves=kind.slug if kind else "",
    )


def message(user: User, *, subject: str, body: str, mark: str, leaves: str) -> EmailMessage:
    """A mail to a person, with how to be told otherwise. ``mark`` makes the Message-ID; ``leaves``: what its link
    unsubscribes from, empty for nothing.
    """
    account = settings.PRACTICUM_SITE_URL + reverse("accounts:account")
    host = urlsplit(settings.PRACTICUM_SITE_URL).hostname or "localhost"
    foot = f"Practicum. How you are told: {account}\n"
    headers = {"Message-ID": f"<{mark}@{host}>", "Auto-Submitted": "auto-generated"}
    if leaves:
        foot += f"No more of these: {unsubscribing.address_of(user, what=leaves)}\n"
        headers |= unsubscribing.headers_of(user, what=leaves)
    return EmailMessage(subject=subject, body=f"{body}\n\n-- \n{foot}", to=[user.email], headers=headers)


def send(mail: EmailMessage) -> None:
    """Hand the mail to the mail server.

    Raises:
        NotMailed: it did not take it.
    """
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused:
        raise NotMailed(ADDRESS_REFUSED) from None
    except smtplib.SMTPAuthenticationError:
        raise NotMailed("The mail server refused the site's own sign-in; an admin has to mend it.") from None
    except (smtplib.SMTPException, OSError):
        raise NotMailed("The mail server could not be reached or did not take it.") from None
