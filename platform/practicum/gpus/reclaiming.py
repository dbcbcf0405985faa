"""Who is asked back: the fewest borrowers, for a request that is owed its slots or a reservation that is due.

Invariants: nobody within their guarantee is asked, but for a reservation when all borrowers do not suffice; evaluations
never; a busy lease younger than ``young`` only for a reservation; who was asked already, is stopping or ends within the
grace counts as coming free, so that nobody is asked twice for one need; who is needed no more is told to stay, unless
their lease is idle. The order: idle ones; then those that pause, for to stop what computes costs somebody work; then the
newest; each time of the party that borrowed most for its weight.
"""

from __future__ import annotations

from bisect import insort
from datetime import datetime, timedelta
from uuid import UUID

from practicum.gpus.book import Book, Party
from practicum.gpus.facts import EVALUATION, Holding, Reclaim, Request, Reservation, Withdrawal

OWNERS_NEED_IT = "Your slot was borrowed, and a cohort that has it guaranteed needs it now."
BOOKED = "Your slot is booked for a reservation that begins soon."
IDLE = "Your slot was borrowed and nothing has run on it for a while; others wait for one."


class Stock:
    """What could be asked back of one party; each list ends with the lease that would be asked first."""

    __slots__ = ("idle", "party", "pausing", "ripe", "spare", "young")

    def __init__(self, party: Party) -> None:
        self.party = party
        self.spare = party.held - party.right - party.gathered
        self.idle: list[Holding] = []
        self.pausing: list[Holding] = []
        self.ripe: list[Holding] = []
        self.young: list[Holding] = []

    def spares(self, kind: str) -> bool:
        """It has a lease of the kind that does not reach into what is its own."""
        return self.spare > 0 and any(len(holding.slots) <= self.spare for holding in reversed(self._of(kind)))

    def pop(self, kind: str) -> Holding:
        """Take off the first to be asked; call it only where it spares one."""
        leases = self._of(kind)
        index = next(i for i in range(len(leases) - 1, -1, -1) if len(leases[i].slots) <= self.spare)
        holding = leases.pop(index)
        self.spare -= len(holding.slots)
        return holding

    def put_back(self, holding: Holding, kind: str) -> None:
        """It is not asked after all."""
        insort(self._of(kind), holding, key=pause_order if kind == "pausing" else age_order)
        self.spare += len(holding.slots)

    def remove(self, holding: Holding) -> None:
        """Take off this one."""
        self.spare -= len(holding.slots)
        next(leases for leases in self.all() if holding in leases).remove(holding)

    def all(self) -> tuple[list[Holding], ...]:
        """Its leases by kind, in the order in which kinds are asked."""
        return self.idle, self.pausing, self.ripe, self.young

    def _of(self, kind: str) -> list[Holding]:
        leases: list[Holding] = getattr(self, kind)
        return leases


class Reclaimer:
    """Finds slots for needs, one need after the other; looks at the leases only once there is a need."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.coming = 0
        self.stocks: list[Stock] | None = None
        self.usable: set[int] = set()

    def cover_request(self, request: Request, *, missing: int) -> bool:
        """See to it that ``missing`` slots come free for a request within its party's right; False if they can't."""
        self._open()
        needed = missing - self.coming
        if needed > 0:
            victims = self._victims(needed, kinds=("idle", "pausing", "ripe"))
            if victims:
                self._ask(victims, reason=OWNERS_NEED_IT, request=request.id)
            elif not self._could_be_found(needed):
                return False
        self.coming = max(0, self.coming - missing)
        return True

    def cover_reservation(self, missing: int, *, reservation: Reservation) -> None:
        """Have as many as can be of ``missing`` slots come free for a reservation: of borrowers, then of anybody."""
        self._open()
        needed = missing - self.coming
        self.coming = max(0, -needed)
        if needed <= 0:
            return
        victims = self._victims(needed, kinds=("idle", "pausing", "ripe", "young"), is_partial=True)
        needed -= sum(self._value(victim) for victim in victims)
        if needed > 0:
            victims += self._owners(needed, reservation=reservation)
        self._ask(victims, reason=BOOKED, reservation=reservation.id)

    def finish(self) -> None:
        """Ask idle borrowers back where somebody waits; tell those who are needed no more to stay."""
        if any(holding.reclaim_at or holding.idle_since for holding in self.book.holdings):
            self._open()
            self._withdraw()
            self._ask_idle()

    def _open(self) -> None:
        if self.stocks is not None:
            return
        self.usable = {slot.id for slot in self.book.slots if slot.is_usable}
        stocks = {cohort: Stock(party) for cohort, party in self.book.parties.items()}
        running = {booked.id for party in self.book.parties.values() for booked in party.running}
        for holding in sorted(self.book.holdings, key=age_order):
            stock = stocks[holding.cohort]
            if self._is_going(holding):
                stock.spare -= len(holding.slots)
                self.coming += self._value(holding)
            elif may_be_asked(holding) and holding.reservation not in running and self._value(holding):
                self._shelve(holding, stock)
        self.stocks = list(stocks.values())

    def _shelve(self, holding: Holding, stock: Stock) -> None:
        terms, now = self.book.terms, self.book.now
        idle_for = timedelta(0) if holding.idle_since is None else now - holding.idle_since
        if holding.idle_since is not None and idle_for >= terms.idle_grace:
            stock.idle.append(holding)
        elif holding.idle_since is not None and idle_for >= terms.pausing:
            insort(stock.pausing, holding, key=pause_order)
        elif now - holding.granted_at >= terms.young:
            stock.ripe.append(holding)
        else:
            stock.young.append(holding)

    def _is_going(self, holding: Holding) -> bool:
        """It comes free without being asked now."""
        ends_soon = holding.until <= self.book.now + self.book.terms.grace
        return holding.is_draining or holding.reclaim_at is not None or ends_soon

    def _value(self, holding: Holding) -> int:
        """How many slots that can be given again it holds."""
        return sum(slot in self.usable for slot in holding.slots)

    def _victims(self, needed: int, *, kinds: tuple[str, ...], is_partial: bool = False) -> list[Holding]:
        """The fewest borrowers that hold ``needed`` slots, taken off the stock; none if there aren't enough."""
        picked: list[tuple[Holding, Stock, str]] = []
        got = 0
        for kind in kinds:
            while got < needed and (stock := self._most_borrowed(kind)) is not None:
                holding = stock.pop(kind)
                picked.append((holding, stock, kind))
                got += self._value(holding)
        is_enough = got >= needed or is_partial
        victims: list[Holding] = []
        for holding, stock, kind in reversed(picked):
            value = self._value(holding)
            if is_enough and not can_stay(got, value, needed=needed):
                victims.insert(0, holding)
            else:
                stock.put_back(holding, kind)
                got -= value if is_enough else 0
        return victims

    def _most_borrowed(self, kind: str) -> Stock | None:
        """Whom to ask next: the party that borrowed most for its weight and has such a lease to spare."""
        assert self.stocks is not None
        having = [stock for stock in self.stocks if stock.spares(kind)]
        return max(having, key=lambda stock: stock.spare / stock.party.weight, default=None)

    def _could_be_found(self, needed: int) -> bool:
        """Enough is lent, but too lately to be asked back: it is worth waiting for."""
        assert self.stocks is not None
        spare = 0
        for stock in self.stocks:
            value = sum(self._value(holding) for leases in stock.all() for holding in leases)
            spare += max(0, min(stock.spare, value))
        return spare >= needed

    def _owners(self, needed: int, *, reservation: Reservation) -> list[Holding]:
        """Leases within guarantees, the newest first, never one that a reservation protects; as many as there are."""
        assert self.stocks is not None
        others = [stock for stock in self.stocks if stock.party.cohort != reservation.cohort]
        leases = [(holding, stock) for stock in others for kind in stock.all() for holding in kind]
        victims: list[Holding] = []
        for holding, stock in sorted(leases, key=lambda entry: age_order(entry[0]), reverse=True):
            if needed <= 0:
                break
            if stock.spare + stock.party.guaranteed >= len(holding.slots):
                stock.remove(holding)
                needed -= self._value(holding)
                victims.append(holding)
        return victims

    def _ask(
        self, victims: list[Holding], *, reason: str, request: UUID | None = None, reservation: int | None = None
    ) -> None:
        by = self.book.now + self.book.terms.grace
        self.book.reclaims += [
            Reclaim(victim.id, by=by, reason=reason, request=request, reservation=reservation) for victim in victims
        ]

    def _withdraw(self) -> None:
        """Of those who were asked and are not idle, as many stay as come free beyond the needs; the last asked first.

        Who was asked because of the slot itself, which is usable no more, does not stay.
        """
        soon = self.book.now + self.book.terms.grace
        asked = [
            (h.reclaim_at, h.granted_at, h.id.int, h)
            for h in self.book.holdings
            if h.reclaim_at and not h.is_draining and h.idle_since is None and h.until > soon
        ]
        for *_, holding in sorted(asked, key=lambda entry: entry[:3], reverse=True):
            if 0 < self._value(holding) <= self.coming:
                self.coming -= self._value(holding)
                self.book.withdrawals.append(Withdrawal(holding.id))

    def _ask_idle(self) -> None:
        """Idle borrowers make room for anybody who waits, one for one."""
        assert self.stocks is not None
        idle = [(holding, stock) for stock in self.stocks if stock.spare > 0 for holding in stock.idle]
        wanted = self.book.waiting(at_most=len(idle) + self.coming) - self.coming if idle else 0
        for holding, stock in sorted(idle, key=lambda entry: idle_order(entry[0])):
            if wanted > 0 and stock.spare >= len(holding.slots):
                stock.remove(holding)
                wanted -= len(holding.slots)
                self._ask([holding], reason=IDLE)


def may_be_asked(holding: Holding) -> bool:
    """Evaluations are short and are let finish."""
    return holding.purpose != EVALUATION


def can_stay(got: int, value: int, *, needed: int) -> bool:
    """Without this victim the others still suffice."""
    return got - value >= needed


def age_order(holding: Holding) -> tuple[datetime, int]:
    """The oldest first; a total order."""
    return holding.granted_at, holding.id.int


def pause_order(holding: Holding) -> tuple[float, int]:
    """The one that worked last first: who pauses for longest is asked first; a total order."""
    return -(holding.idle_since or holding.granted_at).timestamp(), holding.id.int


def idle_order(holding: Holding) -> tuple[datetime, int]:
    """Idle for longest first; a total order."""
    return holding.idle_since or holding.granted_at, holding.id.int
