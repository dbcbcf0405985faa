"""The way into a cohort for who has no account: by invitation, or by signing up. Both prove the address by a mail.

The token in the link is the row's number signed with the site's secret: the row says whether it still opens, and nothing
in the database opens anything. A mail that could not be sent leaves the row without ``mailed_at``; sending it again
makes no second one.
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils.timezone import localdate, localtime

from practicum.accounts.mail import NotMailed
from practicum.accounts.models import User
from practicum.accounts.notices import is_mail_on
from practicum.accounts.services import sign_up
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.internships.applications import TooLate
from practicum.internships.models import Cohort, Entry, Invitation
from practicum.internships.services import check_admin

SALT = "practicum.internships.invitation"
INVITED_FOR = timedelta(days=14)
SIGN_UP_FOR = timedelta(hours=24)
ADDRESSES_AT_ONCE = 50


class LinkOver(Conflict):
    """The link opens nothing any more, and never will."""

    code = "link_over"
    status = 410


def token_of(invitation: Invitation) -> str:
    """What the link of this invitation carries."""
    return signing.Signer(salt=SALT).sign(str(invitation.pk))


def link_of(invitation: Invitation) -> str:
    """The full address that is mailed."""
    return f"{settings.PRACTICUM_SITE_URL}{reverse('internships:join', args=[token_of(invitation)])}"


def invitation_of(token: str) -> Invitation:
    """The invitation a link carries, whether it still opens or not.

    Raises:
        NotFound: it is none of ours.
    """
    try:
        number = int(signing.Signer(salt=SALT).unsign(token))
    except (signing.BadSignature, ValueError):
        raise NotFound("This link is not complete, or not one of ours.") from None
    invitation = Invitation.objects.select_related("cohort").filter(pk=number).first()
    if invitation is None:
        raise NotFound("This link is not complete, or not one of ours.")
    return invitation


def check_open(invitation: Invitation, *, now: datetime) -> None:
    """Let a link through that still opens.

    Raises:
        LinkOver: it was used, revoked, or is too old.
    """
    refusals = {
        "used": "This link was used already. Sign in to go on.",
        "revoked": "This invitation was taken back.",
        "expired": "This link is too old. Ask for a new one on the cohort's page.",
    }
    state = invitation.state_at(now)
    if state != "open":
        raise LinkOver(refusals[state])


def invite(actor: User, *, cohort: Cohort, addresses: Iterable[str], now: datetime) -> list[Invitation]:
    """Invite each address once and mail it; who has an open invitation already is left alone.

    Raises:
        Forbidden: the actor is no admin.
        Invalid: an address is none, or there are too many at once; nobody is invited then.
    """
    check_admin(actor)
    wanted = list(dict.fromkeys(address.strip().lower() for address in addresses if address.strip()))
    if not 1 <= len(wanted) <= ADDRESSES_AT_ONCE:
        raise Invalid(f"Write 1 to {ADDRESSES_AT_ONCE} addresses, one a line.", field="addresses")
    for address in wanted:
        try:
            validate_email(address)
        except ValidationError:
            raise Invalid(f"{address} is no e-mail address. Nobody was invited.", field="addresses") from None
    with transaction.atomic():
        Cohort.objects.select_for_update().get(pk=cohort.pk)
        made = [_make(cohort, email=address, actor=actor, now=now) for address in wanted]
    new = [row for row in made if row is not None]
    for row in new:
        deliver(row, now=now)
    return new


def _make(cohort: Cohort, *, email: str, actor: User, now: datetime) -> Invitation | None:
    there = Invitation.objects.filter(cohort=cohort, email=email, invited_by__isnull=False, revoked_at__isnull=True)
    if any(row.state_at(now) in ("open", "used") for row in there):
        return None
    row = Invitation.objects.create(
        cohort=cohort, email=email, invited_by=actor, made_at=now, expires_at=now + INVITED_FOR
    )
    record("invitation.made", subject=row, actor=actor, now=now, cohort=cohort.slug)
    return row


@transaction.atomic
def revoke(actor: User, *, invitation: Invitation, now: datetime) -> None:
    """Its link opens nothing more.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: it was used or revoked.
    """
    check_admin(actor)
    rows = Invitation.objects.filter(pk=invitation.pk, used_at__isnull=True, revoked_at__isnull=True)
    if not rows.update(revoked_at=now):
        raise Conflict("This invitation was used or taken back already.")
    record("invitation.revoked", subject=invitation, actor=actor, now=now)


def ask_to_join(*, cohort: Cohort, email: str, now: datetime) -> Invitation | None:
    """Somebody without an account asks for one: a link is mailed to the address; None where it has an account.

    Whether it has one is told only in the mail.

    Raises:
        TooLate: nobody can apply to the cohort now.
        Forbidden: it takes only people who were invited.
        NotMailed: the mail server did not take the mail.
    """
    if not cohort.takes_applications(today=localdate(now)):
        raise TooLate(f"Nobody can apply to {cohort} now.")
    if cohort.entry != Entry.OPEN:
        raise Forbidden(f"{cohort} takes only people who were invited.")
    email = email.strip().lower()
    if User.objects.filter(email__iexact=email).exists():
        _mail(email, subject=f"Apply to {cohort}", body=_has_account(cohort))
        return None
    with transaction.atomic():
        row = Invitation.objects.create(cohort=cohort, email=email, made_at=now, expires_at=now + SIGN_UP_FOR)
        record("invitation.asked_for", subject=row, actor=None, now=now, cohort=cohort.slug)
    _mail(email, subject=f"Your account to apply to {cohort}", body=_to_sign_up(row))
    Invitation.objects.filter(pk=row.pk).update(mailed_at=now)
    return row


def deliver(invitation: Invitation, *, now: datetime) -> bool:
    """Mail an invitation; False where no mail is sent here, or the mail server did not take it."""
    try:
        _mail(invitation.email, subject=f"An invitation to {invitation.cohort}", body=_to_be_invited(invitation))
    except NotMailed:
        return False
    if not is_mail_on():
        return False
    Invitation.objects.filter(pk=invitation.pk).update(mailed_at=now)
    return True


@transaction.atomic
def join_as_new(invitation: Invitation, *, username: str, name: str, password: str, now: datetime) -> User:
    """An account for who holds the link, with the address it was mailed to.

    Raises:
        Conflict: the link opens nothing more, or an account has this address or username.
        Invalid: a fact about the person can't be used, or the password is easy to guess.
    """
    check_open(invitation_of(token_of(invitation)), now=now)
    person = sign_up(username=username, email=invitation.email, name=name, password=password, now=now)
    _use(invitation, person=person, now=now)
    return person


@transaction.atomic
def join_as(person: User, *, invitation: Invitation, now: datetime) -> None:
    """Who holds the link and has an account may apply with it.

    Raises:
        Forbidden: the person is no intern.
        Conflict: the link opens nothing more.
    """
    if not person.is_intern:
        raise Forbidden("Only interns apply to a cohort; sign in with an intern's account.")
    _use(invitation, person=person, now=now)


def _use(invitation: Invitation, *, person: User, now: datetime) -> None:
    rows = Invitation.objects.filter(
        pk=invitation.pk, used_at__isnull=True, revoked_at__isnull=True, expires_at__gt=now
    )
    if not rows.update(used_at=now, used_by=person):
        invitation.refresh_from_db()
        check_open(invitation, now=now)
        raise LinkOver("This link was used at the same moment.")
    record("invitation.used", subject=invitation, actor=person, now=now)


def _mail(address: str, *, subject: str, body: str) -> None:
    """Send it now; on a site without a mail server nothing is sent.

    Raises:
        NotMailed: the mail server did not take it.
    """
    if not is_mail_on():
        return
    try:
        EmailMessage(
            subject=subject,
            body=f"{body}\n\n-- \nPracticum\n",
            to=[address],
            headers={"Auto-Submitted": "auto-generated"},
        ).send()
    except (smtplib.SMTPException, OSError):
        raise NotMailed("The mail could not be sent. Check the address, or try again in a few minutes.") from None


def _to_be_invited(invitation: Invitation) -> str:
    cohort = invitation.cohort
    return (
        f"You are invited to apply to {cohort}, {cohort.starts_on:%-d %B} to {cohort.ends_on:%-d %B %Y}.\n"
        f"Open this link by {localtime(invitation.expires_at):%-d %B %Y}:\n\n{link_of(invitation)}"
    )


def _to_sign_up(invitation: Invitation) -> str:
    return (
        f"Somebody, probably you, wants to apply to {invitation.cohort} with this address.\n"
        f"Open this link within a day to make your account:\n\n{link_of(invitation)}\n\n"
        "If it was not you, there is nothing to do."
    )


def _has_account(cohort: Cohort) -> str:
    address = settings.PRACTICUM_SITE_URL + reverse("internships:apply", args=[cohort.slug])
    return (
        f"Somebody, probably you, wants to apply to {cohort} with this address. It has an account already.\n"
        f"Sign in and apply:\n\n{address}\n\nIf it was not you, there is nothing to do."
    )
