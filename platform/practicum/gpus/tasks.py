"""What the worker does for this room, again and again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from practicum.gpus import estimating, plan_runner, plans, servers, services
from practicum.lib.clock import utc_now


def allocate(now: datetime) -> int:
    """Ask holders whose time is up to stop, then give free slots to those in line; returns how many were given."""
    services.expire_leases(now=now)
    servers.end_overdue(now=now)
    return len(services.allocate(now=now))


def estimate(now: datetime) -> int:
    """Work out when those in line will start, at most every 15 seconds; returns for how many."""
    return estimating.refresh_estimates(now=now)


def claim_and_plan(now: datetime, *, clock: Callable[[], datetime] = utc_now) -> bool:
    """Replay the plan that waited longest; False when there was none. Nothing is kept between calls."""
    plans.expire_plans(now=now)
    plan = plans.claim_plan(now=now)
    if plan is None:
        return False
    plan_runner.run_plan(plan, clock=clock)
    return True
