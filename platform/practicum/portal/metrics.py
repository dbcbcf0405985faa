"""``/metrics`` for Prometheus: the text exposition format 0.0.4, made from the rows at each scrape.

Without ``PRACTICUM_METRICS_TOKEN`` there is no such page. There is nothing to count between scrapes, so that any
number of web processes say the same. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from practicum.accounts.access import Unauthorized, bearer
from practicum.errors import NotFound
from practicum.evaluation.models import OPEN_RUN_STATES, Run
from practicum.gpus.gauges import Gauge, Sample, gauges
from practicum.lib import backups
from practicum.lib.clock import utc_now
from practicum.lib.digest import same_secret
from practicum.portal.health import worker_seen_at
from practicum.workspaces.egress import alarms_since

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
    """All gauges as text, in eight queries."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(
        _Rows([*gauges(now=now), *runs(now=now), *worker(now=now), *egress(now=now), *disk(), *backup(now=now)])
    )
    return generate_latest(registry)


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
