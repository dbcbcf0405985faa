"""Demand from the public traces, as jobs for the replay. ``PRACTICUM_TRACES`` names the folder with them.

Batch work is Microsoft's (elasticflow-traces, MIT licence), notebooks are Adobe's through NotebookOS (ASPLOS'26).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
import sys
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from practicum.gpus.replay import Job

ORIGIN = datetime(2026, 1, 5, tzinfo=UTC)
POOL = 1
COHORTS = 8
NOTEBOOK_DAYS = 30
BATCH_DAYS = 59.9
LONGEST_SECONDS = 24 * 3600
CLUSTERS = ("cluster02", "cluster03", "cluster04", "cluster05", "cluster06", "cluster07", "cluster08", "cluster09")


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of one trace; says what to set where there are none."""
    folder = os.environ.get("PRACTICUM_TRACES", "")
    path = Path(folder) / f"{name}.csv.gz"
    if not folder or not path.exists():
        sys.exit(
            f"The trace {name}.csv.gz is not there. Set PRACTICUM_TRACES to the folder that holds ms_itp.csv.gz and "
            "adobe_bursts.csv.gz (columns submit_s, duration_s, gpus, user, group), and run this again."
        )
    with gzip.open(path, "rt", newline="") as lines:
        return list(csv.DictReader(lines))


def share_of(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return zlib.crc32(text.encode()) / 2**32


def notebooks(*, deal: str = "") -> list[Job]:
    """456 people in 8 cohorts, one GPU each: their bursts of work and the pauses between, for 30 days.

    Another ``deal`` puts them into other cohorts.
    """
    bursts: dict[str, list[tuple[int, int]]] = {}
    for row in rows_of("adobe_bursts"):
        bursts.setdefault(row["user"], []).append((int(row["submit_s"]), int(row["duration_s"])))
    jobs = []
    for number, (user, spans) in enumerate(sorted(bursts.items())):
        spans.sort()
        steps, end = [], spans[0][0]
        for begin, seconds in spans:
            steps.append((timedelta(seconds=max(0, begin - end)), timedelta(seconds=max(60, seconds))))
            end = max(end, begin) + max(60, seconds)
        jobs.append(
            Job(
                id=number,
                user=number,
                cohort=_cohort_of(user, deal=deal),
                pool=POOL,
                submitted_at=ORIGIN + timedelta(seconds=spans[0][0]),
                bursts=tuple(steps),
            )
        )
    return jobs


def _cohort_of(user: str, *, deal: str) -> int:
    """By a hash of the name. Of another deal a CRC would only number the same groups anew."""
    if deal:
        return hashlib.sha256(f"{deal}{user}".encode()).digest()[0] % COHORTS
    return zlib.crc32(user.encode()) % COHORTS


def batch(*, load: float, gpus: int, skip: float = 0.0) -> list[Job]:
    """Jobs of up to 8 GPUs of eight clusters, cut at 24 hours, thinned by a hash until they offer ``load`` on ``gpus``.

    Those whose hash is below ``skip`` come last: with enough of it there is another sample of the trace.
    """
    rows = [row for row in rows_of("ms_itp") if row["group"] in CLUSTERS and int(row["gpus"]) <= 8]
    wanted, offered = load * gpus * BATCH_DAYS * 24, 0.0
    jobs: list[Job] = []

    def turn(number: int) -> float:
        return (share_of(f"{number}:{rows[number]['submit_s']}") - skip) % 1

    for number in sorted(range(len(rows)), key=turn):
        row = rows[number]
        seconds, size = min(int(row["duration_s"]), LONGEST_SECONDS), int(row["gpus"])
        if offered >= wanted:
            break
        if not seconds or not size:
            continue
        offered += seconds * size / 3600
        cohort = CLUSTERS.index(row["group"])
        jobs.append(
            Job(
                id=number,
                user=cohort,
                cohort=cohort,
                pool=POOL,
                submitted_at=ORIGIN + timedelta(seconds=int(row["submit_s"])),
                bursts=((timedelta(0), timedelta(seconds=seconds)),),
                size=size,
                purpose="batch",
                expected=timedelta(days=3650),
            )
        )
    return sorted(jobs, key=lambda job: (job.submitted_at, job.id))
