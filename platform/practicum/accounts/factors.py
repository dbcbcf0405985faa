"""The second factor: who must have one, who has, and what is recorded of it.

A factor is a program on the person's phone that shows a code for each half minute (RFC 6238), with ten recovery codes
beside it, each good for once. django-allauth keeps both; the secrets are encrypted with a key derived from the site's.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from allauth.mfa import signals
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.dispatch import receiver
from django.utils.crypto import salted_hmac

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.accounts.services import check_admin, end_sessions
from practicum.audit.services import record
from practicum.errors import Conflict
from practicum.lib.clock import utc_now

SALT = "practicum.accounts.factors"


def has_factor(user: User) -> bool:
    """This person is asked for a code when signing in."""
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


def with_factors(accounts: QuerySet[User]) -> QuerySet[User]:
    """The accounts, each with ``has_factor``."""
    theirs = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
    return accounts.annotate(has_factor=Exists(theirs))


def must_add_factor(user: User) -> bool:
    """Nothing opens to this person before they have a second factor."""
    return user.role in settings.PRACTICUM_WAYS_IN.factor_roles and not has_factor(user)


def cipher() -> Fernet:
    """What the secrets of the factors are encrypted with."""
    key = salted_hmac(SALT, "key", algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(key))


@transaction.atomic
def reset_factor(actor: User | None, *, user: User, now: datetime) -> None:
    """The person has no second factor and no recovery codes any more; every session of theirs ends, and they are told.

    ``actor`` is None where the platform's own command does it.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: the actor's own, or there is none.
    """
    check_admin(actor)
    if actor is not None and actor.pk == user.pk:
        raise Conflict("Another admin resets yours; alone, use a recovery code.")
    if not Authenticator.objects.filter(user=user).delete()[0]:
        raise Conflict(f"{user} has no second factor.")
    end_sessions(user, now=now)
    record("account.factor_reset", subject=user, actor=actor, now=now)
    notify(
        user,
        kind="account.factor_reset",
        subject="Your second factor was taken away",
        body=f"{actor or 'The operator of this site'} took it away, so that you can sign in without. Set up a new one.",
        path="/account/factor/",
        key=f"factor-reset-{now.isoformat()}",
        now=now,
    )


def _note(verb: str) -> Any:
    def noted(*, user: User, authenticator: Authenticator, **_: Any) -> None:
        if authenticator.type == Authenticator.Type.TOTP:
            record(verb, subject=user, actor=user, now=utc_now())

    return noted


note_added = receiver(signals.authenticator_added, dispatch_uid="practicum-factor-added")(_note("account.factor_added"))
note_removed = receiver(signals.authenticator_removed, dispatch_uid="practicum-factor-removed")(
    _note("account.factor_removed")
)


@receiver(signals.authenticator_used, dispatch_uid="practicum-code-used")
def note_recovery_code(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    """A recovery code opens the door once: that it did is on record."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        record("account.recovery_code_used", subject=user, actor=user, now=utc_now())
