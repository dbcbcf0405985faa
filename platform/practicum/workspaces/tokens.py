"""The tokens notebooks show to the site: one a claim, kept as a digest, good until the lease or the session ends."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db.models import F
from django.http import HttpRequest

from practicum.accounts.access import Unauthorized, bearer
from practicum.gpus.models import LIVE_STATES
from practicum.lib.digest import digest_bytes
from practicum.workspaces.models import OPEN_SESSION_STATES, Session, WorkspaceToken


def mint_token(session: Session, *, expires_at: datetime, now: datetime) -> str:
    """A new token for ``session``; the ones before it open nothing any more."""
    revoke_tokens(session, now=now)
    token = secrets.token_urlsafe(32)
    WorkspaceToken.objects.create(session=session, digest=digest_bytes(token.encode()), expires_at=expires_at)
    return token


def revoke_tokens(session: Session, *, now: datetime) -> None:
    """No token of this session opens anything from now on."""
    WorkspaceToken.objects.filter(session=session, revoked_at__isnull=True).update(revoked_at=now)


def revoke_all(*, now: datetime) -> int:
    """No notebook's token opens anything any more; returns how many did."""
    return WorkspaceToken.objects.filter(revoked_at__isnull=True, expires_at__gt=now).update(revoked_at=now)


def session_of(request: HttpRequest, now: datetime) -> Session:
    """The open session whose token the request shows, with user, internship, cohort and slot loaded.

    Every notebook asks each quarter of a minute: the project, with all its texts, is left to who needs it.

    Raises:
        Unauthorized: no token, an unknown, an expired or a revoked one, or one of a deactivated person.
    """
    session = (
        Session.objects.filter(
            tokens__digest=digest_bytes(bearer(request).encode()),
            tokens__revoked_at__isnull=True,
            tokens__expires_at__gt=now,
            state__in=OPEN_SESSION_STATES,
            lease__state__in=LIVE_STATES,
            lease__user=F("user"),
            user__is_active=True,
        )
        .select_related("user", "internship__cohort", "lease__slot")
        .first()
    )
    if session is None:
        raise Unauthorized("This notebook's token has expired. Open your notebook again from the site.")
    return session
