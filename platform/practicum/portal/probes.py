"""Two questions a supervisor asks of a web process. *Live*: does it answer at all? Where not, starting it anew helps. *Ready*:
may people be sent to it? Where not, waiting helps: the database is away, or its migrations are still to be applied.

Worker and hub are told beside it and decide nothing: pages work without them, and taking them from people would mend nobody.
Anybody may ask; there are no names, versions or addresses in the answers.
"""

from __future__ import annotations

import time

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from practicum.lib.clock import utc_now
from practicum.portal import health

NOT_KEPT = {"Cache-Control": "no-store"}
# Whoever asks often must not make us ask the hub as often.
HUB_HOLDS_SECONDS = 5.0

_is_migrated = False
_hub: tuple[float, bool] = (float("-inf"), False)


@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """This process answers; nothing else is looked at."""
    return JsonResponse({"status": "ok"}, headers=NOT_KEPT)


@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """200 where people may be sent here, else 503."""
    database = health.database_answers()
    migrated = database and is_migrated()
    facts = {
        "database": _word(database),
        "migrations": _word(migrated),
        "worker": _word(health.is_at_work(health.worker_seen_at(), now=utc_now())),
        "hub": _word(hub_answers(at=time.monotonic())),
    }
    return JsonResponse({"status": _word(migrated), **facts}, status=200 if migrated else 503, headers=NOT_KEPT)


def is_migrated() -> bool:
    """Every migration of this code is applied. Once so, it stays so for as long as this code runs."""
    global _is_migrated
    if not _is_migrated:
        try:
            executor = MigrationExecutor(connection)
            _is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError:
            return False
    return _is_migrated


def hub_answers(*, at: float) -> bool:
    """The hub's last answer, not older than a few seconds."""
    global _hub
    if at - _hub[0] > HUB_HOLDS_SECONDS:
        _hub = at, health.hub_answers()
    return _hub[1]


def _word(is_well: bool) -> str:
    return "ok" if is_well else "failing"
