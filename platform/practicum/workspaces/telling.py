"""What interns are told about their notebooks while they look elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.urls import reverse
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.gpus.models import LeaseState
from practicum.workspaces.home_rules import written
from practicum.workspaces.models import HelpRequest, Restoration, Session, SessionState, Snapshot

LONG_WAIT = timedelta(minutes=2)


def ready(session: Session, *, now: datetime) -> None:
    """The notebook is up after a wait during which its intern may have gone away."""
    waited = now - session.requested_at
    if waited > LONG_WAIT:
        notify(
            session.user,
            kind="session.ready",
            subject="Your notebook is ready",
            body=f"It started after a wait of {round(waited.total_seconds() / 60)} minutes.\n"
            "Open it now: a notebook in which nothing runs is stopped after a while.",
            path=reverse("workspaces:notebook"),
            key=f"session.ready:{session.pk}",
            now=now,
        )


def turn(session: Session, *, take_by: datetime, now: datetime) -> None:
    """A slot is kept for somebody who waited so long that they may have gone away."""
    notify(
        session.user,
        kind="session.turn",
        subject=f"It is your turn: a slot is kept for you until {localtime(take_by):%H:%M}",
        body="Start your notebook before then; after that the slot goes to the next in line.",
        path=reverse("workspaces:notebook"),
        key=f"session.turn:{session.pk}",
        now=now,
    )


def next_turn(session: Session, *, take_by: datetime, now: datetime) -> None:
    """A GPU is kept for somebody who works on a CPU slot and may look elsewhere."""
    notify(
        session.user,
        kind="session.turn",
        subject=f"It is your turn: a GPU is kept for you until {localtime(take_by):%H:%M}",
        body="Move your notebook to it before then, in JupyterLab or on the notebook's page; its files go along.\n"
        "After that the GPU goes to the next in line, and you go on on your CPU slot.",
        path=reverse("workspaces:notebook"),
        key=f"session.turn:{session.next_lease_id}",
        now=now,
    )


def place_lost(session: Session, *, place: UUID | None, reason: str, actor: User | None, now: datetime) -> None:
    """The platform ended the place in line of somebody who works on a CPU slot; not told where they ended it."""
    if actor is None:
        notify(
            session.user,
            kind="session.place_lost",
            subject="You are out of the line for a GPU",
            body=f"{reason}\nYou can get in line again whenever you want.",
            path=reverse("workspaces:notebook"),
            key=f"session.place_lost:{place}",
            now=now,
        )


def stopping(session: Session, *, reason: str, actor: User | None, now: datetime) -> None:
    """The platform ends a notebook, or a place in line, by itself. ``session`` is as it was before.

    Nothing is said where its intern ended it, on the site (``actor``) or from inside.
    """
    was_announced = session.stop_at is not None
    was_taken = session.lease.state in (LeaseState.DRAINING, LeaseState.RELEASED, LeaseState.CANCELLED)
    if actor is not None or not (was_announced or was_taken or session.state == SessionState.QUEUED):
        return
    is_line = session.state == SessionState.QUEUED and session.next_lease_id is None
    advice = "You can get in line for a new one whenever you want to go on."
    if session.next_lease_id is not None:
        advice = "You keep your place in line for a GPU."
    notify(
        session.user,
        kind="session.stopped",
        subject="You are out of the line for a notebook" if is_line else "Your notebook was stopped",
        body=f"{reason}\n{advice}",
        path=reverse("workspaces:notebook"),
        key=f"session.stopped:{session.pk}",
        now=now,
    )


def nearly_full(user: User, *, used: int, quota: int, now: datetime) -> None:
    """Somebody's files take nearly all the room they have, or more; at most once a day."""
    notify(
        user,
        kind="home.nearly_full",
        subject=f"Your files take {written(used)} of the {written(quota)} you have",
        body="The notebook's page says which take most, and how to free room.\n"
        "If they grow much beyond it your notebook is ended; nothing of yours is deleted.",
        path=reverse("workspaces:notebook"),
        key=f"home.nearly_full:{user.pk}:{localtime(now):%Y-%m-%d}",
        now=now,
    )


def home_full(session: Session, *, reason: str, now: datetime) -> None:
    """A notebook was ended because its files grew too large."""
    notify(
        session.user,
        kind="home.full",
        subject="Your notebook was stopped: your files take too much room",
        body=f"{reason}\nYou can open it again at once. It stays open as long as your files do not grow further.",
        path=reverse("workspaces:notebook"),
        key=f"home.full:{session.pk}",
        now=now,
    )


def no_snapshot(snapshot: Snapshot, *, now: datetime) -> None:
    """A notebook was about to be stopped, and its files could not be kept once more."""
    notify(
        snapshot.internship.intern,
        kind="snapshot.failed",
        subject="No snapshot of your notebook was made",
        body=f"{snapshot.message}\nNothing is lost by it: it would have been a second copy.",
        path=reverse("workspaces:snapshots"),
        key=f"snapshot.failed:{snapshot.pk}",
        now=now,
    )


def restored(restoration: Restoration, *, now: datetime) -> None:
    """What became of a restoration, which may have waited for a notebook to close."""
    is_done = not restoration.message
    notify(
        restoration.user,
        kind="snapshot.restored",
        subject=f"Your snapshot is in the folder {restoration.folder}" if is_done else "Your snapshot was not restored",
        body=restoration.message or "It lies beside your files; nothing of yours was changed.",
        path=reverse("workspaces:snapshots"),
        key=f"snapshot.restored:{restoration.pk}",
        now=now,
    )


def help_asked(request: HelpRequest, *, now: datetime) -> None:
    """An intern asks their mentor for help in the running notebook."""
    intern = request.session.user
    notify(
        request.mentor,
        kind="help.asked",
        subject=f"{intern.name} asks for help in their notebook",
        body=f"{request.topic}\nThey are there now. You may read their notebooks once you come; "
        f"you have {request.minutes} minutes from then.",
        path=reverse("reviews:help", args=[request.pk]),
        key=f"help.asked:{request.pk}",
        now=now,
    )
