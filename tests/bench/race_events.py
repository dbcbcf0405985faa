"""One random thing that happens while the allocators race: what people, their notebooks, servers and admins do.

A client acts on what it saw up to ``SEEN`` events ago, as hub and browsers do: much of it is refused, and that is part of it.
Its clock is its own and jumps, too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

SEEN, MOST_QUEUED = 40, 100
SERVERS = ("alpha", "beta", "gamma")
MINUTE = timedelta(minutes=1)


class Client:
    """Does random things through the services; ``clock`` says what time it takes it to be."""

    def __init__(self, *, seed: int, clock: Callable[[], datetime]) -> None:
        from practicum.accounts.models import User
        from practicum.gpus.models import Pool
        from practicum.internships.models import Cohort

        self.chance, self.clock = random.Random(seed), clock
        self.people = list(User.objects.filter(role="intern").order_by("pk"))
        self.admin = User.objects.get(role="admin")
        self.cohorts, self.pool = list(Cohort.objects.order_by("pk")), Pool.objects.get()
        self.queued: list[tuple[Any, ...]] = []
        self.live: list[tuple[Any, ...]] = []
        self.age = SEEN

    def happen(self) -> str:
        """One event; its name, also where it was refused."""
        from practicum.errors import Refused

        name, act = self._choose()
        with suppress(Refused):
            act(self.clock())
        return name

    def _choose(self) -> tuple[str, Callable[[datetime], object]]:
        self._look()
        kind = self.chance.random()
        if kind < 0.0001:
            return "quota edit", self._edit_quota
        if kind < 0.002:
            return "server down or up", self._turn_server
        if not self.live or (kind < 0.09 and len(self.queued) < MOST_QUEUED):
            return "submit", self._submit
        if self.queued and kind < 0.11:
            return "cancel", self._cancel
        return self._move(*self.chance.choice(self.live))

    def _look(self) -> None:
        from practicum.gpus.models import OPEN_STATES, Lease

        self.age += 1
        if self.age > SEEN:
            rows = Lease.objects.filter(state__in=OPEN_STATES).order_by().values_list("pk", "token", "state")
            self.queued, self.live, self.age = [], [], 0
            for row in rows:
                (self.queued if row[2] == "queued" else self.live).append(row)

    def _submit(self, now: datetime) -> None:
        from practicum.gpus import services

        n, minutes = self.chance.randrange(len(self.people)), self.chance.randint(1, 120)
        purpose: Any = "evaluation" if self.chance.random() < 0.3 else "session"
        cohort = self.cohorts[n % len(self.cohorts)]
        services.request_lease(self.people[n], cohort=cohort, purpose=purpose, duration=minutes * MINUTE, now=now)

    def _cancel(self, now: datetime) -> None:
        from practicum.gpus import services

        lease, token, _ = self.chance.choice(self.queued)
        services.cancel_lease(lease, token=token, reason="left", actor=None, now=now)

    def _move(self, lease: Any, token: int, state: str) -> tuple[str, Callable[[datetime], object]]:
        """What can happen to a live lease in this state; most often a sign of life."""
        from practicum.gpus import services

        dice = self.chance.random()
        if state == "draining":
            gone = dice < 0.95
            return "release", lambda now: services.release_lease(lease, token=token, observed_gone=gone, now=now)
        if state == "granted" and dice < 0.7:
            return "start", lambda now: services.activate_lease(lease, token=token, now=now)
        if dice < 0.08:
            return "stop", lambda now: services.drain_lease(lease, token=token, reason="done", actor=None, now=now)
        if dice < 0.6:
            return "heartbeat", lambda now: services.touch_lease(lease, token=token, now=now)
        if dice < 0.8:
            since = self.chance.randint(0, 60) * MINUTE
            return "idle", lambda now: services.touch_lease(lease, token=token, now=now, idle_since=now - since)
        return "busy", lambda now: services.touch_lease(lease, token=token, now=now)

    def _turn_server(self, now: datetime) -> None:
        from practicum.gpus.inventory import set_server_state
        from practicum.gpus.models import ServerState

        state = self.chance.choice([ServerState.ONLINE] * 3 + [ServerState.DRAINING, ServerState.OFFLINE])
        set_server_state(self.chance.choice(SERVERS), state=state, actor=self.admin, now=now)

    def _edit_quota(self, now: datetime) -> None:
        from practicum.gpus.models import Quota
        from practicum.gpus.quota_selectors import terms_of
        from practicum.gpus.quotas import Change, set_quotas

        cohort, draw = self.chance.choice(self.cohorts), self.chance.choice
        before = terms_of(Quota.objects.get(cohort=cohort))
        assert before is not None
        guaranteed = draw([4, 6, 8])
        after = replace(
            before, guaranteed=guaranteed, weight=draw([1.0, 2.0, 3.0]), borrowing_limit=draw([None, 0, 2, 4]),
            lending_limit=draw([None, 1, guaranteed]), per_intern=draw([None, 1, 2]),
        )  # fmt: skip
        set_quotas([Change(cohort.pk, self.pool.pk, before, after)], actor=self.admin, now=now)
