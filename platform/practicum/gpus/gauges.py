"""How the slots and the queue stand at this moment, as numbers with labels: what a monitoring system asks for.

A fixed number of queries, whatever the number of rows. A cohort that is none is the label ``""``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, Min, OuterRef

from practicum.gpus.models import LIVE_STATES, OPEN_STATES, Lease, LeaseState, Quota, Server, ServerState, Slot
from practicum.gpus.selectors import SILENT_AFTER

Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True)
class Gauge:
    """One number for each combination of labels. ``meaning`` ends without a full stop, as the format has it."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    samples: Sequence[Sample] = ()


def gauges(*, now: datetime) -> list[Gauge]:
    """Slots, servers, leases, queue and guarantees, in five queries."""
    return [*_slots(), *_servers(now=now), *_open_leases(now=now), *_guarantees()]


def _slots() -> Iterable[Gauge]:
    live = Lease.objects.filter(slot=OuterRef("pk"), state__in=LIVE_STATES)
    rows = Slot.objects.annotate(is_held=Exists(live)).values_list(
        "pool__slug", "is_held", "is_present", "fault", "server__state"
    )
    counted = Counter(
        (pool, _state_of_slot(is_held, is_present, fault, server)) for pool, is_held, is_present, fault, server in rows
    )
    yield Gauge(
        "practicum_slots",
        "Slots by pool: held, free, faulty, absent (no longer listed), or unavailable (its server drains or is off)",
        ("pool", "state"),
        _sorted(counted.items()),
    )


def _state_of_slot(is_held: bool, is_present: bool, fault: str, server: str, /) -> str:
    if is_held:
        return "held"
    if not is_present:
        return "absent"
    if fault:
        return "faulty"
    return "free" if server == ServerState.ONLINE else "unavailable"


def _servers(*, now: datetime) -> Iterable[Gauge]:
    rows = list(Server.objects.values_list("name", "seen_at"))
    silent = [((name,), float(seen is None or now - seen > SILENT_AFTER)) for name, seen in rows]
    yield Gauge("practicum_server_silent", "1 while the server's agent does not report", ("server",), silent)
    yield Gauge(
        "practicum_servers_silent", "Servers whose agent does not report", (), [((), sum(s for _, s in silent))]
    )


def _open_leases(*, now: datetime) -> Iterable[Gauge]:
    rows = list(
        Lease.objects.filter(state__in=OPEN_STATES)
        .order_by()
        .values_list("state", "purpose", "cohort__slug")
        .annotate(count=Count("pk"), oldest=Min("requested_at"))
    )
    leases: Counter[tuple[str, ...]] = Counter()
    queued: Counter[tuple[str, ...]] = Counter()
    oldest: dict[tuple[str, ...], float] = {}
    for state, purpose, cohort, count, asked in rows:
        leases[state, purpose, cohort or ""] += count
        if state == LeaseState.QUEUED:
            queued[(cohort or "",)] += count
            waited = max((now - asked).total_seconds(), 0.0)
            oldest[(cohort or "",)] = max(oldest.get((cohort or "",), 0.0), waited)
    yield Gauge(
        "practicum_leases", "Leases that are not closed", ("state", "purpose", "cohort"), _sorted(leases.items())
    )
    yield Gauge("practicum_queue_length", "Leases in line", ("cohort",), _sorted(queued.items()))
    yield Gauge("practicum_queue_oldest_wait_seconds", "The longest wait in line", ("cohort",), _sorted(oldest.items()))


def _guarantees() -> Iterable[Gauge]:
    quotas = Quota.objects.order_by().values_list("cohort__slug", "pool__slug", "guaranteed")
    guaranteed = Counter({(cohort, pool): count for cohort, pool, count in quotas})
    live = Lease.objects.filter(state__in=LIVE_STATES).order_by()
    rows = live.values_list("cohort__slug", "slot__pool__slug").annotate(count=Count("pk"))
    # Where there is a guarantee, 0 held is a number and not a gap.
    held = Counter(dict.fromkeys(guaranteed, 0))
    for cohort, pool, count in rows:
        held[cohort or "", pool or ""] += count
    yield Gauge(
        "practicum_guaranteed_slots", "Slots guaranteed to a cohort", ("cohort", "pool"), _sorted(guaranteed.items())
    )
    yield Gauge("practicum_held_slots", "Slots a cohort holds", ("cohort", "pool"), _sorted(held.items()))


def _sorted(counted: Iterable[Sample]) -> list[Sample]:
    return sorted((labels, float(count)) for labels, count in counted)
