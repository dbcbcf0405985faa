"""Whether slots can be had between two times, and what that means for others. Pure; a zone says whose midnight counts.

Words: a *booking* is a reservation that is granted or asked for; a *clash* is a stretch of time in which bookings add up
to more slots than the pool has, *final* if the granted ones alone do; a *shortage* is a stretch in which what is left
does not cover the guarantees of other cohorts. A clash that is final can't be granted; a shortage is an admin's choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import TypeVar

from practicum.gpus.quota_rules import Share

LONGEST = timedelta(hours=24)
FURTHEST = timedelta(days=366)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Booking:
    """``slots`` for a cohort between two moments; ``id`` is None while it is only being thought about."""

    id: int | None
    cohort_id: int
    cohort: str
    slots: int
    starts_at: datetime
    ends_at: datetime
    is_granted: bool = False

    def holds_at(self, moment: datetime) -> bool:
        """The moment lies in it; its end does not."""
        return self.starts_at <= moment < self.ends_at


@dataclass(frozen=True)
class Guarantee:
    """What another quota promises a cohort of the same pool."""

    cohort_id: int
    cohort: str
    share: Share


@dataclass(frozen=True)
class Stretch:
    """A time in which the same bookings hold."""

    starts_at: datetime
    ends_at: datetime
    bookings: tuple[Booking, ...]


@dataclass(frozen=True)
class Clash:
    """``wanted`` slots and ``others`` are more than ``slots`` from ``starts_at`` to ``ends_at``."""

    starts_at: datetime
    ends_at: datetime
    wanted: int
    others: tuple[Booking, ...]
    slots: int
    is_final: bool

    def sentence(self, zone: tzinfo) -> str:
        """``18:30 to 19:30: 6 + 4 (Autumn 2026, granted) = 10 slots, and the pool has 8: 2 too many.``"""
        total = self.wanted + sum(other.slots for other in self.others)
        parts = [str(self.wanted), *(f"{other.slots} ({_of(other)})" for other in self.others)]
        return (
            f"{span(self.starts_at, self.ends_at, zone)}: {' + '.join(parts)} = {total} slots, "
            f"and the pool has {self.slots}: {total - self.slots} too many."
        )


@dataclass(frozen=True)
class Shortage:
    """While ``reserved`` of ``slots`` are taken, the guarantees ``owed`` (cohort, slots) need more than what is left."""

    starts_at: datetime
    ends_at: datetime
    reserved: int
    slots: int
    owed: tuple[tuple[str, int], ...]

    @property
    def short(self) -> int:
        """Slots that the guarantees need and that are not there."""
        return sum(count for _cohort, count in self.owed) - max(0, self.slots - self.reserved)

    def sentence(self, zone: tzinfo) -> str:
        """``18:00 to 20:00: 6 of 8 slots. The guarantee of Autumn 2026 (3) can't be met in that time: 1 short.``"""
        named = " and ".join(f"{cohort} ({count})" for cohort, count in self.owed)
        guarantee = "The guarantee" if len(self.owed) == 1 else "The guarantees"
        return (
            f"{span(self.starts_at, self.ends_at, zone)}: {self.reserved} of {self.slots} slots. "
            f"{guarantee} of {named} can't be met in that time: {self.short} short."
        )


Piece = TypeVar("Piece", Clash, Shortage)


@dataclass(frozen=True)
class Outlook:
    """What a booking would meet."""

    clashes: tuple[Clash, ...]
    shortages: tuple[Shortage, ...]

    @property
    def is_possible(self) -> bool:
        """Nothing that is granted stands against it."""
        return not any(clash.is_final for clash in self.clashes)


def _of(other: Booking) -> str:
    return f"{other.cohort}, {'granted' if other.is_granted else 'asked for'}"


def span(starts_at: datetime, ends_at: datetime, zone: tzinfo) -> str:
    """``18:00 to 20:00``; with the days where it goes over midnight."""
    first, last = starts_at.astimezone(zone), ends_at.astimezone(zone)
    is_one_day = first.date() == last.date() or (last.time() == time(0) and last.date() - first.date() == _DAY)
    if is_one_day:
        return f"{first:%H:%M} to {'24:00' if last.date() != first.date() else f'{last:%H:%M}'}"
    return f"{first:%a %H:%M} to {last:%a %H:%M}"


def unfit(wanted: Booking, *, slots: int, cohort_ends_on: date, now: datetime, zone: tzinfo) -> list[tuple[str, str]]:
    """Why it can't be asked for, whatever else is booked: the field, and a sentence for whoever asked."""
    local = now.astimezone(zone)
    first_day = wanted.starts_at.astimezone(zone).date()
    have = f"The pool has {slots} slot{'' if slots == 1 else 's'}"
    checks = [
        ("slots", wanted.slots >= 1, "Ask for one slot at least."),
        ("slots", wanted.slots <= slots, f"{have}; {wanted.slots} can't be reserved."),
        ("ends_at", wanted.starts_at < wanted.ends_at, "It must end after it begins."),
        ("ends_at", wanted.ends_at - wanted.starts_at <= LONGEST, "A reservation lasts 24 hours at most."),
        ("starts_at", wanted.starts_at >= now, f"It would begin in the past: it is {local:%H:%M} on {local:%-d %B}."),
        ("starts_at", wanted.starts_at <= now + FURTHEST, "Choose a time within the next year."),
        (
            "cohort",
            first_day <= cohort_ends_on,
            f"{wanted.cohort} is over by then: it ends on {cohort_ends_on:%-d %B %Y}.",
        ),
    ]
    return [(field, sentence) for field, is_fit, sentence in checks if not is_fit]


def outlook(
    wanted: Booking, *, others: Iterable[Booking], guarantees: Iterable[Guarantee], slots: int, zone: tzinfo
) -> Outlook:
    """What ``wanted`` meets in its time: ``others`` are the bookings of the pool; it is never counted against itself."""
    near = [other for other in others if other.id is None or other.id != wanted.id]
    promised = list(guarantees)
    clashes = [clash for stretch in stretches(near, wanted) if (clash := _clash(wanted, stretch, slots=slots))]
    granted = [other for other in near if other.is_granted]
    midnights = _midnights(wanted, zone=zone)
    shortages = [
        shortage
        for stretch in stretches(granted, wanted, cuts=midnights)
        if (shortage := _shortage(wanted, stretch, guarantees=promised, slots=slots, zone=zone))
    ]
    return Outlook(clashes=_merged(clashes), shortages=_merged(shortages))


def stretches(bookings: Iterable[Booking], within: Booking, *, cuts: Iterable[datetime] = ()) -> Iterator[Stretch]:
    """The time of ``within``, cut wherever a booking begins or ends and at ``cuts``, with what holds in each piece."""
    near = sorted(
        (each for each in bookings if each.starts_at < within.ends_at and each.ends_at > within.starts_at),
        key=lambda each: (each.starts_at, each.id or 0),
    )
    edges = {within.starts_at, within.ends_at, *cuts}
    edges |= {edge for each in near for edge in (each.starts_at, each.ends_at)}
    inside = sorted(edge for edge in edges if within.starts_at <= edge <= within.ends_at)
    for start, end in pairwise(inside):
        yield Stretch(start, end, tuple(each for each in near if each.holds_at(start)))


def _clash(wanted: Booking, stretch: Stretch, *, slots: int) -> Clash | None:
    """Against what is granted if that is too much already, else against all that is booked."""
    granted = tuple(other for other in stretch.bookings if other.is_granted)
    for others, is_final in ((granted, True), (stretch.bookings, False)):
        if others and wanted.slots + sum(other.slots for other in others) > slots:
            return Clash(stretch.starts_at, stretch.ends_at, wanted.slots, others, slots, is_final)
    return None


def _shortage(
    wanted: Booking, stretch: Stretch, *, guarantees: Sequence[Guarantee], slots: int, zone: tzinfo
) -> Shortage | None:
    """A cohort that reserved slots itself has them; only the rest of its guarantee is owed."""
    day = stretch.starts_at.astimezone(zone).date()
    reserved = wanted.slots + sum(other.slots for other in stretch.bookings)
    owed = []
    for promise in guarantees:
        if promise.cohort_id != wanted.cohort_id and promise.share.counts_on(day):
            own = sum(other.slots for other in stretch.bookings if other.cohort_id == promise.cohort_id)
            if promise.share.guaranteed > own:
                owed.append((promise.cohort, promise.share.guaranteed - own))
    shortage = Shortage(stretch.starts_at, stretch.ends_at, reserved, slots, tuple(owed))
    return shortage if owed and shortage.short > 0 else None


def _midnights(booking: Booking, *, zone: tzinfo) -> list[datetime]:
    day = booking.starts_at.astimezone(zone).date()
    last = booking.ends_at.astimezone(zone).date()
    days = [day + timedelta(days=number) for number in range(1, (last - day).days + 1)]
    return [midnight(each, zone) for each in days]


def midnight(day: date, zone: tzinfo) -> datetime:
    """When a day begins there."""
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def _merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Neighbours that say the same are one."""
    merged: list[Piece] = []
    for piece in pieces:
        longer = replace(merged[-1], ends_at=piece.ends_at) if merged else None
        if (
            longer is not None
            and longer == replace(piece, starts_at=merged[-1].starts_at)
            and _touch(merged[-1], piece)
        ):
            merged[-1] = longer
        else:
            merged.append(piece)
    return tuple(merged)


def _touch(first: Piece, second: Piece) -> bool:
    return first.ends_at == second.starts_at
