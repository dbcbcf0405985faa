"""The working state of one decision in one pool: its parties, what is free, what is kept for whom, who is next.

It lives as long as one call of ``decide``. Requests are put in order only for the parties that may be served, and only
once something is free: a decision in a full pool looks at each request once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heapreplace

from practicum.gpus.facts import (
    EVALUATION,
    SESSION,
    Earmark,
    Grant,
    Holding,
    Quota,
    Reclaim,
    Request,
    Reservation,
    Slot,
    Terms,
    Withdrawal,
)
from practicum.gpus.placing import Cohort, SharedShelf, Shelf, gpu_of

Key = tuple[int, int, float, datetime, int, Request]


@dataclass(slots=True)
class Party:
    """A cohort in one pool.

    ``held``: its slots now; ``promised``: more that requests of it are owed and that are being asked back. ``reserved``:
    slots of its reservations that run, ``unlent`` those of them nobody else may have yet, ``gathered`` and ``foreseen``
    those of reservations that start soon: asked back for, and no more lent.
    """

    cohort: int | None
    guaranteed: int = 0
    weight: float = 1.0
    borrowing_limit: int | None = None
    lending_limit: int | None = None
    per_intern: int | None = None
    held: int = 0
    promised: int = 0
    reserved: int = 0
    unlent: int = 0
    gathered: int = 0
    foreseen: int = 0
    running: list[Reservation] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    leases_of: dict[int, int] = field(default_factory=dict)
    heaps: dict[int, list[Key]] | None = None
    barred: list[Request] = field(default_factory=list)

    @property
    def right(self) -> int:
        """Slots that are its own now: its guarantee, and its reservations while they run."""
        return self.guaranteed + self.reserved

    @property
    def limit(self) -> int | None:
        """The most slots it may hold; None for no limit."""
        return None if self.borrowing_limit is None else self.right + self.borrowing_limit

    @property
    def never_lent(self) -> int:
        """The part of its guarantee that others may never hold."""
        return 0 if self.lending_limit is None else max(0, self.guaranteed - self.lending_limit)

    @property
    def kept(self) -> int:
        """Free slots that nobody else may borrow: what it never lends, and a running reservation's not yet claimed."""
        return max(0, self.never_lent - self.held) + self.unclaimed

    @property
    def unclaimed(self) -> int:
        """Slots of its running reservations that are kept for it though nobody asks for them yet."""
        return min(self.unlent, max(0, self.right - self.held))

    def to_gather(self, slots: int) -> int:
        """Of ``slots`` that start soon, those still to be found: what it borrows already is there."""
        return min(slots, max(0, self.right + slots - self.held)) if slots else 0


def owed(party: Party, *, waited: float) -> float:
    """Who is lent the next slot: who has the least. ``waited``: what its next waited is worth, in slots.

    It is what the party would have borrowed for its weight with one slot more, less ``waited``.
    """
    return (party.held + party.promised + 1 - party.right) / party.weight - waited


@dataclass(slots=True)
class Book:
    """One pool. ``kept``: slots kept for parties that do not hold them; ``withheld``: free ones kept for one request.

    ``gpus``: the GPU of each slot, in a pool of shared GPUs; empty in every other. There a free slot is not like another,
    so what may be given is asked of the shelf, for each party.
    """

    now: datetime
    terms: Terms
    usage: Mapping[tuple[int | None, int], float]
    in_session: set[int]
    slots: list[Slot] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    upcoming: list[Reservation] = field(default_factory=list)
    parties: dict[int | None, Party] = field(default_factory=dict)
    under: dict[int, int] = field(default_factory=dict)
    gpus: dict[int, str] = field(default_factory=dict)
    withheld_for: dict[Cohort, int] = field(default_factory=dict)
    shelf: Shelf | None = None
    capacity: int = 0
    free: int = 0
    kept: int = 0
    unclaimed: int = 0
    withheld: int = 0
    gathering: int = 0
    foreseen: int = 0
    evaluating: int = 0
    grants: list[Grant] = field(default_factory=list)
    claims: list[Request] = field(default_factory=list)
    keeps: list[tuple[int, Earmark]] = field(default_factory=list)
    reclaims: list[Reclaim] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    earmarks: list[Earmark] = field(default_factory=list)

    # --- Entries ---

    def party(self, cohort: int | None) -> Party:
        """The cohort's party; made when it is first named."""
        if cohort not in self.parties:
            self.parties[cohort] = Party(cohort=cohort)
        return self.parties[cohort]

    def enter_holding(self, holding: Holding) -> None:
        """Count a live lease for its party, its user and its reservation."""
        self.holdings.append(holding)
        party = self.party(holding.cohort)
        party.held += len(holding.slots)
        party.leases_of[holding.user] = party.leases_of.get(holding.user, 0) + 1
        if holding.reservation is not None:
            self.under[holding.reservation] = self.under.get(holding.reservation, 0) + len(holding.slots)

    def enter_quota(self, quota: Quota) -> None:
        """The terms of one party."""
        party = self.party(quota.cohort)
        party.guaranteed, party.weight, party.per_intern = quota.guaranteed, quota.weight, quota.per_intern
        party.borrowing_limit, party.lending_limit = quota.borrowing_limit, quota.lending_limit

    def enter_reservation(self, reservation: Reservation) -> None:
        """While it runs it is a guarantee more; before, its slots are foreseen, then gathered."""
        party, now = self.party(reservation.cohort), self.now
        if reservation.ends_at <= now:
            return
        if reservation.starts_at <= now:
            party.running.append(reservation)
            party.reserved += reservation.slots
            if now < reservation.starts_at + self.terms.claim_within:
                party.unlent += reservation.slots
            return
        self.upcoming.append(reservation)
        if reservation.starts_at - self.terms.lead <= now:
            party.gathered += reservation.slots
        if reservation.starts_at - self.terms.lead - self.terms.young <= now:
            party.foreseen += reservation.slots

    def open(self, held: set[int]) -> None:
        """Count and put in order: call it once all rows are in."""
        self.parties = dict(sorted(self.parties.items(), key=lambda entry: (entry[0] is not None, entry[0] or 0)))
        self.upcoming.sort(key=lambda reservation: (reservation.starts_at, reservation.id))
        usable = [slot for slot in self.slots if slot.is_usable]
        free = [slot for slot in usable if slot.id not in held]
        self.capacity, self.free = len(usable), len(free)
        if any(slot.gpu for slot in self.slots):
            self.gpus = {slot.id: gpu_of(slot) for slot in self.slots}
        self.shelf = self._shelf_of(free) if free else None
        for party in self.parties.values():
            party.running.sort(key=lambda reservation: (reservation.ends_at, reservation.id))
            self._count(party, +1)

    # --- Questions ---

    def free_for(self, party: Party) -> int:
        """Free slots that the party may have within its right."""
        if isinstance(self.shelf, SharedShelf):
            booked = min(party.unclaimed, self._room(party, lambda _: 0))
            return max(booked, self._room(party, lambda other: other.unclaimed + other.to_gather(other.gathered)))
        free = self.free - self.withheld
        others = self.unclaimed - party.unclaimed + self.gathering
        # Who asks for what is booked for them now comes before those who do not ask yet.
        return max(min(free, party.unclaimed), free - others)

    @property
    def to_lend(self) -> int:
        """Free slots that anybody may borrow; of shared GPUs, those that are kept for no request."""
        if self.gpus:
            return self.free - self.withheld
        return self.free - self.withheld - self.kept - self.foreseen

    def lendable(self, party: Party) -> int:
        """The largest request of the party that it can be lent slots for now."""
        most = min(self.headroom(party), self.to_lend)
        if not isinstance(self.shelf, SharedShelf):
            return most
        return min(most, self._room(party, lambda other: other.kept + other.to_gather(other.foreseen)))

    def gatherable(self, cohort: Cohort, taken: Mapping[Cohort, int]) -> int:
        """Free slots for a reservation of ``cohort`` that begins soon, with ``taken`` counted for others before it."""
        if not isinstance(self.shelf, SharedShelf):
            return self.free - self.kept - sum(taken.values())
        party = self.party(cohort)
        return self._room(party, lambda other: other.kept + taken.get(other.cohort, 0)) - taken.get(cohort, 0)

    def headroom(self, party: Party) -> int:
        """The largest request of the party that its limit, the pool and what others never lend allow."""
        others = sum(other.never_lent for other in self.parties.values() if other is not party)
        room = self.capacity - others
        return room if party.limit is None else min(room, party.limit - party.held - party.promised)

    def to_find(self, *, ahead: timedelta) -> list[tuple[Reservation, int]]:
        """Reservations that start so soon and the slots still to be found for each, the next to start first.

        What a party borrows counts for the first of its reservations.
        """
        soon = [booked for booked in self.upcoming if booked.starts_at <= self.now + ahead]
        found: list[tuple[Reservation, int]] = []
        totals: dict[int, int] = {}
        for booked in soon:
            party, before = self.parties[booked.cohort], totals.get(booked.cohort, 0)
            totals[booked.cohort] = before + booked.slots
            found.append((booked, party.to_gather(before + booked.slots) - party.to_gather(before)))
        return found

    def overdue_since(self) -> datetime:
        """Who asked before then is overdue.

        Where more than half a pool waited that long, the oldest not counted, the bar is as many times as high: in an overload
        most are late, and serving all of them by age, with slots kept free for the large ones, would waste the slots.
        """
        bar = self.now - self.terms.overdue
        late = [r for party in self.parties.values() for r in party.requests if r.requested_at <= bar]
        first = min(late, key=lambda request: (request.requested_at, request.id.int), default=None)
        others = sum(request.size for request in late if request is not first)
        return self.now - self.terms.overdue * max(1.0, 2 * others / max(1, self.capacity))

    def waited(self, since: datetime) -> float:
        """What a wait is worth in slots: the square of it, in units of ``patience``.

        So a short wait counts for little and shares decide; among long ones age does, and the longest wait stays short.
        """
        return max(0.0, (self.now - since) / self.terms.patience) ** 2

    def is_barred(self, request: Request, party: Party) -> bool:
        """It may not have a slot now, whatever is free: its user has theirs, or it would hold up a reservation."""
        if request.purpose == SESSION and request.user in self.in_session:
            return True
        if party.per_intern is not None and party.leases_of.get(request.user, 0) >= party.per_intern:
            return True
        return bool(self.upcoming) and request.purpose == EVALUATION and self._runs_into_reservation(request)

    def rank(self, request: Request, party: Party) -> int:
        """Classes inside a party: those who waited long, then evaluations, then sessions.

        Both are for people who hold nothing: who asks for many at once has all but the first among the sessions.
        """
        if party.leases_of.get(request.user, 0):
            return 2
        if request.requested_at <= self.now - self.terms.aged:
            return 0
        return 1 if request.purpose == EVALUATION else 2

    def key(self, request: Request, party: Party) -> Key:
        """The order inside a party: by rank; then who holds least, used least (not among the aged), waits longest."""
        rank, held = self.rank(request, party), party.leases_of.get(request.user, 0)
        used = self.usage.get((request.cohort, request.user), 0.0) if rank else 0.0
        return rank, held, used, request.requested_at, request.id.int, request

    def head(self, party: Party, *, at_most: int) -> Request | None:
        """Who of the party is next among those who want no more than ``at_most``; None if nobody is."""
        if party.heaps is None:
            party.heaps = {}
            for request in party.requests:
                party.heaps.setdefault(request.size, []).append(self.key(request, party))
            for heap in party.heaps.values():
                heapify(heap)
        best: Key | None = None
        for size, heap in party.heaps.items():
            if size > at_most:
                continue
            while heap and not self._is_current(heap, party):
                pass
            if heap and (best is None or heap[0] < best):
                best = heap[0]
        return best[-1] if best else None

    def waiting(self, *, at_most: int) -> int:
        """How many slots those who may have one still wait for, as far as it matters."""
        wanted = 0
        for party in self.parties.values():
            room = self.headroom(party)
            if not party.requests or self.head(party, at_most=room) is None:
                continue
            for heap in (party.heaps or {}).values():
                for key in heap:
                    if room <= 0 or wanted >= at_most:
                        break
                    if not self.is_barred(key[-1], party):
                        wanted += key[-1].size
                        room -= key[-1].size
        return min(wanted, at_most)

    # --- Moves ---

    def grant(self, request: Request, party: Party) -> None:
        """Give it slots, and say on what ground. It is what ``head`` gave."""
        assert self.shelf is not None  # something is free
        reservation = self._reservation_for(request, party)
        if reservation is not None:
            self.under[reservation] = self.under.get(reservation, 0) + request.size
        self._count(party, -1)
        self.take(request, party)
        party.held += request.size
        self._count(party, +1)
        self.free -= request.size
        is_borrowed = party.held > party.right
        slots = self.shelf.take(request.size, cohort=party.cohort, near=request.near)
        self.grants.append(Grant(request.id, slots=slots, is_borrowed=is_borrowed, reservation=reservation))

    def claim(self, request: Request, party: Party, *, available: int) -> None:
        """It is owed slots that are being asked back; what is free of them is kept for it. It is what ``head`` gave."""
        self.take(request, party)
        party.promised += request.size
        self.claims.append(request)
        self.withhold(request, min(available, request.size))

    def take(self, request: Request, party: Party) -> None:
        """It is out of the order, and its user has one lease more. It is what ``head`` gave."""
        assert party.heaps is not None  # head() put the party in order
        heappop(party.heaps[request.size])
        party.leases_of[request.user] = party.leases_of.get(request.user, 0) + 1
        if request.purpose == SESSION:
            self.in_session.add(request.user)
        else:
            self.evaluating += request.size

    def withhold(self, request: Request, count: int) -> None:
        """Keep so many free slots for one request."""
        self.withheld += count
        self.keeps.append((count, self.mark_of(request)))
        self.withheld_for[request.cohort] = self.withheld_for.get(request.cohort, 0) + count

    def mark_of(self, request: Request) -> Earmark:
        """What a free slot that is kept for the request says."""
        until = max([self.now + self.terms.grace, *(holding.until for holding in self.holdings)])
        return Earmark(0, request.cohort, until, request=request.id)

    def hold_back(self, gpu: str, mark: Earmark) -> None:
        """A shared GPU is being cleared for somebody: what is free of it is kept for them, and lent to nobody."""
        if isinstance(self.shelf, SharedShelf):
            kept = self.shelf.hold_back(gpu)
            self.free -= len(kept)
            self.earmarks += [replace(mark, slot=id) for id in kept]

    def earmark(self) -> None:
        """Name the owner of every free slot that is kept."""
        if self.shelf is None or not self.free:
            return
        keeps = self.keeps + self._reserved_keeps()
        if isinstance(self.shelf, SharedShelf):
            for count, mark in keeps:
                kept = self.shelf.set_aside(count, cohort=mark.cohort, is_for_later=mark.request is not None)
                self.earmarks += [replace(mark, slot=id) for id in kept]
            return
        rest = self.shelf.rest()
        for count, mark in keeps:
            self.earmarks += [replace(mark, slot=id) for id in rest[:count]]
            rest = rest[count:]

    def _shelf_of(self, free: list[Slot]) -> Shelf:
        if not self.gpus:
            return Shelf(free)
        holders: dict[str, set[Cohort]] = {}
        for holding in self.holdings:
            for id in holding.slots:
                holders.setdefault(self.gpus.get(id, ""), set()).add(holding.cohort)
        return SharedShelf(free, holders=holders)

    def _room(self, party: Party, keeps: Callable[[Party], int]) -> int:
        """Free parts that the party can use, with what ``keeps`` and waiting requests leave for each other party."""
        assert isinstance(self.shelf, SharedShelf)
        kept = {other.cohort: keeps(other) + self.withheld_for.get(other.cohort, 0) for other in self.parties.values()}
        return self.shelf.room(party.cohort, kept=kept) - self.withheld_for.get(party.cohort, 0)

    def _count(self, party: Party, sign: int) -> None:
        """Add what is kept for a party to the pool's sums, or take it off."""
        self.kept += sign * party.kept
        self.unclaimed += sign * party.unclaimed
        self.gathering += sign * party.to_gather(party.gathered)
        self.foreseen += sign * party.to_gather(party.foreseen)

    def _reserved_keeps(self) -> list[tuple[int, Earmark]]:
        keeps: list[tuple[int, Earmark]] = []
        for party in self.parties.values():
            unclaimed = party.unclaimed
            for booked in party.running:
                until = booked.starts_at + self.terms.claim_within
                count = min(unclaimed, booked.slots) if until > self.now else 0
                unclaimed -= count
                keeps.append((count, Earmark(0, party.cohort, until, reservation=booked.id)))
        for booked, count in self.to_find(ahead=self.terms.lead + self.terms.young):
            keeps.append((count, Earmark(0, booked.cohort, booked.starts_at, reservation=booked.id)))
        for party in self.parties.values():
            keeps.append((max(0, party.never_lent - party.held), Earmark(0, party.cohort, None)))
        return keeps

    def _is_current(self, heap: list[Key], party: Party) -> bool:
        """The head may be served and is where it belongs; else it is moved, and there is a new head."""
        key, request = heap[0], heap[0][-1]
        if self.is_barred(request, party):
            party.barred.append(heappop(heap)[-1])
            return False
        current = self.key(request, party)
        if current[:2] != key[:2]:
            heapreplace(heap, current)
            return False
        return True

    def _reservation_for(self, request: Request, party: Party) -> int | None:
        """The running reservation it is served from: the first with room, while the party is within its right."""
        if party.held + request.size > party.right:
            return None
        for booked in party.running:
            if self.under.get(booked.id, 0) + request.size <= booked.slots:
                return booked.id
        return None

    def _runs_into_reservation(self, request: Request) -> bool:
        """Evaluations are not asked back, so one starts only if it leaves room for the reservations it would run into."""
        ends = self.now + request.duration
        for booked in self.upcoming:
            if booked.starts_at < ends:
                lasting = (h for h in self.holdings if h.purpose == EVALUATION and h.until > booked.starts_at)
                taken = sum(len(holding.slots) for holding in lasting) + self.evaluating
                if taken + request.size + booked.slots > self.capacity:
                    return True
        return False
