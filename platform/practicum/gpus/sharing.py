"""Who is asked back on shared GPUs, where a part that comes free is of use only with the whole GPU.

A part is usable by a cohort only where nobody else holds any of its GPU. So what is asked back there is all that others
hold of one GPU, or nothing; and what comes free anyway counts only where nothing else of others stays. Everything else
is as for other slots (``reclaiming``): borrowers only, idle ones first, then of the party that borrowed most for its
weight, the fewest, the newest; owners only for a reservation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from practicum.gpus.book import Book
from practicum.gpus.facts import Earmark, Holding, Request, Reservation, Withdrawal
from practicum.gpus.placing import Cohort
from practicum.gpus.reclaiming import BOOKED, IDLE, OWNERS_NEED_IT, Reclaimer, Stock, age_order, idle_order

SOON = ("idle", "ripe")
EVER = ("idle", "ripe", "young")


@dataclass(slots=True)
class SharedGpu:
    """One GPU: its usable parts, who holds some of it, and for which cohort parts that come free are spoken for."""

    name: str
    parts: int = 0
    holdings: list[Holding] = field(default_factory=list)
    cohort: Cohort = None
    spoken_for: int = 0


@dataclass(frozen=True, slots=True)
class Clearing:
    """What would have to be asked back of a GPU so that ``gain`` parts of it are usable."""

    gpu: SharedGpu
    gain: int
    victims: tuple[tuple[Holding, Stock, str], ...]

    @property
    def order(self) -> tuple[bool, float, int, float, str]:
        """Idle ones; of whom borrowed most for their weight; the fewest; the newest."""
        is_busy = any(kind != "idle" for *_, kind in self.victims)
        borrowed = max(stock.spare / stock.party.weight for _, stock, _ in self.victims)
        newest = max(holding.granted_at.timestamp() for holding, *_ in self.victims)
        return is_busy, -borrowed, len(self.victims), -newest, self.gpu.name

    @property
    def ripens(self) -> tuple[datetime, str]:
        """Since when its newest lease runs: where all must be waited for, the same GPU comes first at each decision."""
        return max(holding.granted_at for holding, *_ in self.victims), self.gpu.name


def reclaimer_of(book: Book) -> Reclaimer:
    """The one that suits the pool."""
    return SharedReclaimer(book) if book.gpus else Reclaimer(book)


class SharedReclaimer(Reclaimer):
    """Clears whole GPUs for needs, one need after the other."""

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self.shared: dict[str, SharedGpu] = {}
        self.askable: dict[int, tuple[Stock, str]] = {}

    def cover_request(self, request: Request, *, missing: int) -> bool:
        """See to it that ``missing`` parts the request's cohort can use come free; False if they can't."""
        self._open()
        needed = missing - sum(parts for _, parts in self._coming_for(request.cohort))
        if needed > 0:
            found = self._clearings(request.cohort, needed, kinds=SOON)
            lately = [] if found else self._clearings(request.cohort, needed, kinds=EVER)
            if not found and not lately:
                return False
            victims = [victim for clearing in found for victim, *_ in clearing.victims]
            self._ask(victims, reason=OWNERS_NEED_IT, request=request.id)
            # Those of a GPU that were lent it too lately are waited for, and nothing more of it is lent meanwhile.
            self._clear(found or lately, needed, mark=self.book.mark_of(request))
        self._speak_for(missing - max(0, needed), mark=self.book.mark_of(request))
        return True

    def cover_reservation(self, missing: int, *, reservation: Reservation) -> None:
        """Have as many as can be of ``missing`` parts come free: of borrowers, then of anybody."""
        self._open()
        coming = sum(parts for _, parts in self._coming_for(reservation.cohort))
        mark = Earmark(0, reservation.cohort, reservation.starts_at, reservation=reservation.id)
        self._speak_for(min(missing, coming), mark=mark)
        for from_owners in (False, True):
            needed = missing - coming
            if needed <= 0:
                return
            found = self._clearings(reservation.cohort, needed, kinds=EVER, from_owners=from_owners, is_partial=True)
            victims = [victim for clearing in found for victim, *_ in clearing.victims]
            self._ask(victims, reason=BOOKED, reservation=reservation.id)
            self._clear(found, needed, mark=mark)
            coming += sum(clearing.gain for clearing in found)

    def _open(self) -> None:
        if self.stocks is not None:
            return
        super()._open()
        assert self.stocks is not None
        for slot, gpu in sorted(self.book.gpus.items(), key=lambda entry: (entry[1], entry[0])):
            self.shared.setdefault(gpu, SharedGpu(gpu)).parts += slot in self.usable
        for holding in sorted(self.book.holdings, key=age_order):
            for gpu in sorted({self.book.gpus[slot] for slot in holding.slots if slot in self.book.gpus}):
                self.shared[gpu].holdings.append(holding)
        for stock in self.stocks:
            for kind in EVER:
                self.askable |= {holding.id.int: (stock, kind) for holding in getattr(stock, kind)}

    # --- What comes free anyway ---

    def _coming_for(self, cohort: Cohort) -> Iterator[tuple[SharedGpu, int]]:
        """GPUs, and how many parts of each come free that the cohort can use and nobody was promised."""
        for gpu in self.shared.values():
            if gpu.spoken_for and gpu.cohort != cohort:
                continue
            others = [holding for holding in gpu.holdings if holding.cohort != cohort]
            mine = [holding for holding in gpu.holdings if holding.cohort == cohort]
            if others and all(self._is_going(holding) for holding in others):
                parts = gpu.parts - sum(self._on(gpu, h) for h in mine if not self._is_going(h)) - gpu.spoken_for
            elif not others:
                parts = sum(self._on(gpu, h) for h in mine if self._is_going(h)) - gpu.spoken_for
            else:
                continue
            if parts > 0:
                yield gpu, parts

    def _speak_for(self, count: int, *, mark: Earmark) -> None:
        for gpu, parts in list(self._coming_for(mark.cohort)):
            taken = min(parts, count)
            if taken > 0:
                gpu.cohort, gpu.spoken_for = mark.cohort, gpu.spoken_for + taken
                count -= taken
                if any(holding.cohort != mark.cohort for holding in gpu.holdings):
                    self.book.hold_back(gpu.name, mark)

    # --- What is asked back ---

    def _clearings(
        self,
        cohort: Cohort,
        needed: int,
        *,
        kinds: tuple[str, ...],
        from_owners: bool = False,
        is_partial: bool = False,
    ) -> list[Clearing]:
        """The fewest GPUs to clear for ``needed`` parts, each of which is needed; none if there aren't enough."""
        possible = [found for gpu in self.shared.values() if (found := self._clearing(gpu, cohort, kinds=kinds))]
        picked: list[Clearing] = []
        spent: dict[Cohort, int] = {}
        got = 0
        order = attrgetter("order") if kinds == SOON or is_partial else attrgetter("ripens")
        for clearing in sorted(possible, key=order):
            if got >= needed:
                break
            if self._spares(clearing, spent, from_owners=from_owners):
                for holding, *_ in clearing.victims:
                    spent[holding.cohort] = spent.get(holding.cohort, 0) + len(holding.slots)
                picked.append(clearing)
                got += clearing.gain
        if got < needed and not is_partial:
            return []
        for clearing in list(reversed(picked)):
            if got - clearing.gain >= needed:
                picked.remove(clearing)
                got -= clearing.gain
        return picked

    def _clearing(self, gpu: SharedGpu, cohort: Cohort, *, kinds: tuple[str, ...]) -> Clearing | None:
        others = [holding for holding in gpu.holdings if holding.cohort != cohort]
        staying = [holding for holding in others if not self._is_going(holding)]
        found = [(holding, *self.askable.get(holding.id.int, (None, ""))) for holding in staying]
        victims = tuple((holding, stock, kind) for holding, stock, kind in found if stock and kind in kinds)
        gain = gpu.parts - sum(self._on(gpu, holding) for holding in gpu.holdings if holding.cohort == cohort)
        if gpu.spoken_for or not victims or len(victims) < len(staying) or gain <= 0:
            return None
        return Clearing(gpu, gain, victims)

    def _spares(self, clearing: Clearing, spent: dict[Cohort, int], *, from_owners: bool) -> bool:
        """No party falls below what is its own; ``from_owners``: below what reservations protect."""
        asked = dict(spent)
        for holding, stock, _ in clearing.victims:
            asked[holding.cohort] = asked.get(holding.cohort, 0) + len(holding.slots)
            if asked[holding.cohort] > stock.spare + (stock.party.guaranteed if from_owners else 0):
                return False
        return True

    def _clear(self, found: list[Clearing], needed: int, *, mark: Earmark) -> None:
        """These GPUs are for ``mark``'s owner: those who hold them are nobody else's victims, and nothing is lent of them."""
        for clearing in found:
            clearing.gpu.cohort, clearing.gpu.spoken_for = mark.cohort, max(1, min(needed, clearing.gain))
            needed -= clearing.gain
            self.book.hold_back(clearing.gpu.name, mark)
            for holding, stock, _ in clearing.victims:
                stock.remove(holding)
                del self.askable[holding.id.int]

    def _on(self, gpu: SharedGpu, holding: Holding) -> int:
        return sum(slot in self.usable and self.book.gpus[slot] == gpu.name for slot in holding.slots)

    # --- At the end ---

    def _withdraw(self) -> None:
        """Who was asked and is not idle stays where nobody counts on any of the GPU."""
        soon = self.book.now + self.book.terms.grace
        for gpu in self.shared.values():
            asked = [h for h in gpu.holdings if h.reclaim_at and not h.is_draining and h.until > soon]
            if not gpu.spoken_for:
                staying = [h for h in asked if h.idle_since is None and self._value(h) and not self._is_spoken_for(h)]
                self.book.withdrawals += [Withdrawal(holding.id) for holding in staying]

    def _is_spoken_for(self, holding: Holding) -> bool:
        """It lies on several GPUs, and somebody counts on one of them; or its withdrawal was said already."""
        names = {self.book.gpus[slot] for slot in holding.slots if slot in self.book.gpus}
        is_said = any(withdrawal.holding == holding.id for withdrawal in self.book.withdrawals)
        return is_said or any(self.shared[name].spoken_for for name in names)

    def _ask_idle(self) -> None:
        """Idle borrowers make room for who waits: in their own cohort one for one, for others a GPU at a time."""
        assert self.stocks is not None
        idle = [(holding, stock) for stock in self.stocks if stock.spare > 0 for holding in stock.idle]
        waiting = self._waiting() if idle else {}
        for holding, stock in sorted(idle, key=lambda entry: idle_order(entry[0])):
            names = sorted({self.book.gpus[slot] for slot in holding.slots if slot in self.book.gpus})
            gpus = [self.shared[name] for name in names]
            if holding.id.int not in self.askable or any(gpu.spoken_for for gpu in gpus):
                continue
            if waiting.get(holding.cohort, 0) > 0 and stock.spare >= len(holding.slots):
                waiting[holding.cohort] -= len(holding.slots)
                self._dismiss(holding, stock)
                continue
            others = [cohort for cohort, count in waiting.items() if count > 0 and cohort != holding.cohort]
            clearing = self._clearing(gpus[0], others[0], kinds=("idle",)) if others and len(gpus) == 1 else None
            if clearing is not None and self._spares(clearing, {}, from_owners=False):
                waiting[others[0]] -= clearing.gain
                clearing.gpu.cohort, clearing.gpu.spoken_for = others[0], clearing.gain
                for victim, owner, _ in clearing.victims:
                    self._dismiss(victim, owner)

    def _dismiss(self, holding: Holding, stock: Stock) -> None:
        stock.remove(holding)
        del self.askable[holding.id.int]
        self._ask([holding], reason=IDLE)

    def _waiting(self) -> dict[Cohort, int]:
        """Slots that each cohort still waits for, beyond those that come free for it anyway."""
        waiting: dict[Cohort, int] = {}
        for cohort, party in self.book.parties.items():
            room = self.book.headroom(party)
            if not party.requests or self.book.head(party, at_most=room) is None:
                continue
            for heap in (party.heaps or {}).values():
                waiting[cohort] = waiting.get(cohort, 0) + sum(
                    key[-1].size for key in heap if not self.book.is_barred(key[-1], party)
                )
            waiting[cohort] = min(room, waiting.get(cohort, 0)) - sum(n for _, n in self._coming_for(cohort))
        return waiting
