"""The GPU of a run whose project asks for one: a lease of its own, asked for with the run and given back after it.

On a machine without GPUs, and for projects that need none, a run has no lease and a share of the processors is all it
gets.
A slot is given back only when the engine's own list shows no container of the lease.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from practicum.accounts.models import User
from practicum.engine import LABEL_INSTANCE, LABEL_LEASE, Engine
from practicum.errors import Conflict, EngineError, Stale
from practicum.evaluation import rules
from practicum.evaluation.curves import thinned
from practicum.evaluation.models import OPEN_RUN_STATES, Fault, Run, RunState
from practicum.evaluation.seeding import plan_of
from practicum.gpus import services as leases
from practicum.gpus.models import LIVE_STATES, OPEN_STATES, Lease, LeaseState, Purpose, SlotKind
from practicum.gpus.selectors import has_gpus
from practicum.gpus.use import samples_of

log = logging.getLogger(__name__)

AROUND = timedelta(minutes=4)
# A run that was cancelled, or given up by another, may still have a worker that does not know yet.
ENDED_BY_ITS_WORKER = Q(state__in=(RunState.SCORED, RunState.INVALID)) | Q(
    state=RunState.FAILED, fault__in=(Fault.CODE, Fault.LIMIT, Fault.FORMAT)
)


def allowance_of(run: Run) -> rules.Allowance:
    """What this run's container gets."""
    plan = plan_of(run.submission)
    return rules.allowance_of(
        run.submission.version.manifest,
        memory_bytes=settings.PRACTICUM_EVALUATION_MEMORY_BYTES,
        cpus=settings.PRACTICUM_EVALUATION_CPUS,
        seeds=len(plan.seeds),
        train_seconds=plan.train_seconds,
    )


def ask(run: Run, *, requested_by: User | None, now: datetime) -> None:
    """Get in line for a GPU where the project asks for one and there are any; inside the caller's transaction."""
    internship = run.submission.internship
    person = internship.intern if internship else requested_by
    allowance = allowance_of(run)
    if person is None or not allowance.gpu_bytes or not has_gpus():
        return
    run.lease = leases.request_lease(
        person,
        cohort=internship.cohort if internship else None,
        purpose=Purpose.EVALUATION,
        duration=rules.running_at_most(allowance) + AROUND,
        now=now,
    )
    run.save(update_fields=["lease"])


def begin(run: Run, *, now: datetime) -> None:
    """The run holds its slot now.

    Raises:
        Stale: the slot was taken back meanwhile.
    """
    if run.lease is not None:
        leases.activate_lease(run.lease.pk, token=run.lease.token, now=now)


def gpu_of(run: Run) -> str | None:
    """The GPU the run was given, by UUID; None for none."""
    slot = run.lease.slot if run.lease else None
    return slot.uuid if slot is not None and slot.kind == SlotKind.GPU else None


def server_of(run: Run) -> str:
    """The server its slot is on; empty for a run without one, which runs on this machine."""
    return run.lease.server_name if run.lease else ""


def gpu_curve_of(run: Run) -> list[list[float | None]]:
    """What the agent saw of the run's GPU since the run began: second, percent at work, bytes; empty without a GPU."""
    if run.lease is None or run.started_at is None or gpu_of(run) is None:
        return []
    began = run.started_at
    samples = samples_of(run.lease, since=began)
    return thinned(((look.at - began).total_seconds(), look.gpu_percent, look.memory_bytes) for look in samples)


def leave(run: Run, *, reason: str, actor: User | None, now: datetime) -> None:
    """The run needs its slot no more: out of the line, or asked to stop."""
    if run.lease_id is None:
        return
    try:
        leases.end_lease(run.lease_id, reason=reason, actor=actor, now=now)
    except Conflict:
        log.info("lease %s had ended already", run.lease_id)


def ask_again(run: Run, *, now: datetime) -> None:
    """Leave the slot the failed try had, and get in line for the next one."""
    if run.lease_id is None:
        return
    leave(run, reason="Its evaluation is tried again.", actor=None, now=now)
    ask(run, requested_by=run.requested_by, now=now)


def touch(run: Run, *, now: datetime) -> None:
    """A sign of life for the run's lease.

    Raises:
        Stale: the slot is not the run's any more.
    """
    if run.lease is not None:
        leases.touch_lease(run.lease.pk, token=run.lease.token, now=now)


def give_back(run: Run, *, engine: Engine, now: datetime) -> bool:
    """Release the run's slot if the engine shows no container of it; False if it is kept.

    Raises:
        EngineError: the engine can't be asked; the slot is kept.
    """
    if run.lease is None:
        return True
    return _release_if_gone(run.lease, engine=engine, now=now)


def settle(*, engine: Engine, now: datetime) -> int:
    """Clear away leases whose run is over, or whose worker fell silent; give a new place to runs that lost theirs.

    A worker that ended its run itself starts nothing more on its slot: that one need not have been silent.

    Raises:
        EngineError: this machine's engine can't be asked. The leases of a server whose engine can't are kept.
    """
    released, faults = 0, list[EngineError]()
    live = Lease.objects.filter(purpose=Purpose.EVALUATION, state__in=LIVE_STATES)
    for lease in live.select_related("slot__server"):
        is_silent = lease.heartbeat is None or now - lease.heartbeat > rules.CLAIM_HOLDS
        is_used = Run.objects.filter(lease=lease, state__in=OPEN_RUN_STATES).exists()
        has_ended = not is_used and Run.objects.filter(lease=lease).filter(ENDED_BY_ITS_WORKER).exists()
        if has_ended or (is_silent and (lease.state == LeaseState.DRAINING or not is_used)):
            try:
                released += _release_if_gone(lease, engine=engine, now=now)
            except EngineError as fault:
                log.warning("lease %s is kept: %s", lease.pk, fault)
                faults += [fault] if engine.at(lease.server_name) is engine else []
    lost = Run.objects.filter(state=RunState.QUEUED, lease__isnull=False).exclude(lease__state__in=OPEN_STATES)
    for run in lost.select_related("submission__version", "submission__internship", "lease"):
        ask(run, requested_by=run.requested_by, now=now)
    if faults:
        raise faults[0]
    return released


def _release_if_gone(lease: Lease, *, engine: Engine, now: datetime) -> bool:
    labels = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_LEASE: str(lease.pk)}
    engine = engine.at(lease.server_name)
    for container in engine.list(labels):
        engine.stop(container.id)
        engine.remove(container.id)
    if engine.list(labels):
        return False
    try:
        leases.release_lease(lease.pk, token=lease.token, observed_gone=True, now=now)
    except Stale:
        log.info("lease %s was released by somebody else", lease.pk)
    return True
