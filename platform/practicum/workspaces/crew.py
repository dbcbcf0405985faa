"""Threads that talk to the hub and the engine, so that a slow one holds up nobody else.

A job has a key (a session, a lease). Per key one job runs at a time, and not more often than asked for. Faults of the
hub and the engine are expected: they are logged when they begin and when they are over, and the next round tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor
from weakref import WeakKeyDictionary

from django.db import DatabaseError, close_old_connections, connection

from practicum.errors import Fault, Refused
from practicum.lib.logcontext import about

log = logging.getLogger("practicum.sessions")

FORGET_SECONDS = 60.0


class Crew:
    """Jobs on ``executor``. The rows decide what is to be done; this only keeps it from being done twice at once."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._guard = threading.Lock()
        self._busy: set[Hashable] = set()
        self._ended: dict[Hashable, float] = {}
        self._faults: dict[type[Exception], str] = {}

    def give(
        self, key: Hashable, job: Callable[[], object], *, every: float = 0.0, ids: Mapping[str, object] | None = None
    ) -> bool:
        """Run ``job`` soon, unless one of this key runs, or ended less than ``every`` seconds ago. Its lines of the log
        carry ``ids``.
        """
        with self._guard:
            now = time.monotonic()
            if key in self._busy or now - self._ended.get(key, -FORGET_SECONDS) < every:
                return False
            self._busy.add(key)
            self._ended = {k: at for k, at in self._ended.items() if now - at < FORGET_SECONDS}
        self._executor.submit(self._run_about, key, job, ids or {})
        return True

    def _run_about(self, key: Hashable, job: Callable[[], object], ids: Mapping[str, object]) -> None:
        with about(**ids):
            self._run(key, job)

    def _run(self, key: Hashable, job: Callable[[], object]) -> None:
        try:
            job()
            self._say_well()
        except Refused as refusal:
            log.debug("%s: somebody else was first: %s", key, refusal)
        except (Fault, DatabaseError) as fault:
            self._say(fault)
        except Exception:
            log.exception("a job on %s failed; the next round tries again", key)
        finally:
            _rest_connections()
            with self._guard:
                self._busy.discard(key)
                self._ended[key] = time.monotonic()

    def _say(self, fault: Exception) -> None:
        with self._guard:
            is_new = self._faults.get(type(fault)) is None
            self._faults[type(fault)] = str(fault)
        if is_new:
            log.warning("%s", fault)

    def _say_well(self) -> None:
        with self._guard:
            over, self._faults = self._faults, {}
        for message in over.values():
            log.warning("works again, after: %s", message)


def _rest_connections() -> None:
    """Give up what the database has closed; an executor that runs jobs inside a transaction keeps its connection."""
    if not connection.in_atomic_block:
        close_old_connections()


_crews: WeakKeyDictionary[Executor, Crew] = WeakKeyDictionary()


def crew_on(executor: Executor) -> Crew:
    """The one crew of an executor."""
    return _crews.setdefault(executor, Crew(executor))
