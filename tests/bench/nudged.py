"""Which columns of the replay are won by the rule and which by the trace: the same demand, nudged.

One replay is one draw. A job that comes minutes later changes who waits behind whom for weeks, so that longest waits and
high percentiles move by percents from nothing. Here every job of a workload comes up to ten minutes later, at random, twenty
times; each time both policies see the same jobs. Printed is ours over ``kueue-like``, by column: the mean of the twenty ratios
with its 95 % interval (Student's t, paired), and whether they can be told apart.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from practicum.evaluation.verdicts import t_quantile
from practicum.gpus.replay import Scenario, replay
from tests.bench.replay import ALL, COLUMNS, OURS, PEER, a_notebooks, b_batch
from tests.bench.report import heading

TIMES, LATER_MINUTES = 20, 10.0
COMPARED = ("mean min", "p95", "p99", "max h", "worst cohort p95", "worst share", "preempt", "interr./month")


def nudged(scenario: Scenario) -> Iterator[Scenario]:
    """The scenario with every job somewhat later, so many times."""
    for seed in range(TIMES):
        chance = random.Random(seed)
        jobs = [
            replace(job, submitted_at=job.submitted_at + timedelta(minutes=chance.uniform(0, LATER_MINUTES)))
            for job in scenario.jobs
        ]
        yield replace(scenario, jobs=sorted(jobs, key=lambda job: (job.submitted_at, job.id)))


def interval(ratios: list[float]) -> tuple[float, float]:
    """Their mean, and how far it may be off at 95 %."""
    quantile = t_quantile(0.975, freedom=len(ratios) - 1)
    return statistics.mean(ratios), quantile * statistics.stdev(ratios) / len(ratios) ** 0.5


def said(mean: float, off: float, *, less_is_better: bool) -> str:
    """Whether ours is better, in words."""
    if mean - off <= 1 <= mean + off:
        return "not told apart"
    return "better" if (mean < 1) == less_is_better else "worse"


def compare(title: str, scenario: Scenario) -> None:
    """One table."""
    pairs = [(replay(one, policy=ALL[OURS]), replay(one, policy=ALL[PEER])) for one in nudged(scenario)]
    print(f"\n{title}, {TIMES} times\n| column | ours | {PEER} | ours over it | |\n|---|---|---|---|---|")
    for name, read, form, less_is_better, _ in COLUMNS:
        if name in COMPARED:
            ours, peer = ([read(pair[side]) for pair in pairs] for side in (0, 1))
            ratios = [(one + 1e-9) / (other + 1e-9) for one, other in zip(ours, peer, strict=True)]
            mean, off = interval(ratios)
            values = f"{form.format(statistics.mean(ours))} | {form.format(statistics.mean(peer))}"
            told = said(mean, off, less_is_better=less_is_better)
            print(f"| {name} | {values} | {mean:.3f} ± {off:.3f} | {told} |", flush=True)


def main() -> bool:
    """Both tables; no limit is set on them."""
    heading("Nudged: the same demand, every job up to ten minutes later")
    compare("A, notebooks on 64 GPUs", a_notebooks(64))
    compare("B, batch work at 0.90 on 64 GPUs", b_batch(0.90))
    return True
