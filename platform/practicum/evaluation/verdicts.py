"""Better than the baseline, worse, or not distinguishable: which test says so, and how sure it is. Pure.

Three situations, three tests (how they were chosen, and what they reach, is in docs/evaluation.md):

* both were trained by the platform with the same seeds: the *paired t-test* on the differences seed by seed;
* one trained artifact against a baseline that was trained with several seeds: the *single-case test*, which asks whether
  the value could be one more draw of the baseline. Who hands in one artifact may hand in the luckiest of many, so its p
  is multiplied as if it were the best of ``TRIES``;
* one value against one value, or seeds that change nothing on either side: the difference against the *noise* that the
  project records for its metric.

Words: a *seed* starts a training; values are by seed; *spread* is the standard deviation over seeds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

Outcome = Literal["better", "worse", "not distinguishable"]

# Two-sided. "Better" is said at p < 0.01 on its own side, the bar of the speed-run records of small language models
# (github.com/KellerJordan/modded-nanogpt, README). At 0.05 a copy of the baseline would be told apart in 1 of 20 cases.
LEVEL = 0.02
TRIES = 20
LEAST_SEEDS = 3
# A spread below this share of the baseline's: the code did not use its seed, so its values are one value told often.
HARDLY = 0.1
CONTINUED = 300
EXACT = 1e-15
TINY = 1e-300


@dataclass(frozen=True)
class Method:
    """A test by its name, and where it is described."""

    name: str
    source: str
    url: str


PAIRED = Method(
    name="paired t-test over seeds",
    source="Student, The probable error of a mean, Biometrika 6, 1908",
    url="https://doi.org/10.1093/biomet/6.1.1",
)
SINGLE = Method(
    name="single-case t-test against the baseline's seeds",
    source="Crawford and Howell, The Clinical Neuropsychologist 12, 1998; p times 20 (Bonferroni) for the luckiest of 20",
    url="https://doi.org/10.1076/clin.12.4.482.7241",
)
NOISE = Method(
    name="normal test with the metric's recorded noise",
    source="standard error of a difference of two scores, each with the noise that project.toml records",
    url="https://www.itl.nist.gov/div898/handbook/prc/section3/prc31.htm",
)


@dataclass(frozen=True)
class Summary:
    """The mean of one or more values. With several: its interval (at ``1 - LEVEL``) and the spread of the values."""

    value: float
    count: int
    low: float | None = None
    high: float | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What is said of a score. ``difference`` is the score less the baseline, ``low`` to ``high`` its interval.

    ``values`` is how many went into it on the side that has more; ``is_small``: it is surely a difference, but under the
    one that the project calls one; ``ignores_seed``: the seeds hardly changed the score, so it counts as one value.
    """

    outcome: Outcome
    difference: float
    low: float
    high: float
    p: float
    method: Method
    values: int
    is_small: bool = False
    ignores_seed: bool = False


def summary_of(values: Sequence[float]) -> Summary:
    """The mean with its interval by Student's t; of a single value only the value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Summary(value=mean, count=len(values))
    spread = statistics.stdev(values)
    half = t_quantile(1 - LEVEL / 2, freedom=len(values) - 1) * spread / math.sqrt(len(values))
    return Summary(value=mean, count=len(values), low=mean - half, high=mean + half, spread=spread)


def judge(
    values: Mapping[int, float],
    baseline: Mapping[int, float],
    *,
    higher_is_better: bool,
    noise: float,
    is_retrained: bool,
    smallest: float = 0.0,
) -> Verdict:
    """What the values of a submission say beside those of the baseline, both by seed; neither may be empty.

    ``is_retrained``: the platform trained the submission once for each seed. ``smallest``: the least difference that the
    project calls one; below it nothing is better or worse.
    """
    both = sorted(values.keys() & baseline.keys())
    is_paired = is_retrained and len(both) >= LEAST_SEEDS
    ignores_seed = is_paired and _ignores_seed(values, baseline)
    if len(baseline) < LEAST_SEEDS:
        verdict = _by_noise(values, baseline, noise=noise)
    elif is_paired and not ignores_seed and (_has_spread(values) or _has_spread(baseline)):
        verdict = _paired([values[seed] - baseline[seed] for seed in both])
    elif _has_spread(baseline):
        verdict = _single(statistics.fmean(values.values()), list(baseline.values()), ignores_seed=ignores_seed)
    else:
        verdict = _by_noise(values, baseline, noise=noise)
    return _named(verdict, higher_is_better=higher_is_better, smallest=smallest)


def _has_spread(values: Mapping[int, float]) -> bool:
    return len(set(values.values())) > 1


def _ignores_seed(values: Mapping[int, float], baseline: Mapping[int, float]) -> bool:
    spread, usual = statistics.stdev(values.values()), statistics.stdev(baseline.values())
    return spread < HARDLY * usual


def _paired(differences: Sequence[float]) -> Verdict:
    """Whether the mean of the differences is other than 0."""
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    return _student(
        statistics.fmean(differences),
        error=error,
        freedom=len(differences) - 1,
        method=PAIRED,
        values=len(differences),
    )


def _single(value: float, baseline: Sequence[float], *, ignores_seed: bool) -> Verdict:
    """Whether one value is other than a draw of what the baseline's values are draws of."""
    count = len(baseline)
    error = statistics.stdev(baseline) * math.sqrt((count + 1) / count)
    return _student(
        value - statistics.fmean(baseline),
        error=error,
        freedom=count - 1,
        method=SINGLE,
        values=count,
        tries=TRIES,
        ignores_seed=ignores_seed,
    )


def _student(
    difference: float,
    *,
    error: float,
    freedom: int,
    method: Method,
    values: int,
    tries: int = 1,
    ignores_seed: bool = False,
) -> Verdict:
    half = t_quantile(1 - LEVEL / tries / 2, freedom=freedom) * error
    p = t_two_sided(difference / error, freedom=freedom) if error else float(difference == 0)
    return Verdict(
        outcome="not distinguishable",
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=min(1.0, tries * p),
        method=method,
        values=values,
        ignores_seed=ignores_seed,
    )


def _by_noise(values: Mapping[int, float], baseline: Mapping[int, float], *, noise: float) -> Verdict:
    """Whether a difference is more than two scores with that noise differ by; both have it, so it counts twice."""
    difference = statistics.fmean(values.values()) - statistics.fmean(baseline.values())
    error, normal = noise * math.sqrt(2), statistics.NormalDist()
    half = normal.inv_cdf(1 - LEVEL / 2) * error
    p = 2 * normal.cdf(-abs(difference) / error) if error else float(difference == 0)
    return Verdict(
        outcome="not distinguishable",
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=p,
        method=NOISE,
        values=len(values),
    )


def _named(verdict: Verdict, *, higher_is_better: bool, smallest: float) -> Verdict:
    """The verdict with its outcome by what is known of the difference."""
    if verdict.p >= LEVEL:
        return verdict
    if abs(verdict.difference) < smallest:
        return replace(verdict, is_small=True)
    return replace(verdict, outcome="better" if (verdict.difference > 0) == higher_is_better else "worse")


def t_two_sided(t: float, *, freedom: int) -> float:
    """The probability of a |t| at least this large, by Student's distribution (DLMF 8.17, Abramowitz and Stegun 26.7.1)."""
    return incomplete_beta(freedom / (freedom + t * t), a=freedom / 2, b=0.5)


@cache
def t_quantile(probability: float, *, freedom: int) -> float:
    """The t below which that much of Student's distribution lies; ``probability`` from one half up, below 1."""
    tail, low, high = 2 * (1 - probability), 0.0, 1.0
    while t_two_sided(high, freedom=freedom) > tail:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_two_sided(middle, freedom=freedom) > tail else (low, middle)
    return (low + high) / 2


def incomplete_beta(x: float, *, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b) for 0 <= x <= 1, by its continued fraction (DLMF 8.17.22).

    The fraction is evaluated by Lentz's method as Thompson and Barnett changed it (Press and others, Numerical Recipes,
    5.2 and 6.4); it is quick where x < (a + 1) / (a + b + 2), and the other side is found by symmetry (DLMF 8.17.4).
    """
    if x <= 0 or x >= 1:
        return min(1.0, max(0.0, x))
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, a=b, b=a)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    return front * _fraction(x, a=a, b=b) / a


def _fraction(x: float, *, a: float, b: float) -> float:
    """1 / (1 + d1 / (1 + d2 / (1 + …))) with the d of DLMF 8.17.23."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, CONTINUED):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / _not_zero(1 + step * d)
            c = _not_zero(1 + step / c)
            value *= c * d
        if abs(c * d - 1) < EXACT:
            return value
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
