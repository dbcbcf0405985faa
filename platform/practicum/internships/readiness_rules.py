"""What a readiness check asks, when a bar is held, and which taking of it counts. Pure.

Words: a *bar* is a metric with a line to reach; *reached* are the figures of one submission; the *best* of several is the
one with most bars held, and among equals the one that comes nearest to all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from practicum.catalog.readiness import VARIANT, Bar, Readiness, Reading

# A check says how long it takes; nothing is taken in after this many times as long.
TIMES_AS_LONG = 3


class Figures(Protocol):
    """What was measured on one submission, and the numbers it says it is about."""

    variant: int | None
    values: Mapping[str, float]


def readiness_in(manifest: Mapping[str, Any]) -> Readiness | None:
    """What the manifest of a published version says under ``[readiness]``; None where it is no check."""
    said = manifest.get("readiness")
    if not said:
        return None
    bars = tuple(
        Bar(**{**bar, "reading": tuple(Reading(**entry) for entry in bar.get("reading", ()))}) for bar in said["bars"]
    )
    return Readiness(**{**said, "bars": bars})


def variant_at(*, number: int, first: int, variants: int) -> int:
    """The numbers of an attempt, from 1 to ``variants``: other ones than the attempt's before it, where there are others."""
    return 1 + (first + number - 1) % variants


def until(started_at: datetime, *, minutes: int) -> datetime:
    """From when on nothing more is taken in."""
    return started_at + timedelta(minutes=TIMES_AS_LONG * minutes)


def said_variant(metrics: Mapping[str, float]) -> int | None:
    """The numbers that a submission says it is about, among what its scorer measured; None where it says none."""
    said = metrics.get(VARIANT)
    return round(said) if said is not None and 0 < said < 10_000 else None


@dataclass(frozen=True)
class BarResult:
    """A bar, and how far somebody came; ``value`` is None where nothing was measured."""

    bar: Bar
    value: float | None

    @property
    def is_held(self) -> bool:
        """At the line, or above it."""
        return self.value is not None and self.value >= self.bar.at_least

    @property
    def percent(self) -> int:
        """The length of its drawing."""
        return round(100 * min(1.0, max(0.0, self.value or 0.0)))

    @property
    def line_percent(self) -> int:
        """Where the line is drawn."""
        return round(100 * self.bar.at_least)


def results_of(bars: Sequence[Bar], values: Mapping[str, float] | None) -> list[BarResult]:
    """Each bar with its figure, in the order of the check."""
    return [BarResult(bar, None if values is None else values.get(bar.metric)) for bar in bars]


def rank_of(bars: Sequence[Bar], values: Mapping[str, float]) -> tuple[int, float]:
    """To be compared: how many bars are held, and how far all came together, none counting beyond its line."""
    results = results_of(bars, values)
    near = sum(min(result.value or 0.0, result.bar.at_least) for result in results)
    return sum(result.is_held for result in results), round(near, 9)


def best_of(rows: Iterable[Figures], *, bars: Sequence[Bar], variant: int) -> Figures | None:
    """The best of an attempt's submissions, the earliest among equals; only those about the attempt's own numbers count."""
    best: Figures | None = None
    for row in rows:
        is_better = best is None or rank_of(bars, row.values) > rank_of(bars, best.values)
        if row.variant == variant and is_better:
            best = row
    return best
