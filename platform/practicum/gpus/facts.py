"""What a decision about slots rests on, and what it says: plain values, the same for worker, planner and benchmark.

Words: a *request* is a lease in line; a *holding* is a live lease; a *party* is a cohort in one pool (people without a
cohort are a party of their own). What a party holds up to its guarantee is its own; what it holds above is *borrowed*.
*Place* counts from 1, in each pool. Times are aware; sizes are slots; usage is in slot-hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

SESSION = "session"
EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing one lease can hold. ``is_usable``: its server is online and its agent lists it without a fault.

    ``gpu``: the GPU that it is one of several parts of, without memory isolation; empty for a slot that shares nothing.
    """

    id: int
    pool: int
    server: str
    index: int
    is_usable: bool
    gpu: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a cohort may have of a pool; None is no limit.

    ``borrowing_limit``: slots above its guarantee it may hold; ``lending_limit``: slots of its guarantee others may hold
    while it does not need them; ``per_intern``: live leases of one person.
    """

    cohort: int
    pool: int
    guaranteed: int = 0
    weight: float = 1.0
    borrowing_limit: int | None = None
    lending_limit: int | None = None
    per_intern: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A lease in line for ``size`` slots, for at most ``duration`` from its grant.

    ``near``: servers that are better for it than others, of slots that are alike to the policy; empty: all are alike.
    """

    id: UUID
    user: int
    cohort: int | None
    pool: int
    purpose: str
    requested_at: datetime
    size: int = 1
    duration: timedelta = timedelta(hours=12)
    near: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Holding:
    """A live lease: nobody else may have its slots. ``idle_since``: nothing has run on them since; None while busy.

    ``reclaim_at``: it was asked back and ends then at the latest; ``is_draining``: it is stopping.
    """

    id: UUID
    user: int
    cohort: int | None
    pool: int
    purpose: str
    slots: tuple[int, ...]
    granted_at: datetime
    until: datetime
    idle_since: datetime | None = None
    reclaim_at: datetime | None = None
    is_draining: bool = False
    reservation: int | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slots of a pool that an admin granted a cohort between two times."""

    id: int
    cohort: int
    pool: int
    slots: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """The times that the policy keeps to.

    ``grace``: notice before a lease that was asked back ends. ``young``: a busy lease is not asked back before that age (a
    reservation does not wait for it). ``aged``: who waited so long goes first in their cohort. ``patience``: among cohorts
    that would borrow, so long a wait weighs as much as one slot, twice as long a wait as four. ``overdue``: who waited so
    long goes before all who would borrow. ``claim_within``: a reservation's slots are kept empty for so long. ``lead``: so
    long before a reservation its slots are asked back. ``idle_grace``: a borrowed lease that was idle for so long is asked
    back once anybody waits. ``pausing``: for a guarantee, a lease idle for so long is asked back before one that computes.
    """

    grace: timedelta = timedelta(seconds=120)
    young: timedelta = timedelta(minutes=10)
    aged: timedelta = timedelta(hours=4)
    patience: timedelta = timedelta(hours=3)
    overdue: timedelta = timedelta(hours=96)
    claim_within: timedelta = timedelta(minutes=10)
    lead: timedelta = timedelta(minutes=5)
    idle_grace: timedelta = timedelta(minutes=25)
    pausing: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a decision rests on, at one moment. ``usage``: decayed slot-hours of (cohort, user)."""

    slots: tuple[Slot, ...]
    requests: tuple[Request, ...]
    holdings: tuple[Holding, ...]
    quotas: tuple[Quota, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    usage: Mapping[tuple[int | None, int], float] = field(default_factory=dict)
    terms: Terms = Terms()


@dataclass(frozen=True, slots=True)
class Grant:
    """This request gets these slots. ``is_borrowed``: above its party's guarantee, so it can be asked back."""

    request: UUID
    slots: tuple[int, ...]
    is_borrowed: bool
    reservation: int | None


@dataclass(frozen=True, slots=True)
class Reclaim:
    """This holding is asked back and ends ``by`` then; ``reason`` is what its intern reads.

    ``request`` or ``reservation`` names what its slots are for; neither: it is idle and others wait.
    """

    holding: UUID
    by: datetime
    reason: str
    request: UUID | None = None
    reservation: int | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """This holding was asked back and is needed no more: it keeps its slots."""

    holding: UUID


@dataclass(frozen=True, slots=True)
class Place:
    """A request that goes on waiting, for how long it has, and why, in a sentence for its intern."""

    request: UUID
    place: int
    waited: timedelta
    why: str


@dataclass(frozen=True, slots=True)
class Earmark:
    """A free slot that is kept for somebody: a request, a reservation, or what a cohort does not lend (no ``until``)."""

    slot: int
    cohort: int | None
    until: datetime | None
    request: UUID | None = None
    reservation: int | None = None


@dataclass(frozen=True)
class Decisions:
    """What to do now, in the order to do it, and who waits on.

    The line is worked out when it is first asked for: most of those who decide never look at it.
    """

    grants: tuple[Grant, ...]
    reclaims: tuple[Reclaim, ...]
    withdrawals: tuple[Withdrawal, ...]
    earmarks: tuple[Earmark, ...]
    waiting: Callable[[], tuple[Place, ...]] = field(compare=False, repr=False, default=tuple)

    @cached_property
    def line(self) -> tuple[Place, ...]:
        """Those who wait, pool by pool, in the order in which they would be served if nothing else changed."""
        return self.waiting()
