"""What the page of the past draws: the timeline as SVG, and the plots as the chart component wants them.

A lane is as wide as the window; places in it are percentages, so that it fits any screen and its hatching is never
stretched. Colours are classes (``tone-1`` and on); the style sheet says what they are in light and dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.utils.html import escape, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone, localtime

from practicum.gpus.history import Group, Held, History, Lane, used_by_step
from practicum.gpus.history_rules import HOUR, Span, Window, means

# Leases of one cohort on one slot that follow one another within this part of the window are drawn as one: it is half
# a pixel of a lane a thousand pixels wide.
SLACK = 1 / 2000
# Beyond these, a mark's name would not fit any more: on any screen, and on a phone.
LAST_NAME = 0.94
LAST_ON_PHONE = 0.87

# Where the timeline has marks, by the window: a test of the local time, and how the mark is written.
MARKS: dict[str, tuple[Callable[[datetime], bool], str]] = {
    "day": (lambda moment: moment.hour % 3 == 0, "%H:00"),
    "week": (lambda moment: moment.hour == 0, "%a %-d"),
    "four-weeks": (lambda moment: moment.hour == 0 and moment.weekday() == 0, "%a %-d %b"),
}


@dataclass(frozen=True)
class Mark:
    """A line across the timeline. ``place`` is in percent of its width; without a name there is no room for one."""

    place: str
    name: str
    fits_phone: bool


@dataclass(frozen=True)
class Drawn:
    """A lane ready for the page: its SVG, what it shows in words, and the same as hours by group."""

    label: str
    server: str
    words: str
    marks: SafeString
    hours: list[float]
    free_hours: float


def marks_of(window: Window) -> list[Mark]:
    """The lines of the timeline, with their names."""
    is_marked, written = MARKS[window.name]
    found = [(moment, localtime(moment)) for moment in window.moments(1)[1:]]
    return [
        Mark(_percent(place), local.strftime(written) if place < LAST_NAME else "", fits_phone=place < LAST_ON_PHONE)
        for moment, local in found
        if is_marked(local)
        for place in (window.place(moment),)
    ]


def lanes_of(history: History) -> list[Drawn]:
    """Every slot's lane."""
    window = history.choice.window
    brush = _Brush(window, {group.id: group.tone for group in history.groups}, get_current_timezone())
    places = ((mark.place, mark.place) for mark in marks_of(window))
    grid = format_html_join("", '<line x1="{}" x2="{}" y1="0" y2="100%"/>', places)
    return [_drawn(lane, history=history, brush=brush, grid=grid) for lane in history.lanes]


@dataclass(frozen=True)
class _Brush:
    """What every block of the timeline needs to know."""

    window: Window
    tones: dict[int | None, int]
    zone: tzinfo


def _drawn(lane: Lane, *, history: History, brush: _Brush, grid: SafeString) -> Drawn:
    window = brush.window
    held: dict[int | None, float] = {}
    for lease, (begin, end) in _inside(lane.leases, window=window):
        held[lease.cohort] = held.get(lease.cohort, 0.0) + (end - begin) / HOUR
    hours = [round(held.get(group.id, 0.0), 2) for group in history.groups]
    free = max((window.end - window.first) / HOUR - sum(held.values()), 0.0)
    return Drawn(
        label=lane.slot.label,
        server=lane.slot.server.name,
        words=_words(history.groups, hours=hours, free=free),
        marks=_blocks(lane.leases, brush=brush) + grid,
        hours=hours,
        free_hours=round(free, 2),
    )


def _words(groups: Iterable[Group], *, hours: Sequence[float], free: float) -> str:
    parts = [f"{group.name} {held:.1f} h" for group, held in zip(groups, hours, strict=True) if held]
    return ", ".join([*parts, f"free {free:.1f} h"])


def _inside(leases: Iterable[Held], *, window: Window) -> Iterator[tuple[Held, Span]]:
    for lease in leases:
        clipped = window.clip(lease.hold) if lease.hold is not None else None
        if clipped is not None:
            yield lease, clipped


def _blocks(leases: Iterable[Held], *, brush: _Brush) -> SafeString:
    window = brush.window
    blocks: list[tuple[list[Held], Span]] = []
    slack = HOUR * window.hours * SLACK
    for lease, (begin, end) in _inside(leases, window=window):
        if blocks and _follows(lease, begin, last=blocks[-1], slack=slack):
            rows, (start, _) = blocks[-1]
            blocks[-1] = ([*rows, lease], (start, end))
        else:
            blocks.append(([lease], (begin, end)))
    # Thousands of them: joined as text, in which _block escaped all that people wrote.
    return SafeString("".join(_block(rows, span, brush=brush) for rows, span in blocks))


def _follows(lease: Held, begin: datetime, *, last: tuple[list[Held], Span], slack: timedelta) -> bool:
    rows, (_, end) = last
    before = rows[-1]
    return (lease.cohort, lease.is_borrowed) == (before.cohort, before.is_borrowed) and begin - end <= slack


def _block(leases: list[Held], span: Span, *, brush: _Brush) -> str:
    first = leases[0]
    place, end = (brush.window.place(moment) for moment in span)
    since, until = (f"{moment.astimezone(brush.zone):%a %-d %b %H:%M}" for moment in span)
    box = f'x="{_percent(place)}" width="{_percent(end - place)}"'
    who = first.person if len(leases) == 1 else f"{len(leases)} leases"
    borrowed = ", borrowed" if first.is_borrowed else ""
    title = escape(f"{first.cohort_name}: {who}, {since} to {until}{borrowed}")
    hatch = f'<rect fill="url(#hatch)" {box}/>' if first.is_borrowed else ""
    return f'<g class="tone-{brush.tones[first.cohort]}"><title>{title}</title><rect {box}/>{hatch}</g>'


def _percent(part: float) -> str:
    return f"{100 * part:.3f}%"


def held_plot(history: History) -> dict[str, Any]:
    """Mean slots held by cohort in each step, and what computed of it as far as it was measured."""
    window = history.choice.window
    used = [_rounded(value) for value in used_by_step(history.used, window=window)]
    is_known = any(value is not None for value in used)
    line = {"label": "Used, where measured" if is_known else "Used: not measured", "values": used}
    return _plot(history, by_hour=history.held, line=line) | {"capacity": history.capacity}


def waiting_plot(history: History) -> dict[str, Any]:
    """People in line on average by cohort in each step, and the most there were at once."""
    return _plot(history, by_hour=history.waiting, line={"label": "Most at once", "values": history.most_waiting})


def _plot(history: History, *, by_hour: dict[Group, list[float]], line: dict[str, Any]) -> dict[str, Any]:
    window = history.choice.window
    written = "%H:%M" if window.name == "day" else "%a %-d %b, %H:%M"
    labels = [localtime(moment).strftime(written) for moment in window.moments(window.step)]
    series = [
        {
            "label": group.name,
            "values": [round(value, 2) for value in means(hours, window=window)],
            "colour": f"chart-{group.tone}" if group.tone else "muted",
        }
        for group, hours in by_hour.items()
    ]
    columns: list[Any] = [*[one["values"] for one in series], line["values"]]
    rows = [{"hour": label, "written": [*map(_written, row)]} for label, *row in zip(labels, *columns, strict=True)]
    return {"kind": "usage", "hours": labels, "series": series, "lines": [line], "rows": rows}


def _written(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
