"""What agents saw leases do, added up by lease: ten-minute rows for good, single looks for some hours.

Whose use it was: a whole GPU and a MIG instance belong to the lease that held them at that moment. On a shared GPU the
container says it, by the id that the engine gave it and that the site noted on the lease; a part whose container is not
noted yet has no samples, which counts as busy. A person's word is asked nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from practicum.gpus.models import LIVE_STATES, Lease, LeaseSample, LeaseUse, Server, SlotKind

BUCKET = timedelta(minutes=10)
SAMPLES_KEPT = timedelta(hours=6)
# What a driver uses for itself; only where we can't see whose memory it is.
DRIVERS_OWN_BYTES = 1 << 30
USE_FIELDS = (
    "held_seconds",
    "busy_seconds",
    "idle_held_seconds",
    "measured_seconds",
    "gpu_percent",
    "memory_peak_bytes",
    "busy_at",
)


@dataclass(frozen=True)
class Use:
    """What one container did on one GPU or MIG instance; ``container`` is empty for processes of none."""

    container: str
    gpu: str
    processes: int
    memory_bytes: int
    sm_percent: float | None


@dataclass(frozen=True)
class GpuUse:
    """How busy a whole GPU was, whoever used it."""

    memory_used_bytes: int
    utilization_percent: float | None


@dataclass(frozen=True)
class Sample:
    """One look of an agent, ``seconds`` after the one before. ``uses`` is None where it can't see processes."""

    number: int
    at: datetime
    seconds: float
    gpus: Mapping[str, GpuUse]
    uses: Sequence[Use] | None


@dataclass(frozen=True)
class Measure:
    """What one lease did in one look."""

    gpu_percent: float | None
    memory_bytes: int
    processes: int


def take_samples(server: Server, *, samples: Sequence[Sample], now: datetime) -> None:
    """Add the looks to the leases that held this server's GPUs then. The caller has the server's row locked."""
    if not samples:
        return
    leases = _holders(server, first=min(s.at for s in samples), last=max(s.at for s in samples))
    measured = [
        (lease, sample, measure)
        for sample in samples
        for lease in leases
        if _held_at(lease, sample.at) and (measure := measure_of(lease, sample)) is not None
    ]
    _add_up(measured)
    LeaseSample.objects.bulk_create(
        LeaseSample(
            lease=lease,
            at=sample.at,
            gpu_percent=measure.gpu_percent,
            memory_bytes=measure.memory_bytes,
            processes=measure.processes,
        )
        for lease, sample, measure in measured
        if lease.state in LIVE_STATES and now - sample.at < SAMPLES_KEPT
    )
    LeaseSample.objects.filter(at__lt=now - SAMPLES_KEPT).delete()


def measure_of(lease: Lease, sample: Sample) -> Measure | None:
    """What ``lease`` did in ``sample``; None where that can't be told."""
    slot = lease.slot
    if slot is None or slot.gpu not in sample.gpus:
        return None
    whole = sample.gpus[slot.gpu] if slot.uuid == slot.gpu and slot.parts == 1 else None
    if sample.uses is None:
        return _without_processes(whole)
    own = [use for use in sample.uses if use.gpu == slot.uuid]
    if slot.parts > 1 and not lease.container:
        return None
    if lease.container:
        own = [use for use in own if use.container == lease.container]
    percents = [use.sm_percent for use in own]
    percent = None if None in percents else min(100.0, sum(p for p in percents if p is not None))
    if whole is not None and whole.utilization_percent is not None:
        # Nobody else may use it: what the GPU did, it did for this lease, even where we missed the process.
        percent = max(percent or 0.0, whole.utilization_percent)
    return Measure(percent, sum(use.memory_bytes for use in own), sum(use.processes for use in own))


def _without_processes(whole: GpuUse | None) -> Measure | None:
    if whole is None:
        return None
    held = whole.memory_used_bytes if whole.memory_used_bytes > DRIVERS_OWN_BYTES else 0
    return Measure(whole.utilization_percent, held, processes=0)


def _holders(server: Server, *, first: datetime, last: datetime) -> list[Lease]:
    """Leases on this server's GPUs that were live at some time between the two."""
    rows = Lease.objects.filter(slot__server=server, slot__kind=SlotKind.GPU, granted_at__lt=last)
    return list(rows.filter(Q(closed_at__isnull=True) | Q(closed_at__gt=first)).select_related("slot"))


def _held_at(lease: Lease, at: datetime) -> bool:
    return lease.granted_at is not None and lease.granted_at < at and (lease.closed_at is None or at <= lease.closed_at)


def bucket_of(at: datetime) -> datetime:
    """The beginning of the ten minutes that ``at`` lies in."""
    return at.replace(minute=at.minute - at.minute % 10, second=0, microsecond=0)


def _add_up(measured: Iterable[tuple[Lease, Sample, Measure]]) -> None:
    """Add to the rows of each lease and ten minutes; rows that are missing are made."""
    measured = list(measured)
    starts = {bucket_of(sample.at) for _, sample, _ in measured}
    found = LeaseUse.objects.filter(lease__in={lease.pk for lease, _, _ in measured}, starts_at__in=starts)
    rows = {(row.lease_id, row.starts_at): row for row in found}
    for lease, sample, measure in measured:
        key = (lease.pk, bucket_of(sample.at))
        row = rows.setdefault(key, LeaseUse(lease=lease, starts_at=key[1]))
        assert lease.granted_at is not None
        seconds = min(sample.seconds, (sample.at - lease.granted_at).total_seconds())
        _add(row, measure=measure, seconds=seconds, at=sample.at)
    known, new = [row for row in rows.values() if row.pk], [row for row in rows.values() if not row.pk]
    LeaseUse.objects.bulk_update(known, USE_FIELDS)
    LeaseUse.objects.bulk_create(new)


def _add(row: LeaseUse, *, measure: Measure, seconds: float, at: datetime) -> None:
    row.held_seconds += seconds
    row.memory_peak_bytes = max(row.memory_peak_bytes, measure.memory_bytes)
    if measure.gpu_percent is None:
        return
    total = (row.gpu_percent or 0.0) * row.measured_seconds + measure.gpu_percent * seconds
    row.measured_seconds += seconds
    row.gpu_percent = total / row.measured_seconds if row.measured_seconds else measure.gpu_percent
    if measure.gpu_percent > 0:
        row.busy_seconds += seconds
        row.busy_at = max(row.busy_at or at, at)
    elif measure.memory_bytes > 0:
        row.idle_held_seconds += seconds
