"""What the worker does for this room, again and again.

Nothing is kept between calls: a killed worker's successor goes on from the rows. A claim holds for 45 s without a sign
of life; then any worker gives the run back to the line and clears away its containers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from django.conf import settings

from practicum.engine import (
    LABEL_INSTANCE,
    LABEL_KIND,
    LABEL_RUN,
    LABEL_TOKEN,
    Container,
    Engine,
    Labels,
    Volume,
)
from practicum.engine.nodes import ask_all
from practicum.evaluation import claims, runner, slots
from practicum.evaluation.models import Run, RunState
from practicum.evaluation.outages import is_settling
from practicum.lib.clock import utc_now
from practicum.submissions import store

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
KINDS = (runner.PREDICT, runner.SCORE)


def claim_and_run(now: datetime, *, engine: Engine, worker_name: str, clock: Clock = utc_now) -> bool:
    """Evaluate the run that waited longest; False when there was none.

    Raises:
        EngineUnavailable: the engine does not answer; runs stay in line, and their tries are not counted.
    """
    if is_settling():
        return False
    claims.expire(now=now)
    if not Run.objects.filter(state=RunState.QUEUED).exists():
        return False
    engine.ping()  # this machine's: most runs are for it, and one for another server that is away is given back
    run = claims.claim_next(worker=worker_name, now=now)
    if run is None:
        return False
    runner.evaluate(run, engine=engine, clock=clock)
    return True


def reconcile(now: datetime, *, engine: Engine) -> None:
    """Make rows and containers agree again, whatever was killed in between.

    Raises:
        EngineError: the engine can't be asked; the rows are in order all the same.
    """
    for run_id in () if is_settling() else claims.expire(now=now):
        log.warning("run %s was given back or given up: its worker fell silent or its time was over", run_id)
    store.sweep_staging(now=now)
    clear_away(engine=engine)
    slots.settle(engine=engine, now=now)


def clear_away(*, engine: Engine) -> int:
    """Remove containers and volumes of runs that do not run with that token (any more); returns how many.

    The engines are asked before the rows: what is found belongs to a claim that the rows know of.
    """
    survey = ask_all(engine, _found)
    running = set(Run.objects.filter(state=RunState.RUNNING).values_list("pk", "token"))
    removed = 0
    for server, (containers, volumes) in survey.answers.items():
        stray = [container for container in containers if _claim_of(container.labels) not in running]
        left = [volume for volume in volumes if _claim_of(volume.labels) not in running]
        _remove(stray, left, engine=engine.at(server))
        removed += len(stray) + len(left)
    if removed:
        log.warning("cleared away %d containers and volumes of runs that are over", removed)
    survey.check()
    return removed


def _found(engine: Engine) -> tuple[list[Container], list[Volume]]:
    """What one engine has of runs."""
    mine = {LABEL_INSTANCE: settings.PRACTICUM_INSTANCE}
    containers = [c for kind in KINDS for c in engine.list(mine | {LABEL_KIND: kind})]
    return containers, [v for kind in KINDS for v in engine.list_volumes(mine | {LABEL_KIND: kind})]


def _remove(containers: Iterable[Container], volumes: Iterable[Volume], *, engine: Engine) -> None:
    for container in containers:
        engine.stop(container.id)
        engine.remove(container.id)
    for volume in volumes:
        engine.remove_volume(volume.name)


def _claim_of(labels: Labels) -> tuple[int, int]:
    run, token = labels.get(LABEL_RUN, ""), labels.get(LABEL_TOKEN, "")
    return (int(run), int(token)) if run.isdigit() and token.isdigit() else (0, 0)
