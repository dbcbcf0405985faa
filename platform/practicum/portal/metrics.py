"""``/metrics`` for Prometheus: the text exposition format 0.0.4. How things stand is read from the rows at each scrape;
what web processes and workers counted meanwhile (``lib/counting.py``) is added up, so that whichever process is asked says
the same.

Without ``PRACTICUM_METRICS_TOKEN`` there is no such page. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from practicum.accounts.access import Unauthorized, bearer
from practicum.errors import NotFound
from practicum.evaluation.models import OPEN_RUN_STATES, Run
from practicum.gpus.agent_figures import agents
from practicum.gpus.gauges import Gauge, Sample, gauges
from practicum.lib import backups, counting
from practicum.lib.clock import utc_now
from practicum.lib.digest import same_secret
from practicum.portal.health import worker_seen_at
from practicum.workspaces.egress import alarms_since

COUNTS_FOLDER = "metrics"
# A worker writes each second; what is older is that of one that ended.
COUNTS_HOLD = timedelta(seconds=60)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """How the system stands, to whoever has the token."""
    if not settings.PRACTICUM_METRICS_TOKEN:
        raise NotFound
    if not same_secret(bearer(request), settings.PRACTICUM_METRICS_TOKEN):
        raise Unauthorized("This token opens nothing here.")
    return HttpResponse(exposition(now=utc_now()), content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def exposition(*, now: datetime) -> bytes:
    """All gauges and counts as text, in nine queries."""
    registry = CollectorRegistry(auto_describe=False)
    rows = (gauges(now=now), agents(now=now), runs(now=now), worker(now=now), egress(now=now), disk(), backup(now=now))
    registry.register(_Rows(list(chain.from_iterable(rows))))
    registry.register(_Counts(_here(), *_workers(now=now)))
    return generate_latest(registry)


def _here() -> Iterable[Metric]:
    """What the web processes counted: all of them together, or this one where there is only one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return list(counting.REGISTRY.collect())
    together = CollectorRegistry()
    multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return list(together.collect())


def _workers(*, now: datetime) -> Iterator[Iterable[Metric]]:
    """What each worker that is at work wrote down, with its name as a label."""
    for file in sorted((Path(settings.PRACTICUM_DATA_DIR) / COUNTS_FOLDER).glob("worker-*.prom")):
        try:
            written, text = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC), file.read_text()
        except OSError:  # forgotten meanwhile
            continue
        if now - written > COUNTS_HOLD:
            continue
        families = list(text_string_to_metric_families(text))
        for family in families:
            family.samples = [
                sample._replace(labels={**sample.labels, "worker": file.stem.removeprefix("worker-")})
                for sample in family.samples
            ]
        yield families


def runs(*, now: datetime) -> Iterable[Gauge]:
    """Evaluations by state, those that ended too, and how old the oldest is of those that did not."""
    rows = list(Run.objects.order_by("state").values_list("state").annotate(count=Count("pk"), oldest=Min("queued_at")))
    counts = [((state,), float(count)) for state, count, _ in rows]
    ages = [((state,), (now - oldest).total_seconds()) for state, _, oldest in rows if state in OPEN_RUN_STATES]
    yield Gauge("practicum_runs", "Evaluations by state", ("state",), counts)
    yield Gauge("practicum_run_oldest_seconds", "Since the oldest open evaluation was handed in", ("state",), ages)


def worker(*, now: datetime) -> Iterable[Gauge]:
    """The age of the worker's heartbeat; no sample before its first."""
    seen = worker_seen_at()
    samples: list[Sample] = [] if seen is None else [((), (now - seen).total_seconds())]
    yield Gauge("practicum_worker_heartbeat_age_seconds", "Since the worker's last sign of life", (), samples)


def egress(*, now: datetime) -> Iterable[Gauge]:
    """How often in the last hour a notebook asked the egress proxy too much."""
    alarms = float(alarms_since(now, within=timedelta(hours=1)))
    yield Gauge("practicum_egress_alarms", "Times in the last hour that a notebook asked too much", (), [((), alarms)])


def disk() -> Iterable[Gauge]:
    """Room on the disk of the site's files; no sample where it can't be looked at."""
    try:
        usage = shutil.disk_usage(settings.PRACTICUM_DATA_DIR)
    except OSError:
        return
    yield Gauge("practicum_disk_free_bytes", "Free on the disk of the site's files", (), [((), float(usage.free))])
    yield Gauge("practicum_disk_size_bytes", "Size of the disk of the site's files", (), [((), float(usage.total))])


def backup(*, now: datetime) -> Iterable[Gauge]:
    """The age of the last good backup, no sample before the first; and whether one is made each day, and failed last."""
    good, failed = backups.last_good(), backups.last_failed()
    ages: list[Sample] = [] if good is None else [((), (now - good.at).total_seconds())]
    is_daily = settings.PRACTICUM_BACKUPS.hour is not None
    yield Gauge("practicum_backup_age_seconds", "Since the last good backup was begun", (), ages)
    yield Gauge("practicum_backup_failed", "1 while the last backup failed", (), [((), float(failed is not None))])
    yield Gauge("practicum_backup_daily", "1 where the worker makes one each day", (), [((), float(is_daily))])


class _Counts(Collector):
    """Several processes' counts as one: each name once, with the samples of all."""

    def __init__(self, *told: Iterable[Metric]) -> None:
        self._families: dict[str, Metric] = {}
        for family in (family for families in told for family in families):
            known = self._families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            known.samples += family.samples

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._families.values()


class _Rows(Collector):
    """Hands over gauges that were read already."""

    def __init__(self, read: Iterable[Gauge]) -> None:
        self._read = list(read)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauges as the library wants them."""
        for gauge in self._read:
            family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=gauge.labels)
            for labels, value in gauge.samples:
                family.add_metric(labels, value)
            yield family
