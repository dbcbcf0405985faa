"""The line of one pool after a decision: who would be served next, and why each of them waits.

Places are those of the order of service if slots came free one by one and nothing else changed.
"""

from __future__ import annotations

from datetime import timedelta
from heapq import heapify, heappop, heappush

from practicum.gpus.book import Book, Party, owed
from practicum.gpus.facts import EVALUATION, SESSION, Place, Request

NONE_ONLINE = "No slot of this kind is online now."


def line_of(book: Book) -> list[Place]:
    """The places of all who were not served. It uses the book up: nothing is decided from it afterwards."""
    clerk = Clerk(book)
    claimed = [(request, clerk.why_claimed(request)) for request in book.claims]
    order = claimed + _overdue(book, clerk) + _borrowing(book, clerk) + _held_up(book, clerk)
    return [
        Place(request.id, place=place, waited=max(timedelta(0), book.now - request.requested_at), why=why)
        for place, (request, why) in enumerate(order, start=1)
    ]


def _overdue(book: Book, clerk: Clerk) -> list[tuple[Request, str]]:
    bar = book.overdue_since()
    order: list[tuple[Request, str]] = []
    heads: list[tuple[object, int, int]] = []
    parties = list(book.parties.values())

    def line_up(n: int) -> None:
        head = book.head(parties[n], at_most=book.headroom(parties[n]))
        if head is not None and head.requested_at <= bar:
            heappush(heads, (head.requested_at, head.id.int, n))

    for n, party in enumerate(parties):
        if party.requests:
            line_up(n)
    while heads:
        *_, n = heappop(heads)
        order += _serve(book, clerk, parties[n])
        line_up(n)
    return order


def _borrowing(book: Book, clerk: Clerk) -> list[tuple[Request, str]]:
    order: list[tuple[Request, str]] = []
    parties = [party for party in book.parties.values() if party.requests]
    ready: list[tuple[float, object, int, int]] = []

    def line_up(n: int) -> None:
        head = book.head(parties[n], at_most=book.headroom(parties[n]))
        if head is not None:
            heappush(
                ready, (owed(parties[n], waited=book.waited(head.requested_at)), head.requested_at, head.id.int, n)
            )

    for n in range(len(parties)):
        line_up(n)
    heapify(ready)
    while ready:
        *_, n = heappop(ready)
        order += _serve(book, clerk, parties[n])
        line_up(n)
    return order


def _serve(book: Book, clerk: Clerk, party: Party) -> list[tuple[Request, str]]:
    request = book.head(party, at_most=book.headroom(party))
    if request is None:  # it was lined up, but its user was served elsewhere meanwhile
        return []
    book.take(request, party)
    party.held += request.size
    return [(request, clerk.why_waiting(request))]


def _held_up(book: Book, clerk: Clerk) -> list[tuple[Request, str]]:
    """Those whom more free slots would not help."""
    left: list[tuple[Request, str]] = []
    for party in book.parties.values():
        if party.heaps is None:
            continue
        above = [key[-1] for heap in party.heaps.values() for key in heap if not book.is_barred(key[-1], party)]
        left += [(request, clerk.why_above(request, party)) for request in above]
        barred = [key[-1] for heap in party.heaps.values() for key in heap if book.is_barred(key[-1], party)]
        left += [(request, clerk.why_barred(request, party)) for request in [*party.barred, *barred]]
    return sorted(left, key=lambda entry: (entry[0].requested_at, entry[0].id.int))


class Clerk:
    """Finds the words: what was free and held when the decision was made, and who of a party came before."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.capacity, self.free = book.capacity, book.free
        self.before: dict[int | None, int] = {}
        self.in_session = frozenset(book.in_session)

    def why_claimed(self, request: Request) -> str:
        """Its slots are on their way."""
        self._count(request)
        minutes = max(1, round(self.book.terms.grace / timedelta(minutes=1)))
        return f"A slot is being asked back for you; it is yours within about {_times(minutes, 'minute')}."

    def why_waiting(self, request: Request) -> str:
        """Nothing is free for it yet."""
        before = self._count(request)
        if not self.capacity:
            return NONE_ONLINE
        if self.free:
            are = "is" if self.free == 1 else "are"
            barred = "on GPUs that another cohort uses, or kept for others" if self.book.gpus else ""
            barred = barred or "kept for others or too few for you"
            state = f"{self.free} of {_times(self.capacity, 'slot')} {are} free, but {barred}"
        else:
            state = "The only slot is held" if self.capacity == 1 else f"All {self.capacity} slots are held"
        if not before:
            return f"{state}; you are the next of your cohort."
        return f"{state}; {_people(before)} of your cohort {'is' if before == 1 else 'are'} before you."

    def why_above(self, request: Request, party: Party) -> str:
        """Its cohort's limit, or the pool itself, is too small."""
        if not self.capacity:
            return NONE_ONLINE
        if party.limit is not None and not request.size <= party.limit - party.held:
            return f"Your cohort may have {_times(party.limit, 'slot')} here, and holds or waits for as many."
        return f"You ask for {_times(request.size, 'slot')}; there are not so many here that your cohort may have."

    def why_barred(self, request: Request, party: Party) -> str:
        """Its user, or a reservation, stands in the way."""
        if request.purpose == SESSION and request.user in self.in_session:
            return "You have a notebook already; this one can begin when that one has ended."
        if request.purpose == SESSION and request.user in self.book.in_session:
            return "Another notebook that you asked for comes before this one."
        if request.purpose == EVALUATION and party.per_intern is None:
            return "It would run into a reservation; it begins after that."
        return f"You hold all {_times(party.per_intern or 0, 'slot')} that one person of your cohort may have here."

    def _count(self, request: Request) -> int:
        before = self.before.get(request.cohort, 0)
        self.before[request.cohort] = before + 1
        return before


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
