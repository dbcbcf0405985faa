"""What the worker does for this room: carry out deletions whose grace period is over, one at a time."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import F

from practicum.engine import Engine
from practicum.errors import Fault, Stale
from practicum.persons.erasing import Erasure, Held, erase
from practicum.persons.models import OPEN_DELETION_STATES, Deletion
from practicum.workspaces.hub import Hub

log = logging.getLogger(__name__)

CLAIM_HOLDS = timedelta(minutes=10)
LOOK_AGAIN = timedelta(seconds=15)


def delete_due(now: datetime, *, engine: Engine, hub: Hub) -> bool:
    """Carry out the deletion that is due longest; False where none is, or it can't go on yet.

    Raises:
        Fault: engine or hub failed us; it is tried again.
    """
    deletion = claim(now)
    if deletion is None:
        return False
    try:
        erase(Erasure(deletion, engine=engine, hub=hub, now=now))
    except Held as held:
        _wait(deletion, reason=held.message, now=now)
        return False
    except Fault as fault:
        _wait(deletion, reason=fault.message, now=now)
        raise
    except Stale:
        log.info("deletion %s is somebody else's now", deletion.pk)
        return False
    return True


def claim(now: datetime) -> Deletion | None:
    """The deletion that is due longest is this worker's for ten minutes; None where none is due."""
    due = Deletion.objects.filter(state__in=OPEN_DELETION_STATES, due_at__lte=now, next_try_at__lte=now)
    for pk, token in list(due.order_by("next_try_at", "pk").values_list("pk", "token")[:4]):
        rows = Deletion.objects.filter(pk=pk, token=token, state__in=OPEN_DELETION_STATES)
        if rows.update(token=F("token") + 1, next_try_at=now + CLAIM_HOLDS):
            return Deletion.objects.select_related("user", "asked_by").get(pk=pk)
    return None


def _wait(deletion: Deletion, *, reason: str, now: datetime) -> None:
    rows = Deletion.objects.filter(pk=deletion.pk, token=deletion.token, state__in=OPEN_DELETION_STATES)
    rows.update(waits_for=reason[:300], next_try_at=now + LOOK_AGAIN)
