"""What people are told about slots: the answer to their reservation, and a slot that is asked back or kept."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.gpus.models import NOTEBOOKS, Lease, Reservation, ReservationState


def reservation_answered(row: Reservation, *, actor: User, now: datetime) -> None:
    """Who asked for the slots reads what became of it, unless they did it themselves."""
    if actor.pk == row.requested_by_id:
        return
    what = f"{row.slots} slot{'' if row.slots == 1 else 's'} of {row.pool} for {row.cohort}"
    subject, advice = {
        ReservationState.GRANTED: (
            f"Granted: {what}",
            "Interns of the cohort start as usual then; what nobody has claimed ten minutes into it goes to others.",
        ),
        ReservationState.REFUSED: (f"Refused: {what}", "Ask for another time or fewer slots, or talk to an admin."),
        ReservationState.CANCELLED: (
            f"Taken back: {what}",
            "Tell the cohort, and ask for another time if you need one.",
        ),
    }[ReservationState(row.state)]
    said = f' {actor} says: "{row.answer}"' if row.answer else ""
    verb = "took back your slots of" if row.state == ReservationState.CANCELLED else "answered your request for"
    notify(
        row.requested_by,
        kind=f"reservation.{row.state}",
        subject=subject,
        body=f"{actor} {verb} {_times(row)}.{said}\n{advice}",
        path=reverse("gpus:reservation", args=[row.pk]),
        key=f"reservation:{row.pk}:{row.state}",
        now=now,
    )


def asked_back(lease: Lease, *, by: datetime, reason: str, now: datetime) -> None:
    """The holder of a notebook's slot reads that it is needed, and until when they keep it."""
    if lease.purpose in NOTEBOOKS:
        notify(
            lease.user,
            kind="lease.asked_back",
            subject=f"Your slot is needed: your notebook stops at {localtime(by):%H:%M}",
            body=f"{reason}\nSave your work before then; your files are kept, and you can get in line again.",
            path=reverse("workspaces:notebook"),
            key=f"lease.asked_back:{lease.pk}:{now.isoformat()}",
            now=now,
        )


def kept(lease: Lease, *, now: datetime) -> None:
    """The holder reads that nobody needs the slot any more."""
    if lease.purpose in NOTEBOOKS:
        notify(
            lease.user,
            kind="lease.kept",
            subject="You keep your slot: your notebook goes on",
            body="The slot that was asked back is not needed any more.\nThere is nothing to do.",
            path=reverse("workspaces:notebook"),
            key=f"lease.kept:{lease.pk}:{now.isoformat()}",
            now=now,
        )


def _times(row: Reservation) -> str:
    starts, ends = localtime(row.starts_at), localtime(row.ends_at)
    until = f"{ends:%H:%M}" if starts.date() == ends.date() else f"{ends:%a %-d %b %H:%M}"
    return f"{starts:%a %-d %b %H:%M} to {until} ({settings.TIME_ZONE})"
