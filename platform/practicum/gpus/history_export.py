"""The leases of a window as CSV, and the whole window as JSON, written piece by piece.

A cell of the CSV that a spreadsheet would take for a formula begins with an apostrophe instead (OWASP, "CSV
Injection"). Times are ISO 8601 in UTC. An empty cell, or null, is what did not happen or was not measured.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from practicum.gpus.history import Held, History, UseBucket
from practicum.lib import spreadsheet


@dataclass(frozen=True)
class Line:
    """A lease with what the window says of it."""

    lease: Held
    held_seconds: float | None
    busy_seconds: float | None
    idle_held_seconds: float | None
    server: str | None
    slot: str | None


@dataclass(frozen=True)
class Column:
    """A column of the CSV and a field of the JSON."""

    name: str
    unit: str
    meaning: str
    read: Callable[[Line], Any]


COLUMNS = (
    Column("lease", "", "Its number", lambda line: str(line.lease.id)),
    Column("cohort", "", "The cohort's short name; empty for none", lambda line: line.lease.cohort_slug or None),
    Column("person", "", "Username of the holder", lambda line: line.lease.username),
    Column("pool", "", "The pool's short name; empty where any would do", lambda line: line.lease.pool_slug or None),
    Column("server", "", "The server of its slot", lambda line: line.server),
    Column("slot", "", "Its slot, by name", lambda line: line.slot),
    Column(
        "purpose",
        "",
        "session (a notebook), meanwhile (one on a CPU slot while its intern waits for a GPU) or evaluation",
        lambda line: line.lease.purpose,
    ),
    Column("state", "", "As it is now", lambda line: line.lease.state),
    Column("is_borrowed", "", "Granted above the cohort's guarantee", lambda line: line.lease.is_borrowed),
    Column("reservation", "", "The reservation it is part of", lambda line: line.lease.reservation),
    Column("requested_at", "UTC", "When it was asked for", lambda line: _moment(line.lease.requested_at)),
    Column("granted_at", "UTC", "When it got its slot", lambda line: _moment(line.lease.granted_at)),
    Column("reclaim_at", "UTC", "When it had to end, asked back", lambda line: _moment(line.lease.reclaim_at)),
    Column("closed_at", "UTC", "When it ended", lambda line: _moment(line.lease.closed_at)),
    Column("waited_seconds", "seconds", "From asked for to granted", lambda line: _seconds(line.lease.waited)),
    Column("held_seconds", "seconds", "Held in this window", lambda line: line.held_seconds),
    Column("busy_seconds", "seconds", "Computed in this window; empty: not measured", lambda line: line.busy_seconds),
    Column(
        "idle_held_seconds",
        "seconds",
        "Kept memory and computed nothing, in this window; empty: not measured",
        lambda line: line.idle_held_seconds,
    ),
)


def csv_lines(history: History, *, use: Iterable[UseBucket]) -> Iterator[str]:
    """The CSV, line by line: the columns' names, then a line for each lease."""
    rows = ((column.read(line) for column in COLUMNS) for line in _lines(history, use=use))
    return spreadsheet.csv_lines((column.name for column in COLUMNS), rows)


def json_pieces(history: History, *, use: Iterable[UseBucket]) -> Iterator[str]:
    """The JSON, a lease at a time: the window and the columns, the leases, then hours, waits, people and guarantees."""
    yield json.dumps(_head(history))[:-1] + ', "leases": ['
    for number, line in enumerate(_lines(history, use=use)):
        yield (", " if number else "") + json.dumps({column.name: column.read(line) for column in COLUMNS})
    yield "], " + json.dumps(_tail(history))[1:]


def _head(history: History) -> dict[str, Any]:
    choice = history.choice
    return {
        "window": {
            "name": choice.window.name,
            "begins_at": _moment(choice.window.first),
            "ends_at": _moment(choice.window.end),
            "cohort": choice.cohort.slug if choice.cohort else None,
            "pool": choice.pool.slug if choice.pool else None,
        },
        "units": {"slots": "slots", "hours": "slot-hours by hour", "waits": "seconds", "people": "slot-hours"},
        "columns": {column.name: {"unit": column.unit, "meaning": column.meaning} for column in COLUMNS},
        "slots": history.capacity,
    }


def _tail(history: History) -> dict[str, Any]:
    return {
        "hours": {
            "begins_at": [_moment(moment) for moment in history.choice.window.moments(1)],
            "held": {group.slug or "": _rounded(hours) for group, hours in history.held.items()},
            "waiting": {group.slug or "": _rounded(hours) for group, hours in history.waiting.items()},
            "used": [None if value is None else round(value, 4) for value in history.used],
        },
        "waits": [
            {
                "cohort": waits.group.slug or None,
                "granted": waits.granted,
                "p50": _seconds(waits.half),
                "p90": _seconds(waits.most),
                "longest": _seconds(waits.longest),
                "waiting": waits.waiting,
                "gave_up": waits.gave_up,
            }
            for waits in history.waits
        ],
        "people": [
            {
                "person": each.username,
                "cohort": each.group.slug or None,
                "held": round(each.held_hours, 4),
                "measured": round(each.measured_hours, 4),
                "unused": each.unused_hours,
                "idle_held": each.idle_held_hours,
            }
            for each in history.people
        ],
        "guarantees": [
            {
                "cohort": each.cohort.slug,
                "pool": each.pool.slug,
                "guaranteed": each.guaranteed,
                "missing_slot_hours": round(each.slot_hours, 4),
                "moments": [
                    {
                        "begins_at": _moment(moment.begins_at),
                        "ends_at": _moment(moment.ends_at),
                        "most_slots": moment.most,
                        "slot_hours": round(moment.slot_hours, 4),
                    }
                    for moment in each.moments
                ],
            }
            for each in history.guarantees
        ],
    }


def _lines(history: History, *, use: Iterable[UseBucket]) -> Iterator[Line]:
    measured: dict[UUID, list[UseBucket]] = defaultdict(list)
    for bucket in use:
        measured[bucket.lease].append(bucket)
    window = history.choice.window
    slots = {lane.slot.pk: (lane.slot.server.name, lane.slot.label) for lane in history.lanes}
    for lease in history.leases:
        inside = window.clip(lease.hold) if lease.hold is not None else None
        buckets = measured.get(lease.id)
        server, slot = slots[lease.slot] if lease.slot is not None else (None, None)
        yield Line(
            lease=lease,
            held_seconds=_seconds(inside[1] - inside[0]) if inside else None,
            busy_seconds=sum(bucket.busy_seconds for bucket in buckets) if buckets else None,
            idle_held_seconds=sum(bucket.idle_held_seconds for bucket in buckets) if buckets else None,
            server=server,
            slot=slot,
        )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 1)


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 4) for value in values]
