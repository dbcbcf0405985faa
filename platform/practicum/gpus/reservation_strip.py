"""The day of a reservation as a strip: hours from left to right, slots from the bottom up, drawn as one SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo

from practicum.gpus.reservation_rules import Booking, midnight, span, stretches

WIDTH, HEIGHT = 1000.0, 100.0
TICKS = 8
HEADROOM = 0.08  # above the fullest hour, so that the line of what the pool has is seen whole


@dataclass(frozen=True)
class Block:
    """A rectangle: ``kind`` is ``granted``, ``asked`` or ``wanted``."""

    kind: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Strip:
    """What is drawn, and the same in words."""

    blocks: list[Block]
    capacity_top: float
    slots: int
    hours: list[str]
    title: str
    when: str
    bookings: list[tuple[str, Booking]]


def strip_of(wanted: Booking, *, others: Iterable[Booking], slots: int, zone: tzinfo) -> Strip:
    """The days the wanted booking touches, with everything that is booked in them; ``wanted`` lies on top."""
    day = _days_around(wanted, zone=zone)
    listed = [other for other in others if other.id is None or other.id != wanted.id]
    around = [*sorted(listed, key=lambda other: not other.is_granted), wanted]
    pieces = list(stretches(around, day))
    most = max([slots, *(sum(each.slots for each in piece.bookings) for piece in pieces)])
    peak = (most or 1) * (1 + HEADROOM)
    length = day.ends_at - day.starts_at
    blocks = []
    for piece in pieces:
        left = WIDTH * ((piece.starts_at - day.starts_at) / length)
        width = WIDTH * ((piece.ends_at - piece.starts_at) / length)
        filled = 0
        for each in sorted(piece.bookings, key=lambda each: (each is wanted, not each.is_granted)):
            filled += each.slots
            kind = "wanted" if each is wanted else "granted" if each.is_granted else "asked"
            top, height = HEIGHT * (1 - filled / peak), HEIGHT * each.slots / peak
            blocks.append(Block(kind, round(left, 2), round(top, 2), round(width, 2), round(height, 2)))
    return Strip(
        blocks=blocks,
        capacity_top=round(HEIGHT * (1 - slots / peak), 2),
        slots=slots,
        hours=_hours(day, zone=zone),
        title=_title(day, zone=zone),
        when=span(wanted.starts_at, wanted.ends_at, zone),
        bookings=[(span(each.starts_at, each.ends_at, zone), each) for each in _in(day, listed)],
    )


def _days_around(wanted: Booking, *, zone: tzinfo) -> Booking:
    """From the midnight before it begins to the midnight after it ends."""
    first = wanted.starts_at.astimezone(zone).date()
    last = (wanted.ends_at - timedelta(microseconds=1)).astimezone(zone).date() + timedelta(days=1)
    return Booking(None, 0, "", 0, midnight(first, zone), midnight(last, zone))


def _in(day: Booking, bookings: Sequence[Booking]) -> list[Booking]:
    near = (each for each in bookings if each.starts_at < day.ends_at and each.ends_at > day.starts_at)
    return sorted(near, key=lambda each: (each.starts_at, each.id or 0))


def _hours(day: Booking, *, zone: tzinfo) -> list[str]:
    step = (day.ends_at - day.starts_at) / TICKS
    inner = [(day.starts_at + number * step).astimezone(zone).strftime("%H:%M") for number in range(TICKS)]
    return [*inner, "24:00"]


def _title(day: Booking, *, zone: tzinfo) -> str:
    first, last = day.starts_at.astimezone(zone), (day.ends_at - timedelta(hours=1)).astimezone(zone)
    if first.date() == last.date():
        return f"{first:%A %-d %B}"
    return f"{first:%A %-d} and {last:%A %-d %B}"
