"""What may not go on in a site that was made from a backup, as if no time had passed.

Whoever holds a cookie, a token or a grant from before has to get a new one: it may have been taken back since, or may be
in the hands of whoever has the old host. What ran on the old host does not run here. What waited goes on, once.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction

from practicum.accounts import services as accounts
from practicum.audit.services import record_of_the_site
from practicum.config.keeping.manifest import Manifest
from practicum.errors import Conflict
from practicum.evaluation import claims
from practicum.gpus import services as leases
from practicum.gpus import tokens as agents
from practicum.workspaces import homes, lifecycle
from practicum.workspaces import tokens as workspaces

# In this order, as the hub's tables point to one another. What they hold is made anew when people sign in.
HUB_EMPTIED = ("oauth_codes", "api_token_role_map", "api_tokens", "shares", "share_codes", "servers")
HUB_CHANGES = {
    "spawners": "UPDATE spawners SET server_id = NULL, state = NULL, started = NULL",
    "services": "UPDATE services SET _server_id = NULL",
}


@dataclass(frozen=True)
class Settled:
    """How many of each."""

    signed_out: int
    tokens: int
    sessions: int
    runs: int
    leases: int


@transaction.atomic
def settle(manifest: Manifest, *, now: datetime) -> Settled:
    """Nobody is signed in, no token opens anything, no notebook runs, and each evaluation waits to be run once."""
    reason = f"Practicum was restored from its backup of {manifest.made_at:%d %b %Y, %H:%M} UTC."
    signed_out = accounts.end_all_access(now=now)
    tokens = agents.revoke_all(now=now) + workspaces.revoke_all(now=now)
    sessions = lifecycle.end_all(reason=reason, now=now)
    homes.all_are_here(now=now)
    runs = claims.queue_all_again(reason=reason, now=now)
    ended = _close_leases(reason=reason, now=now)
    settled = Settled(signed_out, tokens, sessions, runs, ended)
    facts = {"backup": manifest.id, "made_at": manifest.made_at.isoformat(), "sessions": sessions, "runs": runs}
    record_of_the_site("site.restored", now=now, **facts)
    return settled


def _close_leases(*, reason: str, now: datetime) -> int:
    """No slot is held: nothing runs here, as was seen before."""
    ended = 0
    for lease in leases.live_leases():
        with suppress(Conflict):
            leases.end_lease(lease.pk, reason=reason, actor=None, now=now)
        lease.refresh_from_db()
        leases.release_lease(lease.pk, token=lease.token, observed_gone=True, reason=reason, now=now)
        ended += 1
    return ended


def settle_hub(file: Path) -> None:
    """In the hub's database no token opens anything and no server runs; cookies of everybody are worth nothing."""
    with closing(sqlite3.connect(file)) as opened, opened:
        tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name, change in HUB_CHANGES.items():
            if name in tables:
                opened.execute(change)
        for name in HUB_EMPTIED:
            if name in tables:
                opened.execute(f"DELETE FROM {name}")  # noqa: S608
        if "users" in tables:
            ids = [row for (row,) in opened.execute("SELECT id FROM users")]
            opened.executemany("UPDATE users SET cookie_id = ? WHERE id = ?", [(secrets.token_hex(16), i) for i in ids])
