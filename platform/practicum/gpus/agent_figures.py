"""What agents tell of themselves with each report: how many were taken and not, what is kept back, what was lost.

An agent is never called, so the site tells this for it at /metrics. Only the last word of each is kept, for as long as it
may be believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.core.cache import cache

from practicum.gpus.gauges import Gauge, Sample
from practicum.gpus.models import Server

HOLDS = timedelta(days=1)
MEANINGS = {
    "sent": "Reports that the site took, since the agent began",
    "refused": "Reports that the site did not take, since the agent began",
    "kept": "Looks that the agent keeps for a site that was away",
    "lost": "Looks that were dropped before they could be sent, since the agent began",
    "faults": "Looks at which the NVIDIA driver answered with an error, since the agent began",
    "uptime_seconds": "Since the agent began",
}


@dataclass(frozen=True)
class Figures:
    """One agent's own word. All but ``kept`` only grow while it runs."""

    sent: int
    refused: int
    kept: int
    lost: int
    faults: int
    uptime_seconds: float


def keep_figures(server: Server, *, figures: Figures) -> None:
    """This is the agent's last word."""
    cache.set(_key(server.pk), asdict(figures), timeout=HOLDS.total_seconds())


def agents(*, now: datetime) -> Iterable[Gauge]:
    """The last word of each agent, and how old it is; nothing of one that never spoke."""
    servers = list(Server.objects.filter(seen_at__isnull=False).values_list("pk", "name", "seen_at"))
    told: Mapping[str, Mapping[str, float]] = cache.get_many([_key(pk) for pk, *_ in servers])
    for figure, meaning in MEANINGS.items():
        samples: list[Sample] = [
            ((name,), float(told[_key(pk)][figure])) for pk, name, _ in servers if _key(pk) in told
        ]
        yield Gauge(f"practicum_agent_{figure}", meaning, ("server",), samples)
    ages: list[Sample] = [((name,), (now - seen).total_seconds()) for _, name, seen in servers if seen is not None]
    yield Gauge("practicum_agent_report_age_seconds", "Since the agent's last report", ("server",), ages)


def _key(server_id: int) -> str:
    return f"agent-figures-{server_id}"
