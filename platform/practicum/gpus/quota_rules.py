"""What a quota may say, and whether the guarantees of a pool add up. Pure.

Words: *terms* are what one quota says; a *share* is what one cohort is guaranteed of one pool, and in which days; an
*overrun* is a day on which more is guaranteed than there is. No quota means: nothing guaranteed, weight 1. Of a shared GPU
one cohort at a time holds parts (``sharing``), so in a pool of those each guarantee is counted in whole GPUs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

MOST_SLOTS = 10_000
MOST_WEIGHT = 1_000
SESSION_HOURS = (1, 7 * 24)


@dataclass(frozen=True)
class Terms:
    """What a quota says; None is no limit, or an open end. Named like the columns of the row."""

    guaranteed: int = 0
    weight: float = 1.0
    borrowing_limit: int | None = None
    lending_limit: int | None = None
    per_intern: int | None = None
    session_hours: int | None = None
    from_on: date | None = None
    to_on: date | None = None


@dataclass(frozen=True)
class Share:
    """``guaranteed`` slots from ``from_on`` to ``to_on``, both included; None is open."""

    guaranteed: int
    from_on: date | None = None
    to_on: date | None = None

    def counts_on(self, day: date) -> bool:
        """The guarantee holds on this day."""
        return (self.from_on is None or self.from_on <= day) and (self.to_on is None or day <= self.to_on)


@dataclass(frozen=True)
class Overrun:
    """On ``day`` the guarantees, ``shares``, need more than the ``slots`` of the pool, ``parts`` of them to a GPU."""

    day: date
    shares: tuple[int, ...]
    slots: int
    parts: int = 1

    def sentence(self, *, today: date) -> str:
        """The arithmetic, for people: ``4 + 3 + 2 = 9 slots are guaranteed on 3 March, and the pool has 8.``"""
        total = sum(self.shares)
        when = "today" if self.day == today else f"on {written(self.day, today=today)}"
        if total <= self.slots:
            return self._in_gpus(when)
        verb = "slots are" if total != 1 else "slot is"
        return f"{added(self.shares)} {verb} guaranteed {when}, and the pool has {self.slots}."

    def _in_gpus(self, when: str) -> str:
        """The slots would do, but not the GPUs: ``1 + 1 + 1 = 3 GPUs are needed``."""
        return (
            f"{added(self.shares)} slots are guaranteed {when}. One cohort at a time uses the {self.parts} slots of a GPU: "
            f"{added([gpus_for(count, parts=self.parts) for count in self.shares])} GPUs are needed, "
            f"and the pool has {self.slots // self.parts}."
        )


def added(counts: Sequence[int]) -> str:
    """A sum as people write it: ``4 + 3 = 7``; of one, just it."""
    return f"{' + '.join(map(str, counts))} = {sum(counts)}" if len(counts) > 1 else str(sum(counts))


def gpus_for(slots: int, *, parts: int) -> int:
    """GPUs in so many parts that one cohort needs for so many slots."""
    return -(-slots // parts)


def written(day: date, *, today: date) -> str:
    """A day as people write it, with its year where that is not this one: ``3 March``, ``3 March 2027``."""
    return f"{day.day} {day:%B}" + ("" if day.year == today.year else f" {day.year}")


def unfit(terms: Terms, *, today: date) -> list[tuple[str, str]]:
    """What is wrong with the terms by themselves: the field, and a sentence for whoever wrote it."""
    first, last = terms.from_on, terms.to_on
    lent = terms.lending_limit
    checks = [
        ("guaranteed", 0 <= terms.guaranteed <= MOST_SLOTS, f"Choose 0 to {MOST_SLOTS} slots."),
        (
            "weight",
            math.isfinite(terms.weight) and 0 < terms.weight <= MOST_WEIGHT,
            f"A weight is above 0 and at most {MOST_WEIGHT}; 1 is the usual one.",
        ),
        ("borrowing_limit", _lies_in(terms.borrowing_limit, (0, MOST_SLOTS)), f"Choose 0 to {MOST_SLOTS} slots."),
        ("lending_limit", _lies_in(lent, (0, MOST_SLOTS)), f"Choose 0 to {MOST_SLOTS} slots."),
        (
            "lending_limit",
            lent is None or lent <= terms.guaranteed or lent > MOST_SLOTS,
            f"{lent} can't be lent: {terms.guaranteed} {'is' if terms.guaranteed == 1 else 'are'} guaranteed.",
        ),
        ("per_intern", _lies_in(terms.per_intern, (1, MOST_SLOTS)), "Each intern may have one slot at least."),
        (
            "session_hours",
            _lies_in(terms.session_hours, SESSION_HOURS),
            "Choose {} to {} hours.".format(*SESSION_HOURS),
        ),
        (
            "to_on",
            first is None or last is None or first <= last,
            f"It would end on {_day(last, today)}, before it begins on {_day(first, today)}.",
        ),
    ]
    return [(field, sentence) for field, is_fit, sentence in checks if not is_fit]


def _day(day: date | None, today: date) -> str:
    return "" if day is None else written(day, today=today)


def _lies_in(value: int | None, ends: tuple[int, int]) -> bool:
    return value is None or ends[0] <= value <= ends[1]


def guaranteed_on(day: date, shares: Iterable[Share]) -> int:
    """Slots guaranteed on a day."""
    return sum(share.guaranteed for share in shares if share.counts_on(day))


def fullest_day(shares: Sequence[Share], *, since: date) -> date:
    """The first of the days, from ``since`` on, on which the most slots are guaranteed."""
    return max(_days_of_change(shares, since=since), key=lambda day: guaranteed_on(day, shares))


def first_overrun(
    shares: Sequence[Share], *, slots: int, since: date, parts: int = 1, before: Sequence[Share] | None = None
) -> Overrun | None:
    """The first day from ``since`` on on which more is guaranteed than the pool has; None when every day adds up.

    ``parts``: slots to a GPU, which one cohort at a time holds. ``before``: the shares as they were. A day that was over
    already, since slots went missing, and that the change makes no worse, does not count: whoever lowers a guarantee must
    not be stopped by what is still missing.
    """
    for day in _days_of_change([*shares, *(before or ())], since=since):
        needed = _gpus_on(day, shares, parts=parts)
        if needed > slots // parts and (before is None or needed > _gpus_on(day, before, parts=parts)):
            counts = tuple(share.guaranteed for share in shares if share.guaranteed and share.counts_on(day))
            return Overrun(day=day, shares=counts, slots=slots, parts=parts)
    return None


def _gpus_on(day: date, shares: Iterable[Share], *, parts: int) -> int:
    return sum(gpus_for(share.guaranteed, parts=parts) for share in shares if share.counts_on(day))


def _days_of_change(shares: Iterable[Share], *, since: date) -> list[date]:
    """``since``, and every later day on which a share begins or has just ended: between two of them no sum changes."""
    begins = {share.from_on for share in shares if share.from_on is not None}
    after_ends = {_next(share.to_on) for share in shares if share.to_on is not None}
    return sorted({since} | {day for day in begins | after_ends if day > since})


def _next(day: date) -> date:
    return date.fromordinal(min(day.toordinal() + 1, date.max.toordinal()))
