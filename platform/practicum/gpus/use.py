"""Questions about how leases used their slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Sum

from practicum.gpus import idleness
from practicum.gpus.models import Lease, LeaseSample, LeaseUse, SlotKind
from practicum.gpus.telemetry import BUCKET, SAMPLES_KEPT


@dataclass(frozen=True)
class UseSeries:
    """The use of a lease in steps of ten minutes from its first to its last, without gaps: None where nothing was seen.

    Memory is the most held in a step, in bytes; ``busy_percent`` is the share of the seen time with the GPU at work.
    """

    starts: list[datetime]
    gpu_percent: list[float | None]
    busy_percent: list[float | None]
    memory_bytes: list[int | None]


@dataclass(frozen=True)
class UseTotals:
    """What is known of the whole of a lease, in seconds. ``seen``: with samples of its agent."""

    seen: float
    busy: float
    idle_held: float
    memory_peak_bytes: int
    busy_at: datetime | None


def last_busy_at(lease: Lease) -> datetime | None:
    """The last moment at which the agent saw the lease's GPU at work; None if it never did."""
    found: datetime | None = lease.uses.aggregate(at=Max("busy_at"))["at"]
    return found


def idle_held_seconds(lease: Lease) -> float:
    """For how long it held GPU memory without work."""
    return float(lease.uses.aggregate(sum=Sum("idle_held_seconds"))["sum"] or 0.0)


def totals_of(lease: Lease) -> UseTotals:
    """All its ten minutes added up."""
    sums = lease.uses.aggregate(
        seen=Sum("held_seconds"),
        busy=Sum("busy_seconds"),
        idle=Sum("idle_held_seconds"),
        peak=Max("memory_peak_bytes"),
        at=Max("busy_at"),
    )
    seen, busy, idle = (float(sums[name] or 0.0) for name in ("seen", "busy", "idle"))
    return UseTotals(seen=seen, busy=busy, idle_held=idle, memory_peak_bytes=sums["peak"] or 0, busy_at=sums["at"])


def use_series(lease: Lease) -> UseSeries:
    """Its use over time, for a plot."""
    rows = {row.starts_at: row for row in lease.uses.order_by("starts_at")}
    starts = _steps(sorted(rows))
    found = [rows.get(start) for start in starts]
    return UseSeries(
        starts=starts,
        gpu_percent=[row.gpu_percent if row else None for row in found],
        busy_percent=[_busy_percent(row) for row in found],
        memory_bytes=[row.memory_peak_bytes if row else None for row in found],
    )


def _steps(moments: Sequence[datetime]) -> list[datetime]:
    if not moments:
        return []
    count = round((moments[-1] - moments[0]) / BUCKET) + 1
    return [moments[0] + BUCKET * step for step in range(count)]


def _busy_percent(row: LeaseUse | None) -> float | None:
    return 100.0 * row.busy_seconds / row.measured_seconds if row and row.measured_seconds else None


def samples_of(lease: Lease, *, since: datetime) -> list[idleness.Sample]:
    """The agent's looks at a live lease since then (at most the last hours are kept), the oldest first."""
    rows = LeaseSample.objects.filter(lease=lease, at__gte=since).order_by("at")
    return [
        idleness.Sample(at=at, gpu_percent=percent, memory_bytes=memory, processes=processes)
        for at, percent, memory, processes in rows.values_list("at", "gpu_percent", "memory_bytes", "processes")
    ]


def activity_of(
    lease: Lease,
    *,
    kernel_reports: Sequence[idleness.KernelReport],
    now: datetime,
    over: timedelta = SAMPLES_KEPT,
    active_within: timedelta = timedelta(minutes=1),
) -> idleness.Activity:
    """What the lease does at ``now``, by the agent's looks and what its notebook says; its slot must be loaded."""
    samples = [sample for sample in samples_of(lease, since=now - over) if sample.at <= now]
    has_gpu = lease.slot is not None and lease.slot.kind == SlotKind.GPU
    return idleness.classify(samples, kernel_reports, now=now, has_gpu=has_gpu, active_within=active_within)
