"""What an intern does about a GPU while they have a slot on a CPU: work there meanwhile, get in line, move, leave the line."""

from __future__ import annotations

from datetime import datetime, timedelta

from practicum.accounts.models import User
from practicum.errors import Conflict, Stale
from practicum.gpus.models import LeaseState, SlotKind
from practicum.gpus.selectors import free_cpu_pool, gpu_pool_of, usual_gpu_pool
from practicum.workspaces import places, rules
from practicum.workspaces.models import Session, SessionState
from practicum.workspaces.selectors import next_turn_of, open_session_of

NOT_KEPT = "No GPU is kept for you now. Look at your notebook's page for your place in line."


def may_work_meanwhile(session: Session) -> bool:
    """It waits in line for a GPU, and a CPU slot is free."""
    is_in_line = session.state == SessionState.QUEUED and session.lease.state == LeaseState.QUEUED
    is_alone = is_in_line and session.next_lease_id is None
    return is_alone and gpu_pool_of(session.lease) is not None and free_cpu_pool() is not None


def may_join_line(session: Session) -> bool:
    """It is on a CPU slot, has no place in line, and GPUs are there. A readiness check needs none."""
    if session.internship.is_check:
        return False
    slot = session.lease.slot
    is_on_cpu = session.state in places.ON_CPU and slot is not None and slot.kind == SlotKind.CPU
    return is_on_cpu and session.next_lease_id is None and usual_gpu_pool() is not None


def work_meanwhile(user: User, *, now: datetime) -> Session:
    """The intern, in line for a GPU, gets a CPU slot meanwhile; on one already, nothing changes.

    Raises:
        Conflict: they are not in line, their turn has come, or no CPU slot is free.
    """
    session = open_session_of(user)
    if session is not None and session.next_lease_id is not None:
        return session
    if session is None or session.state != SessionState.QUEUED or session.lease.state != LeaseState.QUEUED:
        raise Conflict("You are not in line for a GPU now. Open your notebook to see where you stand.")
    gpu, cpu = gpu_pool_of(session.lease), free_cpu_pool()
    if gpu is None or cpu is None:
        raise Conflict("No CPU slot is free now. You keep your place in line; try again in a while.")
    try:
        places.work_meanwhile(session, cpu=cpu, gpu=gpu, now=now)
    except (Conflict, Stale):
        return _as_another_tab_left_it(user)
    return session


def join_line(user: User, *, now: datetime) -> Session:
    """The intern, on a CPU slot, gets in line for a GPU; in line already, nothing changes.

    Raises:
        Conflict: they are not on a CPU slot, or no GPU is online.
    """
    session = open_session_of(user)
    if session is not None and session.next_lease_id is not None:
        return session
    gpu = usual_gpu_pool()
    if session is None or gpu is None or not may_join_line(session):
        raise Conflict("You can get in line for a GPU while your notebook is on a CPU slot and a GPU is online.")
    try:
        places.join_line(session, gpu=gpu, now=now)
    except (Conflict, Stale):
        return _as_another_tab_left_it(user)
    return session


def _as_another_tab_left_it(user: User) -> Session:
    """The session with its place, which somebody else was faster to arrange.

    Raises:
        Conflict: it has none; something else happened.
    """
    session = open_session_of(user)
    if session is None or session.next_lease_id is None:
        raise Conflict("Your notebook or your place in line has changed meanwhile. Look again.")
    return session


def leave_line(user: User, *, now: datetime) -> Session:
    """The intern gives up their place in line for a GPU, or the GPU that is kept for them, and stays on the CPU slot.

    Raises:
        Conflict: they have no place beside a notebook, or move to the GPU already.
    """
    session = open_session_of(user)
    if session is None or session.next_lease_id is None:
        raise Conflict("You have no place in line for a GPU beside your notebook.")
    if session.moves_at is not None:
        raise Conflict("Your notebook is moving to the GPU already. Stop it there if you do not need it.")
    try:
        places.give_up(session, reason="You left the line for a GPU.", actor=user, now=now, moves_at=None)
    except Stale as stale:
        raise Conflict("Your place in line has changed meanwhile. Look again.") from stale
    return session


def move_to_gpu(session: Session, *, is_saved: bool, now: datetime) -> Session:
    """The intern takes the GPU that is kept for them: their notebook ends on its CPU slot and starts there.

    Where ``is_saved`` is not said and JupyterLab runs, it has some seconds to save what is open. Taken already, nothing
    changes.

    Raises:
        Conflict: no GPU is kept for them, or not any more.
    """
    turn = next_turn_of(session)
    if session.moves_at is not None and turn is not None:
        return session
    if turn is None or not turn.may_be_taken(now=now):
        raise Conflict(NOT_KEPT)
    has_open_files = session.state == SessionState.RUNNING and not is_saved
    wait = rules.SAVE_WITHIN if has_open_files else timedelta(0)
    try:
        places.take(session, moves_at=now + wait, now=now)
    except Stale as stale:
        raise Conflict(NOT_KEPT) from stale
    return session
