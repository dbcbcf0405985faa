"""The tokens agents show to the site: an admin makes and revokes them; each speaks for one server. Kept as digests."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest

from practicum.accounts.access import Unauthorized, bearer
from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import NotFound
from practicum.gpus.models import AgentToken, Server
from practicum.lib.digest import digest_bytes


@transaction.atomic
def make_token(server: Server, *, actor: User | None, now: datetime) -> str:
    """A new token for the agent of ``server``; nobody can read it again. Those before it go on."""
    token = secrets.token_hex(32)
    row = AgentToken.objects.create(server=server, digest=_digest(token), made_by=actor, made_at=now)
    record("agent_token.made", subject=row, actor=actor, now=now, server=server.name)
    return token


@transaction.atomic
def revoke_token(server: Server, *, token_id: int, actor: User, now: datetime) -> None:
    """The token opens nothing from now on; revoked already, it stays so.

    Raises:
        NotFound: this server has no such token.
    """
    row = AgentToken.objects.filter(pk=token_id, server=server).first()
    if row is None:
        raise NotFound
    if AgentToken.objects.filter(pk=row.pk, revoked_at__isnull=True).update(revoked_at=now):
        record("agent_token.revoked", subject=row, actor=actor, now=now, server=server.name)


@transaction.atomic
def revoke_all(*, now: datetime) -> int:
    """No agent's token opens anything any more; returns how many did."""
    rows = AgentToken.objects.filter(revoked_at__isnull=True)
    for token in rows.select_related("server"):
        record("agent_token.revoked", subject=token, actor=None, now=now, server=token.server.name)
    return rows.update(revoked_at=now)


def server_of(request: HttpRequest, *, now: datetime) -> Server:
    """The server whose agent sent this request; its token's last use is noted.

    Raises:
        Unauthorized: no token, an unknown or a revoked one.
    """
    digest = _digest(bearer(request))
    row = AgentToken.objects.select_related("server").filter(digest=digest, revoked_at__isnull=True).first()
    if row is None:
        raise Unauthorized("This token opens nothing here. An admin makes a new one on the page of this server.")
    AgentToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return row.server


def token_row(token: str) -> AgentToken | None:
    """What we know of a token, revoked or not."""
    return AgentToken.objects.select_related("server").filter(digest=_digest(token)).first()


def _digest(token: str) -> str:
    return digest_bytes(token.encode())
