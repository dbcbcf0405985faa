"""The invariants of the allocation, each as a check on one decision in a world; each raises ``AssertionError``.

They are written from the definition, not from the policy's code: counts are made afresh from the rows.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from practicum.gpus import policy
from practicum.gpus.policy import Decisions, Holding, Quota, Request, Reservation, Snapshot
from tests.unit.gpus.world import TICK, World

Cohort = int | None


class Counts:
    """One pool before and after a decision, counted from the rows."""

    def __init__(self, pool: int, world: World, before: Snapshot, decisions: Decisions) -> None:
        self.pool, self.now, self.terms = pool, world.now, before.terms
        self.slots = {slot.id: slot for slot in before.slots if slot.pool == pool}
        self.usable = {slot.id for slot in self.slots.values() if slot.is_usable}
        self.holdings = [holding for holding in before.holdings if holding.pool == pool]
        self.taken = {slot for holding in self.holdings for slot in holding.slots}
        by_id = {request.id: request for request in before.requests}
        self.grants = [(by_id[g.request], g) for g in decisions.grants if by_id[g.request].pool == pool]
        granted = {request.id for request, _ in self.grants}
        self.waiting = [r for r in before.requests if r.pool == pool and r.id not in granted]
        self.given = [slot for _, grant in self.grants for slot in grant.slots]
        self.free = self.usable - self.taken - set(self.given)
        self.marks = [mark for mark in decisions.earmarks if mark.slot in self.slots]
        self.quotas = {quota.cohort: quota for quota in before.quotas if quota.pool == pool}
        self.reservations = [booked for booked in before.reservations if booked.pool == pool]
        self.held_before: Counter[Cohort] = Counter()
        for holding in self.holdings:
            self.held_before[holding.cohort] += len(holding.slots)
        self.held = self.held_before.copy()
        for request, _ in self.grants:
            self.held[request.cohort] += request.size
        by_holding = {holding.id: holding for holding in self.holdings}
        self.asked = [(by_holding[r.holding], r) for r in decisions.reclaims if r.holding in by_holding]
        sessions = [h.user for h in before.holdings if h.purpose == "session"]
        sessions += [by_id[g.request].user for g in decisions.grants if by_id[g.request].purpose == "session"]
        self.sessions = Counter(sessions)
        people = [(h.cohort, h.user) for h in self.holdings]
        self.leases = Counter(people + [(request.cohort, request.user) for request, _ in self.grants])

    def quota(self, cohort: Cohort) -> Quota:
        return (
            self.quotas.get(cohort or 0, Quota(cohort or 0, self.pool)) if cohort is not None else Quota(0, self.pool)
        )

    def running(self, cohort: Cohort) -> list[Reservation]:
        return [b for b in self.reservations if b.cohort == cohort and b.starts_at <= self.now < b.ends_at]

    def right(self, cohort: Cohort) -> int:
        return self.quota(cohort).guaranteed + sum(booked.slots for booked in self.running(cohort))

    def soon(self, ahead: timedelta) -> list[Reservation]:
        return [b for b in self.reservations if self.now < b.starts_at <= self.now + ahead]

    def never_lent(self, cohort: Cohort) -> int:
        quota = self.quota(cohort)
        return 0 if quota.lending_limit is None else quota.guaranteed - quota.lending_limit

    def is_going(self, holding: Holding) -> bool:
        ends_soon = holding.until <= self.now + self.terms.grace
        return holding.is_draining or holding.reclaim_at is not None or ends_soon

    def going(self, cohort: Cohort) -> int:
        return sum(len(h.slots) for h in self.holdings if h.cohort == cohort and self.is_going(h))

    def may_have_one(self, request: Request) -> bool:
        """Its own limits allow it one lease more."""
        quota = self.quota(request.cohort)
        if request.purpose == "session" and self.sessions[request.user]:
            return False
        if quota.per_intern is not None and self.leases[request.cohort, request.user] >= quota.per_intern:
            return False
        room = None if quota.borrowing_limit is None else self.right(request.cohort) + quota.borrowing_limit
        if room is not None and self.held[request.cohort] + request.size > room:
            return False
        runs_into = any(self.now < b.starts_at < self.now + request.duration for b in self.reservations)
        return not (request.purpose == "evaluation" and runs_into)

    def cohorts(self) -> set[Cohort]:
        return {*self.quotas, *(h.cohort for h in self.holdings), *(r.cohort for r in self.waiting), *self.held}


def pools(world: World, before: Snapshot, decisions: Decisions) -> list[Counts]:
    return [Counts(pool, world, before, decisions) for pool in (1, 2)]


def i01_no_double_allocation(world: World, before: Snapshot, decisions: Decisions) -> None:
    """A slot has one holder, and only usable slots are given."""
    for counts in pools(world, before, decisions):
        assert len(counts.given) == len(set(counts.given))
        assert not set(counts.given) & counts.taken
        assert set(counts.given) <= counts.usable
        assert all(len(grant.slots) == request.size for request, grant in counts.grants)


def i02_conservation(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Held, given, kept, free and offline slots are all slots, each once."""
    for counts in pools(world, before, decisions):
        kept = [mark.slot for mark in counts.marks]
        assert len(kept) == len(set(kept))
        offline = set(counts.slots) - counts.usable - counts.taken
        parts = [counts.taken, set(counts.given), set(kept), counts.free - set(kept), offline]
        assert sum(map(len, parts)) == len(set().union(*parts)) == len(counts.slots)


def i03_limits(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Nobody gets above a limit: of their cohort, of a person, one session a person, what a cohort never lends."""
    for counts in pools(world, before, decisions):
        for request, grant in counts.grants:
            quota = counts.quota(request.cohort)
            if quota.borrowing_limit is not None:
                assert counts.held[request.cohort] <= counts.right(request.cohort) + quota.borrowing_limit
            assert quota.per_intern is None or counts.leases[request.cohort, request.user] <= quota.per_intern
            assert request.purpose != "session" or counts.sessions[request.user] == 1
            if grant.is_borrowed:
                assert counts.held[request.cohort] > counts.right(request.cohort) - request.size
        if any(grant.is_borrowed for _, grant in counts.grants):
            lenders = [cohort for cohort in counts.cohorts() if cohort is not None]
            kept = sum(max(0, counts.never_lent(cohort) - counts.held[cohort]) for cohort in lenders)
            assert len(counts.free) >= kept


def owed(counts: Counts) -> list[Request]:
    """Requests that fit, the oldest first, into what their cohort has free of its right, and that can be served."""
    room = {cohort: counts.right(cohort) - counts.held[cohort] for cohort in counts.cohorts()}
    found = []
    users: set[int] = set()
    for request in sorted(counts.waiting, key=lambda request: (request.requested_at, request.id.int)):
        if request.user in users or not counts.may_have_one(request) or request.size > room[request.cohort]:
            continue
        users.add(request.user)
        room[request.cohort] -= request.size
        found.append(request)
    return found


def supply(counts: Counts) -> int:
    """Slots that single-slot borrowers hold or that are free for anybody: what a reclaim can count on."""
    total = len(counts.free)
    for cohort in counts.cohorts():
        mine = [h for h in counts.holdings if h.cohort == cohort and h.purpose != "evaluation" and len(h.slots) == 1]
        lent = [h for h in mine if counts.usable >= set(h.slots) and not counts.running(cohort)]
        total += max(0, min(counts.held[cohort] - counts.right(cohort) - counts.going(cohort), len(lent)))
        total -= max(0, counts.never_lent(cohort) - counts.held[cohort])
    booked = sum(b.slots for b in counts.reservations if b.ends_at > counts.now)
    return total - booked


def i04_guarantee_within_grace(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Who fits into a guarantee and can be placed starts within grace, youth and the time to stop."""
    patience = before.terms.grace + before.terms.young + 3 * TICK
    still: dict[object, None] = {}
    for counts in pools(world, before, decisions):
        mine = owed(counts)
        if sum(request.size for request in mine) <= supply(counts):
            still |= dict.fromkeys(request.id for request in mine)
    world.owed_since = {id: world.owed_since.get(id, world.now) for id in still}  # type: ignore[misc, call-overload]
    assert all(world.now - since <= patience for since in world.owed_since.values())


def i05_never_inside_a_guarantee(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Nobody is asked back inside their guarantee, but for a reservation; evaluations never."""
    for counts in pools(world, before, decisions):
        asked: Counter[Cohort] = Counter()
        for holding, reclaim in counts.asked:
            assert holding.purpose != "evaluation"
            assert not holding.is_draining
            assert holding.reclaim_at is None
            asked[holding.cohort] += len(holding.slots)
            if reclaim.reservation is None:
                kept = counts.held[holding.cohort] - counts.going(holding.cohort) - asked[holding.cohort]
                assert kept >= counts.right(holding.cohort)


def i06_work_conserving(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Nobody waits while a slot they may have is free, unless it is kept for somebody who is named."""
    for counts in pools(world, before, decisions):
        waiting = {request.id for request in counts.waiting}
        booked = {reservation.id for reservation in counts.reservations}
        for mark in counts.marks:
            assert mark.request is None or mark.request in waiting
            assert mark.reservation is None or mark.reservation in booked
            assert mark.request or mark.reservation or counts.never_lent(mark.cohort)
        open_to_all = counts.free - {mark.slot for mark in counts.marks}
        for request in counts.waiting:
            if not counts.may_have_one(request):
                continue
            others = [c for c in counts.cohorts() if c is not None and c != request.cohort]
            room = len(counts.usable) - sum(counts.never_lent(cohort) for cohort in others)
            assert request.size > len(open_to_all) or request.size > room
            if counts.held[request.cohort] + request.size <= counts.right(request.cohort):
                own = [m for m in counts.marks if m.cohort == request.cohort and not m.request and is_open(m, counts)]
                assert request.size > len(open_to_all) + len(own)


def is_open(mark: policy.Earmark, counts: Counts) -> bool:
    """The party itself may use what is kept for it: not before its reservation begins."""
    return mark.reservation is None or any(b.id == mark.reservation for b in counts.running(mark.cohort))


def i08_no_ping_pong(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Among the same requests nobody takes from somebody who takes from them; a busy lease is left alone while young."""
    cohort_of = {request.id: request.cohort for request in before.requests}
    for counts in pools(world, before, decisions):
        for holding, reclaim in counts.asked:
            if reclaim.request is not None:
                world.preempted.add((cohort_of[reclaim.request], holding.cohort))
                is_idle = holding.idle_since is not None
                assert is_idle or world.now - holding.granted_at >= before.terms.young
    assert not any((victim, taker) in world.preempted for taker, victim in world.preempted)


def i09_minimal_victims(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Without any one of the victims the request could not be placed."""
    for counts in pools(world, before, decisions):
        sizes = {request.id: request.size for request in counts.waiting}
        for id in {reclaim.request for _, reclaim in counts.asked if reclaim.request is not None}:
            freed = [len(counts.usable & set(h.slots)) for h, reclaim in counts.asked if reclaim.request == id]
            kept = sum(mark.request == id for mark in counts.marks)
            assert sum(freed) - min(freed) + kept < sizes[id]


def i10_envy_free_up_to_one_lease(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Who was lent a slot had not borrowed more for their weight, by more than one lease, than one who goes on waiting."""
    for counts in pools(world, before, decisions):
        long_ago = world.now - before.terms.overdue
        sizes = [request.size for request in (*counts.waiting, *(request for request, _ in counts.grants))]
        lent = {
            request.cohort for request, grant in counts.grants if grant.is_borrowed and request.requested_at > long_ago
        }
        smallest = {request.cohort: request.size for request, grant in counts.grants if grant.is_borrowed}
        for cohort in lent:
            for request in counts.waiting:
                other = request.cohort
                if other == cohort or not counts.may_have_one(request) or request.size > smallest[cohort]:
                    continue
                if any(mark.request == request.id for mark in counts.marks):
                    continue
                mine, theirs = borrowed_share(counts, cohort), borrowed_share(counts, other)
                slack = max(sizes) / min(counts.quota(cohort).weight, counts.quota(other).weight)
                slack += ((world.now - min(r.requested_at for r, _ in counts.grants)) / before.terms.patience) ** 2
                assert mine - theirs <= slack + 1e-9


def borrowed_share(counts: Counts, cohort: Cohort) -> float:
    return (counts.held[cohort] - counts.right(cohort)) / counts.quota(cohort).weight


def i11_sharing_incentive(world: World, before: Snapshot, decisions: Decisions) -> None:
    """A cohort holds what a partition of its own would give it, but for the grace after it wants more."""
    patience = before.terms.grace + before.terms.young + 3 * TICK
    still: set[tuple[int, int]] = set()
    for counts in pools(world, before, decisions):
        mine = owed(counts)
        if sum(request.size for request in mine) > supply(counts):
            continue
        for cohort in counts.quotas:
            wanted = sum(request.size for request in mine if request.cohort == cohort)
            if counts.held[cohort] < min(counts.quota(cohort).guaranteed, counts.held[cohort] + wanted):
                still.add((counts.pool, cohort))
    world.short_since = {key: world.short_since.get(key, world.now) for key in still}
    # Each rise of its demand begins the grace anew: it is short only while nobody it is owed was served for so long.
    for request, _ in [pair for counts in pools(world, before, decisions) for pair in counts.grants]:
        if request.cohort is not None and (request.pool, request.cohort) in world.short_since:
            world.short_since[request.pool, request.cohort] = world.now
    assert all(world.now - since <= patience for since in world.short_since.values())


def i15_idle_safety(world: World, before: Snapshot, decisions: Decisions) -> None:
    """For idleness only an idle borrower is asked back, with notice; what nobody can tell counts as busy."""
    for counts in pools(world, before, decisions):
        for holding, reclaim in counts.asked:
            assert reclaim.by >= world.now + before.terms.grace
            if reclaim.request is None and reclaim.reservation is None:
                assert holding.idle_since is not None
                assert world.now - holding.idle_since >= before.terms.idle_grace


def i17_deterministic(world: World, before: Snapshot, decisions: Decisions) -> None:
    """The same rows in any order give the same decisions and the same line."""
    shuffled = [
        list(rows) for rows in (before.slots, before.requests, before.holdings, before.quotas, before.reservations)
    ]
    for rows in shuffled:
        random.Random(world.number).shuffle(rows)
    slots, requests, holdings, quotas, reservations = (tuple(rows) for rows in shuffled)
    other = replace(before, slots=slots, requests=requests, holdings=holdings, quotas=quotas, reservations=reservations)  # type: ignore[arg-type]
    again = policy.decide(other, world.now)
    assert again == decisions
    assert again.line == policy.decide(before, world.now).line


def i20_near_is_a_choice_among_equals(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Whose files are where changes nothing but which slots are given."""
    same = policy.decide(
        replace(before, requests=tuple(replace(r, near=frozenset()) for r in before.requests)), world.now
    )
    assert [replace(grant, slots=()) for grant in decisions.grants] == [
        replace(grant, slots=()) for grant in same.grants
    ]
    assert (decisions.reclaims, decisions.withdrawals) == (same.reclaims, same.withdrawals)
    assert decisions.line == same.line
    owners = [replace(mark, slot=0) for mark in decisions.earmarks]
    assert owners == [replace(mark, slot=0) for mark in same.earmarks]


def i21_near_slots_are_taken(world: World, before: Snapshot, decisions: Decisions) -> None:
    """No server that is near to a lease and could hold all of it is passed over."""
    for counts in pools(world, before, decisions):
        left = Counter(counts.slots[id].server for id in counts.free)
        for request, grant in counts.grants:
            far = [id for id in grant.slots if counts.slots[id].server not in request.near]
            assert not far or all(left[server] < request.size for server in request.near)


def the_line_is_complete(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Every request is served or has one place; places count from 1 in each pool; every place says why."""
    line = policy.decide(before, world.now).line
    assert sorted([g.request for g in decisions.grants] + [p.request for p in line]) == sorted(
        r.id for r in before.requests
    )
    for counts in pools(world, before, decisions):
        waiting = {request.id for request in counts.waiting}
        places = [place.place for place in line if place.request in waiting]
        assert places == list(range(1, len(places) + 1))
    assert all(place.why.endswith(".") for place in line)


EACH_STEP = (
    i01_no_double_allocation,
    i02_conservation,
    i03_limits,
    i04_guarantee_within_grace,
    i05_never_inside_a_guarantee,
    i06_work_conserving,
    i08_no_ping_pong,
    i09_minimal_victims,
    i10_envy_free_up_to_one_lease,
    i11_sharing_incentive,
    i15_idle_safety,
    i17_deterministic,
    i20_near_is_a_choice_among_equals,
    i21_near_slots_are_taken,
    the_line_is_complete,
)
