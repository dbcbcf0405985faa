"""Restoring: a snapshot is unpacked into a new folder of its intern's home, while no notebook runs there.

::

    waiting ──▶ unpacking ──▶ done
       └───────────┴──▶ failed

It waits while a notebook is open, and the next one waits for it. Nothing in the home is ever overwritten: the folder is
named by the day, and has a number behind it where that is taken.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.engine.base import Engine, Piped
from practicum.errors import Conflict, EngineError, Stale
from practicum.workspaces import archives, lifecycle, rules, selectors, telling
from practicum.workspaces.models import (
    OPEN_RESTORATION_STATES,
    Restoration,
    RestorationState,
    Session,
    SessionState,
    Snapshot,
    SnapshotState,
)

log = logging.getLogger("practicum.snapshots")

# While a notebook is open; and once it is begun.
WAIT_AT_MOST = timedelta(hours=24)
UNPACK_WITHIN = timedelta(minutes=5)
# So long the next notebook waits for one that nobody has begun.
HOLD_UP = timedelta(minutes=2)
IN_THE_WAY = (SessionState.STARTING, SessionState.RUNNING, SessionState.STOPPING)
FOLDER = re.compile(r"restored-[0-9-]{1,40}")
NOT_BEGUN = "Your notebook was open for a day, so nothing was unpacked. Ask again when it is closed."
NO_TIME = "Unpacking took too long and was ended. What it had unpacked is in the new folder."
BY_OUR_FAULT = "It could not be unpacked, by a fault of ours. Your files are as you left them."
NO_ROOM = "There was no room for all of it, or it is too large. What was unpacked is in the new folder."


@transaction.atomic
def ask_to_restore(user: User, *, snapshot_id: int, now: datetime) -> Restoration:
    """The intern wants the files of a snapshot beside those they have.

    Raises:
        NotFound: there is none, or it is not theirs.
        Conflict: nothing was kept, or another one is being restored.
    """
    snapshot = selectors.snapshot_for(user, snapshot_id=snapshot_id)
    if snapshot.state != SnapshotState.KEPT or not snapshot.path.is_file():
        raise Conflict("This snapshot holds no files, so there is nothing to restore.")
    folder = f"restored-{localtime(now):%Y-%m-%d}"
    facts = {"snapshot": snapshot, "user": user, "folder": folder, "asked_at": now, "deadline": now + WAIT_AT_MOST}
    try:
        with transaction.atomic():
            restoration = Restoration.objects.create(**facts)
    except IntegrityError as clash:
        raise Conflict("A snapshot is being restored already. Wait until that is done.") from clash
    record("restoration.asked", subject=restoration, actor=user, now=now, snapshot=snapshot.pk)
    return restoration


def hold_up(user: User, *, now: datetime) -> bool:
    """The person's next notebook has to wait: files are being unpacked where it would run, or are about to be."""
    rows = Restoration.objects.filter(user=user, deadline__gt=now)
    soon = rows.filter(state=RestorationState.WAITING, asked_at__gt=now - HOLD_UP)
    return soon.exists() or rows.filter(state=RestorationState.UNPACKING).exists()


# --- What a worker does ---


def claim_restoration(*, now: datetime) -> Restoration | None:
    """The one that waited longest, of a person without an open notebook, is this worker's; None when there is none."""
    waiting = Restoration.objects.filter(state=RestorationState.WAITING, deadline__gt=now)
    free = waiting.exclude(user__sessions__state__in=IN_THE_WAY).order_by("asked_at", "pk")
    for pk, token in list(free.values_list("pk", "token")[:4]):
        rows = Restoration.objects.filter(pk=pk, state=RestorationState.WAITING, token=token)
        changes = {"state": RestorationState.UNPACKING, "token": token + 1, "deadline": now + UNPACK_WITHIN}
        if rows.update(**changes):
            return Restoration.objects.select_related("user", "snapshot").get(pk=pk)
    return None


def unpack(restoration: Restoration, *, engine: Engine, clock: Callable[[], datetime]) -> None:
    """Carry out a claimed one. One that was given up meanwhile is left alone.

    Raises:
        EngineError: the engine failed; so did this.
    """
    try:
        seconds = max(0.0, (restoration.deadline - clock()).total_seconds())
        with restoration.snapshot.path.open("rb") as source:
            piped = engine.at(archives.server_of(restoration.user_id)).pipe(
                archives.unpack_spec(restoration), source=source, max_bytes=1 << 16, wall_seconds=seconds
            )
        fault = fault_of(piped)
        if fault:
            log.warning("restoration %s failed: %s", restoration.pk, piped.stderr[-500:])
        _end(restoration, message=fault, folder=_folder(piped.stderr) or restoration.folder, now=clock())
    except Stale:
        log.info("restoration %s was given up meanwhile", restoration.pk)
    except (OSError, EngineError) as fault:
        log.warning("restoration %s failed: %s", restoration.pk, fault)
        try:
            _end(restoration, message=BY_OUR_FAULT, folder=restoration.folder, now=clock())
        except Stale:
            log.info("restoration %s was given up meanwhile", restoration.pk)
        if isinstance(fault, EngineError):
            raise


def unpack_latest(session: Session, *, engine: Engine, clock: Callable[[], datetime]) -> None:
    """The last snapshot of the internship goes into a new folder of a home that was begun anew; nothing where there is none.

    Raises:
        EngineError: the engine failed; so did this.
    """
    now = clock()
    kept = Snapshot.objects.filter(internship=session.internship, state=SnapshotState.KEPT).order_by("-made_at").first()
    if kept is None or not kept.path.is_file():
        return
    Restoration.objects.filter(user=session.user, state__in=OPEN_RESTORATION_STATES).delete()
    restoration = Restoration.objects.create(
        snapshot=kept, user=session.user, folder=f"restored-{localtime(now):%Y-%m-%d}", asked_at=now,
        deadline=now + UNPACK_WITHIN, state=RestorationState.UNPACKING, token=1,
    )  # fmt: skip
    record("restoration.asked", subject=restoration, actor=None, now=now, snapshot=kept.pk)
    unpack(restoration, engine=engine, clock=clock)


def fault_of(piped: Piped) -> str:
    """What went wrong, in a sentence for the intern; empty where nothing did."""
    if piped.exit.timed_out:
        return NO_TIME
    if piped.exit.exit_code == rules.TOO_MUCH_DATA:
        return NO_ROOM
    return BY_OUR_FAULT if piped.exit.exit_code else ""


def _folder(printed: str) -> str:
    """The folder that was made, from the last line; empty where that is no such name."""
    try:
        name = str(json.loads(printed.strip().splitlines()[-1])["folder"])
    except (IndexError, ValueError, KeyError, TypeError):
        return ""
    return name if FOLDER.fullmatch(name) else ""


@transaction.atomic
def _end(restoration: Restoration, *, message: str, folder: str, now: datetime) -> None:
    state = RestorationState.FAILED if message else RestorationState.DONE
    rows = Restoration.objects.filter(pk=restoration.pk, state__in=OPEN_RESTORATION_STATES, token=restoration.token)
    changes: dict[str, Any] = {"state": state, "message": message, "folder": folder, "finished_at": now}
    if not rows.update(**changes):
        raise Stale("This has ended already.")
    restoration.refresh_from_db(fields=list(changes))
    verb = "restoration.failed" if message else "restoration.done"
    record(verb, subject=restoration, actor=None, now=now, folder=folder, reason=message[: lifecycle.REASON_LENGTH])
    telling.restored(restoration, now=now)


def expire_restorations(*, now: datetime) -> int:
    """Those that nobody carried out in time have failed; returns how many."""
    late = list(Restoration.objects.filter(state__in=OPEN_RESTORATION_STATES, deadline__lte=now).select_related("user"))
    expired = 0
    for restoration in late:
        message = NOT_BEGUN if restoration.state == RestorationState.WAITING else NO_TIME
        try:
            _end(restoration, message=message, folder=restoration.folder, now=now)
            expired += 1
        except Stale:
            log.info("restoration %s ended meanwhile", restoration.pk)
    return expired
