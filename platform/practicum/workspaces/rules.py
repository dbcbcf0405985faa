"""When a running notebook is stopped, and what is said before. Pure.

Idle means that nothing computes (``gpus.idleness`` has the rule). An open tab is no activity. Where a cohort keeps idle
notebooks, one is stopped only while somebody else could use its slot (``gpus.spare`` has that rule). Nobody is stopped for
idleness without a notice first, however late the notice comes, and activity withdraws it. Where reports stay away we
don't know, and what we don't know counts as busy. A slot that was asked back is announced too, and whatever runs on it
does not keep it: it was lent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from practicum.gpus.spare import NOTICE

MOST_ATTEMPTS = 3
# Who waited for less is still there; who waited for longer is told, and has ten minutes to come.
STILL_THERE = timedelta(minutes=2)
CLAIM_WITHIN = timedelta(minutes=10)
# JupyterLab asks every three seconds once a turn has come; so long it has to save what is open.
SAVE_WITHIN = timedelta(seconds=10)
REPORTS_LOST_AFTER = timedelta(minutes=2)
NOTHING_RUNS = "Nothing ran in the notebook for a while."
# What the program that packs and unpacks says by its exit code.
TOO_MUCH_DATA = 3


@dataclass(frozen=True)
class Watch:
    """What is known of a running notebook. ``is_kept``: idle or not, it stays, for nobody else could use its slot."""

    active_at: datetime
    reported_at: datetime | None
    lease_until: datetime
    idle_after: timedelta
    stop_at: datetime | None
    reclaim_at: datetime | None = None
    reclaim_reason: str = ""
    is_kept: bool = False

    def may_be_idle(self, *, now: datetime) -> bool:
        """It is heard, and idle for so long that its person may be told."""
        is_heard = self.reported_at is not None and now - self.reported_at <= REPORTS_LOST_AFTER
        return is_heard and now >= self.active_at + self.idle_after - NOTICE


@dataclass(frozen=True)
class Keep:
    """Nothing to say; an announcement made before is withdrawn."""


@dataclass(frozen=True)
class Announce:
    """It stops at ``stop_at`` unless something runs (or when its lease ends or was asked back, whatever runs)."""

    stop_at: datetime


@dataclass(frozen=True)
class Stop:
    """It stops now; ``reason`` is for its intern."""

    reason: str


Verdict = Keep | Announce | Stop


@dataclass(frozen=True)
class Report:
    """What a notebook says it did since its last report. ``seconds``: how long ago that was.

    ``committed_at``: the last commit there ever was in its project folder.
    """

    busy_kernels: int
    cpu_seconds: float
    last_execution_at: datetime | None
    seconds: float
    committed_at: datetime | None = None


def has_executed(report: Report, *, active_at: datetime, now: datetime) -> bool:
    """Somebody ran a cell since: work, however short."""
    return report.last_execution_at is not None and active_at < report.last_execution_at <= now


def verdict(watch: Watch, *, now: datetime) -> Verdict:
    """What to do with a running notebook at ``now``."""
    if now >= watch.lease_until:
        return Stop(reason="Its time was up.")
    if watch.reclaim_at is not None and now >= watch.reclaim_at:
        return Stop(reason=watch.reclaim_reason)
    ends_at = min(watch.lease_until, watch.reclaim_at or watch.lease_until)
    if watch.may_be_idle(now=now) and not watch.is_kept:
        return _idle(watch, idle_at=watch.active_at + watch.idle_after, ends_at=ends_at, now=now)
    if watch.reclaim_at is not None or now >= watch.lease_until - NOTICE:
        return Announce(stop_at=ends_at)
    return Keep()


def _idle(watch: Watch, *, idle_at: datetime, ends_at: datetime, now: datetime) -> Verdict:
    if watch.stop_at is None or watch.stop_at < idle_at:
        return Announce(stop_at=min(max(idle_at, now + NOTICE), ends_at))
    if now >= watch.stop_at:
        minutes = round(watch.idle_after.total_seconds() / 60)
        return Stop(reason=f"Nothing ran in it for {minutes} minutes. Its files are kept.")
    return Announce(stop_at=min(watch.stop_at, ends_at))


def reason_to_snapshot(watch: Watch, *, ahead: timedelta, now: datetime) -> str | None:
    """Why the notebook's files are to be kept now: it ends within ``ahead`` for others, or because nothing runs in it."""
    if watch.reclaim_at is not None and now >= watch.reclaim_at - ahead:
        return watch.reclaim_reason
    if watch.stop_at is not None and watch.reclaim_at is None and watch.stop_at < watch.lease_until:
        return NOTHING_RUNS if now >= watch.stop_at - ahead else None
    return None


def warning(watch: Watch, *, now: datetime) -> str | None:
    """The announcement as a sentence, or None where none is made."""
    if watch.stop_at is None:
        return None
    minutes = max(1, round((watch.stop_at - now).total_seconds() / 60))
    when = f"in {minutes} minute{'s' if minutes != 1 else ''}"
    if watch.reclaim_at is not None and watch.stop_at >= watch.reclaim_at:
        return f"{watch.reclaim_reason} This notebook stops {when}. Its files are kept."
    if watch.stop_at >= watch.lease_until:
        return f"Your session ends {when}. Save your work; its files are kept."
    return f"Nothing has run here for a while: this notebook stops {when} unless something runs. Its files are kept."


def may_start_again(attempts: int) -> bool:
    """A start that failed is tried twice more."""
    return attempts < MOST_ATTEMPTS


@dataclass(frozen=True)
class Turn:
    """A slot that was given to somebody in line."""

    requested_at: datetime
    granted_at: datetime
    taken_at: datetime | None

    @property
    def take_by(self) -> datetime:
        """Until when it is kept for them."""
        return self.granted_at + CLAIM_WITHIN

    def may_be_taken(self, *, now: datetime) -> bool:
        """It is theirs to take, and they have not yet said that they come."""
        return self.taken_at is None and now < self.take_by

    @property
    def is_taken(self) -> bool:
        """They are there: they said so, or had asked only moments before."""
        return self.taken_at is not None or self.granted_at - self.requested_at <= STILL_THERE
