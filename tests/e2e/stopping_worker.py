"""The worker, stopped at an exact moment of a run: ``python -m tests.e2e.stopping_worker [options of manage.py worker]``.

The first try of a run stops at the moment that its intern is named after (``web-after-exit``), for as long as a file of that
name is in the folder ``PRACTICUM_TEST_HOLD``; ``<name>.reached`` beside it says that it has. Functions of the product are
wrapped here; nothing in the product knows of this. Only waits are shortened: it reconciles every second, and tries again
after one.

With ``PRACTICUM_TEST_BROKEN`` it looks at no fencing token, which the tests must see.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

POLL_SECONDS = 0.02
WAIT = timedelta(seconds=1)
HERE = threading.local()


def stop_at(moment: str) -> None:
    """Wait here if the run of this thread is to be stopped at ``moment``."""
    name = getattr(HERE, "name", "")
    held = Path(os.environ["PRACTICUM_TEST_HOLD"]) / name
    reached = held.with_suffix(".reached")
    if name.endswith(moment) and held.is_file() and not reached.exists():
        reached.touch()
        while held.is_file():
            time.sleep(POLL_SECONDS)


def wrapped(real: Callable[..., Any], *, moment: str) -> Callable[..., Any]:
    """``real``, after which runs stop at ``moment``."""

    def call(*args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        stop_at(moment)
        return result

    return call


def wrap() -> None:
    """Wrap what a run goes through, and shorten the waits."""
    from docker.models.containers import Container

    from practicum.config.management.commands import worker
    from practicum.engine.docker import DockerEngine
    from practicum.evaluation import claims, rules, telling
    from practicum.evaluation.models import Run

    claim_next, start, finish = claims.claim_next, Container.start, claims.finish

    def claim(**facts: Any) -> Run | None:
        run = claim_next(**facts)
        internship = run.submission.internship if run else None
        HERE.name = internship.intern.username if internship else ""
        stop_at("after-claim")
        return run

    def start_untrusted(container: Container, **options: Any) -> None:
        is_untrusted = container.labels["org.practicum.kind"] == "predict"
        if is_untrusted:
            stop_at("after-create")
        start(container, **options)
        if is_untrusted:
            stop_at("after-start")

    def finish_late(*args: Any, **facts: Any) -> Run:
        stop_at("comes-late")
        return finish(*args, **facts)

    claims.claim_next = claim
    Container.start = start_untrusted
    DockerEngine.wait = wrapped(DockerEngine.wait, moment="after-exit")  # type: ignore[method-assign]
    telling.ended = wrapped(telling.ended, moment="before-commit")
    claims.finish = wrapped(finish_late, moment="after-commit")
    worker.RECONCILE_SECONDS = WAIT.total_seconds()
    rules.RETRY_AFTER, rules.ENGINE_AWAY_RETRY = (WAIT, WAIT, WAIT), WAIT
    if os.environ.get("PRACTICUM_TEST_BROKEN"):
        claims._rows = lambda claim, *, state: Run.objects.filter(pk=claim.run_id)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "practicum.config.settings"
    django.setup()
    wrap()
    from django.core.management import call_command

    call_command("worker", *sys.argv[1:])
