"""Whether estimates kept their word, and what is done where they do not.

Promises are corrected by a factor that is learned from the last first promises: split conformal prediction with the
score ``waited / forecast`` (Papadopoulos and others, 2002, "Inductive confidence machines for regression"; Lei and others, 2018,
"Distribution-free predictive inference for regression"). If those waits and the next are exchangeable, the
corrected p90 holds in nine of ten; where they drift, it follows as the window of the last ``REMEMBERED`` moves.

Words: a *case* is the first promise made to a lease and what happened. ``waited`` is from the promise to the start; a
lease that has not started counts only once its p90 has passed, with what it has waited so far: it is a promise not kept,
whoever waits or gave up. A forecast beyond the horizon was no promise and is no case.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

REMEMBERED = 200
FEWEST_CASES = 30
# Added to both sides of a score, so that short forecasts are compared too.
SLACK = timedelta(minutes=1)
SHARES = (0.5, 0.9)
Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Case:
    """What was forecast and promised for a lease, and how long it waited from then.

    ``forecast`` and ``promised``: half by, nine in ten by; promised is forecast after correction.
    """

    forecast: tuple[timedelta, timedelta]
    promised: tuple[timedelta, timedelta]
    waited: timedelta
    has_started: bool = True


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of ``count`` promises, how many were kept, with the bounds between which the true share lies (95 %, Wilson)."""

    count: int
    kept: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """The part that was kept; None of none."""
        return self.kept / self.count if self.count else None

    @property
    def percent(self) -> int:
        """The share for people; 0 of none."""
        return round(100 * (self.share or 0.0))

    @property
    def low_percent(self) -> int:
        """The lower bound for people."""
        return round(100 * self.low)

    @property
    def high_percent(self) -> int:
        """The upper bound for people."""
        return round(100 * self.high)


def coverage(cases: Sequence[Case], *, share: float) -> Coverage:
    """How often those promises were kept that should be in ``share`` of the cases."""
    which = SHARES.index(share)
    kept = sum(case.has_started and case.waited <= case.promised[which] for case in cases)
    return Coverage(len(cases), kept, *wilson(kept, of=len(cases)))


def wilson(kept: int, *, of: int) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % (Wilson, 1927); all is possible where nothing was seen."""
    if not of:
        return 0.0, 1.0
    share, z2 = kept / of, Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def factors(cases: Iterable[Case]) -> tuple[float, float]:
    """By how much forecasts of p50 and p90 are stretched, from the last cases; (1, 1) while there are few."""
    last = list(cases)[-REMEMBERED:]
    if len(last) < FEWEST_CASES:
        return 1.0, 1.0
    half, most = (_conformal([_score(case, which) for case in last], share) for which, share in enumerate(SHARES))
    return half, most


def _score(case: Case, which: int) -> float:
    return (case.waited + SLACK) / (case.forecast[which] + SLACK)


def _conformal(scores: list[float], share: float) -> float:
    """The quantile of the scores that covers one more, unseen, with ``share``."""
    rank = math.ceil((len(scores) + 1) * share)
    return sorted(scores)[min(rank, len(scores)) - 1]


def corrected(
    forecast: tuple[timedelta | None, timedelta | None], *, by: tuple[float, float], is_booked: bool
) -> tuple[timedelta | None, timedelta | None]:
    """The promise: each forecast stretched, p90 never before p50.

    ``is_booked``: a reservation begins or runs before the forecast, which may then not be drawn back to before it.
    """
    half, most = (
        _stretched(some, max(factor, 1.0) if is_booked else factor) for some, factor in zip(forecast, by, strict=True)
    )
    if half is None or most is None:
        return half, None
    return half, max(half, most)


def _stretched(forecast: timedelta | None, factor: float) -> timedelta | None:
    return None if forecast is None else max(timedelta(0), (forecast + SLACK) * factor - SLACK)
