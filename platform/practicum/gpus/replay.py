"""What a policy would have made of a demand: a simulation with a clock of its own that drives ``decide`` itself.

The planner and the benchmarks call it; any function of ``decide``'s signature can be driven. A *job* is what one person
wants: bursts of work with pauses between. A job asks for its slots when a burst begins without them, keeps them through
pauses until it was idle for ``idle_after``, and asks again when it goes on; who waits begins everything later by as much
(closed loop). Work that was interrupted is kept: what is left of the burst goes back in line with its age.

A burst's wait is all its time in line, before its grant and after each interruption. Shares and violations are
those of ``GPU.md``'s definitions: what a party holds of its entitlement, and slot-hours that requests within a guarantee
waited beyond the grace.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from uuid import UUID

from practicum.gpus.facts import (
    SESSION,
    Decisions,
    Grant,
    Holding,
    Quota,
    Reclaim,
    Request,
    Reservation,
    Slot,
    Snapshot,
    Terms,
    Withdrawal,
)
from practicum.gpus.metrics import Ledger, Report
from practicum.gpus.policy import decide
from practicum.gpus.spare import NOTICE, wanted_of

Policy = Callable[[Snapshot, datetime], Decisions]

FOREVER = timedelta(days=3650)
HALF_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Job:
    """What one person wants of a pool from ``submitted_at`` on.

    ``bursts``: pairs of a pause and the work after it; the first pause is usually zero. ``expected``: the longest a lease of
    it lasts, which is all that a policy is told.
    """

    id: int
    user: int
    cohort: int | None
    pool: int
    submitted_at: datetime
    bursts: tuple[tuple[timedelta, timedelta], ...]
    size: int = 1
    purpose: str = SESSION
    expected: timedelta = FOREVER


@dataclass(slots=True)
class Progress:
    """Where a job is: which burst, how much of it is left, and the lease or the request it has."""

    job: Job
    burst: int = 0
    left: timedelta = timedelta(0)
    asked_at: datetime | None = None
    lined_up_at: datetime | None = None
    busy_since: datetime | None = None
    holding: Holding | None = None
    request: Request | None = None
    token: int = 0


@dataclass(frozen=True, slots=True)
class IdleRule:
    """Idle for ``after``, a lease ends; ``is_kept``: only once somebody could use its slot, and told so before."""

    after: timedelta
    is_kept: bool = False

    @property
    def looked_at(self) -> timedelta:
        """How long it was idle when it ends or, if it is kept, when its person may be told."""
        return max(timedelta(0), self.after - NOTICE) if self.is_kept else self.after


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that is replayed. ``until``: where figures end.

    ``idle_after`` and ``is_idle_kept``: the :class:`IdleRule` of every lease; None: idle ones do not end.
    """

    jobs: Sequence[Job]
    slots: Sequence[Slot]
    quotas: Sequence[Quota] = ()
    reservations: Sequence[Reservation] = ()
    terms: Terms = field(default_factory=Terms)
    idle_after: timedelta | None = None
    is_idle_kept: bool = False
    until: datetime | None = None

    def idle_rules(self) -> dict[int | None, IdleRule]:
        """Of each cohort, the same."""
        if self.idle_after is None:
            return {}
        return dict.fromkeys((job.cohort for job in self.jobs), IdleRule(self.idle_after, self.is_idle_kept))


def replay(scenario: Scenario, *, policy: Policy = decide) -> Report:
    """Play it through to the end, or to ``until``, and report."""
    return Replay(scenario, policy=policy).run()


class Replay:
    """One run: a heap of events, and what holds and waits."""

    def __init__(self, scenario: Scenario, *, policy: Policy) -> None:
        self.scenario = scenario
        self.policy = policy
        self.events: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self.sequence = 0
        self.leases = 0
        self.requests: dict[UUID, Request] = {}
        self.holdings: dict[UUID, Holding] = {}
        self.owner: dict[UUID, Progress] = {}
        self.usage: dict[tuple[int | None, int], float] = {}
        self.idle: Mapping[int | None, IdleRule] = scenario.idle_rules()
        self.kept: dict[UUID, Progress] = {}
        self.called: set[UUID] = set()
        self.wakes_at: datetime | None = None
        starts = [job.submitted_at for job in scenario.jobs]
        self.begins = min(starts, default=datetime(2026, 1, 1, tzinfo=UTC))
        self.until = scenario.until or max(starts, default=self.begins)
        self.ledger = Ledger(scenario.slots, scenario.quotas, scenario.terms, begins=self.begins, until=self.until)

    def run(self) -> Report:
        """Every event in its order; after all of one moment, one decision."""
        for job in self.scenario.jobs:
            self._plan_burst(Progress(job), at=job.submitted_at)
        for moment in self._moments():
            self._at(moment, lambda _: None)
        now = self.begins
        while self.events and (self.scenario.until is None or self.events[0][0] <= self.until):
            self._pass_time(now, self.events[0][0])
            now = self.events[0][0]
            while self.events and self.events[0][0] == now:
                heappop(self.events)[2](now)
            self._decide(now)
        if self.scenario.until is not None:
            self._pass_time(now, self.until)
        for request in self.requests.values():
            progress = self.owner[request.id]
            assert progress.lined_up_at is not None  # it is in line
            waited = max(now, self.until) - progress.lined_up_at
            self.ledger.waited_for((progress.job.id, progress.burst), request.cohort, waited)
        return self.ledger.report()

    def _moments(self) -> Iterable[datetime]:
        """When a reservation changes what may be given, though nothing else happens."""
        terms = self.scenario.terms
        for booked in self.scenario.reservations:
            early = booked.starts_at - terms.lead
            yield from (
                early - terms.young,
                early,
                booked.starts_at,
                booked.starts_at + terms.claim_within,
                booked.ends_at,
            )

    def _at(self, moment: datetime, event: Callable[[datetime], None]) -> None:
        self.sequence += 1
        heappush(self.events, (moment, self.sequence, event))

    def _pass_time(self, begin: datetime, end: datetime) -> None:
        self.ledger.pass_time(begin, end, self.requests.values(), self.holdings.values())
        scale = HALF_LIFE / timedelta(hours=1) / math.log(2)
        # Usage is kept in units of the first day: only its order and its proportions matter.
        grown = (2 ** ((end - self.begins) / HALF_LIFE) - 2 ** ((begin - self.begins) / HALF_LIFE)) * scale
        for holding in self.holdings.values():
            key = holding.cohort, holding.user
            self.usage[key] = self.usage.get(key, 0.0) + grown * len(holding.slots)

    def _decide(self, now: datetime) -> None:
        self._carry_out_decisions(now)
        for lease in self._wanted(now) - self.called:
            self.called.add(lease)
            self._at(now + NOTICE, partial(self._end_if_wanted, lease))

    def _wanted(self, now: datetime) -> frozenset[UUID]:
        """Of the leases that are kept though they are idle, those that somebody else could use."""
        self.kept = {lease: one for lease, one in self.kept.items() if lease in self.holdings}
        if not self.kept or not self.requests:
            return frozenset()
        return wanted_of(self._snapshot(), now, idle=list(self.kept), policy=self.policy)

    def _end_if_wanted(self, lease: UUID, now: datetime) -> None:
        self.called.discard(lease)
        if lease in self._wanted(now):
            self._take_from_idle(self.kept[lease], now)

    def _carry_out_decisions(self, now: datetime) -> None:
        decisions = self.policy(self._snapshot(), now)
        for grant in decisions.grants:
            self._grant(grant, now)
        for reclaim in decisions.reclaims:
            self._ask_back(reclaim)
        for withdrawal in decisions.withdrawals:
            self._let_stay(withdrawal)
        self.ledger.decided()
        if self.ledger.is_owed(self.requests.values(), self.holdings.values()):
            self._wake(now)

    def _wake(self, now: datetime) -> None:
        """Decide again: somebody within their guarantee waits, perhaps for leases that are too young to be asked back."""
        young = self.scenario.terms.young
        ripens = (holding.granted_at + young for holding in self.holdings.values())
        moment = min((moment for moment in ripens if moment > now), default=None)
        if moment is not None and (self.wakes_at is None or moment < self.wakes_at):
            self.wakes_at = moment
            self._at(moment, self._woken)

    def _woken(self, _: datetime) -> None:
        self.wakes_at = None

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            slots=tuple(self.scenario.slots),
            requests=tuple(self.requests.values()),
            holdings=tuple(self.holdings.values()),
            quotas=tuple(self.scenario.quotas),
            reservations=tuple(self.scenario.reservations),
            usage=self.usage,
            terms=self.scenario.terms,
        )

    # --- What a job does ---

    def _plan_burst(self, progress: Progress, *, at: datetime) -> None:
        """Its next burst begins after its pause; there may be none."""
        if progress.burst >= len(progress.job.bursts):
            self._end_lease(progress)
            return
        pause, progress.left = progress.job.bursts[progress.burst]
        progress.asked_at = None
        if pause > timedelta(0):
            self._go_idle(progress, at, pause=pause)
        self._at(at + pause, lambda now: self._begin(progress, now))

    def _go_idle(self, progress: Progress, now: datetime, *, pause: timedelta) -> None:
        holding = progress.holding
        if holding is None:
            return
        self._change(progress, replace(holding, idle_since=now))
        self.ledger.paused(pause, size=progress.job.size)
        self._at(now + self.scenario.terms.idle_grace, lambda _: None)
        rule, token = self.idle.get(progress.job.cohort), progress.token
        if rule is not None and rule.after < pause:
            self._at(now + rule.looked_at, lambda now: self._time_out(progress, token, now))

    def _time_out(self, progress: Progress, token: int, now: datetime) -> None:
        holding = progress.holding
        if progress.token != token or holding is None or holding.idle_since is None:
            return
        rule = self.idle.get(progress.job.cohort)
        if rule is not None and rule.is_kept:
            self.kept[holding.id] = progress
        else:
            self._take_from_idle(progress, now)

    def _take_from_idle(self, progress: Progress, now: datetime) -> None:
        pause = progress.job.bursts[progress.burst][0]
        assert progress.holding is not None  # it is idle, so it holds
        since = progress.holding.idle_since or now
        self.ledger.returned(pause - (now - since), size=progress.job.size)
        self._end_lease(progress)

    def _begin(self, progress: Progress, now: datetime) -> None:
        """A burst begins: at once where the job has its slots, else it asks for them."""
        if progress.holding is not None:
            self.kept.pop(progress.holding.id, None)
            self._change(progress, replace(progress.holding, idle_since=None))
            self._work(progress, now)
        else:
            self._ask(progress, now)

    def _ask(self, progress: Progress, now: datetime) -> None:
        job = progress.job
        self.leases += 1
        progress.asked_at, progress.lined_up_at = progress.asked_at or now, now
        progress.request = Request(
            id=UUID(int=self.leases), user=job.user, cohort=job.cohort, pool=job.pool, purpose=job.purpose,
            requested_at=progress.asked_at, size=job.size, duration=job.expected,
        )  # fmt: skip
        self.requests[progress.request.id] = progress.request
        self.owner[progress.request.id] = progress
        self.ledger.asked(job.id)

    def _work(self, progress: Progress, now: datetime) -> None:
        progress.busy_since = now
        progress.token += 1
        token = progress.token
        self._at(now + progress.left, lambda now: self._finish(progress, token, now))

    def _finish(self, progress: Progress, token: int, now: datetime) -> None:
        if progress.token != token or progress.busy_since is None:
            return
        progress.busy_since = None
        progress.token += 1
        progress.burst += 1
        self._plan_burst(progress, at=now)

    def _interrupt(self, progress: Progress, now: datetime) -> None:
        """Its lease ends; what it had left of its burst goes back in line."""
        if progress.busy_since is None:
            self._take_from_idle(progress, now)
            return
        progress.left -= now - progress.busy_since
        progress.busy_since = None
        self._end_lease(progress)
        self._ask(progress, now)

    def _end_lease(self, progress: Progress) -> None:
        progress.token += 1
        if progress.holding is not None:
            del self.holdings[progress.holding.id]
            del self.owner[progress.holding.id]
            progress.holding = None

    def _change(self, progress: Progress, holding: Holding) -> None:
        progress.holding = holding
        self.holdings[holding.id] = holding

    # --- What a policy says ---

    def _grant(self, grant: Grant, now: datetime) -> None:
        request = self.requests.pop(grant.request)
        progress = self.owner[request.id]
        progress.request = None
        until = now + request.duration
        holding = Holding(
            id=request.id, user=request.user, cohort=request.cohort, pool=request.pool, purpose=request.purpose,
            slots=grant.slots, granted_at=now, until=until, reservation=grant.reservation,
        )  # fmt: skip
        self._change(progress, holding)
        assert progress.lined_up_at is not None  # it was in line
        self.ledger.waited_for((progress.job.id, progress.burst), request.cohort, now - progress.lined_up_at)
        self._work(progress, now)
        if request.duration < FOREVER:
            self._at(until, lambda now: self._lapse(holding.id, now))

    def _lapse(self, lease: UUID, now: datetime) -> None:
        if lease in self.holdings:
            self._interrupt(self.owner[lease], now)

    def _ask_back(self, reclaim: Reclaim) -> None:
        progress = self.owner[reclaim.holding]
        assert progress.holding is not None  # it was asked back
        self._change(progress, replace(progress.holding, reclaim_at=reclaim.by))
        self._at(reclaim.by, lambda now: self._take_back(reclaim.holding, reclaim.by, now))

    def _take_back(self, lease: UUID, by: datetime, now: datetime) -> None:
        holding = self.holdings.get(lease)
        if holding is not None and holding.reclaim_at == by:
            if holding.idle_since is None:
                self.ledger.preempted()
            self._interrupt(self.owner[lease], now)

    def _let_stay(self, withdrawal: Withdrawal) -> None:
        progress = self.owner[withdrawal.holding]
        assert progress.holding is not None  # it was asked back before
        self._change(progress, replace(progress.holding, reclaim_at=None))
