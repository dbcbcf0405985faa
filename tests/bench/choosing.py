"""The demand on which the policy's times are chosen: none of it is in the tables of ``tests.bench.replay``.

Notebooks: the first ten days, with people dealt into cohorts in other ways, on so few GPUs that they wait. Batch work: five
other samples of the trace's jobs. Both: the first ten days of both. For each kind the mean of each figure of ours over
that of ``kueue-like``; below 1 is better but for ``held`` and ``worst share``. The defaults were taken from what was tried
(``aged`` 2 to 12 hours, ``patience`` 2 to 12 hours, its first to third power, ``overdue`` 24 hours to never, ``idle_grace`` 15 to
30 minutes) because they are no worse than ``kueue-like`` in most figures of all three kinds.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import timedelta

from practicum.gpus.metrics import Report
from practicum.gpus.replay import Scenario, replay
from tests.bench.replay import ALL, COLUMNS, MINUTE, OURS, PEER, equal_quotas, slots_of, together
from tests.bench.report import heading
from tests.bench.traces import ORIGIN, batch, notebooks

ENDS = ORIGIN + timedelta(days=10)
COMPARED = ("held", "mean min", "p95", "p99", "max h", "worst cohort p95", "worst share", "preempt", "interr./month")


def people(deal: str, gpus: int) -> Scenario:
    """Notebooks alone."""
    jobs = [job for job in notebooks(deal=deal) if job.submitted_at < ENDS]
    return Scenario(jobs, slots_of(gpus), equal_quotas(gpus), idle_after=30 * MINUTE, until=ENDS)


def work(skip: float) -> Scenario:
    """Batch work alone."""
    return Scenario(batch(load=0.9, gpus=64, skip=skip), slots_of(64), equal_quotas(64))


def both(deal: str, skip: float, gpus: int) -> Scenario:
    """Notebooks and batch work."""
    jobs = together(notebooks(deal=deal), batch(load=0.33, gpus=96, skip=skip), until=ENDS)
    return Scenario(jobs, slots_of(gpus), equal_quotas(gpus), idle_after=30 * MINUTE, until=ENDS)


def kinds() -> Mapping[str, Sequence[Scenario]]:
    """All of it."""
    return {
        "notebooks": [people("x", 48), people("y", 48), people("z", 40)],
        "batch": [work(skip) for skip in (0.2, 0.35, 0.5, 0.65, 0.8)],
        "both": [both("x", 0.2, 80), both("y", 0.5, 72)],
    }


def ratio(ours: Report, peer: Report, name: str) -> float:
    """Of one figure."""
    read = next(read for column, read, *_ in COLUMNS if column == name)
    return (read(ours) + 1e-9) / (read(peer) + 1e-9)


def main() -> bool:
    """One line a kind of demand; no limit is set on what is chosen from."""
    heading("Choosing: ours over kueue-like, on demand that is in no other table")
    print("| demand | " + " | ".join(COMPARED) + " |\n|---|" + "---|" * len(COMPARED))
    for kind, scenarios in kinds().items():
        pairs = [(replay(one, policy=ALL[OURS]), replay(one, policy=ALL[PEER])) for one in scenarios]
        means = [statistics.mean(ratio(ours, peer, name) for ours, peer in pairs) for name in COMPARED]
        print(f"| {kind} | {' | '.join(f'{mean:.3f}' for mean in means)} |", flush=True)
    return True
