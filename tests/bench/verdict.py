"""How often the verdict is right, by the number of seeds, beside what comparing two bare scores would say.

A *lucky copy* is the baseline, of which a person trained 20 and handed in the best. A *gain* is a true improvement by two
standard deviations of the baseline over seeds. Shares of 2,000 simulated cases; the limit is the issue's: of 200 lucky
copies no more than 5 % may be told apart, and 80 % of the gains must be found with the seeds we recommend.
"""

from __future__ import annotations

import random

from tests.bench.report import heading, verdict
from tests.unit.evaluation import cases

SEEDS = (3, 5, 8, 10)
RECOMMENDED = 10
CASES, JUDGED = 2000, 200
GAIN = 2.0


def main() -> bool:
    """Print the table; whether both limits hold."""
    heading("verdict: lucky copies of the baseline and true gains of two standard deviations")
    print(f"{'':34}" + "".join(f"{f'k = {seeds}':>9}" for seeds in SEEDS))
    rows = (
        ("trained anew: copy told apart", cases.retrained, 0.0, True),
        ("trained anew: gain found", cases.retrained, GAIN, False),
        ("its seed written in: told apart", cases.fixed, 0.0, True),
        ("as handed in: copy told apart", cases.handed_in, 0.0, True),
        ("as handed in: gain found", cases.handed_in, GAIN, False),
    )
    for name, case, gain, told_apart in rows:
        found = [cases.shares(case, cases=CASES, seeds=seeds, gain=gain) for seeds in SEEDS]
        figures = [1 - one["not distinguishable"] if told_apart else one["better"] for one in found]
        print(f"{name:34}" + "".join(f"{figure:9.3f}" for figure in figures))
    random_ = random.Random("bare")
    bare = sum(cases.bare(random_, gain=0.0) for _ in range(CASES)) / CASES
    print(f"two bare scores compared: a lucky copy is called better in {bare:.3f}")
    apart = [
        1 - cases.shares(case, cases=JUDGED, seeds=seeds, gain=0.0)["not distinguishable"]
        for case in (cases.retrained, cases.fixed, cases.handed_in)
        for seeds in SEEDS
    ]
    missed = 1 - cases.shares(cases.retrained, cases=JUDGED, seeds=RECOMMENDED, gain=GAIN)["better"]
    print(
        f"of {JUDGED}: at most {max(apart):.3f} of the copies told apart; {missed:.3f} of the gains missed, k = {RECOMMENDED}"
    )
    held = verdict("copies told apart / 0.05", max(apart) / 0.05, limit=1.0)
    held &= verdict(f"gains missed / 0.20, k = {RECOMMENDED}", missed / 0.20, limit=1.0)
    return held & verdict("copies told apart / by bare scores", max(apart) / bare, limit=0.1)
