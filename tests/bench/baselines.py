"""What others do, as functions of ``decide``'s signature, on the same snapshot and through the same replay.

- static: each cohort has its guarantee as a partition of its own, first come first served;
- fifo: one line, strictly; fifo_skip: who does not fit is passed over (what backfill without estimates does);
- fair_tree: Slurm's Fair Tree: cohorts by shares / decayed usage, people inside a cohort likewise; no guarantee;
- kueue: nominal quota first, borrowing first come first served, reclaim from borrowers (``reclaimWithinCohort: Any``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from practicum.gpus.book import Book
from practicum.gpus.placing import Shelf
from practicum.gpus.policy import Decisions, Grant, Request, Snapshot, gather, open_books, serve_guarantees
from practicum.gpus.reclaiming import Reclaimer

KUEUE_TERMS = {
    "aged": timedelta(hours=12),
    "idle_grace": timedelta(minutes=15),
    "pausing": timedelta(minutes=15),
}


def by_age(requests: Iterable[Request]) -> list[Request]:
    """First come, first served."""
    return sorted(requests, key=lambda request: (request.requested_at, request.id.int))


def give(snapshot: Snapshot, order: Iterable[Request], *, skip: bool) -> Decisions:
    """Serve in this order; without ``skip`` the first that does not fit stops everybody behind it."""
    held = {slot for holding in snapshot.holdings for slot in holding.slots}
    free = [slot for slot in snapshot.slots if slot.is_usable and slot.id not in held]
    shelf, left, grants = Shelf(free), len(free), []
    for request in order:
        if left == 0:
            break
        if request.size > left:
            if skip:
                continue
            break
        left -= request.size
        grants.append(Grant(request.id, shelf.take(request.size), is_borrowed=False, reservation=None))
    return Decisions(tuple(grants), (), (), ())


def fifo(snapshot: Snapshot, now: datetime) -> Decisions:
    """One line, strictly."""
    return give(snapshot, by_age(snapshot.requests), skip=False)


def fifo_skip(snapshot: Snapshot, now: datetime) -> Decisions:
    """One line; who does not fit is passed over."""
    return give(snapshot, by_age(snapshot.requests), skip=True)


def static(snapshot: Snapshot, now: datetime) -> Decisions:
    """Partitions that are never shared, each with a line of its own."""
    order: list[Request] = []
    for quota in snapshot.quotas:
        left = quota.guaranteed - sum(len(h.slots) for h in snapshot.holdings if h.cohort == quota.cohort)
        for request in by_age(request for request in snapshot.requests if request.cohort == quota.cohort):
            if request.size > left:
                break
            left -= request.size
            order.append(request)
    return give(snapshot, order, skip=True)


def fair_tree(snapshot: Snapshot, now: datetime) -> Decisions:
    """The cohort, then the person, that used least for their shares goes first."""
    used: dict[int | None, float] = {}
    for (cohort, _), hours in snapshot.usage.items():
        used[cohort] = used.get(cohort, 0.0) + hours
    share = {quota.cohort: quota.guaranteed or quota.weight for quota in snapshot.quotas}

    def rank(request: Request) -> tuple[float, float, datetime, int]:
        cohort = used.get(request.cohort, 0.0) / share.get(request.cohort or 0, 1)
        return cohort, snapshot.usage.get((request.cohort, request.user), 0.0), request.requested_at, request.id.int

    return give(snapshot, sorted(snapshot.requests, key=rank), skip=True)


def kueue(snapshot: Snapshot, now: datetime) -> Decisions:
    """Nominal quota first, then borrowing by age, and reclaim from borrowers; no usage, no eye for short pauses.

    Kueue knows nothing of idleness; here a lease that was idle for a quarter of an hour is its first victim all the same.
    """
    books = open_books(replace(snapshot, usage={}, terms=replace(snapshot.terms, **KUEUE_TERMS)), now)
    for book in books:
        reclaimer = Reclaimer(book)
        gather(book, reclaimer)
        serve_guarantees(book, reclaimer)
        borrow_by_age(book, snapshot)
        reclaimer.finish()
    return Decisions(
        grants=tuple(grant for book in books for grant in book.grants),
        reclaims=tuple(reclaim for book in books for reclaim in book.reclaims if reclaim.request),
        withdrawals=tuple(withdrawal for book in books for withdrawal in book.withdrawals),
        earmarks=(),
    )


def borrow_by_age(book: Book, snapshot: Snapshot) -> None:
    """The oldest request that fits, of whichever cohort, again and again."""
    parties = [party for party in book.parties.values() if party.requests]
    while book.to_lend > 0:
        heads = [(head, party) for party in parties if (head := book.head(party, at_most=book.to_lend))]
        if not heads:
            return
        request, party = min(heads, key=lambda entry: (entry[0].requested_at, entry[0].id.int))
        book.grant(request, party)


POLICIES = {"static": static, "fifo": fifo, "fifo+skip": fifo_skip, "fair tree": fair_tree, "kueue-like": kueue}
