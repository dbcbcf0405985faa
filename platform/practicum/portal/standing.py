"""What works at this moment, in words for the people who use it: notebooks, evaluations, GPUs. No names, no blame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min

from practicum.evaluation.models import Run, RunState
from practicum.gpus.models import LIVE_STATES, Lease, LeaseState, Purpose, ServerState, Slot, SlotKind
from practicum.gpus.selectors import silent_servers
from practicum.portal.health import hub_answers, is_at_work, worker_seen_at

LONG_IN_LINE = timedelta(minutes=30)


@dataclass(frozen=True)
class Standing:
    """One line: ``state`` is well, slow or down; ``oldest``: how long the first in line has waited."""

    name: str
    state: str
    said: str
    oldest: timedelta | None = None


def standings(*, now: datetime) -> list[Standing]:
    """Every line, in a fixed number of queries."""
    works = is_at_work(worker_seen_at(), now=now)
    return [_notebooks(works=works, now=now), _evaluations(works=works, now=now), _gpus(now=now)]


def _notebooks(*, works: bool, now: datetime) -> Standing:
    if not hub_answers():
        return Standing(
            "Notebooks", "down", "None can be opened just now. Those that run go on, and what is saved stays."
        )
    if not works:
        return Standing("Notebooks", "down", "Those that run go on; who asks for one keeps their place and waits.")
    queued = Lease.objects.filter(state=LeaseState.QUEUED).exclude(purpose=Purpose.EVALUATION)
    found = queued.aggregate(count=Count("pk"), first=Min("requested_at"))
    if not found["count"]:
        return Standing("Notebooks", "well", "Nobody is in line.")
    return Standing("Notebooks", "well", _in_line(found["count"]), oldest=now - found["first"])


def _evaluations(*, works: bool, now: datetime) -> Standing:
    if not works:
        return Standing(
            "Evaluations", "down", "They wait. What was handed in is kept, and this costs nobody an attempt."
        )
    found = Run.objects.filter(state=RunState.QUEUED).aggregate(count=Count("pk"), first=Min("queued_at"))
    if not found["count"]:
        return Standing("Evaluations", "well", "None is in line.")
    oldest = now - found["first"]
    return Standing("Evaluations", "slow" if oldest > LONG_IN_LINE else "well", _in_line(found["count"]), oldest=oldest)


def _in_line(count: int) -> str:
    return f"{count} in line."


def _gpus(*, now: datetime) -> Standing:
    """GPUs of servers that are in use; where there are none, the slots on processors."""
    slots = Slot.objects.filter(is_present=True, server__state=ServerState.ONLINE)
    kind = SlotKind.GPU if slots.filter(kind=SlotKind.GPU).exists() else SlotKind.CPU
    slots, name = slots.filter(kind=kind), "GPUs" if kind == SlotKind.GPU else "CPU slots"
    silent = silent_servers(now=now).filter(state=ServerState.ONLINE)
    total, unheard = slots.count(), slots.filter(server__in=silent).count()
    held = Lease.objects.filter(
        state__in=LIVE_STATES, slot__in=slots.filter(fault="").exclude(server__in=silent)
    ).count()
    ready = slots.filter(fault="").exclude(server__in=silent).count()
    if not total:
        return Standing(name, "down", "No server is in use.")
    said = [f"{ready - held} of {ready} free."] if ready else []
    if unheard:
        said.append(f"{unheard} can't be given: their server does not report. Who works there goes on.")
    if faulty := total - unheard - ready:
        said.append(f"{faulty} with a fault.")
    return Standing(name, "down" if not ready else "slow" if unheard or faulty else "well", " ".join(said))
