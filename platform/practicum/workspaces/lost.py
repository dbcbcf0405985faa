"""What people are told whose notebook is on a server that fell silent, and when it is back."""

from __future__ import annotations

from datetime import datetime

from django.utils.timezone import localtime

from practicum.workspaces import lifecycle
from practicum.workspaces.models import Session, SessionState, SnapshotState

AWAY = "The server {server} does not answer. {saved} If it comes back, your notebook may be there as you left it."
BACK = "The server {server} answers again"
NOTHING = "No snapshot of your files was kept."


def tell_away(server: str, *, now: datetime) -> None:
    """Each notebook that runs there says so, and what of it is saved."""
    for session in _on(server):
        message = AWAY.format(server=server, saved=saved_of(session))
        lifecycle.note(session, state="away", message=message, now=now)


def tell_back(server: str, *, now: datetime) -> None:
    """Each notebook that still runs there says so."""
    for session in _on(server):
        lifecycle.note(session, state="back", message=BACK.format(server=server), now=now)


def saved_of(session: Session) -> str:
    """What is kept of the intern's files, in a sentence."""
    kept = session.internship.snapshots.filter(state=SnapshotState.KEPT).order_by("-made_at").first()
    if kept is None or kept.made_at is None:
        return NOTHING
    return f"The last snapshot of your files is of {localtime(kept.made_at):%-d %B, %H:%M}."


def _on(server: str) -> list[Session]:
    rows = Session.objects.filter(
        state__in=[SessionState.STARTING, SessionState.RUNNING], lease__slot__server__name=server
    )
    return list(rows.select_related("internship", "user"))
