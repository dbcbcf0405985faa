"""Leases of the past, made directly: who held what, and when."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from practicum.accounts.models import User
from practicum.gpus.models import Lease, Pool, Slot

MINUTE = timedelta(minutes=1)


def make_lease(
    user: Any,
    *,
    asked: datetime,
    wait: timedelta | None = timedelta(0),
    held: timedelta | None = None,
    cohort: Any = None,
    slot: Slot | None = None,
    pool: Pool | None = None,
    **more: Any,
) -> Lease:
    """A lease asked for at ``asked``; ``wait`` None: never granted; ``held`` None: not closed."""
    granted = None if wait is None else asked + wait
    closed = None if held is None else (granted or asked) + held
    state = "released" if granted and closed else "active" if granted else "cancelled" if closed else "queued"
    return Lease.objects.create(
        user=user,
        cohort=cohort,
        slot=slot if granted else None,
        pool=pool or (slot.pool if slot else None),
        state=more.pop("state", state),
        duration=timedelta(hours=12),
        requested_at=asked,
        granted_at=granted,
        lease_until=granted + timedelta(hours=12) if granted else None,
        closed_at=closed,
        **more,
    )


def make_people(count: int) -> list[User]:
    """So many interns."""
    rows = [
        User(username=f"p{number}", email=f"p{number}@example.org", name=f"Person {number}", role="intern")
        for number in range(count)
    ]
    return list(User.objects.bulk_create(rows))


def fill_past(
    count: int,
    *,
    slots: Sequence[Slot],
    people: Sequence[User],
    cohorts: Sequence[Any],
    until: datetime,
    hours: float = 2.0,
    seed: int = 1,
) -> None:
    """``count`` closed leases up to ``until``: slot after slot, none two at once, some borrowed, most after a wait."""
    chance = random.Random(seed)
    free = dict.fromkeys((slot.pk for slot in slots), until)
    rows = []
    for number in range(count):
        slot = slots[number % len(slots)]
        end = free[slot.pk] - MINUTE * chance.uniform(1, 60)
        begin = end - timedelta(hours=chance.uniform(0.2, 2 * hours))
        free[slot.pk] = begin
        person = chance.randrange(len(people))
        rows.append(
            Lease(
                user=people[person],
                cohort=cohorts[person % len(cohorts)],
                pool_id=slot.pool_id,
                slot=slot,
                state="released",
                is_borrowed=chance.random() < 0.2,
                duration=timedelta(hours=12),
                requested_at=begin - MINUTE * chance.expovariate(1 / 4),
                granted_at=begin,
                lease_until=begin + timedelta(hours=12),
                closed_at=end,
            )
        )
    Lease.objects.bulk_create(rows, batch_size=2000)
