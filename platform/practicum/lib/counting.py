"""What the processes of the site count while they work: requests, tasks, evaluations, messages.

How things *stand* is read from the rows at each scrape; only what happens and leaves no row is counted here. Web processes
share their counts (``config/gunicorn.py``); a worker writes its own to a file every few seconds, which /metrics reads.
Units: seconds.
"""

from __future__ import annotations

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram

# When a counter began is said by none: Prometheus sees it begin anew.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()

REQUESTS = Histogram(
    "practicum_request_seconds", "Requests by the pattern of their address and their status",
    ("route", "status"), buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60), registry=REGISTRY,
)  # fmt: skip
UNKNOWN_FIELDS = Counter(
    "practicum_unknown_fields",
    "Requests that sent fields their form or API does not have",
    ("route",),
    registry=REGISTRY,
)
TASKS = Histogram(
    "practicum_task_seconds", "Rounds of the worker's tasks",
    ("task",), buckets=(0.01, 0.05, 0.1, 0.2, 0.5, 1, 5, 15, 60, 300), registry=REGISTRY,
)  # fmt: skip
TASK_FAILURES = Counter(
    "practicum_task_failures", "Rounds of the worker's tasks that failed", ("task",), registry=REGISTRY
)
RUNS_ENDED = Counter(
    "practicum_runs_ended",
    "Evaluations that ended, by outcome and whose fault it was",
    ("outcome", "fault"),
    registry=REGISTRY,
)
RUNS_RETRIED = Counter(
    "practicum_runs_retried", "Evaluations given back to the line by a fault of ours", registry=REGISTRY
)
SCORE_SECONDS = Histogram(
    "practicum_score_seconds", "From handing in to the score",
    buckets=(2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14400), registry=REGISTRY,
)  # fmt: skip
DELIVERIES = Counter(
    "practicum_deliveries", "Tries to send a notice, by way and outcome", ("channel", "outcome"), registry=REGISTRY
)
