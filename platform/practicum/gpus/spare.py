"""Which idle leases somebody else could use now: pure, and asked of the policy itself.

An idle lease disturbs nobody while nobody could have its slot. It is *wanted* once ``decide``, without it, would give away
more than it does with it: limits, loans, reservations and shared GPUs are so taken into account as they are there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from practicum.gpus.policy import Decisions, Snapshot, decide

# Whoever is idle and wanted is told so long before their lease ends.
NOTICE = timedelta(minutes=5)
# No more are looked at in one go, the first of them; the others have their turn when these are gone.
AT_MOST = 64


def wanted_of(
    snapshot: Snapshot,
    now: datetime,
    *,
    idle: Sequence[UUID],
    policy: Callable[[Snapshot, datetime], Decisions] = decide,
) -> frozenset[UUID]:
    """The fewest of the ``idle`` leases, the first of them before the others, without which most slots would be given.

    Leases that are being stopped or were asked back count as gone already. Cost: two decisions; where more could be given,
    one for each doubling of the idle ones and one for each that may be wanted.
    """
    going = {holding.id for holding in snapshot.holdings if holding.is_draining or holding.reclaim_at is not None}
    ending = [lease for lease in idle if lease not in going][:AT_MOST]
    if not ending or not snapshot.requests:
        return frozenset()

    def given(leases: Collection[UUID]) -> int:
        gone = going.union(leases)
        holdings = tuple(holding for holding in snapshot.holdings if holding.id not in gone)
        return sum(len(grant.slots) for grant in policy(replace(snapshot, holdings=holdings), now).grants)

    most = given(ending)
    if most <= given(()):
        return frozenset()
    wanted = ending[: bisect_left(range(len(ending)), most, key=lambda count: given(ending[:count]))]
    for lease in reversed(wanted):
        others = [other for other in wanted if other != lease]
        wanted = others if given(others) >= most else wanted
    return frozenset(wanted)
