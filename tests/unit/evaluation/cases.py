"""Simulated submissions and what is said of them, for the tests and for ``python -m tests.bench verdict``.

Scores are normal with the spread 1: the baseline's mean is 0, a submission's mean is its ``gain``.
"""

from __future__ import annotations

import random
from collections import Counter

from practicum.evaluation.verdicts import Verdict, judge

LUCK = 20


def retrained(random_: random.Random, *, seeds: int, gain: float) -> Verdict:
    """The platform trains it with its own seeds; which seed its author found lucky is void."""
    baseline = {seed: random_.gauss(0, 1) for seed in range(seeds)}
    values = {seed: random_.gauss(gain, 1) for seed in range(seeds)}
    return judge(values, baseline, higher_is_better=True, noise=0.5, is_retrained=True)


def handed_in(random_: random.Random, *, seeds: int, gain: float) -> Verdict:
    """The luckiest of ``LUCK`` trainings is handed in as it is, and nothing is trained anew."""
    baseline = {seed: random_.gauss(0, 1) for seed in range(seeds)}
    value = max(random_.gauss(gain, 1) for _ in range(LUCK))
    return judge({0: value}, baseline, higher_is_better=True, noise=0.5, is_retrained=False)


def fixed(random_: random.Random, *, seeds: int, gain: float) -> Verdict:
    """The platform trains it, but the code has the luckiest of ``LUCK`` seeds written into it and ignores its own."""
    baseline = {seed: random_.gauss(0, 1) for seed in range(seeds)}
    value = max(random_.gauss(gain, 1) for _ in range(LUCK))
    return judge(dict.fromkeys(baseline, value), baseline, higher_is_better=True, noise=0.5, is_retrained=True)


def bare(random_: random.Random, *, gain: float) -> bool:
    """What comparing two numbers says: the luckiest of ``LUCK`` trainings is above one training of the baseline."""
    return max(random_.gauss(gain, 1) for _ in range(LUCK)) > random_.gauss(0, 1)


def shares(case: object, *, cases: int, seeds: int, gain: float) -> dict[str, float]:
    """How often each outcome was said, as shares of the cases."""
    assert callable(case)
    random_ = random.Random(f"{case.__name__} {seeds} {gain}")
    said = Counter(case(random_, seeds=seeds, gain=gain).outcome for _ in range(cases))
    return {outcome: said[outcome] / cases for outcome in ("better", "not distinguishable", "worse")}
