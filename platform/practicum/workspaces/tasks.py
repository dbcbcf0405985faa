"""What the worker does for sessions, five times a second: start, follow, watch, stop, clear away.

A tick reads the rows, makes the moves that need nobody else, and leaves calls of the hub and the engine to threads.
Nothing is kept between ticks but which calls are under way: a killed worker's successor goes on from the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings

from practicum.engine.base import LABEL_INSTANCE, Engine
from practicum.errors import EngineError, Stale
from practicum.gpus.models import NOTEBOOKS, Lease, LeaseState
from practicum.gpus.selectors import draining_leases, wanted_leases
from practicum.internships.models import InternshipState
from practicum.lib.clock import utc_now
from practicum.workspaces import archives, homes, lifecycle, places, restorations, rules, snapshots
from practicum.workspaces.clearing import clear_away, is_hub_clear
from practicum.workspaces.crew import Crew, crew_on
from practicum.workspaces.egress import follow_egress
from practicum.workspaces.home_sizes import measure_homes
from practicum.workspaces.hub import Hub, HubRefused, HubUnavailable
from practicum.workspaces.leaving import see_off
from practicum.workspaces.models import Session, SessionState
from practicum.workspaces.reconcile import reconcile
from practicum.workspaces.selectors import next_turn_of, open_sessions, turn_of, watch_of
from practicum.workspaces.services import is_failure_noted, note_failure
from practicum.workspaces.sharing import follow_help, settle_shares

__all__ = [
    "claim_and_restore",
    "claim_and_snapshot",
    "follow_egress",
    "follow_help",
    "measure_homes",
    "reconcile",
    "see_off",
    "settle_archives",
    "settle_shares",
    "tick",
]

FOLLOW_SECONDS = 1.0
CLEAR_SECONDS = 0.5
DEACTIVATED = "The account was switched off."
OTHER_ROLE = "The account has another role now. The files are kept."
INTERNSHIP_ENDED = "The internship was ended. Its files are kept."
CHECK_OVER = "The readiness check is over. What you handed in is kept."
INTERNSHIP_PAUSED = "The internship is paused. Its files are kept."
WAITED_TOO_LONG = "Nothing became free in 12 hours. Try again when fewer people work."
NOT_TAKEN = "Your turn came and nobody took the slot within ten minutes, so it went to the next in line."
NOT_TAKEN_ON_CPU = "Your turn came and you did not take the GPU within ten minutes, so it went to the next in line."
NO_START = "The notebook did not come up in time."
Clock = Callable[[], datetime]
_in_hand: set[UUID] = set()  # what this worker brings files for and asks the hub about just now


def tick(now: datetime, *, hub: Hub, engine: Engine, executor: Executor, clock: Clock = utc_now) -> None:
    """One round over everything that is open."""
    crew = crew_on(executor)
    if _in_hand:
        lifecycle.keep_in_hand(tuple(_in_hand), now=now)
    sessions = open_sessions()
    kept = _kept(sessions, now=now)
    for session in sessions:
        with suppress(Stale):
            _advance(session, kept=kept, now=now, hub=hub, engine=engine, crew=crew, clock=clock)
    for lease in draining_leases(NOTEBOOKS):
        job = partial(clear_away, lease, hub=hub, engine=engine, clock=clock)
        crew.give(("clear", lease.pk), job, every=CLEAR_SECONDS, ids={"lease": lease.pk})


def claim_and_snapshot(now: datetime, *, engine: Engine, clock: Clock = utc_now) -> bool:
    """Make the snapshot that waited longest; False if there was none.

    Raises:
        EngineError: the engine failed; the snapshot has too, and says so.
    """
    snapshot = snapshots.claim_snapshot(now=now)
    if snapshot is not None:
        snapshots.take(snapshot, engine=engine, clock=clock)
    return snapshot is not None


def claim_and_restore(now: datetime, *, engine: Engine, clock: Clock = utc_now) -> bool:
    """Unpack the snapshot that waited longest for it; False if there was none.

    Raises:
        EngineError: the engine failed; it was not unpacked, and that is said.
    """
    restoration = restorations.claim_restoration(now=now)
    if restoration is not None:
        restorations.unpack(restoration, engine=engine, clock=clock)
    return restoration is not None


def settle_archives(now: datetime, *, engine: Engine) -> None:
    """Make rows, files and containers of snapshots agree again, whatever was killed in between.

    Raises:
        EngineError: the engine can't be asked; the rows are in order all the same.
    """
    snapshots.expire_snapshots(now=now)
    restorations.expire_restorations(now=now)
    archives.sweep(now=now)
    archives.clear_away(engine=engine)


def _kept(sessions: Iterable[Session], *, now: datetime) -> Collection[UUID]:
    """The leases of notebooks that stay though they be idle: their cohorts keep them, and nobody else could have their slots."""
    keeping = [
        session
        for session in sessions
        if session.state == SessionState.RUNNING and session.internship.cohort.is_idle_kept
    ]
    idle = [session for session in keeping if watch_of(session, now=now).may_be_idle(now=now)]
    idle.sort(key=lambda session: (session.active_at or now, session.lease_id.int))
    wanted = wanted_leases([session.lease_id for session in idle], now=now)
    return {session.lease_id for session in keeping} - wanted


def _advance(
    session: Session, *, kept: Collection[UUID], now: datetime, hub: Hub, engine: Engine, crew: Crew, clock: Clock
) -> None:
    """The next step of one session, if it has one.

    Raises:
        Stale: somebody else took it.
    """
    _look_at_place(session, now=now)
    if session.state == SessionState.RUNNING:
        snapshots.ask_if_due(session, now=now)
    if session.state == SessionState.STOPPING:
        if session.lease.state in (LeaseState.RELEASED, LeaseState.CANCELLED):
            lifecycle.close(session, now=now)
        return
    if (reason := _reason_to_stop(session)) is not None:
        if session.lease.state == LeaseState.RELEASED:
            job = partial(_leave_lost, session, reason=reason, hub=hub, clock=clock)
            crew.give(("lost", session.pk), job, every=FOLLOW_SECONDS, ids=_ids(session))
            return
        lifecycle.begin_stop(session, reason=reason, actor=None, now=now)
    elif session.state == SessionState.QUEUED:
        _leave_line(session, now=now, hub=hub, engine=engine, crew=crew, clock=clock)
    elif session.state == SessionState.STARTING and now >= session.deadline:
        lifecycle.fail(session, reason=session.reason or NO_START, now=now)
    elif session.state == SessionState.STARTING:
        job = partial(_follow, session, hub=hub, engine=engine, clock=clock)
        crew.give(("start", session.pk), job, every=FOLLOW_SECONDS, ids=_ids(session))
    elif session.state == SessionState.RUNNING:
        _watch(session, is_kept=session.lease_id in kept, now=now)


def _reason_to_go(session: Session) -> str | None:
    """Why its person may have no slot any more."""
    if not session.user.is_active:
        return DEACTIVATED
    if not session.user.is_intern:
        return OTHER_ROLE
    if session.internship.is_check and session.internship.state == InternshipState.ENDED:
        return CHECK_OVER
    reasons = {InternshipState.ENDED: INTERNSHIP_ENDED, InternshipState.PAUSED: INTERNSHIP_PAUSED}
    return reasons.get(InternshipState(session.internship.state))


def _reason_to_stop(session: Session) -> str | None:
    """Why it must end whatever it does: its person may not go on, or its lease does not."""
    if (reason := _reason_to_go(session)) is not None:
        return reason
    if session.lease.state in (LeaseState.DRAINING, LeaseState.RELEASED, LeaseState.CANCELLED):
        return session.lease.reason or "Its slot was taken back."
    return None


def _look_at_place(session: Session, *, now: datetime) -> None:
    """The next step of the place in line that a session on a CPU slot keeps, if it has one.

    Raises:
        Stale: somebody else took it.
    """
    lease, turn = session.next_lease, next_turn_of(session)
    if lease is None:
        return
    if (reason := _reason_to_lose(session, lease, now=now)) is not None:
        places.give_up(session, reason=reason, actor=None, now=now)
    elif turn is None:
        return
    elif session.moves_at is None and now >= turn.take_by:
        places.give_up(session, reason=NOT_TAKEN_ON_CPU, actor=None, now=now, moves_at=None)
    elif session.moves_at is None and session.take_by != turn.take_by:
        places.call(session, take_by=turn.take_by, now=now)
    elif session.moves_at is not None and now >= session.moves_at and session.state in lifecycle.BEFORE_STOPPING:
        lifecycle.begin_stop(session, reason=lifecycle.MOVING, actor=session.user, now=now)


def _reason_to_lose(session: Session, lease: Lease, *, now: datetime) -> str | None:
    """Why its place in line is gone: its person may not go on, the lease ended, or they waited for too long."""
    if (reason := _reason_to_go(session)) is not None:
        return reason
    if lease.state in (LeaseState.DRAINING, LeaseState.RELEASED, LeaseState.CANCELLED):
        return lease.reason or "Its slot was taken back."
    is_late = lease.state == LeaseState.QUEUED and now >= lease.requested_at + lifecycle.WAIT_AT_MOST
    return WAITED_TOO_LONG if is_late else None


def _leave_lost(session: Session, *, reason: str, hub: Hub, clock: Clock) -> None:
    """Its server was given up: it ends when the hub has let go of it, too, so that the next one is not taken for it."""
    if is_hub_clear(session.user.username, hub=hub):
        lifecycle.begin_stop(session, reason=reason, actor=None, now=clock())


def _is_server_away(session: Session) -> bool:
    slot = session.lease.slot
    return slot is not None and slot.server.away_since is not None


def _leave_line(session: Session, *, now: datetime, hub: Hub, engine: Engine, crew: Crew, clock: Clock) -> None:
    turn = turn_of(session)
    if turn is not None and _is_server_away(session):
        lifecycle.put_back(session, now=now)
    elif turn is not None and turn.is_taken:
        if restorations.hold_up(session.user, now=now):
            return
        lifecycle.begin_attempt(session, now=now)
        job = partial(_start, session, hub=hub, engine=engine, clock=clock)
        crew.give(("start", session.pk), job, ids=_ids(session))
    elif turn is not None and now >= turn.take_by:
        lifecycle.begin_stop(session, reason=NOT_TAKEN, actor=None, now=now, taken_at=None)
    elif turn is not None and session.deadline != turn.take_by:
        lifecycle.call(session, take_by=turn.take_by, now=now)
    elif turn is None and now >= session.deadline:
        lifecycle.begin_stop(session, reason=WAITED_TOO_LONG, actor=None, now=now)


def _ids(session: Session) -> dict[str, object]:
    """What lines of the log about it carry."""
    return {"session": session.pk, "lease": session.lease_id, "user": session.user_id}


def _start(session: Session, *, hub: Hub, engine: Engine, clock: Clock) -> None:
    """Ask the hub once, when all that the notebook needs is on its server. A hub that is away, or can't ask the site, or a
    server that does not answer, is asked again; a refusal counts as a failed attempt.
    """
    attempt = session.attempts
    _in_hand.add(session.pk)
    try:
        prepare(session, engine=engine, clock=clock)
        is_ready = hub.start(session.user.username)
    except HubUnavailable:
        lifecycle.take_back_attempt(session)
        raise
    except EngineError as fault:
        lifecycle.take_back_attempt(session, reason=str(fault))
        raise
    except HubRefused as refusal:
        _give_up_or_wait(session, message=refusal.message, now=clock())
        return
    finally:
        _in_hand.discard(session.pk)
        lifecycle.let_go(session, attempt=attempt)
    if is_ready:
        _mark_ready(session, now=clock())


def _give_up_or_wait(session: Session, *, message: str, now: datetime) -> None:
    session.refresh_from_db()
    # The hub's event is more exact than the status of its answer, and is here first.
    reason = session.reason if is_failure_noted(session) else message
    if rules.may_start_again(session.attempts):
        note_failure(session, message=reason, now=now)
    else:
        lifecycle.fail(session, reason=reason, now=now)


def prepare(session: Session, *, engine: Engine, clock: Clock) -> None:
    """The person's files and the project's are on the server where the notebook starts.

    Raises:
        EngineError: they can't be brought there.
        Stale: it is not to be started any more.
    """
    is_alone = len(engine.everywhere()) == 1
    if is_alone and archives.server_of(session.user_id) in ("", session.lease.server_name):
        return
    homes.bring(session, engine=engine, clock=clock)
    node, version = engine.at(session.lease.server_name), session.internship.version
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE}
    for folder in (version.folder / "project", version.folder / "public"):
        node.provide(folder, image=version.image, labels=labels)


def _mark_ready(session: Session, *, now: datetime) -> None:
    session.refresh_from_db()
    lifecycle.mark_ready(session, token=session.lease.token, now=now)


def _follow(session: Session, *, hub: Hub, engine: Engine, clock: Clock) -> None:
    """See what became of a start: ready, under way, or gone; a start that is gone is tried again or given up.

    Whether somebody is about to ask the hub is looked at before the hub is: in the other order one that asks in between
    would be taken for gone.
    """
    session.refresh_from_db()
    if session.state != SessionState.STARTING or lifecycle.is_in_hand(session, now=clock()):
        return
    server = hub.server(session.user.username)
    if server is not None:
        if server.ready:
            _mark_ready(session, now=clock())
    elif rules.may_start_again(session.attempts):
        lifecycle.begin_attempt(session, now=clock())
        _start(session, hub=hub, engine=engine, clock=clock)
    else:
        lifecycle.fail(session, reason=session.reason or NO_START, now=clock())


def _watch(session: Session, *, is_kept: bool, now: datetime) -> None:
    """Announce, withdraw or carry out the end of a running session."""
    match rules.verdict(replace(watch_of(session, now=now), is_kept=is_kept), now=now):
        case rules.Stop(reason=reason):
            guards = {"active_at": session.active_at}
            lifecycle.begin_stop(session, reason=reason, actor=None, now=now, **guards)
        case rules.Announce(stop_at=stop_at) if session.stop_at != stop_at:
            lifecycle.announce(session, stop_at=stop_at, now=now)
        case rules.Keep() if session.stop_at is not None:
            lifecycle.withdraw(session, now=now)
        case _:
            return
