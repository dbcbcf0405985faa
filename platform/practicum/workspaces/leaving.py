"""Who was switched off or has another role is forgotten by the hub: its sessions, its tokens, its cookies. The worker's.

That somebody has to leave is in their row until the hub has said that it knows them no more: a hub that is down, or a
worker that is killed, is asked again.
"""

from __future__ import annotations

import logging
from datetime import datetime

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.workspaces.hub import Hub, HubRefused
from practicum.workspaces.models import OPEN_SESSION_STATES, Session

log = logging.getLogger("practicum.leaving")


def may_have_server(user: User) -> bool:
    """A notebook server of this person may run."""
    return user.is_active and user.is_intern


def see_off(now: datetime, *, hub: Hub) -> int:
    """Let the hub forget everybody who has to leave it and has no session any more; how many are gone.

    Raises:
        HubUnavailable: the hub can't be asked; it is asked again at the next call.
    """
    busy = Session.objects.filter(state__in=OPEN_SESSION_STATES).values("user_id")
    gone = 0
    for user in User.objects.filter(must_leave_hub=True).exclude(pk__in=busy).order_by("pk"):
        try:
            gone += _see_off(user, now=now, hub=hub)
        except HubRefused as refusal:
            log.warning("the hub does not forget %s yet: %s", user.username, refusal)
    return gone


def _see_off(user: User, *, now: datetime, hub: Hub) -> bool:
    """A server that no session pays for is stopped first; that of somebody who was let in again is left to end by itself."""
    if hub.server(user.username) is not None and (may_have_server(user) or not hub.stop(user.username)):
        return False
    hub.forget(user.username)
    if User.objects.filter(pk=user.pk, must_leave_hub=True).update(must_leave_hub=False):
        record("account.left_hub", subject=user, actor=None, now=now)
    return True
