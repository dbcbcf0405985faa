"""Who gets which slot next, and who is asked back: a pure function of what is seen, used by worker, planner and benchmark.

The order of service in a pool: reservations that run; what is within a cohort's guarantee; who is overdue; then borrowing,
the cohort with the least borrowed for its weight first, where a long wait counts as having borrowed less. Inside a cohort:
aged ones, evaluations, sessions; of each, who holds least, used least lately (not among the aged), waits longest; who holds a
lease already is neither aged nor has an evaluation's precedence. Borrowers are asked back, with notice, for a request within
a guarantee that finds nothing free and for a reservation that is due.

Invariants, each a property test: never two holders of a slot, never two cohorts on a shared GPU; never above a limit;
nobody waits while a slot they may have is free and not kept for a named other (work conserving); nobody within their
guarantee is asked back but for a reservation; no more are asked back than needed; the same input, in any order, gives
the same output.

The words are in ``facts``, the working state in ``book``; what each party is due, as a formula, is in ``shares``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from heapq import heapify, heappop, heappush
from operator import attrgetter

from practicum.gpus.book import Book, Party, owed
from practicum.gpus.facts import (
    EVALUATION,
    SESSION,
    Decisions,
    Earmark,
    Grant,
    Holding,
    Place,
    Quota,
    Reclaim,
    Request,
    Reservation,
    Slot,
    Snapshot,
    Terms,
    Withdrawal,
)
from practicum.gpus.queueing import line_of
from practicum.gpus.reclaiming import Reclaimer
from practicum.gpus.sharing import reclaimer_of

__all__ = [
    "EVALUATION",
    "SESSION",
    "Decisions",
    "Earmark",
    "Grant",
    "Holding",
    "Place",
    "Quota",
    "Reclaim",
    "Request",
    "Reservation",
    "Slot",
    "Snapshot",
    "Terms",
    "Withdrawal",
    "decide",
]


def decide(snapshot: Snapshot, now: datetime) -> Decisions:
    """What to do now. Cost: one look at each slot, holding and request; an order of requests where something is free."""
    books = open_books(snapshot, now)
    for book in books:
        reclaimer = reclaimer_of(book)
        gather(book, reclaimer)
        serve_guarantees(book, reclaimer)
        serve_overdue(book)
        lend(book)
        reclaimer.finish()
        book.earmark()
    return Decisions(
        grants=tuple(grant for book in books for grant in book.grants),
        reclaims=tuple(reclaim for book in books for reclaim in book.reclaims),
        withdrawals=tuple(withdrawal for book in books for withdrawal in book.withdrawals),
        earmarks=tuple(earmark for book in books for earmark in book.earmarks),
        waiting=lambda: tuple(place for book in books for place in line_of(book)),
    )


def open_books(snapshot: Snapshot, now: datetime) -> list[Book]:
    """One book a pool that is named, in the order of the pools' ids."""
    in_session = {holding.user for holding in snapshot.holdings if holding.purpose == SESSION}
    books: dict[int, Book] = {}

    def book_of(pool: int) -> Book:
        if pool not in books:
            books[pool] = Book(now=now, terms=snapshot.terms, usage=snapshot.usage, in_session=in_session)
        return books[pool]

    held: set[int] = set()
    for slot in snapshot.slots:
        book_of(slot.pool).slots.append(slot)
    for holding in snapshot.holdings:
        held.update(holding.slots)
        book_of(holding.pool).enter_holding(holding)
    lines: dict[tuple[int, int | None], list[Request]] = {}
    for request in snapshot.requests:
        where = request.pool, request.cohort
        if where in lines:
            lines[where].append(request)
        else:
            lines[where] = [request]
    for (pool, cohort), requests in lines.items():
        book_of(pool).party(cohort).requests = requests
    for quota in snapshot.quotas:
        book_of(quota.pool).enter_quota(quota)
    for reservation in snapshot.reservations:
        book_of(reservation.pool).enter_reservation(reservation)
    for book in books.values():
        book.open(held)
    return [books[pool] for pool in sorted(books)]


def gather(book: Book, reclaimer: Reclaimer) -> None:
    """Have slots asked back for reservations that start soon, beyond those that are free."""
    taken: dict[int | None, int] = {}
    for reservation, missing in book.to_find(ahead=book.terms.lead):
        from_free = max(0, min(missing, book.gatherable(reservation.cohort, taken)))
        taken[reservation.cohort] = taken.get(reservation.cohort, 0) + from_free
        if missing > from_free:
            reclaimer.cover_reservation(missing - from_free, reservation=reservation)


def serve_guarantees(book: Book, reclaimer: Reclaimer) -> None:
    """Grant what is within a party's right, reservations first, then by age; what finds nothing free becomes a claim."""
    ready: list[tuple[bool, int, datetime, int, Party]] = []
    caps: dict[int | None, int] = {}

    def next_of(party: Party) -> Request | None:
        within = min(party.right - party.held - party.promised, caps.get(party.cohort, book.capacity))
        return book.head(party, at_most=within) if within > 0 else None

    def line_up(party: Party) -> None:
        head = next_of(party)
        if head is not None:
            heappush(ready, (not party.running, book.rank(head, party), head.requested_at, head.id.int, party))

    for party in book.parties.values():
        if party.requests and party.held < party.right:
            line_up(party)
    while ready:
        *_, name, party = heappop(ready)
        request = next_of(party)
        if request is not None and request.id.int == name:
            available = book.free_for(party)
            if request.size <= available:
                book.grant(request, party)
            elif reclaimer.cover_request(request, missing=request.size - max(0, available)):
                book.claim(request, party, available=max(0, available))
            else:
                caps[party.cohort] = min(request.size - 1, max(0, available))
        line_up(party)


def serve_overdue(book: Book) -> None:
    """Who is overdue goes before all who would borrow; what is free is kept for the first that does not fit."""
    bar = book.now - book.terms.overdue
    late = [party for party in book.parties.values() if party.requests and oldest(party) <= bar]
    if not late:
        return
    bar = book.overdue_since()
    while book.to_lend > 0:
        heads = [(head, party) for party in late if (head := book.head(party, at_most=book.headroom(party)))]
        heads = [(head, party) for head, party in heads if head.requested_at <= bar]
        if not heads:
            return
        request, party = min(heads, key=lambda entry: (entry[0].requested_at, entry[0].id.int))
        if request.size > book.lendable(party):
            book.withhold(request, book.to_lend)
            return
        book.grant(request, party)


def oldest(party: Party) -> datetime:
    """Since when the party's oldest request waits, granted meanwhile or not."""
    moments: Iterator[datetime] = map(attrgetter("requested_at"), party.requests)
    return min(moments)


def lend(book: Book) -> None:
    """Give what is left to the party that is owed most, again and again; equals by age of their next."""
    if book.to_lend <= 0:
        return
    # A party is put in order only once its turn may have come: until then its oldest request stands for its next, with
    # which it is owed no less.
    ready = [
        (owed(party, waited=book.waited(oldest(party))), 0, book.now, 0, n, party)
        for n, party in enumerate(book.parties.values())
        if party.requests
    ]
    heapify(ready)
    while ready and book.to_lend > 0:
        _, has_head, _, name, n, party = heappop(ready)
        head = book.head(party, at_most=book.lendable(party))
        if head is not None and has_head and head.id.int == name:
            book.grant(head, party)
            head = book.head(party, at_most=book.lendable(party))
        if head is not None:
            turn = owed(party, waited=book.waited(head.requested_at))
            heappush(ready, (turn, 1, head.requested_at, head.id.int, n, party))
