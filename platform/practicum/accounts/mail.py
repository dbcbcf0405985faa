"""A notice as an e-mail: plain text, short, with the address of the page where it goes on."""

from __future__ import annotations

import smtplib
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from practicum.accounts.models import Notice
from practicum.errors import Fault


class NotMailed(Fault):
    """The mail server did not take it; the message says why."""

    code = "mail"


def message_of(notice: Notice) -> EmailMessage:
    """The mail. Its Message-ID is the notice's, so that a second copy would be known as one."""
    account = settings.PRACTICUM_SITE_URL + reverse("accounts:account")
    host = urlsplit(settings.PRACTICUM_SITE_URL).hostname or "localhost"
    return EmailMessage(
        subject=notice.subject,
        body=f"{notice.body}\n\n{notice.url}\n\n-- \nPracticum. How you are told: {account}\n",
        to=[notice.user.email],
        headers={"Message-ID": f"<{notice.pk}@{host}>", "Auto-Submitted": "auto-generated"},
    )


def send(notice: Notice) -> None:
    """Hand the mail to the mail server.

    Raises:
        NotMailed: it did not take it.
    """
    try:
        message_of(notice).send()
    except smtplib.SMTPRecipientsRefused:
        raise NotMailed("The mail server refused the address.") from None
    except smtplib.SMTPAuthenticationError:
        raise NotMailed("The mail server refused the site's own sign-in; an admin has to mend it.") from None
    except (smtplib.SMTPException, OSError):
        raise NotMailed("The mail server could not be reached or did not take it.") from None
