"""Snapshots: what an intern's home held before its slot was taken from them.

::

    waiting ──▶ taking ──▶ kept
       └──────────┴──▶ failed

One is asked for shortly before a notebook is stopped because its slot is needed, its server drained, or nothing runs in
it. It has a fixed time from then on, its deadline; whoever stops the notebook waits for it until then and no longer. Where
it fails the notebook is stopped all the same, and its intern and the record are told.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from practicum.audit.services import record
from practicum.engine.base import Engine, Piped
from practicum.errors import EngineError, Stale
from practicum.gpus.models import Lease
from practicum.internships.models import Internship
from practicum.workspaces import archives, lifecycle, rules, telling
from practicum.workspaces.models import (
    OPEN_RESTORATION_STATES,
    OPEN_SNAPSHOT_STATES,
    Session,
    Snapshot,
    SnapshotState,
)
from practicum.workspaces.selectors import watch_of

log = logging.getLogger("practicum.snapshots")

# A notebook that is announced, kept and announced again within this time is not archived twice.
FRESH = timedelta(minutes=10)
FAILED_KEPT = timedelta(days=30)
# A worker that is done at the deadline still has to write it down.
LATE = timedelta(seconds=10)
BY_OUR_FAULT = "The snapshot could not be made, by a fault of ours. Your files are in your notebook as you left them."
NO_TIME = "There was no time to make a snapshot. Your files are in your notebook as you left them."


def ask_if_due(session: Session, *, now: datetime) -> None:
    """A snapshot of a running notebook is asked for when its end by others, or as idle, is near or here."""
    seconds = timedelta(seconds=settings.PRACTICUM_SNAPSHOT_SECONDS)
    reason = rules.reason_to_snapshot(watch_of(session, now=now), ahead=seconds, now=now)
    if reason is None or not settings.PRACTICUM_SNAPSHOT_KEEP:
        return
    if session.snapshots.filter(asked_at__gt=now - FRESH).exists():
        return
    try:
        with transaction.atomic():
            snapshot = Snapshot.objects.create(
                internship=session.internship,
                session=session,
                asked_at=now,
                reason=reason[: lifecycle.REASON_LENGTH],
                deadline=now + seconds,
            )
            record("snapshot.asked", subject=snapshot, actor=None, now=now, session=str(session.pk), reason=reason)
    except IntegrityError:
        log.info("a snapshot of session %s was asked for already", session.pk)


def hold_up(lease: Lease, *, now: datetime) -> bool:
    """A snapshot of the lease's notebook is under way and still has time."""
    return Snapshot.objects.filter(session__lease=lease, state__in=OPEN_SNAPSHOT_STATES, deadline__gt=now).exists()


# --- What a worker does ---


def claim_snapshot(*, now: datetime) -> Snapshot | None:
    """The snapshot that waited longest is this worker's; None when there is none."""
    waiting = Snapshot.objects.filter(state=SnapshotState.WAITING, deadline__gt=now).order_by("asked_at", "pk")
    for pk, token in list(waiting.values_list("pk", "token")[:4]):
        rows = Snapshot.objects.filter(pk=pk, state=SnapshotState.WAITING, token=token)
        if rows.update(state=SnapshotState.TAKING, token=token + 1):
            return Snapshot.objects.select_related(
                "session__user", "session__lease__slot__server", "internship__intern"
            ).get(pk=pk)
    return None


def take(snapshot: Snapshot, *, engine: Engine, clock: Callable[[], datetime]) -> None:
    """Make a claimed snapshot, or say why there is none. One that was given up meanwhile is left alone.

    Raises:
        EngineError: the engine failed; the snapshot has too.
    """
    try:
        with archives.being_written(snapshot) as (staged, counted):
            piped = engine.at(snapshot.session.lease.server_name).pipe(
                archives.pack_spec(snapshot),
                sink=counted.sink,
                max_bytes=settings.PRACTICUM_SNAPSHOT_MAX_BYTES,
                wall_seconds=max(0.0, (snapshot.deadline - clock()).total_seconds()),
            )
            fault = fault_of(piped)
            if fault:
                log.warning("snapshot %s failed: %s", snapshot.pk, piped.stderr[-500:] or fault)
                fail(snapshot, message=fault, now=clock())
                return
            facts = {"bytes": counted.bytes, "digest": counted.digest, **_tally(piped.stderr)}
            staged.replace(snapshot.path)
        keep(snapshot, facts=facts, now=clock())
    except Stale:
        log.info("snapshot %s was given up meanwhile", snapshot.pk)
        snapshot.path.unlink(missing_ok=True)
    except OSError:
        log.exception("snapshot %s can't be written", snapshot.pk)
        _fail_quietly(snapshot, now=clock())
    except EngineError:
        _fail_quietly(snapshot, now=clock())
        raise


def fault_of(piped: Piped) -> str:
    """Why there is no archive, in a sentence for the intern; empty where there is one."""
    if piped.is_cut or piped.exit.exit_code == rules.TOO_MUCH_DATA:
        most = round(settings.PRACTICUM_SNAPSHOT_MAX_BYTES / 1024**2)
        return (
            f"No snapshot was made: your files are too large for one ({most:,} MB compressed is the most). "
            "They are in your notebook as you left them."
        )
    if piped.exit.timed_out:
        return NO_TIME
    return BY_OUR_FAULT if piped.exit.exit_code else ""


def _tally(printed: str) -> dict[str, Any]:
    """What the packer counted, from its last line."""
    try:
        tally = json.loads(printed.strip().splitlines()[-1])
        return {name: int(tally[name]) for name in ("files", "left_out")}
    except (IndexError, ValueError, KeyError, TypeError):
        return {}


@transaction.atomic
def keep(snapshot: Snapshot, *, facts: dict[str, Any], now: datetime) -> None:
    """The archive is in its place; older ones than are kept go.

    Raises:
        Stale: it was given up meanwhile.
    """
    _move(snapshot, changes={"state": SnapshotState.KEPT, "made_at": now, **facts})
    record("snapshot.kept", subject=snapshot, actor=None, now=now, **facts)
    megabytes = max(1, round(snapshot.bytes / 1e6))
    message = f"A snapshot of your files was kept ({megabytes:,} MB)"
    lifecycle.note(snapshot.session, state="kept", message=message, now=now)
    prune(snapshot.internship, now=now)


@transaction.atomic
def fail(snapshot: Snapshot, *, message: str, now: datetime) -> None:
    """There is none; its intern is told.

    Raises:
        Stale: it was kept or given up meanwhile.
    """
    _move(snapshot, changes={"state": SnapshotState.FAILED, "message": message[: lifecycle.REASON_LENGTH]})
    record("snapshot.failed", subject=snapshot, actor=None, now=now, reason=message)
    lifecycle.note(snapshot.session, state="snapshot_failed", message=message, now=now)
    telling.no_snapshot(snapshot, now=now)


def _fail_quietly(snapshot: Snapshot, *, now: datetime) -> None:
    try:
        fail(snapshot, message=BY_OUR_FAULT, now=now)
    except Stale:
        log.info("snapshot %s was given up meanwhile", snapshot.pk)


def expire_snapshots(*, now: datetime) -> int:
    """Those that nobody made in time have failed; returns how many."""
    late = Snapshot.objects.filter(state__in=OPEN_SNAPSHOT_STATES, deadline__lte=now - LATE)
    expired = 0
    for snapshot in late.select_related("session", "internship__intern"):
        try:
            fail(snapshot, message=NO_TIME, now=now)
            expired += 1
        except Stale:
            log.info("snapshot %s ended meanwhile", snapshot.pk)
    return expired


def prune(internship: Internship, *, now: datetime) -> int:
    """Forget all but the newest few archives of an internship; one that is being restored stays. Returns how many."""
    rows = Snapshot.objects.filter(internship=internship)
    restoring = rows.filter(restorations__state__in=OPEN_RESTORATION_STATES).values_list("pk", flat=True)
    kept = rows.filter(state=SnapshotState.KEPT).order_by("-made_at", "-pk")
    gone = [row for row in kept[max(1, settings.PRACTICUM_SNAPSHOT_KEEP) :] if row.pk not in set(restoring)]
    for snapshot in gone:
        record("snapshot.removed", subject=snapshot, actor=None, now=now, digest=snapshot.digest)
        path = snapshot.path
        snapshot.delete()
        transaction.on_commit(partial(path.unlink, missing_ok=True))
    rows.filter(state=SnapshotState.FAILED, asked_at__lt=now - FAILED_KEPT).delete()
    return len(gone)


def _move(snapshot: Snapshot, *, changes: dict[str, Any]) -> None:
    rows = Snapshot.objects.filter(pk=snapshot.pk, state__in=OPEN_SNAPSHOT_STATES, token=snapshot.token)
    if not rows.update(**changes):
        raise Stale("This snapshot has ended already.")
    snapshot.refresh_from_db(fields=list(changes))
