"""Whether somebody works on a slot, holds it for nothing, or can't be told. Pure.

The rule (sources: NVML's own words on what it measures; jupyterhub-idle-culler's issue 10, a long silent cell that was
culled): a moment counts as work when

- the GPU computed for this lease since the look before, or
- the notebook's processes used more processor time than waiting takes, or
- a kernel was busy, and the GPU's memory it holds has gone unused for less than ``stalled_after`` (5 minutes). A busy
  kernel that holds none is believed for ``waiting_after`` (30 minutes): it may wait for a download.

A browser's traffic, an open tab and a kernel that is merely alive are no work. Memory held without work is *idle-held*,
the thing to show people. Where the driver can't tell how busy a GPU is (a MIG instance), a busy kernel with a process on
it is believed without limit. What we don't know counts as work: a gap in the agent's looks is work until it ends, and
while looks or the notebook's reports stay away the answer is *unknown*, which nobody may be stopped for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise


@dataclass(frozen=True)
class Rule:
    """The lengths in the rule."""

    stalled_after: timedelta = timedelta(minutes=5)
    waiting_after: timedelta = timedelta(minutes=30)
    lost_after: timedelta = timedelta(minutes=2)
    busy_cpu_share: float = 0.05


RULE = Rule()


def looked_back(worked_at: datetime, *, rule: Rule = RULE) -> datetime:
    """From when on looks and reports can tell of work after ``worked_at``: nothing is believed for longer."""
    return worked_at - rule.waiting_after - rule.lost_after


@dataclass(frozen=True)
class Sample:
    """One look of the agent at a lease. ``gpu_percent`` is None where the driver can't tell."""

    at: datetime
    gpu_percent: float | None
    memory_bytes: int
    processes: int


@dataclass(frozen=True)
class KernelReport:
    """What a notebook said it did in the ``seconds`` before ``at``: kernels busy, processor time used."""

    at: datetime
    busy_kernels: int
    cpu_seconds: float
    seconds: float


class ActivityState(StrEnum):
    """What a lease does."""

    ACTIVE = "active"
    IDLE = "idle"
    IDLE_HELD = "idle_held"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Activity:
    """What a lease does, and since when: for an idle one, the last moment that counted as work."""

    state: ActivityState
    since: datetime

    @property
    def counts_as_busy(self) -> bool:
        """Nobody may be stopped for being idle now."""
        return self.state in (ActivityState.ACTIVE, ActivityState.UNKNOWN)


def classify(
    samples: Sequence[Sample],
    kernel_reports: Sequence[KernelReport],
    *,
    now: datetime,
    active_within: timedelta = timedelta(minutes=1),
    has_gpu: bool = True,
    rule: Rule = RULE,
) -> Activity:
    """What the lease of these looks and reports does at ``now``; both are in the order of time, none is after ``now``.

    It is *active* when something counted as work in the last ``active_within``. ``has_gpu``: it holds a GPU, so that
    there must be looks; a CPU slot has reports only. How long idleness may last is the caller's to decide.
    """
    needed: list[Sequence[Sample] | Sequence[KernelReport]] = [samples, kernel_reports] if has_gpu else [kernel_reports]
    if not all(needed):
        return Activity(ActivityState.UNKNOWN, since=now)
    heard_at = min(moments[-1].at for moments in needed)
    if now - heard_at > rule.lost_after:
        return Activity(ActivityState.UNKNOWN, since=heard_at)
    worked_at = max(_moments_of_work(samples, kernel_reports, rule=rule))
    if now - worked_at <= active_within:
        return Activity(ActivityState.ACTIVE, since=_stretch(samples, kernel_reports, rule=rule, within=active_within))
    holds = bool(samples) and samples[-1].memory_bytes > 0
    return Activity(ActivityState.IDLE_HELD if holds else ActivityState.IDLE, since=worked_at)


def _moments_of_work(samples: Sequence[Sample], reports: Sequence[KernelReport], *, rule: Rule) -> Iterator[datetime]:
    """Each moment that counts as work, in no order; the first moment we know of is one, for want of a better word."""
    first = min(moments[0].at for moments in (samples, reports) if moments)
    yield first
    yield from (sample.at for sample in samples if sample.gpu_percent)
    yield from (report.at for report in reports if _computes(report, rule=rule))
    for moments in (samples, reports):
        yield from _ends_of_gaps([first, *(moment.at for moment in moments)], longer_than=rule.lost_after)
    yield from _believed_kernels(samples, reports, rule=rule)


def _computes(report: KernelReport, *, rule: Rule) -> bool:
    return report.cpu_seconds > rule.busy_cpu_share * max(report.seconds, 1.0)


def _ends_of_gaps(moments: Sequence[datetime], *, longer_than: timedelta) -> Iterator[datetime]:
    for before, after in pairwise(moments):
        if after - before > longer_than:
            yield after


def _believed_kernels(samples: Sequence[Sample], reports: Sequence[KernelReport], *, rule: Rule) -> Iterator[datetime]:
    """The reports of a busy kernel that count. One pass over both, in the order of time."""
    first = min(moments[0].at for moments in (samples, reports) if moments)
    computed_at, latest, position, was_busy = first, None, 0, False
    for report in reports:
        while position < len(samples) and samples[position].at <= report.at:
            latest = samples[position]
            computed_at = latest.at if latest.gpu_percent else computed_at
            position += 1
        begins = report.busy_kernels > 0 and not was_busy  # somebody, or a script, has just set it going
        computed_at = max(computed_at, report.at) if begins or _computes(report, rule=rule) else computed_at
        was_busy = report.busy_kernels > 0
        if report.busy_kernels and _is_believed(latest, silent_for=report.at - computed_at, rule=rule):
            yield report.at


def _is_believed(latest: Sample | None, *, silent_for: timedelta, rule: Rule) -> bool:
    if latest is None or latest.memory_bytes == 0:
        return silent_for < rule.waiting_after
    return latest.gpu_percent is None or silent_for < rule.stalled_after


def _stretch(samples: Sequence[Sample], reports: Sequence[KernelReport], *, rule: Rule, within: timedelta) -> datetime:
    """The beginning of the present stretch of work: no two moments in it are further apart than ``within``."""
    moments = sorted(_moments_of_work(samples, reports, rule=rule), reverse=True)
    began = moments[0]
    for moment in moments[1:]:
        if began - moment > within:
            break
        began = moment
    return began
