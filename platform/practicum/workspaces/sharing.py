"""The hub lets in exactly those whom an intern allowed to work in their notebook. The worker's; rows are the truth.

That a share may exist is written down before the hub is asked for it, and forgotten only after the hub took it back: a
worker that is killed in between leaves nobody in.
"""

from __future__ import annotations

import logging
from datetime import datetime

from practicum.audit.services import record
from practicum.workspaces import help_requests
from practicum.workspaces.help_selectors import reason_to_end
from practicum.workspaces.hub import Hub, HubRefused
from practicum.workspaces.models import HelpRequest, HelpState
from practicum.workspaces.selectors import open_sessions

log = logging.getLogger("practicum.help")


def follow_help(now: datetime, *, hub: Hub) -> int:
    """End what is over, take back what was shared for it, and share what was allowed since; how many steps.

    Raises:
        HubUnavailable: the hub can't be asked; it is asked again at the next call.
    """
    steps = help_requests.settle(now=now)
    rows = HelpRequest.objects.select_related("session__user", "session__lease", "session__internship", "mentor")
    for request in rows.filter(state=HelpState.ENDED, is_shared=True):
        steps += _take_back(request, now=now, hub=hub)
    for request in rows.filter(state=HelpState.HANDS, shared_at__isnull=True):
        steps += _share(request, now=now, hub=hub)
    return steps


def settle_shares(now: datetime, *, hub: Hub) -> int:
    """Take back what the hub shares of open sessions and nobody allowed; how many servers. The hub is read first, rows
    afterwards: what was shared meanwhile is not in the list.

    Raises:
        HubUnavailable: the hub can't be asked.
    """
    mended = 0
    for session in open_sessions():
        guests = hub.guests(session.user.username)
        allowed = HelpRequest.objects.filter(session=session, state=HelpState.HANDS)
        unwanted = guests - {request.mentor.username for request in allowed.select_related("mentor")}
        if unwanted:
            log.warning("the hub let %s into the notebook of %s: taken back", sorted(unwanted), session.user.username)
            hub.unshare(session.user.username)
            allowed.update(shared_at=None)
            record("help.share_removed", subject=session, actor=None, now=now, guests=sorted(unwanted))
            mended += 1
    return mended


def _take_back(request: HelpRequest, *, now: datetime, hub: Hub) -> bool:
    try:
        hub.unshare(request.session.user.username)
    except HubRefused as refusal:
        log.warning("%s is still shared: %s", request, refusal)
        return False
    HelpRequest.objects.filter(pk=request.pk).update(is_shared=False)
    record("help.unshared", subject=request, actor=None, now=now)
    return True


def _share(request: HelpRequest, *, now: datetime, hub: Hub) -> bool:
    row = HelpRequest.objects.filter(pk=request.pk, state=HelpState.HANDS)
    if reason_to_end(request, now=now) is not None or not row.update(is_shared=True):
        return False
    try:
        hub.share(request.session.user.username, guest=request.mentor.username)
    except HubRefused as refusal:
        log.warning("%s can't be shared: %s", request, refusal)
        return False
    row.update(shared_at=now)
    record("help.shared", subject=request, actor=None, now=now)
    return True
