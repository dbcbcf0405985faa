"""Which of a pool's free slots a lease gets: one server where it fits, and there the tightest fit, so that large gaps stay.

A server that is *near* to a lease (its person's files are there) comes before others that hold all of it. That changes
which slot it gets and nothing else: who is served, and what is left for whom, are numbers of slots.

Parts of a shared GPU have no memory isolation, so they go to one cohort at a time: a part is *usable* by a cohort where
the GPU is its *own* (nobody else holds any of it) or *open* (nobody holds any of it). The same free slots in any order
give the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from heapq import heapify, heappop, heappush

from practicum.gpus.facts import Slot

Cohort = int | None


class Shelf:
    """The free slots of a pool, by server; servers are kept by how many free slots they have."""

    def __init__(self, free: Iterable[Slot]) -> None:
        self._slots: dict[str, list[tuple[int, int]]] = {}
        for slot in free:
            self._slots.setdefault(slot.server, []).append((slot.index, slot.id))
        self._by_count: dict[int, list[str]] = {}
        for server, slots in self._slots.items():
            heapify(slots)
            self._by_count.setdefault(len(slots), []).append(server)
        for servers in self._by_count.values():
            heapify(servers)

    def take(self, size: int, *, cohort: Cohort = None, near: Collection[str] = ()) -> tuple[int, ...]:
        """``size`` slots, taken off the shelf, for whatever cohort; the caller knows that there are so many."""
        del cohort
        fitting = [server for server in near if len(self._slots.get(server, ())) >= size]
        if fitting:
            return tuple(self._take_from(min(fitting, key=lambda name: (len(self._slots[name]), name)), size))
        taken: list[int] = []
        while len(taken) < size:
            count, server = self._server_for(size - len(taken))
            taken += self._take_from(server, min(count, size - len(taken)))
        return tuple(taken)

    def rest(self) -> list[int]:
        """What is left, last in the order of giving first: what is kept should be what would be given last."""
        left = [(-len(slots), server, index, id) for server, slots in self._slots.items() for index, id in slots]
        return [entry[3] for entry in sorted(left)]

    def _server_for(self, size: int) -> tuple[int, str]:
        """The server with the fewest free slots that holds all of them, else the one with the most."""
        counts = sorted(self._by_count)
        fitting = [count for count in counts if count >= size]
        for count in [*fitting, *(count for count in reversed(counts) if count < size)]:
            servers = self._by_count[count]
            while servers and len(self._slots[servers[0]]) != count:
                heappop(servers)
            if servers:
                return count, servers[0]
            del self._by_count[count]
        raise LookupError("There are fewer free slots than were to be taken.")

    def _take_from(self, server: str, size: int) -> list[int]:
        slots = self._slots[server]
        taken = [heappop(slots)[1] for _ in range(size)]
        if slots:
            heappush(self._by_count.setdefault(len(slots), []), server)
        return taken


class SharedShelf(Shelf):
    """The free parts of shared GPUs. ``holders``: the cohorts that hold parts of each GPU; several only by an old grant."""

    def __init__(self, free: Iterable[Slot], *, holders: Mapping[str, Iterable[Cohort]]) -> None:
        self._free: dict[str, list[Slot]] = {}
        for slot in sorted(free, key=lambda slot: (slot.server, slot.index, slot.id)):
            self._free.setdefault(gpu_of(slot), []).append(slot)
        self._holders = {gpu: set(holders.get(gpu, ())) for gpu in self._free}

    def room(self, cohort: Cohort, *, kept: Mapping[Cohort, int]) -> int:
        """How many parts ``cohort`` could take with so many left that each other cohort can use.

        What others lack on GPUs of their own takes open GPUs whole, the largest first.
        """
        open_gpus = sorted((len(self._free[gpu]) for gpu in self._open()), reverse=True)
        for other in kept.keys() - {cohort}:
            missing = kept[other] - self._own_parts(other)
            while missing > 0 and open_gpus:
                missing -= open_gpus.pop(0)
        return self._own_parts(cohort) + sum(open_gpus)

    def take(self, size: int, *, cohort: Cohort = None, near: Collection[str] = ()) -> tuple[int, ...]:
        """``size`` parts: of the cohort's own GPUs while they have any, then of open ones; each time the tightest fit.

        Near is chosen among its own GPUs, which are of use to nobody else, and among open ones of one size.
        """
        taken: list[int] = []
        while len(taken) < size:
            missing = size - len(taken)
            own = self._own(cohort)
            gpus = own or self._open()
            if not gpus:
                raise LookupError("There are fewer free parts than were to be taken.")

            def order(gpu: str, missing: int = missing, is_own: bool = bool(own)) -> tuple[object, ...]:
                server, *place = self._place(gpu)
                free, is_far = len(self._free[gpu]), server not in near
                return free < missing, (is_far, free) if is_own else (free, is_far), server, *place

            taken += self._take_of(min(gpus, key=order), missing, cohort=cohort)
        return tuple(taken)

    def set_aside(self, count: int, *, cohort: Cohort, is_for_later: bool) -> list[int]:
        """Up to ``count`` parts that are kept for ``cohort``; ``is_for_later``: also such as others' leases still bar."""
        kept: list[int] = []
        while len(kept) < count:
            gpus = self._own(cohort) or self._open() or (list(self._free) if is_for_later else [])
            if not gpus:
                break
            gpu = min(gpus, key=lambda gpu: (-len(self._free[gpu]), self._place(gpu)))
            kept += self._take_of(gpu, count - len(kept), cohort=cohort)
        return kept

    def hold_back(self, gpu: str) -> list[int]:
        """Take off all free parts of a GPU that is to come free as a whole."""
        return [slot.id for slot in self._free.pop(gpu, [])]

    def _own(self, cohort: Cohort) -> list[str]:
        return [gpu for gpu in self._free if self._holders[gpu] == {cohort}]

    def _own_parts(self, cohort: Cohort) -> int:
        return sum(len(self._free[gpu]) for gpu in self._own(cohort))

    def _open(self) -> list[str]:
        return [gpu for gpu in self._free if not self._holders[gpu]]

    def _place(self, gpu: str) -> tuple[str, int, str]:
        first = self._free[gpu][0]
        return first.server, first.index, gpu

    def _take_of(self, gpu: str, most: int, *, cohort: Cohort) -> list[int]:
        parts = self._free[gpu]
        self._free[gpu] = parts[most:]
        if not self._free[gpu]:
            del self._free[gpu]
        self._holders[gpu].add(cohort)
        return [slot.id for slot in parts[:most]]


def gpu_of(slot: Slot) -> str:
    """What else is on the same GPU has the same name; a slot that shares nothing has one of its own."""
    return slot.gpu or f"slot {slot.id}"
